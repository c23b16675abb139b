"""A motion as a point: numbers scaled so that a distance of 1 is a clear difference in one of them.

cadence      log of f sqrt(L/g); 1 = a quarter faster or slower
duty         per limb; 1 = 0.1 on every limb
phases       cosine and sine per limb; 1 = 0.1 of a stride on every limb
speed        log of the Froude number; 1 = about twice or half of it
trunk pitch  1 = 0.3 rad
travel       forward, on the spot, backward lie 1.5 apart
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from video2reward.memory.records import BIPED_LIMBS, QUADRUPED_LIMBS, GaitDescriptor, MotionTarget

GRAVITY_M_S2 = 9.81
OTHER_GAIT = 0.5
"""Added to the distance of motions whose gait labels are known and differ."""
NEAR = 0.6
FAR = 1.5
VERSION = 1
"""Of the space; points of another version do not mix."""

_TRAVEL = {"forward": 0.0, "on_the_spot": 1.5, "backward": 3.0}
# A chord of the unit circle over 0.1 of a turn.
_PHASE_CHORD = 2.0 * math.sin(math.pi * 0.1)


@dataclass(frozen=True)
class MotionPoint:
    """Where a motion lies in the space of its kind of body."""

    kind: str
    gait: str
    vector: NDArray[np.float32]
    stride_frequency: float
    froude: float


def motion_point(motion: MotionTarget | GaitDescriptor) -> MotionPoint:
    """Return the point of a gait or of a target; the same movement of a dog and of a robot gives the same point."""
    if isinstance(motion, MotionTarget):
        limbs = len(motion.feet)
        frequency = motion.stride_frequency_hz * math.sqrt(motion.leg_length_m / GRAVITY_M_S2)
        duty, phases = motion.duty_factor, motion.phase_offsets
    else:
        names = QUADRUPED_LIMBS if motion.subject == "quadruped" else BIPED_LIMBS
        limbs = len(names)
        frequency = motion.stride_frequency_dimensionless
        duty = tuple(motion.duty_factor.get(name, 0.5) for name in names)
        phases = tuple(motion.phase_offsets.get(name, 0.0) for name in names)
    turns = 2.0 * np.pi * (np.array(phases) - phases[0])
    # Per-limb numbers are divided by the root of their count: a difference on every limb counts like one difference.
    per_limb = math.sqrt(limbs)
    circle = np.concatenate([np.cos(turns), np.sin(turns)]) / (_PHASE_CHORD * per_limb)
    vector = np.concatenate(
        [
            [math.log(max(frequency, 1e-3)) / math.log(1.25)],
            np.array(duty) / (0.1 * per_limb),
            circle,
            [math.log(max(motion.froude, 0.01)) / math.log(2.0)],
            [motion.trunk_pitch_rad / 0.3],
            [_TRAVEL[motion.travel]],
        ]
    )
    kind = "quadruped" if limbs == len(QUADRUPED_LIMBS) else "biped"
    return MotionPoint(kind, motion.gait, vector.astype(np.float32), frequency, motion.froude)


def distance(wanted: MotionPoint, vector: NDArray[np.float32], gait: str) -> float:
    """Return the exact distance that hits are ranked by."""
    known = "unknown" not in (wanted.gait, gait)
    return float(np.linalg.norm(wanted.vector - vector)) + (OTHER_GAIT if known and wanted.gait != gait else 0.0)


def explain(
    wanted: MotionPoint, gait: str, frequency: float, froude: float, far: float, passed: bool, gsi: float
) -> str:
    """Say in a sentence how a remembered motion differs from the wanted one, and what its reward reached."""
    same = f"same gait ({gait})" if gait == wanted.gait else f"{gait} instead of {wanted.gait}"
    parts = [same, _percent(frequency / max(wanted.stride_frequency, 1e-9), "cadence", "faster", "slower")]
    # Speed goes with the root of the Froude number.
    if wanted.froude > 0.01 and froude > 0.01:
        parts.append(_percent(math.sqrt(froude / wanted.froude), "speed", "higher", "lower"))
    reached = f"reward reached {gsi:.2f}" if passed else "its robot did not pass the gates"
    warning = "; far from what is wanted" if far > FAR else ""
    return f"{', '.join(part for part in parts if part)}, {reached}{warning}."


def _percent(ratio: float, what: str, more: str, less: str) -> str:
    change = round(100.0 * (ratio - 1.0))
    if change == 0:
        return f"same {what}"
    return f"{abs(change)} % {more if change > 0 else less} {what}"
