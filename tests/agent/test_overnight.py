"""A night with small real tools: its runs, its kills, its stops and what stands in the morning report."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fake_tools import FakeAuthor, FakeTools, request
from test_queue import queue_of
from video2reward.agent import cli
from video2reward.agent.alive import look
from video2reward.agent.finish import record_failure
from video2reward.agent.lease import holder
from video2reward.agent.overnight import Pace, begin, more_time, work
from video2reward.agent.queue import QUEUE, Queue, result_of
from video2reward.agent.rounds import grant
from video2reward.agent.session import resume, start
from video2reward.memory import runs
from video2reward.memory.errors import BadInput, V2RError
from video2reward.memory.records import RunRequest


class Here:
    """Launches runs in this process: each is at its end, or has died, when `launch` returns."""

    def __init__(self, tools: FakeTools, dies: int = 0, code: int = 0) -> None:
        self.tools, self.dies, self.code, self.launched = tools, dies, code, []

    def launch(self, run: Path) -> int:
        self.launched.append(run.name)
        if self.dies:
            self.dies -= 1
            return -1
        try:
            resume(run, tools=self.tools, author=FakeAuthor())
        except V2RError as error:
            record_failure(run, runs.load(RunRequest, run / "request.json"), str(error))
        return 1

    def pace(self, **fields) -> Pace:
        return Pace(
            poll_s=0.0,
            launch=self.launch,
            exit_code=lambda pid: self.code if pid < 0 else 0,
            least_free_bytes=1,
            **fields,
        )


@pytest.fixture
def night(tmp_path):
    """Return a begun queue of three clips."""
    root = tmp_path / "night"
    queue = queue_of(tmp_path, "a", "b", "c", until=time.time() + 3600.0)
    for item in queue.items:
        item.clip.touch()
    begin(root, queue)
    return root


def calls(run: Path) -> list[str]:
    return (run / "calls.log").read_text().splitlines()


def kinds(root: Path) -> list[str]:
    return [json.loads(line)["kind"] for line in (root / "events.jsonl").read_text().splitlines()]


def test_every_clip_has_its_turn_and_the_report_has_the_failures_first(night):
    class OnlyA(FakeTools):
        def judge(self, folder, target, gait, run, seed, video):
            self.passes = lambda attempt, seed: run.name == "a"
            return super().judge(folder, target, gait, run, seed, video)

    end = work(night, pace=Here(OnlyA()).pace())
    assert end.reason.startswith("Every clip had its turn.") and not end.stopped
    assert [result_of(night / name).status for name in "abc"] == ["passed", "budget", "budget"]
    page, text = (night / "report.html").read_text(), (night / "report.md").read_text()
    for written in (page, text):
        assert written.index("b.mp4" if written is page else "### b") < written.index("Passed")
        assert "video2reward resume" in written and "video2reward play" in written
        assert "all 24 laps are done" in written and "2 did not pass, 1 passed" in written
    assert "http" not in page.replace("http-equiv", "")


def test_a_night_taken_up_again_runs_nothing_twice(night):
    here = Here(FakeTools())
    work(night, pace=here.pace())
    before = {name: calls(night / name) for name in "abc"}
    work(night, pace=here.pace())
    assert here.launched == ["a", "b", "c"] and before == {name: calls(night / name) for name in "abc"}


def test_a_clip_that_cannot_be_used_does_not_take_the_others_with_it(night):
    class Dark(FakeTools):
        def describe(self, request, run, progress):
            self.verdict = "refuse" if run.name == "a" else "ok"
            return super().describe(request, run, progress)

    work(night, pace=Here(Dark()).pace())
    assert [result_of(night / name).status for name in "abc"] == ["failed", "passed", "passed"]
    assert "it is dark" in result_of(night / "a").stop_reason
    assert "video2reward describe" in (night / "report.md").read_text()


def test_a_process_that_crashes_is_started_again_and_given_up_at_last(night):
    here = Here(FakeTools(), dies=4, code=1)
    work(night, pace=here.pace())
    # Three crashes of the first end it; the fourth is the second's, which then goes through.
    assert here.launched == ["a", "a", "a", "b", "b", "c"]
    assert result_of(night / "a").status == "failed" and "3 times" in result_of(night / "a").stop_reason
    assert kinds(night).count("died") == 3


def test_a_process_that_is_killed_does_not_count_as_crashed(night):
    here = Here(FakeTools(), dies=10, code=-9)
    work(night, pace=here.pace())
    assert here.launched == ["a"] * 11 + ["b", "c"] and result_of(night / "a").status == "passed"


def test_a_stopped_night_says_what_did_not_begin_and_can_go_on(night):
    class StopInB(FakeTools):
        def train(self, specs, folders, parallel, on_row, on_done, should_stop):
            if folders[0].parent.parent.name == "b":
                (night / "STOP").touch()
                (night / "b" / "STOP").write_text("The queue was asked to stop.")
            super().train(specs, folders, parallel, on_row, on_done, should_stop)

    end = work(night, pace=Here(StopInB()).pace())
    assert end.stopped and result_of(night / "b").status == "stopped" and result_of(night / "c") is None
    assert "1 not begun" in (night / "report.md").read_text()
    (night / "STOP").unlink()
    here = Here(FakeTools())
    assert work(night, pace=here.pace()).reason == "Every clip had its turn."
    assert here.launched == ["b", "c"] and result_of(night / "b").status == "passed"


def test_a_full_disk_ends_the_night_before_a_run_begins(night):
    end = work(night, pace=Pace(least_free_bytes=10**18))
    assert "The disk is nearly full" in end.reason and result_of(night / "a") is None
    assert "3 not begun" in (night / "report.html").read_text()


def test_another_end_moves_the_runs_that_were_begun(night):
    here = Here(FakeTools(), dies=1, code=-9)
    queue = runs.load(Queue, night / QUEUE)
    work(night, pace=here.pace())
    (night / "c" / "result.json").unlink()
    before = runs.load(RunRequest, night / "c" / "request.json").until
    more_time(night, queue.until + 100.0)
    assert runs.load(RunRequest, night / "c" / "request.json").until == before + 100.0


def test_a_queue_where_nothing_can_be_written_or_read_is_refused(tmp_path):
    with pytest.raises(BadInput, match="there is no clip"):
        begin(tmp_path / "night", queue_of(tmp_path, "a"))


SUPERVISOR = """
import sys
from pathlib import Path
from video2reward.agent.overnight import Pace, work
import subprocess
children = {}
def launch(run):
    child = subprocess.Popen([sys.executable, sys.argv[2], "--run", str(run)], start_new_session=True)
    children[child.pid] = child
    return child.pid
