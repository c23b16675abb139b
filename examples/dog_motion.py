"""The example dog's motion: a trot whose every number is known, because it is made from them.

World: x forward, z up, y to the dog's right (towards the camera), metres. Feet stand still on the ground through
stance; the legs between trunk and paw follow by inverse kinematics. Nothing here is random.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import cache

import numpy as np
from scipy.interpolate import PchipInterpolator

LIMBS = ("FL", "FR", "RL", "RR")


@dataclass(frozen=True)
class Truth:
    """What the clip shows. Phases count in strides after the left forepaw's touchdown, duty in shares of a stride."""

    gait: str = "trot"
    stride_frequency_hz: float = 1.9
    speed_m_s: float = 1.75
    leg_length_m: float = 0.48
    duty_factor: dict[str, float] = field(default_factory=lambda: {"FL": 0.43, "FR": 0.43, "RL": 0.40, "RR": 0.40})
    phase_offsets: dict[str, float] = field(default_factory=lambda: {"FL": 0.0, "FR": 0.5, "RL": 0.48, "RR": 0.97})
    fps: float = 30.0
    num_frames: int = 120
    facing: str = "right"

    @property
    def stride_length_m(self) -> float:
        return self.speed_m_s / self.stride_frequency_hz

    def as_json(self) -> dict:
        """Return the truth file: the numbers above and what follows from them."""
        froude = self.speed_m_s**2 / (9.81 * self.leg_length_m)
        return {
            **asdict(self),
            "stride_length_m": round(self.stride_length_m, 4),
            "speed_leg_lengths_s": round(self.speed_m_s / self.leg_length_m, 4),
            "froude": round(froude, 4),
            "stride_frequency_dimensionless": round(
                self.stride_frequency_hz * float(np.sqrt(self.leg_length_m / 9.81)), 4
            ),
            "notes": "leg_length_m is the hip's mean height over the ground. The dog is drawn: see make_dog.py.",
        }


TRUTH = Truth()

# The trunk in its own frame, from a point between shoulders and hips, 0.48 m over the ground.
SHOULDER, HIP = np.array([0.255, -0.075]), np.array([-0.250, 0.0])
WITHERS, TAIL_BASE = np.array([0.190, 0.115]), np.array([-0.335, 0.045])
NECK, NOSE = np.array([0.370, 0.190]), np.array([0.610, 0.225])
HALF_WIDTH_M = 0.075

# Lengths of a limb's upper, middle and lowest segment, and which way its middle joint points: +1 forwards.
FORE, HIND = (0.165, 0.185, 0.095), (0.190, 0.195, 0.145)
PAW_HEIGHT_M = 0.016
# Where under the joint the middle of stance lies, and how high the paw swings.
REACH_M = {"F": 0.020, "R": -0.005}
LIFT_M = {"F": 0.085, "R": 0.070}
# Lean of the lowest segment, paw to wrist or hock, forward positive, over the phases of a stride whose stance is 0-1
# and whose swing is 1-2: pressed back at touchdown, rolling over the paw, folded in swing.
LEAN_DEG = {
    "F": ((0.0, -16), (0.5, 2), (1.0, 42), (1.35, 98), (1.7, 30), (1.9, -14)),
    "R": ((0.0, -34), (0.5, -14), (1.0, 26), (1.35, 42), (1.68, -22), (1.9, -36)),
}


@dataclass(frozen=True)
class Pose:
    """The dog at one moment: joints by canonical name, (3,) x, y, z; the trunk's place and pitch."""

    time_s: float
    joints: dict[str, np.ndarray]
    trunk: np.ndarray
    pitch_rad: float
    stance: dict[str, bool]


