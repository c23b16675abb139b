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
        ("", "unknown"),
        ("is it good?", "unknown"),
    ],
)
def test_a_sentence_means_what_it_says(text, kind):
    assert read(text).kind == kind


def test_what_a_run_needs_is_read_from_the_sentence():
    intent = read("make the g1 walk like '/some where/my clip.mp4' with keypoints a/b.csv for 5 minutes, 20 % slower")
    assert intent.clips == (Path("/some where/my clip.mp4"),) and intent.keypoints == Path("a/b.csv")
    assert intent.robot == "g1" and intent.minutes == 5.0 and intent.steering.speed_factor == 0.8
    assert intent.unread == ()


def test_a_night_has_a_folder_an_end_and_a_price():
    intent = read("run the folder clips/people overnight until 6:30, at most 5 dollars")
    assert (intent.folder, intent.until, intent.usd) == (Path("clips/people"), "06:30", 5.0)
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
        ("more speed", {"weight_factors": {"speed": 2.0}}),
        ("lift the feet higher", {"swing_height_factor": 1.25}),
        ("longer strides", {"cadence_factor": 0.9}),
        ("set the bounce weight to 2.5", {"weights": {"bounce": -2.5}}),
        ("remove the foot-slip term", {"remove_terms": ("slip",)}),
        ("drop the my_own term", {"remove_terms": ("my_own",)}),
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