code = lambda pid: children[pid].poll()
work(Path(sys.argv[1]), pace=Pace(poll_s=0.05, launch=launch, exit_code=code, least_free_bytes=1))
"""


def test_a_night_whose_supervisor_is_killed_attaches_to_the_run_that_lives(night):
    tools = Path(__file__).with_name("fake_tools.py")
    command = [sys.executable, "-c", SUPERVISOR, str(night), str(tools)]
    supervisor = subprocess.Popen(command)
    deadline = time.monotonic() + 60
    while not (night / "a" / "hanging").exists():
        assert time.monotonic() < deadline and supervisor.poll() is None
        time.sleep(0.05)
    os.kill(supervisor.pid, signal.SIGKILL)
    supervisor.wait()
    child = holder(night / "a")
    assert child and holder(night) is None
    (queue,), (first, *_) = look(night)
    assert queue.pid is None and queue.left == 3 and first.pid == child and first.state == "working"
    # The run is let go, and ends by itself while the queue is taken up again: nobody starts it a second time.
    here = Here(FakeTools())
    (night / "a" / "go on").touch()
    work(night, pace=here.pace())
    assert here.launched == ["b", "c"] and result_of(night / "a").status == "passed"
    assert calls(night / "a").count("train L1-C1") == 1


def test_status_shows_what_was_left_and_resume_takes_up_only_that(night, capsys):
    work(night, pace=Here(FakeTools(), dies=10**6, code=1).pace())
    assert cli.main(["status", str(night.parent), "--all"]) == 0
    said = capsys.readouterr().out
    assert "3 of 3 done" in said and "Every clip had its turn." in said and "failed" in said
    assert cli.main(["resume", str(night.parent)]) == 0
    assert "left to do" in capsys.readouterr().out
    assert cli.main(["status", str(night.parent), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["queues"][0]["left"] == 0


@pytest.mark.parametrize("command", ["resume", "status"])
def test_a_folder_that_is_not_there_is_said(tmp_path, command, capsys):
    assert cli.main([command, str(tmp_path / "nowhere")]) == 2
    assert "there is no folder" in capsys.readouterr().err


class Improving(FakeTools):
    """Tools whose verdicts get better from lap to lap, and pass never; of clip `a` they are good enough at once."""

    def judge(self, folder, target, gait, run, seed, video):
        self.passes = lambda attempt, seed: run.name == "a"
        self.gsi = lambda attempt, seed: 0.9 if run.name == "a" else 0.02 * min(self.best_lap, int(attempt[1:-3]))
        return super().judge(folder, target, gait, run, seed, video)

    best_lap = 15


def test_time_that_is_left_goes_to_the_runs_that_their_laps_ended_as_long_as_it_helps(night):
    end = work(night, pace=Here(Improving()).pace())
    # The second round of 12 laps improves up to lap 15; the third improves nothing, and there is no fourth.
    assert [result_of(night / name).laps for name in "abc"] == [1, 36, 36]
    assert "went on, until going on brought nothing" in end.reason
    assert "all 36 laps are done" in result_of(night / "b").stop_reason
    assert kinds(night).count("granted") == 4


def test_a_night_with_minutes_for_each_run_has_no_further_round(tmp_path):
    root = tmp_path / "night"
    queue = queue_of(tmp_path, "b", until=time.time() + 3600.0).model_copy(update={"minutes_each": 5.0})
    queue.items[0].clip.touch()
    begin(root, queue)
    work(root, pace=Here(Improving()).pace())
    assert result_of(root / "b").laps == 12


def test_a_night_that_was_asked_to_stop_grants_nothing(night):
    class StopInC(Improving):
        def report(self, run):
            if run.name == "c":
                (night / "STOP").touch()
            return super().report(run)

    end = work(night, pace=Here(StopInC()).pace())
    assert end.stopped and [result_of(night / name).laps for name in "bc"] == [12, 12]


def test_a_run_that_its_laps_ended_goes_on_when_it_is_granted_more(tmp_path):
    tools = FakeTools(passes=lambda attempt, seed: False)
    first = start(request(tmp_path / "run", laps=2), tools=tools, author=FakeAuthor())
    before = calls(tmp_path / "run")
    assert grant(tmp_path / "run", 0.00001, 2, time.time()) != ""
    assert grant(tmp_path / "run", 5.0, 2, time.time()) == ""
    second = resume(tmp_path / "run", tools=tools, author=FakeAuthor())
    assert (first.laps, second.laps) == (2, 4) and "all 4 laps are done" in second.stop_reason
    after = calls(tmp_path / "run")
    assert after[: len(before)] == before and not set(after[len(before) :]) & {"describe", "train L1-C1", "train L2-C1"}


def test_a_run_that_the_rules_ended_is_granted_nothing(tmp_path):
    start(request(tmp_path / "run"), tools=FakeTools(), author=FakeAuthor())
    with pytest.raises(BadInput, match="was not ended by its time or its laps"):
        grant(tmp_path / "run", 5.0, 2, time.time())
    assert result_of(tmp_path / "run").status == "passed"


def test_more_minutes_are_for_one_run_that_they_help(tmp_path, capsys):
    (tmp_path / "runs").mkdir()
    start(request(tmp_path / "runs" / "good"), tools=FakeTools(), author=FakeAuthor())
    assert cli.main(["resume", str(tmp_path / "runs"), "--minutes", "5"]) == 2
    assert "are for one run" in capsys.readouterr().err
    assert cli.main(["resume", str(tmp_path / "runs" / "good"), "--minutes", "5"]) == 2
    assert "was not ended by its time or its laps" in capsys.readouterr().err
