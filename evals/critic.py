"""Is the critic fooled? Labelled rollouts, good and bad, judged: `python -m video2reward.evals.critic`.

The bad ones are standing, shuffling, hopping, sliding, crawling, limping, falling late, going the wrong way, and what
is near to them; none may pass. The good ones are the wanted gait, exact and a little off in speed, cadence and lift as
a trained robot is; those that fail are counted too. All are made by kinematics, on 64 environments, for both robots.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from video2reward.evals.labelled import Motion, bad_motions, good_motion, target_of, write_rollout
from video2reward.memory.records import Critique, Record
from video2reward.tools.render_and_critique import judge_rollout

ROBOTS = ("go1", "g1")
_NUM_ENVS = 64


class Judged(Record):
    """What the critic said of one labelled rollout."""

    robot: str
    label: str
    good: bool
    passed: bool
    shut: tuple[str, ...]
    gsi: float


def judge_all(seeds: int, folder: Path) -> Iterator[Judged]:
    """Judge every labelled rollout with each of the seeds, which say when each environment's stride begins."""
    for robot in ROBOTS:
        motions = [(name, True, motion) for name, motion in good_motions(robot).items()]
        motions += [(name, False, motion) for name, motion in bad_motions(robot).items()]
        for label, good, motion in motions:
            for seed in range(seeds):
                critique = judge_rollout(write_rollout(_many(motion, seed), folder / "rollout.npz"), target_of(robot))
                yield _judged(robot, label, good, critique)


def good_motions(robot: str) -> dict[str, Motion]:
    """Return what must pass, by name."""
    good = good_motion(robot)
    return {
        "as wanted": good,
        "15 % slower": replace(good, speed_m_s=0.85 * good.speed_m_s),
        "15 % faster": replace(good, speed_m_s=1.15 * good.speed_m_s),
        "cadence 10 % lower": replace(good, stride_hz=0.9 * good.stride_hz),
        "cadence 10 % higher": replace(good, stride_hz=1.1 * good.stride_hz),
        "feet lifted low": replace(good, lift=0.08),
        "feet that bounce": replace(good, bounce=True),
    }


def _many(motion: Motion, seed: int) -> Motion:
    """Return a motion on all environments; what befalls some of its own befalls the same share of all."""
    times = _NUM_ENVS // motion.num_envs
    fell = {env + motion.num_envs * k: at_s for env, at_s in motion.fell_at_s.items() for k in range(times)}
    return replace(
        motion, num_envs=_NUM_ENVS, seed=motion.seed + seed, fell_at_s=fell, standing_envs=times * motion.standing_envs
    )


def _judged(robot: str, label: str, good: bool, critique: Critique) -> Judged:
    shut = tuple(gate.name for gate in critique.gates if not gate.passed)
    return Judged(
        robot=robot, label=label, good=good, passed=critique.passed, shut=shut, gsi=round(critique.similarity.gsi, 4)
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Print what was said of each kind, and the counts; 0 where nothing bad passed."""
    parser = argparse.ArgumentParser(prog="python -m video2reward.evals.critic", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    seeds = parser.parse_args(argv).seeds
    with tempfile.TemporaryDirectory() as name:
        judged = list(judge_all(seeds, Path(name)))
    kinds: dict[tuple[str, bool], list[Judged]] = defaultdict(list)
    for one in judged:
        kinds[one.label, one.good].append(one)
    print(f"{'rollout':<40}{'label':<7}{'passed':>9}  gates that were shut")
    for (label, good), ones in kinds.items():
        shut = Counter(gate for one in ones for gate in one.shut)
        said = ", ".join(f"{gate} {count}" for gate, count in shut.most_common())
        print(f"{label:<40}{'good' if good else 'bad':<7}{sum(one.passed for one in ones):>4} of {len(ones)}  {said}")
    bad, well = [one for one in judged if not one.good], [one for one in judged if one.good]
    fooled = sum(one.passed or one.gsi > 0.0 for one in bad)
    print(f"false passes: {fooled} of {len(bad)} bad rollouts")
    print(f"false fails:  {sum(not one.passed for one in well)} of {len(well)} good rollouts")
    return 0 if not fooled else 1


if __name__ == "__main__":
    sys.exit(main())
