"""Try robots that others ship: `python -m video2reward.evals.robots [--train] [--only NAME…]`.

Their MJCFs are taken out of wheels from the package index, inspected, and, with `--train`, taught a trot or a walk at
the Froude number of an easy one, by the offline author, in one attempt each. Nothing of them is kept.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table
from video2reward.memory.errors import BadInput, V2RError
from video2reward.memory.records import Critique, MotionTarget, Record, TrainingSpec
from video2reward.sim.config import CARD_FILE, GRAVITY_M_S2, RobotConfig, robot_config


class ForeignRobot(Record):
    """A model inside a wheel."""

    name: str
    wheel: str
    path: str
    env_steps: int = 600_000


FOREIGN = (
    ForeignRobot(name="ant", wheel="gymnasium==1.4.0", path="gymnasium/envs/mujoco/assets/ant.xml"),
    ForeignRobot(name="mjlab-go1", wheel="mjlab==1.6.0", path="mjlab/asset_zoo/robots/unitree_go1/xmls/go1.xml"),
    ForeignRobot(
        name="mjlab-g1", wheel="mjlab==1.6.0", path="mjlab/asset_zoo/robots/unitree_g1/xmls/g1.xml", env_steps=1_500_000
    ),
    ForeignRobot(
        name="playground-go1",
        wheel="playground==0.2.0",
        path="mujoco_playground/_src/locomotion/go1/xmls/go1_mjx_feetonly.xml",
    ),
    ForeignRobot(name="dm-quadruped", wheel="dm-control==1.0.50", path="dm_control/suite/quadruped.xml"),
)


def models(robots: tuple[ForeignRobot, ...], scratch: Path) -> Iterator[tuple[ForeignRobot, Path]]:
    """Yield each robot with the path of its MJCF, fetched and unpacked. Raises BadInput where the index has none."""
    for robot in robots:
        folder = scratch / robot.wheel
        if not folder.exists():
            command = [
                sys.executable,
                "-m",
                "pip",
                "download",
                "-q",
                "--no-deps",
                "-d",
                str(scratch / "wheels"),
                robot.wheel,
            ]
            done = subprocess.run(command, capture_output=True, text=True)
            stem = robot.wheel.replace("==", "-").replace("-control", "_control")
            found = sorted((scratch / "wheels").glob(f"{stem}*.whl"))
            if done.returncode or not found:
                raise BadInput(f"{robot.wheel} could not be fetched.", "It needs the package index.")
            with zipfile.ZipFile(found[0]) as wheel:
                wheel.extractall(folder)
        yield robot, folder / robot.path


def easy_motion(robot: RobotConfig) -> MotionTarget:
    """Return an easy trot (Froude 0.25), or an easy walk (0.1), for a robot of any size."""
    four = robot.kind == "quadruped"
    froude = 0.25 if four else 0.1
    # Dimensionless cadence f sqrt(L/g) of about 0.36 for an easy trot, 0.26 for a walking person.
    cadence_hz = (0.36 if four else 0.26) * (GRAVITY_M_S2 / robot.leg_length_m) ** 0.5
    return MotionTarget(
        robot=robot.name,
        feet=robot.feet,
        gait="trot" if four else "walk",
        speed_m_s=(froude * GRAVITY_M_S2 * robot.leg_length_m) ** 0.5,
        stride_frequency_hz=cadence_hz,
        duty_factor=(0.5,) * 4 if four else (0.62, 0.62),
        phase_offsets=(0.0, 0.5, 0.5, 0.0) if four else (0.0, 0.5),
        leg_length_m=robot.leg_length_m,
        froude=froude,
    )


def teach(robot: RobotConfig, folder: Path, env_steps: int) -> tuple[Critique, float]:
    """Train the offline author's first reward and judge it; return the verdict and the seconds of training."""
    from video2reward.agent.authors import AuthorBrief
    from video2reward.agent.offline import OfflineAuthor
    from video2reward.tools.render_and_critique import FRESH_SEED, render_and_critique
    from video2reward.tools.train_policy import submit, train_policy
    from video2reward.tools.write_reward import write_reward

    target = easy_motion(robot)
    draft = OfflineAuthor().propose(AuthorBrief(target=target, lap=1), 1, 0)[0]
    program = write_reward(draft, target, folder, attempt="L1-C1")
    if program.status != "ok":
        raise BadInput(f"the reward was refused: {program.reason}")
    spec = TrainingSpec(attempt="L1-C1", reward="reward.py", target=target, num_threads=2, max_env_steps=env_steps)
    training = train_policy(submit(spec, folder))
    if training.checkpoint is None:
        raise BadInput(f"nothing was learned: {training.reason}")
    return render_and_critique(folder, target, seed=FRESH_SEED), training.wall_s


def main(argv: list[str] | None = None) -> int:
    """Print one row a robot; exit 0 when each was found (and, with --train, passed)."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", action="store_true", help="teach each an easy gait and judge it")
    parser.add_argument("--only", nargs="*", choices=[robot.name for robot in FOREIGN])
    options = parser.parse_args(argv)
    from video2reward.tools.robots import inspect_robot, inspection_of

    chosen = tuple(robot for robot in FOREIGN if not options.only or robot.name in options.only)
    table = Table("robot", "legs", "joints", "kg", "leg m", "stands", "gait", "passed", "GSI", "speed m/s", "train s")
    good = True
    with tempfile.TemporaryDirectory(prefix="video2reward-") as name:
        scratch = Path(name)
        for foreign, mjcf in models(chosen, scratch):
            try:
                folder = inspect_robot(mjcf, scratch / "home")
                found, robot = inspection_of(folder), robot_config(str(folder / CARD_FILE))
                cells = [foreign.name, str(robot.num_feet), str(robot.num_joints), f"{found.mass_kg:.2f}",
                         f"{robot.leg_length_m:.3f}", "yes" if found.stands else "no"]  # fmt: skip
                if options.train:
                    verdict, seconds = teach(robot, scratch / foreign.name, foreign.env_steps)
                    good &= verdict.passed
                    cells += [verdict.robot.gait, "yes" if verdict.passed else "no",
                              f"{verdict.similarity.gsi_ungated:.2f}", f"{verdict.robot.speed_m_s:.2f}",
                              f"{seconds:.0f}"]  # fmt: skip
                    print(f"{foreign.name}: {verdict.verdict}", flush=True)
                table.add_row(*cells)
            except V2RError as error:
                good = False
                table.add_row(foreign.name, str(error)[:60])
    Console(width=120).print(table)
    return 0 if good else 3


if __name__ == "__main__":
    sys.exit(main())
