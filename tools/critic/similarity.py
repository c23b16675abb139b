"""How much the robot moves like the subject: the errors of the evaluation and their composite, always with its parts.

The weights are fixed. They are not to be tuned, nor are they anybody's training target.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from video2reward.memory.records import GaitDescriptor, MotionTarget, RobotGait, Similarity, Travel
from video2reward.sim.config import GRAVITY_M_S2
from video2reward.tools.critic.dtw import compare_cycles

SCALES = {"E_f": 0.1, "E_beta": 0.1, "E_phi": 0.1, "E_Fr": 0.25}
MAX_ERROR = 10.0
"""An error is published as at most this, so that a degenerate motion still has numbers."""
SPOT_FROUDE = 0.01
"""A Froude number up to this is going nowhere (0.16 m/s for a leg of 0.26 m): the least that E_Fr is relative to."""
NO_PHASE = 0.5
"""The phase error of a foot that takes no step: as wrong as a phase can be."""


@dataclass(frozen=True)
class Wanted:
    """The subject's gait without units, per foot of the robot."""

    stride_frequency: float
    """f sqrt(L/g)."""
    froude: float
    duty_factor: tuple[float, ...]
    phase_offsets: tuple[float, ...]
    limb_cycle: Mapping[str, Sequence[Sequence[float]]]
    travel: Travel = "forward"


def wanted_gait(target: MotionTarget, gait: GaitDescriptor | None = None) -> Wanted:
    """Return what the robot is held to: the subject's own numbers.

    The target carries them unchanged unless it says it was adjusted; then the subject's are taken from its own
    descriptor, so that asking less of the robot earns no similarity.
    """
    wanted = Wanted(
        stride_frequency=target.stride_frequency_hz * math.sqrt(target.leg_length_m / GRAVITY_M_S2),
        froude=target.froude,
        duty_factor=target.duty_factor,
        phase_offsets=target.phase_offsets,
        limb_cycle=target.limb_cycle,
        travel=target.travel,
    )
    if gait is None or target.feasibility == "ok":
        return wanted
    same_limbs = all(foot in gait.duty_factor for foot in target.feet)
    return Wanted(
        stride_frequency=gait.stride_frequency_dimensionless,
        froude=gait.froude if gait.travel == target.travel else target.froude,
        duty_factor=tuple(gait.duty_factor[foot] for foot in target.feet) if same_limbs else target.duty_factor,
        phase_offsets=target.phase_offsets,
        limb_cycle=target.limb_cycle,
        travel=target.travel,
    )


def asked_errors(target: MotionTarget, wanted: Wanted) -> dict[str, float]:
    """Return the errors, and their composite as `gsi`, of a robot that does exactly what the target asks."""
    cadence = target.stride_frequency_hz * math.sqrt(target.leg_length_m / GRAVITY_M_S2)
    errors = {
        "E_f": _relative(cadence, wanted.stride_frequency, 1e-6),
        "E_beta": _mean(abs(a - v) for a, v in zip(target.duty_factor, wanted.duty_factor, strict=True)),
        "E_phi": 0.0,
        "E_Fr": _relative(target.froude, wanted.froude, SPOT_FROUDE),
    }
    return {"gsi": composite(**errors), **errors}


def compare(robot: RobotGait, wanted: Wanted, leg_length_m: float, *, passed: bool) -> Similarity:
    """Return the similarity of the robot's gait; `gsi` is 0 unless the gates passed.

    E_phi is the mean over the feet but the first, to which phases are relative.
    """
    f_star = robot.stride_frequency_hz * math.sqrt(leg_length_m / GRAVITY_M_S2)
    errors = {
        "E_f": _relative(f_star, wanted.stride_frequency, 1e-6),
        "E_beta": _mean(abs(r - v) for r, v in zip(robot.duty_factor, wanted.duty_factor, strict=True)),
        "E_phi": phase_error(robot, wanted.phase_offsets),
        "E_Fr": _relative(_froude_along(robot, wanted.travel), wanted.froude, SPOT_FROUDE),
    }
    errors = {name: min(value, MAX_ERROR) if math.isfinite(value) else MAX_ERROR for name, value in errors.items()}
    steps = max(robot.lifted_steps_hz, default=0.0) > 0
    ungated = composite(**errors) if steps else 0.0
    distance = compare_cycles(robot.limb_cycle, wanted.limb_cycle)
    return Similarity(
        gsi=ungated if passed else 0.0,
        gsi_ungated=ungated,
        **errors,
        dtw=distance.dtw if distance else None,
        fastdtw=distance.fastdtw if distance else None,
    )


def composite(E_f: float, E_beta: float, E_phi: float, E_Fr: float) -> float:
    """Return exp(-(E_f/0.1 + E_beta/0.1 + E_phi/0.1 + E_Fr/0.25)/4): 1 is perfect."""
    errors = {"E_f": E_f, "E_beta": E_beta, "E_phi": E_phi, "E_Fr": E_Fr}
    return math.exp(-sum(errors[name] / scale for name, scale in SCALES.items()) / len(SCALES))


def phase_error(robot: RobotGait, wanted: Sequence[float]) -> float:
    """Return the mean distance of the touchdown phases on the circle, in strides, over the feet but the first."""
    found, steps = robot.phase_offsets, robot.lifted_steps_hz
    if len(found) < 2:
        return 0.0
    return _mean(
        abs((found[foot] - wanted[foot] - wanted[0] + found[0] + 0.5) % 1.0 - 0.5)
        if steps[0] > 0 and steps[foot] > 0
        else NO_PHASE
        for foot in range(1, len(found))
    )


def _froude_along(robot: RobotGait, travel: Travel) -> float:
    """Return the Froude number, negative for a robot that goes the other way than the subject."""
    wrong_way = robot.speed_m_s < 0 if travel == "forward" else robot.speed_m_s > 0 and travel == "backward"
    return -robot.froude if wrong_way else robot.froude


def _relative(value: float, wanted: float, floor: float) -> float:
    return abs(value - wanted) / max(wanted, floor)


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed) if listed else 0.0
