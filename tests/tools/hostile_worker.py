"""A worker that does its worst within what it is let do; its spec's `attempt` names what. Started by the tests."""

import json
import os
import sys
import time
from pathlib import Path

from video2reward.memory.records import TrainingSpec


def main() -> None:
    path = Path(sys.argv[1])
    folder = path.parent
    deed = TrainingSpec.model_validate_json(path.read_text()).attempt
    honest = {"attempt": deed, "status": "ok", "env_steps": 10, "wall_s": 0.01, "checkpoint": "policy.pt"}
    secret = folder.parent.parent / "secret.txt"
    (folder / "policy.pt").write_bytes(b"weights")
    if deed == "forges":
        for name in ("critique.json", "attempt.json", "training.json", "starts.jsonl", "result.json", "spec.json"):
            attempt_to(lambda name=name: (folder.parent / name).write_text("{}"))
        for name in ("spec.json", "reward.py"):
            attempt_to((folder / name).unlink)
            attempt_to(lambda name=name: (folder / name).write_text("{}"))
    elif deed == "links_policy":
        link(secret, folder / "policy.pt")
    elif deed == "links_result":
        (folder.parent.parent / "true.json").exists()
        link(folder.parent.parent / "true.json", folder / "result.json")
        return
    elif deed == "links_curves":
        link(secret, folder / "progress.jsonl")
    elif deed == "pipes":
        os.mkfifo(folder / "progress.jsonl")
    elif deed == "floods":
        (folder / "result.json").write_text(json.dumps({**honest, "reason": "x" * 3_000_000}))
        return
    elif deed == "grows":
        with (folder / "policy.pt").open("wb") as file:
            file.truncate(100 << 20)
    elif deed == "babbles":
        (folder / "progress.jsonl").write_text(
            "[" * 100_000 + '\n{"env_steps": 1e400, "speed_m_s": NaN, "\\u001b[2J": 1, "fine": 2.5, "no": "text"}\n'
        )
        honest["reason"] = "\x1b[2J\x07 said" + "x" * 10_000
    elif deed == "nests":
        (folder / "result.json").write_text("[" * 200_000)
        return
    elif deed == "eats":
        kept = []
        while True:
            kept.append(bytearray(os.urandom(1 << 20)) * 8)
            time.sleep(0.01)
    elif deed == "hoards":
        for index in range(10_000):
            (folder / f"{index}.bin").write_bytes(b"0" * (4 << 20))
            time.sleep(0.02)
    elif deed == "litters":
        while True:
            for index in range(30_000):
                (folder / f"{index}.empty").touch()
            time.sleep(0.05)
    elif deed == "idles":
        while True:
            print("I am busy", flush=True)
            with (folder / "progress.jsonl").open("a") as file:
                file.write(json.dumps({"iteration": 1, "env_steps": 7, "mean_reward": 0.5, "terms": {"a": 1.0}}) + "\n")
            time.sleep(0.05)
    (folder / "result.json").write_text(json.dumps(honest))


def attempt_to(act) -> None:
    try:
        act()
    except OSError:
        return


def link(target: Path, at: Path) -> None:
    at.unlink(missing_ok=True)
    at.symlink_to(target)


if __name__ == "__main__":
    main()
