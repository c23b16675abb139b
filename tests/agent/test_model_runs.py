"""Whole runs through a scripted server: the same records as the offline author's, and no fault that kills a run."""

import json

import pytest
from fake_tools import FakeAuthor, FakeTools, request
from video2reward.agent.folder import RunFolder
from video2reward.agent.llm import LlmAuthor
from video2reward.agent.session import start
from video2reward.agent.settings import Settings
from video2reward.evals.same_records import same_records
from video2reward.evals.scripted_openai import Reply, serve
from video2reward.memory import runs
from video2reward.memory.errors import BadReward
from video2reward.memory.records import RewardProgram
from video2reward.sim.guard import check_source
from video2reward.tools.write_reward import compose

KEY = "sk-very-secret"
GOOD = json.dumps(
    {"rationale": "Feet.", "terms": [{"name": "progress", "weight": 1.0, "body": "return forward_progress(s)"}]}
)


def guard(draft, target) -> str:
    """Examine a draft as far as that goes without a process for the trial."""
    try:
        return " ".join(str(problem) for problem in check_source(compose(draft, target)))
    except BadReward as error:
        return str(error)


class Tools(FakeTools):
    """The fakes, which write down a reward's own terms, and refuse what the guard refuses."""

    def write_reward(self, draft, target, folder, attempt):
        program = super().write_reward(draft, target, folder, attempt)
        program = program.model_copy(
            update={
                "terms": {term.name: term.weight for term in draft.terms},
                "reason": (reason := guard(draft, target)),
                "status": "rejected" if reason else "ok",
            }
        )
        runs.save(program, folder / "program.json")
        return runs.load(RewardProgram, folder / "program.json")


@pytest.mark.parametrize(
    "faults",
    [(), (Reply("No.", prompt_tokens=77),), (Reply(status=429, error="x", headers={"retry-after": "0"}), Reply(None))],
    ids=["no fault", "prose", "429 and silence"],
)  # fmt: skip
def test_a_run_through_the_server_leaves_the_same_records_and_counts_every_token(tmp_path, faults):
    tools = lambda: Tools(gsi=lambda attempt, seed: 0.5 + 0.05 * int(attempt[1]), passes=lambda a, s: a != "L1-C2")  # noqa: E731
    compared = same_records(request(tmp_path / "x", laps=3, candidates=2), tmp_path, tools, faults, guard)
    assert compared.offline == compared.model and len(compared.offline) == 6
    assert compared.tokens_claimed == compared.tokens_counted > 5 * 1000
    assert "footfalls=2" in compared.offline[0] and compared.same


def test_a_difference_would_be_seen(tmp_path):
    passes = iter([True, False])
    tools = lambda: Tools(passes=(lambda now: lambda a, s: now)(next(passes)))  # noqa: E731
    assert not same_records(request(tmp_path / "x", laps=1, candidates=1), tmp_path, tools, examine=guard).same


@pytest.fixture(scope="module")
def server():
    with serve() as server:
        yield server


def run(server, out, *replies, laps=2):
    server.script(*replies)
    settings = Settings(base_url=server.url, api_key=KEY, timeout_s=1.0, max_retries=1, prompt="full")
    author = LlmAuthor("m", settings, guard)
    result = start(request(out, laps=laps, candidates=2), tools=Tools(gsi=lambda a, s: 0.5), author=author)
    return result, RunFolder(out)


BAD_CODE = GOOD.replace("forward_progress(s)", "open('/etc/passwd')")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Reply(status=429, error="slow", headers={"retry-after": "0.01"}), "no more requests"),
        (Reply(status=429, error="slow", headers={"retry-after": "9999"}), "no more requests"),
        (Reply(status=500, error="internal"), "status 500"),
        (Reply(GOOD, delay_s=1.6), "did not answer"),
        (Reply(raw="{not json"), "broke the protocol"),
        (Reply(raw='{"choices": []}'), "broke the protocol"),
        (Reply(raw='{"error": {"message": "inner trouble"}}'), "broke the protocol"),
        (Reply(GOOD, cut=True), "cannot be reached"),
        (Reply(None), "empty"),
        (Reply(None, refusal="I will not."), "refusal"),
        (Reply("Je ne parle pas JSON."), "no JSON"),
        (Reply("Sure! Here is your reward: reward = speed"), "no JSON"),
        (Reply(BAD_CODE), "open"),
        (Reply(status=401, error=f"revoked: {KEY}"), "refuses the key"),
    ],
    ids=["429", "429 for hours", "500", "time-out", "no JSON body", "no choices", "200 with an error", "cut", "empty",
         "refusal", "French", "prose", "code that is refused", "401"],
)  # fmt: skip
def test_a_server_that_only_has_faults_ends_a_run_with_a_reason_on_record(server, tmp_path, fault, said):
    result, disk = run(server, tmp_path / "run", fault, laps=3)
    assert result.status == "failed" and said in result.stop_reason
    reasons = [attempt.program.reason for attempt in disk.attempts()]
    assert reasons and all(said in reason for reason in reasons)
    everything = "".join(path.read_text() for path in disk.path.rglob("*.json*"))
    assert KEY not in everything and KEY not in (disk.path / "events.jsonl").read_text()


def test_a_key_that_is_revoked_midway_costs_the_laps_after_it_and_not_the_best(server, tmp_path):
    result, disk = run(server, tmp_path / "run", Reply(GOOD), Reply(GOOD), Reply(status=401, error="revoked"))
    first, second, *later = disk.attempts()
    assert first.passed and second.passed and result.status == "passed" and result.best.attempt == "L1-C1"
    assert later and all("refuses the key" in attempt.program.reason for attempt in later if attempt.program.reason)


def test_pictures_reach_a_model_that_sees_and_stay_away_from_one_that_refused_them(server, tmp_path):
    result, _ = run(server, tmp_path / "run", Reply(GOOD))
    assert server.pictures()[0].startswith("data:image/jpeg;base64,")
    refuses = Reply(status=400, error="image_url is only supported by certain models")
    server.script(refuses, Reply(GOOD))
    run(server, tmp_path / "again", refuses, Reply(GOOD))
    assert [bool(isinstance(r["messages"][1]["content"], list)) for r in server.requests[:3]] == [True, False, False]


def test_in_a_later_lap_every_second_candidate_is_weights_fitted_by_rule_and_costs_no_call(server, tmp_path):
    result, disk = run(server, tmp_path / "run", Reply(GOOD))
    assert len(server.requests) <= 3 + 1
    assert result.candidates == 4


def test_an_author_that_sees_nothing_is_given_no_pictures(tmp_path):
    author = FakeAuthor()
    start(request(tmp_path / "run", laps=1), tools=FakeTools(), author=author)
    assert author.briefs[0].pictures == ()
