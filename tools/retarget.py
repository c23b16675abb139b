"""Carry a gait over to one robot: dynamic similarity by leg length, footfalls by limb, and what the robot can do."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from video2reward.memory.records import QUADRUPED_LIMBS, GaitDescriptor, GaitLabel, MotionTarget
from video2reward.sim.config import GRAVITY_M_S2, RobotConfig
from video2reward.tools.gait_labels import TEMPLATES

MAX_SPEED_M_S: Mapping[str, float] = {"go1": 3.2, "g1": 2.0}
STRIDE_HZ_RANGE = (0.5, 4.0)
DUTY_RANGE = (0.2, 0.8)
LEVEL_RAD = 0.15
"""A dog's hips lie higher or lower than its shoulders by as much; that is build, not posture."""

Path2D = tuple[tuple[float, float], ...]

# Which of the subject's limbs each of the robot's legs follows. On four legs a person's arms swing against the legs:
# the front leg of the other side goes with each leg, which is a trot's diagonal pairing.
_SOURCE: Mapping[tuple[str, str], Mapping[str, str]] = {
    ("quadruped", "quadruped"): {limb: limb for limb in QUADRUPED_LIMBS},
    ("person", "biped"): {"L": "L", "R": "R"},
    ("person", "quadruped"): {"FL": "R", "FR": "L", "RL": "L", "RR": "R"},
    ("quadruped", "biped"): {"L": "RL", "R": "RR"},
}


def retarget(gait: GaitDescriptor, robot: RobotConfig) -> MotionTarget:
    """Return what the robot shall do so that it moves like the subject at its own size.

    Equal Froude number v²/(g L) and equal f sqrt(L/g) (Alexander & Jayes 1983): speed grows with the root of the leg
    length and cadence falls with it; duty, phases and paths in leg lengths stay. What the robot cannot do is clipped
    to what it can, and each change is a sentence in the notes.
    """
    notes: list[str] = []
    adjusted = False
    source = _SOURCE[(gait.subject, robot.kind)]
    phases, duty = _all_limbs(gait, notes)
    if gait.subject == "person" and robot.kind == "quadruped":
        notes.append("a person on four legs: each front leg goes with the hind leg of the other side, as arms swing")
    if gait.subject == "quadruped" and robot.kind == "biped":
        notes.append("an animal on two legs: the robot's legs follow its hind legs")

    reference = phases[source[robot.feet[0]]]
    offsets = tuple(float((phases[source[foot]] - reference) % 1.0) % 1.0 for foot in robot.feet)
    duties = tuple(float(np.clip(duty[source[foot]], *DUTY_RANGE)) for foot in robot.feet)
    if any(abs(clipped - duty[source[foot]]) > 1e-9 for foot, clipped in zip(robot.feet, duties, strict=True)):
        adjusted = True
        notes.append(f"duty was brought into {DUTY_RANGE[0]} to {DUTY_RANGE[1]}")

    scale = robot.leg_length_m / gait.leg_length_m_assumed
    speed = gait.speed_leg_lengths_s * gait.leg_length_m_assumed * scale**0.5
    frequency = gait.stride_frequency_hz / scale**0.5
    notes.append(
        f"from a leg of {gait.leg_length_m_assumed:.2f} m to one of {robot.leg_length_m:.2f} m: "
        f"{gait.stride_frequency_hz:.2f} to {frequency:.2f} strides a second at the same Froude number"
    )
    fastest = MAX_SPEED_M_S.get(robot.name, 2.0)
    if abs(speed) > fastest:
        adjusted = True
        notes.append(
            f"the speed, {abs(speed):.2f} m/s at the subject's Froude number, is more than {robot.title} can do"
        )
        speed = float(np.sign(speed)) * fastest
    possible = float(np.clip(frequency, *STRIDE_HZ_RANGE))
    if possible != frequency:
        adjusted = True
        notes.append(
            f"{frequency:.2f} strides a second lie outside what {robot.title} can do: {possible:.2f} are asked"
        )
    if gait.travel == "on_the_spot":
        notes.append("the clip stays on the spot, and so does the robot")
    return MotionTarget(
        robot=robot.name,
        feet=robot.feet,
        gait=_label(gait, robot, duties),
        speed_m_s=float(speed),
        stride_frequency_hz=possible,
        duty_factor=duties,
        phase_offsets=offsets,
        leg_length_m=robot.leg_length_m,
        froude=float(speed**2 / (GRAVITY_M_S2 * robot.leg_length_m)),
        travel=gait.travel,
        trunk_pitch_rad=_pitch(gait, robot),
        limb_cycle=_cycles(gait, source, reference),
        feasibility="adjusted" if adjusted else "ok",
        notes=tuple(notes),
    )


