"""Workers: detached, found again, watched, and believed only within reason."""

import json
import os
import signal
import time
from pathlib import Path

import pytest
from video2reward.memory import runs
from video2reward.memory.records import TrainingRun
from video2reward.tools import train_policy as training
from video2reward.tools.train_policy import Watchdog, train_policies, train_policy
from video2reward.tools.workers import Worker

FAKE = "fake_worker"


@pytest.fixture
def job(jobs):
    """Return a function that puts a spec for the fake worker into a folder; what still runs at the end is ended."""
    return jobs(FAKE)


def wait_for(condition, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def started(spec: Path) -> Worker:
    worker = Worker(spec.parent, FAKE)
    assert worker.start({"spec.json": spec.read_bytes()})
    wait_for(lambda: worker.progress())
    return worker


def pid_of(worker: Worker) -> int:
    return json.loads((worker.folder / "starts.jsonl").read_text().splitlines()[-1])["pid"]


def test_a_training_runs_elsewhere_and_its_result_comes_back(job):
    rows = []
    run = train_policy(job("quick"), module=FAKE, on_progress=lambda attempt, row: rows.append((attempt, row)))
    assert (run.status, run.env_steps) == ("ok", 1000)
    assert rows[-1] == ("quick", {"iteration": 1, "env_steps": 1000})


def test_no_key_of_the_starter_reaches_the_worker(job, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    spec = job("quick")
    train_policy(spec, module=FAKE)
    seen = json.loads((spec.parent / "worker" / "environment.json").read_text())
    assert "OPENAI_API_KEY" not in seen and seen["OMP_NUM_THREADS"] == "1"


def test_a_second_start_attaches_to_the_living_worker(job):
    worker = started(job("long"))
    again = Worker(worker.folder, FAKE)
    assert again.state() == "running"
    assert not again.start({})
    assert again.num_starts() == 1


def test_a_finished_job_is_never_run_again(job):
    spec = job("quick")
    first = train_policy(spec, module=FAKE)
    assert train_policy(spec, module=FAKE) == first
    assert Worker(spec.parent, FAKE).num_starts() == 1


def test_the_worker_outlives_an_interrupted_starter(job):
    worker = started(job("long"))
    pid = pid_of(worker)
    # A session of its own: Ctrl-C in the starter's terminal does not reach it.
    assert os.getsid(pid) == pid != os.getsid(0)


def test_a_killed_worker_is_started_again_and_then_recorded(job, monkeypatch):
    monkeypatch.setattr(training, "MAX_STARTS", 2)
    spec = job("long")

    def kill_on_sight(_attempt, _row):
        # The whole group: the box around the worker and the worker in it.
        os.killpg(pid_of(Worker(spec.parent, FAKE)), signal.SIGKILL)

    run = train_policy(spec, module=FAKE, on_progress=kill_on_sight)
    assert run.status == "killed" and Worker(spec.parent, FAKE).num_starts() == 2
    assert runs.load(TrainingRun, spec.parent / "result.json") == run


def test_a_crash_is_recorded_with_its_last_words_and_not_repeated(job):
    spec = job("crash")
    run = train_policy(spec, module=FAKE)
    assert run.status == "killed" and "the physics exploded" in run.reason
    assert Worker(spec.parent, FAKE).num_starts() == 1


def test_a_worker_whose_box_alone_was_killed_still_holds_the_lock_and_can_be_ended(job):
    worker = started(job("long"))
    os.kill(pid_of(worker), signal.SIGKILL)
    time.sleep(0.1)
    if worker.state() == "running":
        worker.cancel(grace_s=0.5)
    assert worker.state() in ("dead", "finished")


def test_time_set_back_or_forward_ends_no_worker(job, monkeypatch):
    worker = started(job("long"))
    for shift_s in (-1e6, 1e6):
        real = time.time
        monkeypatch.setattr(time, "time", lambda real=real, shift_s=shift_s: real() + shift_s)
        assert worker.age_s() is not None and worker.age_s() < 60.0
    asked = iter(["", "", "enough."])
    (run,) = train_policies([worker.folder / "spec.json"], module=FAKE, should_stop=lambda: next(asked))
    assert (run.reason, Worker(worker.folder, FAKE).num_starts()) == ("enough.", 1)


def test_a_silent_worker_is_ended(job):
    run = train_policy(job("silent"), module=FAKE, watchdog=Watchdog(silent_s=1.5))
    assert run.status == "killed" and "silent" in run.reason and run.env_steps == 1000


def test_a_worker_over_its_time_is_ended(job):
    run = train_policy(job("long", max_wall_s=0.3), module=FAKE, watchdog=Watchdog(over_s=0.2))
    assert run.status == "timeout"


def test_a_stop_ends_all_workers_with_its_reason(job):
    specs = [job("long-1"), job("long-2")]
    seen = set()
    ended = train_policies(
        specs,
        parallel=2,
        module=FAKE,
        on_progress=lambda attempt, _row: seen.add(attempt),
        should_stop=lambda: "the budget ended." if len(seen) == 2 else "",
    )
    assert [(run.status, run.reason) for run in ended] == [("killed", "the budget ended.")] * 2
    assert all(Worker(spec.parent, FAKE).state() == "finished" for spec in specs)


def test_no_more_workers_run_than_there_is_room_for(job):
    specs = [job(f"quick-{index}") for index in range(3)]
    ended = train_policies(specs, parallel=1, module=FAKE)
    assert [run.attempt for run in ended] == ["quick-0", "quick-1", "quick-2"]
    starts = [json.loads((spec.parent / "starts.jsonl").read_text())["time"] for spec in specs]
    finished = [(spec.parent / "worker" / "result.json").stat().st_mtime for spec in specs]
    # File times are kept in coarser steps than the clock's: one tick of 10 ms.
    assert starts[1] >= finished[0] - 0.01 and starts[2] >= finished[1] - 0.01


def test_an_impossible_result_is_rejected(job):
    run = train_policy(job("liar"), module=FAKE)
    assert run.status == "rejected" and "cannot be believed" in run.reason


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not a readable TrainingRun"),
        ('{"attempt": "quick", "status": "ok", "env_steps": 5, "wall_s": NaN}', "not a readable TrainingRun"),
        ('{"attempt": "other", "status": "ok"}', "attempt"),
        ('{"attempt": "quick", "status": "ok", "wall_s": 1, "checkpoint": "../../etc/passwd"}', "not a file"),
        ('{"attempt": "quick", "status": "ok", "wall_s": 1}', "left no checkpoint"),
        ('{"attempt": "quick", "status": "ok", "wall_s": 1e9}', "was started"),
    ],
)
def test_a_forged_result_is_rejected(job, text, said):
    spec = job("quick")
    train_policy(spec, module=FAKE)
    (spec.parent / "result.json").write_text(text)
    run = train_policy(spec, module=FAKE)
    assert run.status == "rejected" and said in run.reason