def pose_at(time_s: float, truth: Truth = TRUTH) -> Pose:
    """Return where every joint is at one moment."""
    trunk, pitch = _trunk(time_s, truth)
    turn = np.array([[np.cos(pitch), np.sin(pitch)], [-np.sin(pitch), np.cos(pitch)]])

    def on_trunk(point: np.ndarray) -> np.ndarray:
        return trunk + turn @ point

    nod = 0.010 * np.sin(4 * np.pi * truth.stride_frequency_hz * time_s + 0.8)
    flat = {
        "nose": on_trunk(NOSE + (0, 1.6 * nod)),
        "neck": on_trunk(NECK + (0, nod)),
        "withers": on_trunk(WITHERS),
        "tail_base": on_trunk(TAIL_BASE),
    }
    joints = {name: np.array([x, 0.0, z]) for name, (x, z) in flat.items()}
    stance = {}
    for limb in LIMBS:
        side, y = ("left", -HALF_WIDTH_M) if limb[1] == "L" else ("right", HALF_WIDTH_M)
        paw, progress = paw_at(limb, time_s, truth)
        stance[limb] = progress < 1.0
        root = on_trunk(SHOULDER if limb[0] == "F" else HIP)
        if limb[0] == "F":
            # The shoulder blade glides with the leg.
            root = root + (0.10 * np.clip(paw[0] - root[0], -0.25, 0.25), 0.0)
        chain = _limb(limb, root, paw, progress)
        names = ("shoulder", "elbow", "wrist", "front_paw") if limb[0] == "F" else ("hip", "knee", "ankle", "hind_paw")
        for name, (x, z) in zip(names, chain, strict=True):
            joints[f"{side}_{name}"] = np.array([x, y, z])
    return Pose(time_s, joints, trunk, pitch, stance)


def paw_at(limb: str, time_s: float, truth: Truth = TRUTH) -> tuple[np.ndarray, float]:
    """Return a paw's (x, z) and its progress: 0-1 through stance, where it does not move, 1-2 through swing."""
    strides = time_s * truth.stride_frequency_hz - truth.phase_offsets[limb]
    number, phase = int(np.floor(strides)), float(strides % 1.0)
    duty = truth.duty_factor[limb]
    here = _foothold(limb, number, truth)
    if phase < duty:
        return np.array([here, PAW_HEIGHT_M]), phase / duty
    swing = (phase - duty) / (1.0 - duty)
    there = _foothold(limb, number + 1, truth)
    along = swing * swing * (3.0 - 2.0 * swing)
    lift = LIFT_M[limb[0]] * np.sin(np.pi * swing**0.85) ** 1.2
    return np.array([here + (there - here) * along, PAW_HEIGHT_M + lift]), 1.0 + swing


def _foothold(limb: str, number: int, truth: Truth) -> float:
    """Return where the paw stands in stride `number`: under its joint when half of the stance is over."""
    middle_s = (number + truth.phase_offsets[limb] + truth.duty_factor[limb] / 2) / truth.stride_frequency_hz
    root = SHOULDER if limb[0] == "F" else HIP
    return truth.speed_m_s * middle_s + root[0] + REACH_M[limb[0]]


def _trunk(time_s: float, truth: Truth) -> tuple[np.ndarray, float]:
    """Return the trunk's place and pitch (nose down positive): it sinks in the middle of each diagonal's stance."""
    beat = 4 * np.pi * (truth.stride_frequency_hz * time_s - 0.21)
    surge = 0.004 * np.sin(beat + 0.6)
    bob = -0.009 * np.cos(beat)
    return np.array([truth.speed_m_s * time_s + surge, truth.leg_length_m + bob]), 0.012 * np.sin(beat + 1.0)


def _limb(limb: str, root: np.ndarray, paw: np.ndarray, progress: float) -> list[np.ndarray]:
    """Return root, middle joint, lower joint and paw: the lowest segment leans by plan, the upper two are solved."""
    upper, middle, lowest = FORE if limb[0] == "F" else HIND
    lean = np.radians(_cyclic(progress, LEAN_DEG[limb[0]]))
    low = paw + lowest * np.array([np.sin(lean), np.cos(lean)])
    reach = low - root
    distance = float(np.clip(np.linalg.norm(reach), abs(upper - middle) + 1e-6, (upper + middle) * 0.998))
    # Too far or too near for the segments: the lower joint gives way, the paw stays where it stands.
    low = root + reach / np.linalg.norm(reach) * distance
    bend = np.arccos((upper**2 + distance**2 - middle**2) / (2 * upper * distance))
    forwards = 1.0 if limb[0] == "R" else -1.0
    angle = np.arctan2(low[1] - root[1], low[0] - root[0]) + forwards * bend
    mid = root + upper * np.array([np.cos(angle), np.sin(angle)])
    return [root, mid, low, paw]


def _cyclic(progress: float, knots: tuple[tuple[float, float], ...]) -> float:
    """Interpolate smoothly around a stride of progress 0-2."""
    return float(_curve(knots)(progress))


@cache
def _curve(knots: tuple[tuple[float, float], ...]) -> PchipInterpolator:
    """Return a monotone cubic through the knots, which does not overshoot, repeated on either side."""
    x, y = np.array(knots, float).T
    return PchipInterpolator(np.concatenate([x - 2, x, x + 2]), np.tile(y, 3))
