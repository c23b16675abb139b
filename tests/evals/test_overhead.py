"""The loop's own share of a lap, read from events whose answer is known."""

import json
import time

import pytest
from video2reward.agent.stopwatch import Stopwatch
from video2reward.evals.overhead import lap_times, main

NODES = (
    ("propose", 2.0, 1.5),
    ("train", 60.0, 59.0),
    ("judge", 20.0, 20.0),
    ("remember", 0.5, 0.0),
    ("decide", 0.1, 0.0),
)


def write(run, pause_s=0.1, nodes=NODES, lap=1):
    """Write a lap's events: (node, seconds, of which others' work), with a pause between nodes."""
    run.mkdir(exist_ok=True)
    now = 1000.0
    with (run / "events.jsonl").open("a") as file:
        for name, wall_s, others_s in nodes:
            now += wall_s
            event = {"time": now, "kind": "node", "node": name, "lap": lap, "wall_s": wall_s, "others_s": others_s}
            file.write(json.dumps(event) + "\n")
            now += pause_s


def test_what_is_not_others_work_is_the_loops_own(tmp_path):
    write(tmp_path / "run")
    (lap,) = lap_times(tmp_path / "run")
    # Nodes 82.6 s and four pauses of 0.1 s; own 0.5 + 1.0 + 0 + 0.5 + 0.1 and the pauses.
    assert lap.wall_s == pytest.approx(83.0) and lap.share == pytest.approx(2.5 / 83.0)


def test_a_lap_that_was_killed_in_its_middle_is_left_out(tmp_path):
    write(tmp_path / "run", nodes=NODES[:3])
    write(tmp_path / "run", nodes=NODES, lap=2)
    assert [lap.lap for lap in lap_times(tmp_path / "run")] == [2]


@pytest.mark.parametrize(("own_s", "code"), [(0.5, 0), (5.0, 1)])
def test_the_exit_code_says_whether_the_limit_holds(tmp_path, capsys, own_s, code):
    write(tmp_path / "run", nodes=[(n, w + own_s * (n == "propose"), w) for n, w, _ in NODES])
    assert main([str(tmp_path / "run")]) == code
    assert "of 1 laps" in capsys.readouterr().out


def test_work_within_work_counts_once():
    class Tools:
        def train(self, judge):
            time.sleep(0.05)
            judge()

        def judge(self):
            time.sleep(0.05)

    watch = Stopwatch()
    tools = watch.watching(Tools())
    begun = time.monotonic()
    tools.train(tools.judge)
    assert 0.1 <= watch.others_s <= time.monotonic() - begun
