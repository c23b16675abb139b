"""A rollout process in little: it keeps the seam's arguments and copies a scripted rollout. Started by the tests."""

import argparse
import json
import shutil
import sys
from pathlib import Path

import numpy as np
from video2reward.memory import runs


def main() -> int:
    parser = argparse.ArgumentParser()
    for name in ("--policy", "--target", "--out"):
        parser.add_argument(name, type=Path, required=True)
    for name in ("--num-envs", "--seed", "--num-threads"):
        parser.add_argument(name, type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--push-m-s", type=float, default=0.0)
    asked = parser.parse_args()
    word = asked.policy.read_text()
    with (asked.policy.parent / "calls.txt").open("a") as file:
        file.write(f"{asked.seed}\n")
    if word == "crash":
        print("Traceback\nValueError: the policy has 13 joints", file=sys.stderr)
        return 1
    if word == "nothing":
        return 0
    if word == "garbage":
        asked.out.write_bytes(b"PK\x03\x04 not a rollout")
        return 0
    scripted = Path(word)
    shutil.copy(scripted, asked.out)
    with np.load(scripted) as file:
        arrays = {name: file[name] for name in file.files}
    meta = json.loads(str(arrays["meta_json"]))
    if asked.push_m_s:  # a quarter of the robots is toppled
        arrays["fell_at_s"] = np.where(np.arange(len(arrays["fell_at_s"])) % 4 == 0, 3.0, np.inf)
    meta |= {"policy_sha256": runs.sha256_of(asked.policy), "seed": asked.seed}
    arrays["meta_json"] = np.array(json.dumps(meta))
    np.savez(asked.out, **arrays)
    return 0


if __name__ == "__main__":
    sys.exit(main())
