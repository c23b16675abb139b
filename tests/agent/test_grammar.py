"""What the grammar reads out of sentences, and that it says what it cannot read."""

from pathlib import Path

import pytest
from video2reward.agent.grammar import read
from video2reward.agent.wishes import steering_of, wished
from video2reward.memory.errors import BadInput


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("make the go1 trot like this clip", "start"),
        ("make the go1 trot like clips/dog.mp4", "start"),
        ("train the g1 from a.gif for 3 minutes", "start"),
        ("slower, less bouncing", "steer"),
        ("stop the bouncing", "steer"),
        ("why did you stop?", "explain"),
        ("Why was L1-C2 refused?", "explain"),
        ("show me the second try", "show"),
        ("show me the video", "show"),
        ("which of my old rewards fits this new clip?", "recall"),
        ("which of my old rewards fits new.mp4?", "recall"),
        ("what does new.mp4 show?", "describe"),
        ("remove the foot-slip term and go on", "steer"),
        ("run this folder overnight, at most 5 dollars, mail me a report path", "overnight"),
        ("run clips/ until 6:30", "overnight"),
        ("how is it going?", "status"),
        ("is it done yet?", "status"),
        ("compare the first and the second try", "compare"),
        ("stop", "stop"),
        ("stop it now", "stop"),
        ("go on", "go_on"),
        ("please continue", "go_on"),
        ("list my runs", "list"),
        ("watch", "watch"),
        ("help", "help"),
        ("sing me a song", "unknown"),
        ("can you get the robot dog to move like the dog in examples/dog.mp4?", "start"),
        ("I'd like g1 to walk like the woman in walk.mp4", "start"),
        ("do it again with dog2.mp4", "start"),
        ("try dog.mp4 on the g1 instead", "start"),
        ("now do the same with the humanoid", "start"),
        ("teach go1 this: dog.mp4", "start"),
        ("it bounces too much", "steer"),
        ("could it lift its feet more?", "steer"),
        ("the feet drag", "steer"),
        ("make it walk at 0.8 m/s", "steer"),
        ("increase the speed by 10 percent", "steer"),
        ("less noise in the motors", "steer"),
        ("turn down the pose reward", "steer"),
        ("get rid of the slip penalty and continue", "steer"),
        ("what made you stop?", "explain"),
        ("what went wrong?", "explain"),
        ("how did it go?", "status"),
        ("are you done?", "status"),
        ("how much did it cost?", "status"),
        ("how long will it take?", "status"),
        ("what does the reward look like?", "show"),
        ("where is the report?", "show"),
        ("let me see attempt 3", "show"),
        ("do you have a reward for something like new.mp4?", "recall"),
        ("have we done anything like new.mp4 before?", "recall"),
        ("find similar rewards for new.mp4", "recall"),
        ("use the night for clips/", "overnight"),
        ("process everything in clips/ overnight for at most $3", "overnight"),
        ("that's enough", "stop"),
        ("resume the last run", "go_on"),
        ("which try was better, 1 or 2?", "compare"),
        ("can you use dog.mp4?", "describe"),
        ("examples/dog.mp4", "describe"),
        ("keep me posted", "watch"),
        ("switch to run dog-go1-1", "use"),
        ("hello there", "help"),
        ("thanks a lot!", "thanks"),
        ("export the policy", "unknown"),
        ("delete everything", "unknown"),
        ("", "unknown"),
        ("is it good?", "unknown"),
    ],
)
def test_a_sentence_means_what_it_says(text, kind):
    intent = read(text)
    assert intent.kind == kind
    assert kind == "unknown" or intent.unread == ()


def test_what_a_run_needs_is_read_from_the_sentence():
    intent = read("make the g1 walk like '/some where/my clip.mp4' with keypoints a/b.csv for 5 minutes, 20 % slower")
    assert intent.clips == (Path("/some where/my clip.mp4"),) and intent.keypoints == Path("a/b.csv")
    assert intent.robots == ("g1",) and intent.minutes == 5.0 and intent.steering.speed_factor == 0.8
    assert intent.unread == ()


def test_a_night_has_a_folder_an_end_and_a_price():
    intent = read("run the folder clips/people overnight until 6:30, at most 5 dollars")
    assert (intent.folders, intent.until, intent.usd) == ((Path("clips/people"),), "06:30", 5.0)
    assert read("run it overnight until 7 am, at most $2.50").usd == 2.5


