"""`python -m video2reward.evals.overhead RUN...`: how much of a lap is the loop itself, from the runs' own events.

A lap is its five nodes: propose, train, judge, remember, decide. Others' work is training (the worker's start
included), judging and rendering, and the calls of language models; all else is the loop's own: writing and guarding
rewards, the trial, records, memory, rules, checkpoints. Between nodes LangGraph writes its checkpoints: that time is
the lap's wall time, from the first node's begin to the last one's end, less the nodes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections import defaultdict
from pathlib import Path

from video2reward.memory.errors import BadInput
from video2reward.memory.records import Record

MOST_SHARE = 0.03
_LAP_NODES = ("propose", "train", "judge", "remember", "decide")


class LapTime(Record):
    """Where one lap's time went; `own_s` by node, "between" for what lies between them."""

    run: str
    lap: int
    wall_s: float
    own_s: dict[str, float]

    @property
    def share(self) -> float:
        return sum(self.own_s.values()) / self.wall_s if self.wall_s else 0.0


def main(argv: list[str] | None = None) -> int:
    """Print a line for each whole lap; exit 0 where their median share is within the limit."""
    parser = argparse.ArgumentParser(prog="python -m video2reward.evals.overhead", description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    laps = [lap for run in parser.parse_args(argv).runs for lap in lap_times(run)]
    if not laps:
        print("no lap was finished in these runs without a kill in its middle.", file=sys.stderr)
        return 2
    columns = (*_LAP_NODES, "between")
    print(f"{'run':28}{'lap':>4}{'wall':>9}" + "".join(f"{name:>10}" for name in columns) + f"{'own':>8}")
    for lap in laps:
        parts = "".join(f"{lap.own_s[name]:8.2f} s" for name in columns)
        print(f"{lap.run[:27]:28}{lap.lap:4}{lap.wall_s:7.1f} s{parts}{lap.share:8.1%}")
    median = statistics.median(lap.share for lap in laps)
    print(f"the loop's own share of a lap: median {median:.1%} of {len(laps)} laps ({MOST_SHARE:.0%} is the limit)")
    return 0 if median <= MOST_SHARE else 1


def lap_times(run: Path) -> list[LapTime]:
    """Return the laps of a run that have each of their nodes once. Raises BadInput where there are no events."""
    try:
        lines = (run / "events.jsonl").read_text(encoding="utf-8").splitlines()
    except OSError:
        raise BadInput(f"{run} holds no events.jsonl.", "Name the folder of a run.") from None
    nodes: dict[int, list[dict]] = defaultdict(list)
    for line in lines:
        event = json.loads(line)
        if event["kind"] == "node" and event["node"] in _LAP_NODES:
            nodes[event["lap"]].append(event)
    found = []
    for lap, events in sorted(nodes.items()):
        if [event["node"] for event in events] != list(_LAP_NODES):
            continue
        own = {event["node"]: max(event["wall_s"] - event["others_s"], 0.0) for event in events}
        wall_s = events[-1]["time"] - (events[0]["time"] - events[0]["wall_s"])
        own["between"] = max(wall_s - sum(event["wall_s"] for event in events), 0.0)
        found.append(LapTime(run=run.name, lap=lap, wall_s=wall_s, own_s=own))
    return found


if __name__ == "__main__":
    sys.exit(main())