def _all_limbs(gait: GaitDescriptor, notes: list[str]) -> tuple[dict[str, float], dict[str, float]]:
    """Complete phases and duty for limbs that could not be followed: by the gait's template, else half a stride off."""
    phases, duty = dict(gait.phase_offsets), dict(gait.duty_factor)
    limbs = QUADRUPED_LIMBS if gait.subject == "quadruped" else ("L", "R")
    missing = [limb for limb in limbs if limb not in phases]
    if not missing:
        return phases, duty
    mean_duty = float(np.mean(list(duty.values()))) if duty else 0.5
    template = dict(zip(QUADRUPED_LIMBS, TEMPLATES.get(gait.gait, ((0.0, 0.5, 0.5, 0.0),))[0], strict=True))
    known = next(iter(phases), limbs[0])
    for limb in missing:
        other = {"L": "R", "R": "L"}[limb[-1]]
        if limb[:-1] + other in phases:
            phases[limb] = (phases[limb[:-1] + other] + 0.5) % 1.0
        else:
            phases[limb] = (phases.get(known, 0.0) + template.get(limb, 0.5) - template.get(known, 0.0)) % 1.0
        duty[limb] = mean_duty
    notes.append(f"{', '.join(missing)} could not be followed in the clip: their phases are assumed")
    return phases, duty


def _label(gait: GaitDescriptor, robot: RobotConfig, duty: tuple[float, ...]) -> GaitLabel:
    if gait.subject == "person" and robot.kind == "quadruped":
        return {"walk": "trot", "run": "trot", "hop": "pronk"}.get(gait.gait, gait.gait)  # type: ignore[return-value]
    if gait.subject == "quadruped" and robot.kind == "biped":
        if gait.gait in ("bound", "pronk"):
            return "hop"
        return "walk" if float(np.mean(duty)) >= 0.5 else "run"
    return gait.gait


def _pitch(gait: GaitDescriptor, robot: RobotConfig) -> float:
    """Return the lean to ask for; it means something only from a person to a biped and between quadrupeds."""
    if (gait.subject == "person") != (robot.kind == "biped"):
        return 0.0
    if gait.subject == "quadruped":
        beyond = max(abs(gait.trunk_pitch_rad) - LEVEL_RAD, 0.0)
        return float(np.clip(np.sign(gait.trunk_pitch_rad) * beyond, -0.3, 0.3))
    return float(np.clip(gait.trunk_pitch_rad, -0.2, 0.2))


def _cycles(gait: GaitDescriptor, source: Mapping[str, str], reference: float) -> dict[str, Path2D]:
    """Rename the limbs' paths and start them where the robot's reference foot touches down."""
    cycles = {}
    for foot, limb in source.items():
        for part in ("foot", "mid"):
            path = gait.limb_cycle.get(f"{limb}_{part}")
            if path:
                cycles[f"{foot}_{part}"] = _started_at(path, reference)
    return cycles


def _started_at(path: Path2D, phase: float) -> Path2D:
    points = np.array(path)
    bins = np.arange(len(points)) / len(points)
    moved = [np.interp((bins + phase) % 1.0, bins, points[:, axis], period=1.0) for axis in range(2)]
    return tuple((round(float(x), 5), round(float(z), 5)) for x, z in zip(*moved, strict=True))
