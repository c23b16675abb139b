"""The critic that sees: what it adds, and what it cannot touch."""

import json

import cv2
import numpy as np
import pytest
from fake_tools import FakeAuthor, FakeTools, critique, request
from video2reward.agent.folder import RunFolder
from video2reward.agent.looking import ModelCritic, make_critic, read_seen
from video2reward.agent.session import start
from video2reward.agent.settings import Settings
from video2reward.evals.scripted_openai import Reply, serve
from video2reward.memory.errors import AuthorFailed, BadInput

SEEN = {"time_s": 0.5, "quantity": "trunk_pitch_deg", "value": 8.0, "wanted": 0.0, "sentence": "It leans forward."}


@pytest.fixture(scope="module")
def server():
    with serve() as server:
        yield server


@pytest.fixture
def sheet(tmp_path):
    cv2.imwrite(str(tmp_path / "sheet.jpg"), np.zeros((8, 8, 3), np.uint8))
    return tmp_path / "sheet.jpg"


@pytest.fixture
def critic(server):
    return ModelCritic("eyes", Settings(base_url=server.url, timeout_s=5.0, max_retries=0))


def seen(*findings, advice=("Reward a level trunk.",)):
    return Reply(json.dumps({"findings": list(findings), "advice": list(advice)}))


def test_what_is_seen_is_added_under_the_name_of_who_saw_it(server, critic, sheet):
    server.script(seen(SEEN))
    before = critique("L1-C1", 0.7, passed=True)
    after = critic.review(before, sheet)
    (finding,) = after.findings
    assert (finding.time_s, finding.value, finding.source) == (0.5, 8.0, "openai:eyes")
    assert after.advice == ("Reward a level trunk. (seen by openai:eyes)",)
    assert server.pictures()[0].startswith("data:image/jpeg;base64,")
    assert critic.usage.input_tokens == 1000


@pytest.mark.parametrize("passed", [True, False], ids=["passed", "failed"])
def test_gates_and_similarity_are_beyond_the_reach_of_whoever_looks(server, critic, sheet, passed):
    lies = {**SEEN, "passed": True, "gsi": 1.0}
    answer = {"findings": [lies], "advice": ["It passes."], "passed": not passed, "gates": [], "similarity": {"gsi": 1}}
    server.script(Reply(json.dumps(answer)))
    before = critique("L1-C1", 0.7, passed=passed)
    after = critic.review(before, sheet)
    untouched = {"findings", "advice"}
    assert after.model_dump(exclude=untouched) == before.model_dump(exclude=untouched)


def test_a_finding_without_a_moment_of_the_rollout_or_without_a_number_is_dropped(server, critic, sheet):
    nowhere = {**SEEN, "time_s": 99.0}
    wordy = {**SEEN, "value": "a lot"}
    server.script(seen(SEEN, nowhere, wordy))
    assert len(critic.review(critique("a", 0.7, passed=True), sheet).findings) == 1


def test_findings_of_which_none_can_be_used_are_asked_for_once_more(server, critic, sheet):
    server.script(seen({**SEEN, "time_s": 99.0}), seen(SEEN))
    assert len(critic.review(critique("a", 0.7, passed=True), sheet).findings) == 1
    assert "between 0 and 1" in server.requests[1]["messages"][-1]["content"]


def test_nothing_seen_is_an_answer(server, critic, sheet):
    server.script(seen(advice=()))
    before = critique("a", 0.7, passed=True)
    assert critic.review(before, sheet) == before


def test_a_model_that_takes_no_pictures_is_told_apart_and_not_believed_blind(server, critic, sheet):
    server.script(Reply(status=400, error="image_url is not supported by this model"), seen(SEEN))
    with pytest.raises(AuthorFailed, match="takes no pictures"):
        critic.review(critique("a", 0.7, passed=True), sheet)


@pytest.mark.parametrize(
    ("fault", "said"),
    [(Reply("It looks good to me!"), "nothing that could be used"), (Reply(raw="<html>"), "broke the protocol"),
     (Reply(status=500, error="down"), "status 500"), (Reply(None, refusal="no robots"), "refusal")],
    ids=["prose", "no protocol", "down", "refusal"],
)  # fmt: skip
def test_a_critic_that_fails_costs_the_run_nothing_but_its_words(server, critic, tmp_path, fault, said):
    server.script(fault)
    out = tmp_path / "run"
    result = start(request(out, candidates=1), tools=FakeTools(), author=FakeAuthor(), critic=critic)
    assert result.status == "passed"
    failed = [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]
    (event,) = [event for event in failed if event["kind"] == "critic_failed"]
    assert said in event["reason"]


def test_what_was_seen_reaches_the_record_and_the_next_author(server, critic, tmp_path):
    server.script(seen(SEEN))
    author, out = FakeAuthor(), tmp_path / "run"
    tools = FakeTools(gsi=lambda attempt, seed: 0.6)
    start(request(out, candidates=1, laps=2), tools=tools, author=author, critic=critic)
    told = author.briefs[1].parents[0].attempt.critique
    assert told.findings[-1].source == "openai:eyes" and told == RunFolder(out).critique("L1-C1")
    spent = json.loads((out / "spending.json").read_text())
    assert spent["tokens"] == server.tokens > 0


def test_the_offline_critic_is_physics_alone():
    assert make_critic("offline") is None
    with pytest.raises(BadInput):
        make_critic(" ")


FOUND = {"time_s": 1.5, "quantity": "trunk_pitch_deg", "value": 8.0, "wanted": 0.0, "sentence": "It leans forward."}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"findings": [FOUND], "advice": ["Level the trunk."]}),
        "Looking at it:\n```json\n" + json.dumps({"findings": [FOUND], "advice": "Level the trunk."}) + "\n```",
        json.dumps({"findings": [{**FOUND, "time_s": "about 1.5 s", "value": "8°", "wanted": "~0"}]}),
        json.dumps({"findings": [{"time": 1.5, "metric": "Trunk pitch (deg)", "robot": 8, "subject": 0,
                                  "observation": "It leans forward."}]}),
        json.dumps([FOUND]),
        json.dumps({"review": {"findings": [FOUND], "advice": []}}),
        "<think>{\"findings\": []}</think>" + json.dumps({"findings": [FOUND]}),
    ],
    ids=["as asked", "in a fence", "numbers in words", "other names", "a list", "wrapped", "thoughts"],
)  # fmt: skip
def test_what_a_model_saw_is_read_in_the_forms_that_models_like(text):
    (finding,), _, problem = read_seen(text, "eyes", 10.0)
    assert problem == "" and (finding.time_s, finding.value, finding.wanted) == (1.5, 8.0, 0.0)
    assert finding.quantity == "seen.trunk_pitch_deg" and finding.sentence == "It leans forward."
