"""The loop from the request to the result: what it keeps, when it stops, and that nothing is done twice."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fake_tools import FakeAuthor, FakeTools, request
from video2reward.agent import finish
from video2reward.agent.authors import Unusable
from video2reward.agent.lease import lease
from video2reward.agent.llm import LlmAuthor, Settings
from video2reward.agent.session import resume, start
from video2reward.evals.scripted_openai import Reply, serve
from video2reward.memory import runs
from video2reward.memory.errors import AuthorFailed, BadClip, BadInput, RunExists
from video2reward.memory.recall import Memory
from video2reward.memory.records import Attempt, Decision, RunResult, TrainingRun


def calls(run: Path) -> list[str]:
    return (run / "calls.log").read_text().splitlines()


def decisions(run: Path) -> list[Decision]:
    return [Decision.model_validate_json(line) for line in (run / "decisions.jsonl").read_text().splitlines()]


def events(run: Path, kind: str) -> list[dict]:
    found = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    return [event for event in found if event["kind"] == kind]


def test_a_run_that_passes_leaves_result_best_and_report(tmp_path):
    result = start(request(tmp_path / "run"), tools=FakeTools(), author=FakeAuthor())
    assert result.status == "passed" and result.laps == 1 and result.candidates == 2
    assert result.best is not None and result.best.gsi == 0.9 and all(result.best.gates.values())
    assert result.artifacts.reward == "best/reward.py" and result.artifacts.report == "report.html"
    assert result.first_pass_s is not None
    assert runs.load(RunResult, tmp_path / "run" / "result.json") == result
    assert json.loads((tmp_path / "run" / "result.json").read_text())["schema"] == "video2reward.result/1"


def test_what_passes_only_in_its_lap_is_not_claimed(tmp_path):
    lucky = FakeTools(passes=lambda attempt, seed: seed != finish.VERDICT_SEED)
    result = start(request(tmp_path / "run"), tools=lucky, author=FakeAuthor())
    # Each lap passes, none holds: the run goes on as long as it may.
    assert result.status == "budget" and result.laps == 3
    kept = runs.load(Attempt, tmp_path / "run" / "attempts" / "L1-C1" / "attempt.json")
    assert not kept.passed and "passed in its lap, with GSI 0.90, and not on fresh seeds" in kept.critique.verdict


def test_what_does_not_hold_on_fresh_seeds_is_mended_while_there_is_room(tmp_path):
    tools = FakeTools(passes=lambda attempt, seed: seed != finish.VERDICT_SEED or attempt.startswith("L2"))
    result = start(request(tmp_path / "run", candidates=1), tools=tools, author=FakeAuthor(("one",)))
    assert result.status == "passed" and result.best.attempt == "L2-C1"
    assert "L2-C1 passes every gate" in result.stop_reason
    calls = (tmp_path / "run" / "calls.log").read_text().split("\n")
    assert "train L1-C1" in calls and calls.count("judge L1-C1 1001") == 1


def test_the_next_best_is_claimed_where_the_best_does_not_hold(tmp_path):
    tools = FakeTools(
        gsi=lambda attempt, seed: {"L1-C1": 0.79, "L1-C2": 0.75}[attempt],
        passes=lambda attempt, seed: not (attempt == "L1-C1" and seed == finish.VERDICT_SEED),
    )
    result = start(request(tmp_path / "run", laps=1), tools=tools, author=FakeAuthor())
    assert result.status == "passed" and result.best is not None and result.best.attempt == "L1-C2"
    assert "On fresh seeds L1-C1 failed; L1-C2 passes on them with GSI 0.75." in result.stop_reason


def test_laps_go_on_from_the_best_until_nothing_improves(tmp_path):
    author = FakeAuthor()
    tools = FakeTools(gsi=lambda attempt, seed: 0.6)
    result = start(request(tmp_path / "run", laps=9), tools=tools, author=author)
    # One lap that sets the mark, two that do not better it.
    assert result.status == "passed" and result.laps == 3 and "have not improved" in result.stop_reason
    assert [brief.lap for brief in author.briefs] == [1, 2, 3]
    assert author.briefs[1].parents[0].attempt.id == "L1-C1"
    assert [decision.action for decision in decisions(tmp_path / "run")] == ["explore", "refine", "refine", "stop"]
    assert all(decision.numbers for decision in decisions(tmp_path / "run")[1:])


def test_a_run_that_never_passes_ends_with_its_budget_and_keeps_the_nearest(tmp_path):
    result = start(request(tmp_path / "run", laps=2), tools=FakeTools(passes=lambda *_: False), author=FakeAuthor())
    assert result.status == "budget" and "all 2 laps" in result.stop_reason
    assert result.best is not None and result.best.gsi == 0.0


def test_candidates_that_are_refused_are_recorded_and_the_others_go_on(tmp_path):
    result = start(request(tmp_path / "run"), tools=FakeTools(), author=FakeAuthor(("refuse me", "two")))
    assert result.status == "passed"
    refused = runs.load(Attempt, tmp_path / "run" / "attempts" / "L1-C1" / "attempt.json")
    assert refused.program.status == "rejected" and refused.training is None and not refused.passed
    assert "train L1-C1" not in calls(tmp_path / "run")


def test_an_author_that_fails_ends_the_run_with_its_reason(tmp_path):
    class Silent(FakeAuthor):
        def propose(self, brief, num_candidates, seed):
            raise AuthorFailed("the model server is down.")

    result = start(request(tmp_path / "run"), tools=FakeTools(), author=Silent())
    assert result.status == "failed" and "the model server is down." in result.stop_reason and result.best is None


def test_a_candidate_the_author_could_not_write_is_recorded(tmp_path):
    class Half(FakeAuthor):
        def propose(self, brief, num_candidates, seed):
            return [Unusable(author="half", reason="it rambled."), *super().propose(brief, 1, seed)]

    result = start(request(tmp_path / "run"), tools=FakeTools(), author=Half())
    assert result.status == "passed"
    attempt = runs.load(Attempt, tmp_path / "run" / "attempts" / "L1-C1" / "attempt.json")
    assert attempt.program.reason == "it rambled."


def test_what_tries_rewards_is_started_before_the_clip_is_looked_at(tmp_path):
    class Early(FakeTools):
        def get_ready(self) -> None:
            assert not (tmp_path / "run" / "calls.log").exists()
            (tmp_path / "ready").touch()

    start(request(tmp_path / "run"), tools=Early(), author=FakeAuthor())
    assert (tmp_path / "ready").exists()


def test_a_candidate_that_is_good_enough_spares_the_others(tmp_path):
    result = start(request(tmp_path / "run"), tools=FakeTools(), author=FakeAuthor())
    assert result.best is not None and result.best.attempt == "L1-C1"
    spared = runs.load(Attempt, tmp_path / "run" / "attempts" / "L1-C2" / "attempt.json")
    assert spared.training is not None and spared.training.status == "killed" and spared.critique is None
    assert spared.training.reason == "L1-C1 was good enough before it ended."


def test_a_policy_that_cannot_be_judged_does_not_take_the_others_with_it(tmp_path):
    class Shaky(FakeTools):
        def judge(self, folder, *rest):
            if folder.name == "L1-C1":
                raise RuntimeError("the rollout crashed")
            return super().judge(folder, *rest)

    result = start(request(tmp_path / "run"), tools=Shaky(), author=FakeAuthor())
    assert result.best is not None and result.best.attempt == "L1-C2"
    assert events(tmp_path / "run", "judge_failed")[0]["error"] == "the rollout crashed"


def test_a_report_that_fails_takes_nothing_away(tmp_path):
    class NoReport(FakeTools):
        def report(self, run):
            raise RuntimeError("no template")

    result = start(request(tmp_path / "run"), tools=NoReport(), author=FakeAuthor())
    assert result.status == "passed" and any("no template" in note for note in result.notes)


def test_a_clip_that_cannot_be_used_leaves_no_folder_behind(tmp_path):
    with pytest.raises(BadClip, match="it is dark"):
        start(request(tmp_path / "run"), tools=FakeTools(verdict="refuse"), author=FakeAuthor())
    assert not (tmp_path / "run").exists()


def test_a_folder_that_exists_is_left_alone(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("precious")
    with pytest.raises(RunExists):
        start(request(tmp_path / "run"), tools=FakeTools(), author=FakeAuthor())
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    "fields", [{"robot": "spot"}, {"keypoints": Path("nowhere.csv")}, {"minutes": 0.0}, {"laps": 0}, {"candidates": -1}]
)
def test_a_request_that_cannot_work_is_refused_before_anything_is_made(tmp_path, fields):
    with pytest.raises(BadInput):
        start(request(tmp_path / "run", **fields), tools=FakeTools(), author=FakeAuthor())
    assert not (tmp_path / "run").exists()


def test_one_process_at_a_time_works_on_a_run(tmp_path):
    start(request(tmp_path / "run"), tools=FakeTools(), author=FakeAuthor())
    (tmp_path / "run" / "result.json").unlink()
    with lease(tmp_path / "run"), pytest.raises(RunExists, match="another process"):
        resume(tmp_path / "run", tools=FakeTools(), author=FakeAuthor())


def test_ctrl_c_keeps_the_best_so_far(tmp_path):
    class Interrupted(FakeTools):
        def train(self, specs, *rest):
            if specs[0].attempt.startswith("L2"):
                raise KeyboardInterrupt
            return super().train(specs, *rest)

    tools = Interrupted(gsi=lambda *_: 0.5)
    result = start(request(tmp_path / "run"), tools=tools, author=FakeAuthor())
    assert result.status == "stopped" and result.best is not None and result.best.attempt == "L1-C1"
    # A run that was stopped can be gone on with: its second lap is trained now.
    again = resume(tmp_path / "run", tools=FakeTools(gsi=lambda *_: 0.5), author=FakeAuthor())
    assert again.status == "passed" and again.laps == 3
    assert calls(tmp_path / "run").count("train L1-C1") == 1


def test_a_stop_file_stops_the_run_after_its_lap(tmp_path):
    class Asked(FakeTools):
        def judge(self, folder, target, gait, run, seed, video):
            (run / "STOP").touch()
            return super().judge(folder, target, gait, run, seed, video)

    result = start(request(tmp_path / "run"), tools=Asked(gsi=lambda *_: 0.5), author=FakeAuthor())
    assert result.status == "stopped" and result.laps == 1 and result.best is not None


def test_a_finished_run_is_not_run_again(tmp_path):
    first = start(request(tmp_path / "run"), tools=FakeTools(), author=FakeAuthor())
    before = calls(tmp_path / "run")
    assert resume(tmp_path / "run", tools=FakeTools(), author=FakeAuthor()) == first
    assert calls(tmp_path / "run") == before


@pytest.mark.parametrize("status", ["diverged", "killed", "timeout", "rejected"])
def test_a_training_that_failed_is_recorded_with_its_last_numbers_and_the_laps_go_on(tmp_path, status):
    class OneFails(FakeTools):
        def train(self, specs, folders, parallel, on_row, on_done, should_stop):
            for spec, folder in zip(specs, folders, strict=True):
                if spec.attempt == "L1-C1":
                    failed = TrainingRun(
                        attempt=spec.attempt, status=status, reason="it went wrong", env_steps=7,
                        metrics={"mean_reward": 0.5}, term_means={"a": 0.25},
                    )  # fmt: skip
                    runs.save(failed, folder / "result.json")
            super().train(specs, folders, parallel, on_row, on_done, should_stop)

    run = tmp_path / "run"
    result = start(request(run, laps=2), tools=OneFails(gsi=lambda attempt, seed: 0.6), author=FakeAuthor())
    assert (result.laps, result.candidates) == (2, 4)
    kept = {attempt.id: attempt.training for attempt in runs.attempts(run)}["L1-C1"]
    assert (kept.status, kept.reason, kept.env_steps, kept.term_means) == (status, "it went wrong", 7, {"a": 0.25})


@pytest.mark.parametrize("node", ["train", "judge"])
def test_a_run_killed_in_the_middle_is_resumed_and_does_nothing_twice(tmp_path, node):
    run = tmp_path / "run"
    command = [sys.executable, str(Path(__file__).parent / "fake_tools.py"), str(run), node]
    process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"})
    deadline = time.monotonic() + 60
    while not (run / "hanging").exists():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    tools, author = FakeTools(gsi=lambda *_: 0.6), FakeAuthor()
    result = resume(run, tools=tools, author=author)
    assert result.status == "passed" and author.briefs == []  # the author was asked before the kill
    done = calls(run)
    assert done.count("describe") == 1
    assert [done.count(f"write L1-C{c}") for c in (1, 2)] == [1, 1]
    assert [done.count(f"train L1-C{c}") for c in (1, 2)] == [1, 1]
    undisturbed = start(request(tmp_path / "other", laps=1), tools=tools, author=FakeAuthor())
    same = ("status", "laps", "candidates", "env_steps", "best", "stop_reason")
    assert [getattr(result, name) for name in same] == [getattr(undisturbed, name) for name in same]


def test_a_second_run_recalls_the_first_and_says_so(tmp_path):
    memory = Memory(tmp_path / "memory")
    start(request(tmp_path / "first"), tools=FakeTools(), author=FakeAuthor(), memory=memory)
    author = FakeAuthor()
    start(request(tmp_path / "second"), tools=FakeTools(), author=author, memory=memory)
    (prior,) = author.briefs[0].remembered
    assert prior.attempt.id == "first/L1-C1" and prior.reward == "# a reward\n"
    first = decisions(tmp_path / "second")[0]
    assert first.action == "warm_start" and "same gait (trot)" in first.reason


def test_a_language_model_runs_through_the_same_nodes_and_its_tokens_are_counted(tmp_path):
    term = {"name": "a", "weight": 1.0, "serves": "x", "doc": "d", "body": "return s.base_height_m"}
    with serve() as server:
        server.script(
            Reply("I would rather not."), Reply(json.dumps({"rationale": "Feet first.", "terms": [term]})),
            Reply(status=500),
        )  # fmt: skip
        settings = Settings(base_url=server.url, api_key="key", max_retries=0)
        author = LlmAuthor("scripted", settings, examine=lambda draft, target: "")
        result = start(request(tmp_path / "run"), tools=FakeTools(), author=author)
    assert result.status == "passed" and result.best is not None and result.best.attempt == "L1-C1"
    second = runs.load(Attempt, tmp_path / "run" / "attempts" / "L1-C2" / "attempt.json")
    assert second.program.status == "rejected" and "status 500" in second.program.reason
    (spent,) = events(tmp_path / "run", "author")
    # Two answers of 1000 + 100 tokens each; the server that failed sent no bill.
    assert spent["tokens"] == 2200 and spent["calls"] == 2


def test_an_interrupt_that_a_library_swallows_ends_the_run_all_the_same(tmp_path, interrupts):
    class Deaf(FakeTools):
        def judge(self, *asked):
            try:
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(1.0)
            except KeyboardInterrupt:
                return super().judge(*asked)
            raise AssertionError("nobody was interrupted")

    result = start(request(tmp_path / "run", laps=5, candidates=1), tools=Deaf(gsi=lambda *_: 0.5), author=FakeAuthor())
    assert (result.status, result.laps) == ("stopped", 1) and "interrupted from the keyboard" in result.stop_reason