def test_tries_are_named_by_order_number_or_name():
    assert read("show me the second try").tries == (2,)
    assert read("compare try 3 and L1-C2").tries == (3, "L1-C2")
    assert read("show the best").tries == ("best",)


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("slower", {"speed_factor": 0.85}),
        ("much slower", {"speed_factor": 0.7225}),  # 0.85²
        ("twice as fast", {"speed_factor": 2.0}),
        ("20 % faster", {"speed_factor": 1.2}),
        ("less bouncing", {"weight_factors": {"bounce": 2.0, "chatter": 1.5}}),
        ("more speed", {"speed_factor": 1.15}),
        ("lift the feet higher", {"swing_height_factor": 1.25}),
        ("longer strides", {"cadence_factor": 0.9}),
        ("set the bounce weight to 2.5", {"weights": {"bounce": -2.5}}),
        ("remove the foot-slip term", {"remove_terms": ("slip",)}),
        ("drop the my_own term", {"remove_terms": ("my_own",)}),
        ("reduce the speed by 20%", {"speed_factor": 0.8}),
        ("not so fast", {"speed_factor": 0.85}),
        ("it's too slow", {"speed_factor": 1.15}),
        ("10 % higher steps", {"swing_height_factor": 1.1, "cadence_factor": 1.0}),
        ("the feet drag", {"swing_height_factor": 1.25}),
        ("it bounces too much", {"weight_factors": {"bounce": 2.0, "chatter": 1.5}}),
        ("don't slip so much", {"weight_factors": {"slip": 2.0}}),
        ("no more bouncing", {"weight_factors": {"bounce": 2.0, "chatter": 1.5}, "remove_terms": ()}),
        ("stop turning", {"weight_factors": {"heading": 2.0}}),
        ("more energy efficient", {"weight_factors": {"effort": 2.0}}),
        ("more weight on speed", {"weight_factors": {"speed": 2.0}, "speed_factor": 1.0}),
        ("less slip penalty", {"weight_factors": {"slip": 0.5}}),
        ("it falls over", {"weight_factors": {"level": 2.0}}),
        ("halve the pose weight", {"weight_factors": {"pose": 0.5}}),
    ],
)
def test_a_wish_comes_to_numbers(text, means):
    steering, unread = steering_of(text)
    assert unread == []
    assert {name: getattr(steering, name) for name in means} == means


def test_a_clause_that_is_not_understood_is_said_and_the_rest_is_done():
    intent = read("slower and purple")
    assert intent.kind == "steer" and intent.unread == ("purple",) and intent.steering.speed_factor == 0.85


def test_an_author_by_rule_refuses_a_wish_that_it_cannot_follow_and_one_that_reads_takes_it():
    with pytest.raises(BadInput, match="purple"):
        wished("purple", reads=False)
    assert wished("like a proud horse", reads=True)[0].wish == "like a proud horse"
    assert wished("slower", reads=False)[0].speed_factor == 0.85
    assert wished('{"said": "x", "speed_factor": 0.5}', reads=False)[0].speed_factor == 0.5
    with pytest.raises(BadInput):
        wished('{"said": "x", "speed_factor": 50}', reads=False)


def test_a_night_may_have_several_folders_and_robots():
    intent = read("work on clips/dogs and clips/people tonight until 6:30 with both robots, at most five dollars")
    assert intent.folders == (Path("clips/dogs"), Path("clips/people")) and intent.robots == ("go1", "g1")
    assert (intent.until, intent.usd) == ("06:30", 5.0)
    assert read("run the folder dogs overnight").folders == (Path("dogs"),)


@pytest.mark.parametrize(
    ("text", "robots"),
    [
        ("make robots/spot.xml trot like dog.mp4", ("robots/spot.xml",)),
        ("make menagerie:anymal_c trot like dog.mp4", ("menagerie:anymal_c",)),
        ("let my table walk like dog.mp4", ("table",)),
        ("make the humanoid walk like a.mp4", ("g1",)),
    ],
)
def test_any_robot_may_be_named(text, robots):
    intent = read(text, known_robots=("table", "table-1a2b3c4d"))
    assert (intent.kind, intent.robots, intent.unread) == ("start", robots, ())


def test_a_run_and_a_speed_are_read_from_a_sentence():
    intent = read("slow down dog-go1-20261125-201530 to 0.8 m/s")
    assert (intent.run, intent.speed_m_s, intent.folders) == ("dog-go1-20261125-201530", 0.8, ())
    assert read("make the go1 trot like a.mp4 for half an hour").minutes == 30.0
