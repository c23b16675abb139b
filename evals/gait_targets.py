"""The gaits that are measured: synthetic targets with stated numbers, and the dogs' of motion capture.

Speeds and cadences of the synthetic ones are for the robot as it is: Go1's leg is 0.256 m, G1's 0.645 m long.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from video2reward.evals.mocap import mocap_keypoints, mocap_truth
from video2reward.memory.records import GaitLabel, MotionTarget
from video2reward.sim.config import GRAVITY_M_S2, robot_config
from video2reward.tools.describe import describe_clip
from video2reward.tools.feasibility import within_means
from video2reward.tools.retarget import retarget

_DOGS: dict[str, tuple[str, GaitLabel]] = {
    "dog-trot": ("dog_trot_walk04_pan", "trot"),
    "dog-pace": ("dog_pace_walk00_pan", "pace"),
    "dog-canter": ("dog_canter_run00_pan", "canter"),
}


@dataclass(frozen=True)
class Case:
    """One gait of one robot, and the names a judge may give it."""

    name: str
    target: MotionTarget
    labels: tuple[GaitLabel, ...]


def synthetic_cases() -> list[Case]:
    """Return the gaits that need no clip."""
    return [
        _case("go1-walk", "go1", "walk", 0.66, 1.64, (0.62,) * 4, (0.0, 0.5, 0.75, 0.25)),
        _case("go1-trot", "go1", "trot", 1.0, 2.2, (0.5,) * 4, (0.0, 0.5, 0.5, 0.0)),
        _case("go1-pace", "go1", "pace", 0.9, 2.0, (0.5,) * 4, (0.0, 0.5, 0.0, 0.5)),
        _case("go1-bound", "go1", "bound", 1.4, 2.4, (0.4,) * 4, (0.0, 0.0, 0.5, 0.5)),
        _case("go1-pronk", "go1", "pronk", 0.8, 2.2, (0.5,) * 4, (0.0, 0.0, 0.0, 0.0)),
        _case("go1-gallop", "go1", "gallop", 2.4, 2.6, (0.3,) * 4, (0.0, 0.18, 0.71, 0.64)),
        _case("go1-trot-backwards", "go1", "trot", -0.6, 2.0, (0.5,) * 4, (0.0, 0.5, 0.5, 0.0)),
        _case("g1-walk", "g1", "walk", 0.8, 1.1, (0.6,) * 2, (0.0, 0.5)),
        _case("g1-run", "g1", "run", 1.8, 1.6, (0.38,) * 2, (0.0, 0.5)),
        _case("g1-hop", "g1", "hop", 0.5, 1.7, (0.5,) * 2, (0.0, 0.0)),
    ]


def mocap_cases(clips: Path, scratch: Path) -> list[Case]:
    """Return the gaits of the motion-captured dogs, described from their true keypoints and carried over to the Go1."""
    cases = []
    for name, (clip, label) in _DOGS.items():
        path = clips / "dogs_mocap" / f"{clip}.mp4"
        points = mocap_keypoints(path.with_name(f"{clip}_gt.npz"), scratch / f"{clip}.csv")
        _, description = describe_clip(path, scratch / clip, keypoints=points)
        gait = description.gait
        if gait is None:
            raise RuntimeError(f"{clip} could not be described: {description.quality.reasons}")
        # A picture does not tell metres, and a dog's leg is assumed; motion capture knows this dog's.
        leg_m = mocap_truth(path.with_name(f"{clip}_gt.npz")).leg_length_m
        gait = gait.model_copy(
            update={
                "leg_length_m_assumed": leg_m,
                "froude": gait.speed_leg_lengths_s**2 * leg_m / GRAVITY_M_S2,
                "stride_frequency_dimensionless": gait.stride_frequency_hz * (leg_m / GRAVITY_M_S2) ** 0.5,
            }
        )
        go1 = robot_config("go1")
        cases.append(Case(name, within_means(retarget(gait, go1), go1), (label,)))
    return cases


def _case(
    name: str,
    robot: str,
    gait: GaitLabel,
    speed_m_s: float,
    stride_hz: float,
    duty: tuple[float, ...],
    phases: tuple[float, ...],
) -> Case:
    config = robot_config(robot)
    target = MotionTarget(
        robot=robot,
        feet=config.feet,
        gait=gait,
        speed_m_s=speed_m_s,
        stride_frequency_hz=stride_hz,
        duty_factor=duty,
        phase_offsets=phases,
        leg_length_m=config.leg_length_m,
        froude=speed_m_s**2 / (GRAVITY_M_S2 * config.leg_length_m),
        travel="forward" if speed_m_s > 0 else "backward",
    )
    return Case(name, target, (gait,))
