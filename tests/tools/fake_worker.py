"""A real worker in little: it keeps the worker seam and does what its spec's `attempt` says. Started by the tests."""

import json
import os
import sys
import time
from pathlib import Path

from video2reward.memory import runs
from video2reward.memory.records import TrainingRun, TrainingSpec


def main() -> None:
    path = Path(sys.argv[1])
    spec, folder = runs.load(TrainingSpec, path), path.parent
    (folder / "environment.json").write_text(json.dumps(dict(os.environ)))
    kind = spec.attempt.split("-")[0]
    if kind == "crash":
        raise RuntimeError("the physics exploded")
    steps = 1 if kind in ("quick", "liar") else 1000
    for index in range(steps):
        with (folder / "progress.jsonl").open("a") as file:
            file.write(json.dumps({"iteration": index + 1, "env_steps": 1000 * (index + 1)}) + "\n")
        if kind == "silent":
            time.sleep(600)
        time.sleep(0.02)
    (folder / "policy.pt").write_bytes(b"weights")
    lie = 10**15 if kind == "liar" else 1000
    result = TrainingRun(attempt=spec.attempt, status="ok", env_steps=lie, wall_s=0.01, checkpoint="policy.pt")
    runs.save(result, folder / "result.json")


if __name__ == "__main__":
    main()
