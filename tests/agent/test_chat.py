"""The chat: one desk behind a grammar and behind a language model over real HTTP, and every fault in a sentence."""

import io
import json
import os
import time

import pytest
from fake_tools import FakeAuthor, FakeTools, request
from rich.console import Console
from video2reward.agent import apart
from video2reward.agent.chat import Chat, GrammarBrain, History, asker
from video2reward.agent.chat_model import ModelBrain
from video2reward.agent.cli import main
from video2reward.agent.desk import Desk
from video2reward.agent.lease import lease
from video2reward.agent.session import start
from video2reward.agent.settings import Settings
from video2reward.agent.steering import asked
from video2reward.evals.scripted_openai import Reply, ToolCall, serve
from video2reward.memory import runs
from video2reward.memory.records import Decision

KEY = "sk-very-secret"


@pytest.fixture(scope="module")
def server():
    with serve() as server:
        yield server


@pytest.fixture(scope="module", autouse=True)
def nothing_left_running():
    """Wait for the commands that the chat started: all of them find out soon that their clip is none."""
    yield
    for child in apart._children:
        child.wait(30)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run of two laps with two tries each."""
    root = tmp_path_factory.mktemp("runs")
    tools = FakeTools(gsi=lambda attempt, seed: 0.85 if attempt.startswith("L2") else 0.5)
    start(request(root / "dog", laps=2), tools=tools, author=FakeAuthor())
    return root


@pytest.fixture
def desk(finished, tmp_path):
    desk = Desk(finished, lambda question: False, home=tmp_path / "chat")
    desk.use("dog")  # other tests may have left later runs
    return desk


def said_by(brain, *texts, home):
    out = io.StringIO()
    chat = Chat(brain, History(home / "history.jsonl"), Console(file=out, width=200))
    fine = [chat.say(text) for text in texts]
    return out.getvalue(), fine


def by_grammar(desk, *texts):
    return said_by(GrammarBrain(desk), *texts, home=desk.home)


def by_model(desk, server, *texts, ask=lambda question: False):
    settings = Settings(base_url=server.url, api_key=KEY, timeout_s=5.0, max_retries=1)
    return said_by(ModelBrain("talker", settings, desk, ask), *texts, home=desk.home)


def test_a_run_is_explained_shown_and_compared(desk):
    said, fine = by_grammar(desk, "why did you stop?", "show me the second try", "compare the first and the third try")
    assert all(fine)
    assert "L2-C1 passes every gate" in said and "It stands on: attempts 4" in said
    assert "L1-C2 by fake: two" in said and "L2-C1 is the better one." in said


def test_what_is_not_understood_is_said_with_what_can_be_done(desk):
    said, fine = by_grammar(desk, "sing me a song")
    assert fine == [False] and "'sing me a song'" in said and "why did you stop?" in said


def test_a_run_at_work_is_told_and_stopped_without_ending_its_process(desk, finished):
    run = finished / "dog"
    with lease(run):
        said, fine = by_grammar(desk, "remove the foot-slip term and go on", "how is it going?", "stop")
    assert all(fine) and "without slip" in said and "at work" in said
    assert asked(run)[-1].remove_terms == ("slip",) and (run / "STOP").exists()
    (run / "STOP").unlink()
    (run / "steer.jsonl").unlink()


def test_a_clip_that_is_not_there_is_refused_before_anything_is_started(desk):
    said, fine = by_grammar(desk, "make the go1 trot like nowhere.mp4")
    assert fine == [False] and "there is no clip nowhere.mp4" in said


def test_a_run_that_cannot_begin_says_why_in_the_chat(desk, tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    by_grammar(desk, f"make the go1 trot like {tmp_path / 'broken.mp4'}")
    # The run begins in a process of its own and finds out there.
    said = ""
    for _ in range(300):
        said, _ = by_grammar(desk, "how is it going?")
        if "broken.mp4" in said:
            break
        time.sleep(0.2)
    assert "broken.mp4" in said and "dog" not in said, said


def test_what_takes_longer_than_the_limit_is_asked_first(finished, tmp_path):
    (tmp_path / "a.mp4").touch()
    questions = []
    desk = Desk(finished, lambda question: bool(questions.append(question)), home=tmp_path / "chat")
    clip = tmp_path / "a.mp4"
    said, _ = by_grammar(
        desk, f"make the go1 trot like {clip} for 2 hours", f"run {tmp_path}/ overnight",
        f"make the go1 trot like {clip}, at most 3 dollars",
    )  # fmt: skip
    assert "120 minutes" in questions[0] and "until 07:00, at most $5" in questions[1] and "cost $3" in questions[2]
    assert said.count("Nothing was started.") == 3 and "did not understand" not in said


def test_nobody_to_ask_means_no(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    out = io.StringIO()
    assert asker(False, Console(file=out))("Spend it?") is False and "--yes" in out.getvalue()
    assert asker(True, Console(file=out))("Spend it?") is True


def test_the_conversation_is_kept_and_a_cut_line_of_it_is_passed_over(desk):
    by_grammar(desk, "help")
    history = History(desk.home / "history.jsonl")
    with history.path.open("a") as file:
        file.write('{"who": "you", "te\n')
    assert [who for who, _ in history.turns()] == ["you", "agent"]


def test_an_interrupted_turn_ends_the_turn_alone(desk):
    class Interrupted(GrammarBrain):
        def answer(self, text, history):
            yield "I am "
            raise KeyboardInterrupt

    said, _ = said_by(Interrupted(desk), "hello", home=desk.home)
    assert "I am  (interrupted; what runs goes on)" in said


def test_from_the_command_line_several_things_can_be_said(finished, tmp_path, monkeypatch, capsys):
    for name in list(os.environ):
        if name.startswith(("V2R_", "OPENAI_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("V2R_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    root = ["chat", "--root", str(finished)]
    assert main([*root, "--say", "why did you stop?", "--say", "list runs"]) == 0
    assert main([*root, "--say", "sing"]) == 2
    assert "dog: passed" in capsys.readouterr().out


def test_a_model_streams_calls_tools_and_is_given_what_they_say(desk, server):
    server.script(Reply(tool_calls=(ToolCall("explain"),)), Reply("It stopped because it was good enough."))
    said, fine = by_model(desk, server, "why did you stop?")
    assert fine == [True] and "It stopped because it was good enough." in said
    told = server.requests[1]["messages"][-1]
    assert told["role"] == "tool" and "passes every gate" in told["content"]
    assert server.requests[0]["stream"] is True
    names = {tool["function"]["name"] for tool in server.requests[0]["tools"]}
    four = {"extract_keypoints", "write_reward", "train_policy", "render_and_critique"}
    assert four | {"recall_rewards", "start_run", "run_status", "steer_run", "stop_run", "explain", "compare"} <= names


def test_the_model_is_told_what_was_said_before(desk, server):
    server.script(Reply("Hello."), Reply("Again."))
    by_model(desk, server, "hi", "and again")
    assert [message["content"] for message in server.requests[1]["messages"][1:]] == ["hi", "Hello.", "and again"]


def test_a_models_steering_is_the_same_record(desk, server, finished):
    arguments = {"said": "slower", "speed_factor": 0.8, "remove_terms": ["slip"]}
    server.script(Reply(tool_calls=(ToolCall("steer_run", json.dumps(arguments)),)), Reply("Done."))
    with lease(finished / "dog"):
        by_model(desk, server, "slower, and without the slip term")
    (steering,) = asked(finished / "dog")
    assert steering.speed_factor == 0.8 and steering.remove_terms == ("slip",)
    (finished / "dog/steer.jsonl").unlink()


@pytest.mark.parametrize("allowed", [True, False], ids=["yes", "no"])
def test_a_tool_that_costs_asks_the_person_and_hears_the_answer(desk, server, tmp_path, allowed):
    (tmp_path / "a.mp4").write_bytes(b"no video")
    arguments = json.dumps({"clip": str(tmp_path / "a.mp4"), "minutes": 600})
    server.script(Reply(tool_calls=(ToolCall("start_run", arguments),)), Reply("As you wish."))
    questions = []
    by_model(desk, server, "take ten hours", ask=lambda question: questions.append(question) or allowed)
    assert len(questions) == 1 and "600 minutes" in questions[0]
    told = server.requests[1]["messages"][-1]["content"]
    assert ("Nothing was started." in told) is not allowed


@pytest.mark.parametrize(
    ("replies", "expected"),
    [
        ((Reply(status=401, error=f"bad key {KEY}"),), "refuses the key"),
        ((Reply(status=429, error="slow", headers={"retry-after": "0.1"}), Reply("Hello.")), "Hello."),
        ((Reply(status=500, error="down"), Reply("Hello.")), "Hello."),
        ((Reply(status=500, error="down"),), "status 500"),
        ((Reply(raw="{not json"),), "protocol"),
        ((Reply("It is a long answer that will be cut in its middle", cut=True),), "cut off"),
        ((Reply(None),), "said nothing"),
        ((Reply(None, refusal="I will not."),), "may be a refusal"),
        ((Reply("It is", finish="length"),), "too long"),
        ((Reply(tool_calls=(ToolCall("fly_away"),)), Reply("There is no such tool.")), "There is no such tool."),
        ((Reply(tool_calls=(ToolCall("explain", '{"run": '),)), Reply("Better now.")), "Better now."),
        ((Reply(tool_calls=(ToolCall("explain", '{"run": '),)),), "no JSON, 3 times"),
        ((Reply(tool_calls=(ToolCall("explain", '{"run": "nowhere"}'),)), Reply("No such run.")), "No such run."),
        ((Reply(tool_calls=(ToolCall("steer_run", '{"said": "x", "speed_factor": 99}'),)), Reply("No.")), "No."),
        ((Reply(tool_calls=(ToolCall("stop_run"),), cut=True), Reply("Again.")), "Again."),
        ((Reply(tool_calls=(ToolCall("run_status"),)),), "without an end"),
        ((Reply(tool_calls=(ToolCall("run_status"),)), Reply(status=401, error="revoked")), "refuses the key"),
    ],
    ids=["401", "429", "500 once", "500", "no JSON", "cut", "silence", "refusal", "long", "unknown tool",
         "bad call", "bad calls for ever", "tool error", "refused value", "cut call", "endless", "key revoked"],
)  # fmt: skip
def test_a_fault_ends_the_turn_with_a_sentence_and_the_next_turn_works(desk, server, replies, expected):
    server.script(*replies)
    said, _ = by_model(desk, server, "how is it going?")
    assert expected in said and KEY not in said and "Traceback" not in said
    server.script(Reply("All is well."))
    said, fine = by_model(desk, server, "and now?")
    assert fine == [True] and "All is well." in said


def test_a_chat_writes_a_reward_for_a_run_and_hears_why_it_is_refused(desk, server, finished):
    term = {"name": "still", "weight": 1.0, "body": "return upright(s)"}
    arguments = json.dumps({"terms": [term], "rationale": "r", "run": "dog"})
    from fake_tools import TARGET

    runs.save(TARGET, finished / "dog/target.json")
    server.script(Reply(tool_calls=(ToolCall("write_reward", arguments),)), Reply("Refused."))
    by_model(desk, server, "reward standing")
    assert "would learn not to move" in server.requests[1]["messages"][-1]["content"]


def test_every_decision_keeps_what_was_asked(finished):
    lines = (finished / "dog/decisions.jsonl").read_text().splitlines()
    assert all(Decision.model_validate_json(line).steering == () for line in lines)


def test_a_speed_as_such_becomes_a_factor_of_what_the_run_is_held_to(desk, finished):
    run = finished / "dog"
    with lease(run):
        said, fine = by_grammar(desk, "make it walk at 0.8 m/s", "at 9 m/s")
    # The fake target goes at 1 m/s.
    assert fine == [True, False] and "speed x 0.80" in said and "too far from the 0.80 m/s of now" in said
    assert asked(run)[-1].speed_factor == pytest.approx(0.8)
    (run / "steer.jsonl").unlink()


def test_a_term_that_the_reward_does_not_have_is_said(desk, finished):
    with lease(finished / "dog"):
        said, _ = by_grammar(desk, "remove the soles term and go on")
    assert "its reward has no soles term, it has a" in said
    (finished / "dog" / "steer.jsonl").unlink()


def test_a_status_says_what_was_used_and_a_run_can_be_named(desk, finished):
    said, fine = by_grammar(desk, "how much did it cost?", "switch to run dog", "thanks")
    assert all(fine) and said.count("of 10 minutes") == 2


@pytest.mark.parametrize("limit", [{"tokens": 1000}, {"usd": 0.0001}], ids=["tokens", "dollars"])
def test_a_conversation_ends_with_its_own_limit_and_runs_do_not(desk, server, limit):
    server.script(Reply("Hello."))
    settings = Settings(base_url=server.url, api_key=KEY, max_retries=0)
    brain = ModelBrain("gpt-4o-mini", settings, desk, lambda question: False, **limit)
    said, fine = said_by(brain, "hello", "again", home=desk.home)
    assert fine == [True, False] and "of this conversation are used up" in said
    assert len(server.requests) == 1 and brain.spent.startswith("1,100 tokens, $0.0002")


def test_a_conversation_asks_before_it_costs_more_than_the_settings_let_it(desk, server):
    server.script(Reply("Hello."))
    questions = []
    settings = Settings(base_url=server.url, api_key=KEY, max_retries=0, ask_above_usd=0.0001)
    brain = ModelBrain("gpt-4o-mini", settings, desk, lambda question: questions.append(question) or len(questions) < 2)
    _, fine = said_by(brain, "one", "two", "three", home=desk.home)
    assert fine == [True, True, False] and len(questions) == 2 and "has cost $0.00" in questions[0]


@pytest.mark.parametrize(
    "text",
    [
        '<tool_call>\n{"name": "explain", "arguments": {}}\n</tool_call>',
        '{"name": "explain", "parameters": {"run": ""}}',
        'I look it up.\n```json\n{"name": "explain", "arguments": "{}"}\n```',
    ],
    ids=["tags", "JSON", "prose"],
)
def test_a_call_that_a_server_lets_through_as_text_is_made(desk, server, text):
    server.script(Reply(text), Reply("Because it was good enough."))
    said, _ = by_model(desk, server, "why did you stop?")
    assert "good enough" in said and "<tool_call" not in said and '{"name"' not in said.split("```")[0]
    assert "After lap" in server.requests[1]["messages"][-1]["content"]


def test_a_call_in_text_that_cannot_be_read_is_explained(desk, server):
    server.script(Reply("<function=explain>run</function>"))
    said, _ = by_model(desk, server, "why did you stop?")
    assert "parser of tool calls" in said
