"""Clips of a Go1 that goes in a stated gait: MuJoCo's picture of our own model, moved by its reference motion.

Nothing is trained, so every number of such a clip is known: the legs go where `sim/reference` puts them, the trunk
moves at the target's speed. `python -m video2reward.evals.robot_clips FOLDER` writes them.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from video2reward.evals.drawn_clips import encode
from video2reward.evals.gait_targets import synthetic_cases
from video2reward.evals.mocap import MocapTruth
from video2reward.memory.records import MotionTarget
from video2reward.sim.config import robot_config
from video2reward.sim.render import Recording, render_rollout, use_gl

FPS, WIDTH_PX, HEIGHT_PX = 30, 640, 360
_CONTROL_DT_S = 0.02


@dataclass(frozen=True)
class RobotClip:
    """One clip: the name of a gait of `evals/gait_targets`, and the way the robot goes in the picture."""

    case: str
    facing: Literal["left", "right"]
    seconds: float = 5.0


ROBOT_CLIPS = (
    RobotClip("go1-walk", "right"),
    RobotClip("go1-trot", "left"),
    RobotClip("go1-pace", "right"),
    RobotClip("go1-bound", "left"),
    RobotClip("go1-gallop", "right"),
)


def write_robots(folder: Path) -> list[tuple[Path, MotionTarget, MocapTruth]]:
    """Render all clips to `folder`, in a process of its own, and return them with what the robot does in them."""
    subprocess.run([sys.executable, "-m", __name__, str(folder)], check=True, stdout=subprocess.DEVNULL)
    targets = {case.name: case.target for case in synthetic_cases()}
    return [(_path(folder, clip), targets[clip.case], truth_of(targets[clip.case])) for clip in ROBOT_CLIPS]


def truth_of(target: MotionTarget) -> MocapTruth:
    """Return a target's numbers as those of motion capture are given: phases from the left forefoot on."""
    duty = dict(zip(target.feet, target.duty_factor, strict=True))
    landed = dict(zip(target.feet, target.phase_offsets, strict=True))
    phases = {limb: (landed[limb] - landed["FL"]) % 1.0 for limb in landed}
    return MocapTruth(target.stride_frequency_hz, duty, phases, abs(target.speed_m_s), target.leg_length_m)


def recording(target: MotionTarget, seconds: float) -> Recording:
    """Return a robot that follows its reference motion exactly, on a straight way."""
    from video2reward.sim.reference import NUM_BINS, reference_motion

    robot = robot_config(target.robot)
    reference = reference_motion(robot, target.model_dump_json())
    times_s = np.arange(round(seconds / _CONTROL_DT_S)) * _CONTROL_DT_S
    clock = times_s * target.stride_frequency_hz % 1.0 * NUM_BINS

    def along(values: np.ndarray) -> np.ndarray:
        """Interpolate one value a bin, (NUM_BINS,), at all times; a bin's value is that of its middle."""
        return np.interp(clock, np.arange(NUM_BINS) + 0.5, values, period=NUM_BINS)

    joint_pos = np.stack([along(joint.numpy()) for joint in reference.joint_pos.T], axis=1)
    base = np.zeros((len(times_s), 3))
    base[:, 0] = target.speed_m_s * times_s
    base[:, 2] = robot.standing_height_m + along(reference.base_rise.numpy())
    feet = np.zeros((len(times_s), robot.num_feet, 3))
    return Recording(
        robot=robot,
        env_id=0,
        control_dt_s=_CONTROL_DT_S,
        physics_dt_s=_CONTROL_DT_S,
        base_pos_w=base,
        base_quat_w=np.tile([1.0, 0.0, 0.0, 0.0], (len(times_s), 1)),
        joint_pos=joint_pos,
        root_pos_w=feet,
        mid_pos_w=feet,
        foot_pos_w=feet,
        foot_contact=np.zeros((len(times_s), robot.num_feet)),
        command_speed_m_s=target.speed_m_s,
        fell_at_s=np.inf,
    )


def main() -> None:
    """Write all clips to the folder that is named; GL has to be chosen before anything imports mujoco."""
    if use_gl() is None:
        sys.exit("No GL library renders here: install libegl1 and libgl1.")
    targets = {case.name: case.target for case in synthetic_cases()}
    for clip in ROBOT_CLIPS:
        rolled = recording(targets[clip.case], clip.seconds + 2 * _CONTROL_DT_S)
        pictures = render_rollout(
            rolled, fps=FPS, start_s=0.0, seconds=clip.seconds, width=WIDTH_PX, height=HEIGHT_PX, facing=clip.facing
        )
        print(encode(_path(Path(sys.argv[1]), clip), pictures.frames, FPS, "libx264", options={"crf": "20"}))


def _path(folder: Path, clip: RobotClip) -> Path:
    return folder / f"{clip.case}_{clip.facing}.mp4"


if __name__ == "__main__":
    main()
