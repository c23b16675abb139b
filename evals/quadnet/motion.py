"""Random gaits, and the joints of a body at a moment of its stride.

A foot moves back at constant speed while it stands and swings forward above the ground; the leg follows by inverse
kinematics of its two upper segments. Legs are ordered fore near, fore far, hind near, hind far.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from video2reward.evals.quadnet.bodies import Body, Leg

LEGS = ("near_front", "far_front", "near_hind", "far_hind")
# Touchdown phases of the four legs, in strides (Hildebrand 1965; rotary and transverse gallops).
_PHASES = {
    "walk": (0.5, 0.0, 0.25, 0.75),
    "amble": (0.5, 0.0, 0.35, 0.85),
    "trot": (0.0, 0.5, 0.5, 0.0),
    "pace": (0.0, 0.5, 0.0, 0.5),
    "canter": (0.35, 0.65, 0.0, 0.35),
    "gallop": (0.55, 0.7, 0.0, 0.15),
    "rotary": (0.7, 0.55, 0.0, 0.15),
    "bound": (0.5, 0.52, 0.0, 0.02),
    "pronk": (0.0, 0.0, 0.0, 0.0),
}
_FAST = ("canter", "gallop", "rotary", "bound", "pronk")
_FORE, _HIND = ("shoulder", "elbow", "wrist", "front_paw"), ("hip", "knee", "ankle", "hind_paw")


@dataclass(frozen=True)
class Gait:
    """One animal's way of going; lengths in trunk lengths, angles in radians, phases in strides."""

    phases: tuple[float, float, float, float]
    duty: float
    reach: tuple[float, float]
    offset: tuple[float, float]
    lift: float
    curl: float
    pitch: float
    pitch_swing: float
    bob: float
    air: float
    arch: float
    nod: float
    head_aside: float
    spread: float
    tilt: tuple[float, float, float, float]

    @property
    def ground_speed(self) -> float:
        """Trunk lengths a stride by which the ground passes a standing foot."""
        return 2 * self.reach[0] / self.duty


def random_gait(rng: np.random.Generator, body: Body) -> Gait:
    """Draw a gait; one in seven has legs in no order at all and one in twelve stands still."""
    u = rng.uniform
    name = str(rng.choice(list(_PHASES)))
    fast = name in _FAST
    turn = u()
    phases = [(phase + turn + rng.normal(0, 0.03)) % 1 for phase in _PHASES[name]]
    if rng.random() < 0.5:
        phases = [phases[1], phases[0], phases[3], phases[2]]
    reach = (u(0.3, 0.75) if fast else u(0.16, 0.48)) * body.height
    kind = rng.random()
    if kind < 0.14:
        phases = list(rng.random(4))
    standing = 0.14 <= kind < 0.22
    if standing:
        reach = u(0.0, 0.1) * body.height
    return Gait(
        phases=tuple(phases),
        duty=u(0.22, 0.5) if fast else u(0.35, 0.72),
        reach=(reach, reach * u(0.8, 1.2)),
        offset=(u(-0.12, 0.1) * body.height, u(-0.15, 0.15) * body.height),
        lift=0.0 if standing else body.height * (u(0.08, 0.35) if fast else u(0.04, 0.22)),
        curl=np.deg2rad(u(10, 110)),
        pitch=np.deg2rad(rng.normal(0, 4)),
        pitch_swing=np.deg2rad(u(2, 14)) if fast else np.deg2rad(u(0, 3)),
        bob=u(0, 0.04),
        air=u(0, 0.15) if fast and rng.random() < 0.5 else 0.0,
        arch=0.0 if body.kind == "robot" else (rng.normal(0, 0.06) if fast else rng.normal(0, 0.02)),
        nod=np.deg2rad(u(0, 8)),
        head_aside=rng.normal(0, 0.12),
        spread=u(0.5, 1.2),
        tilt=tuple(rng.normal(0, 0.1, 4)),
    )


def joints(body: Body, gait: Gait, phase: float) -> dict[str, tuple[float, float, float]]:
    """Return the 20 keypoints and a few points for drawing (`neck_root`, `head`, `spine`), as (x, y, z)."""
    wave = 2 * math.pi * phase
    pitch = gait.pitch + gait.pitch_swing * math.sin(wave)
    cos, sin = math.cos(pitch), math.sin(pitch)
    lifted = gait.bob * math.sin(2 * wave) + gait.air * (0.5 + 0.5 * math.sin(wave + 1.0))
    arch = gait.arch * math.sin(wave)

    def turned(x: float, y: float) -> tuple[float, float]:
        y -= body.height
        return x * cos - y * sin, x * sin + y * cos + body.height + lifted

    withers, tail_base = turned(0.5, body.height), turned(-0.5, body.height - body.rump_drop)
    neck_root = turned(0.47, body.height - 0.22 * body.chest)
    neck_angle = body.neck_angle + pitch + gait.nod * math.sin(2 * wave)
    reach = body.neck_length + 0.5 * body.neck_radii[0]
    head = (neck_root[0] + reach * math.cos(neck_angle), neck_root[1] + reach * math.sin(neck_angle))
    head_angle = 0.35 * neck_angle + body.head_angle
    nose = (head[0] + body.head_length * math.cos(head_angle), head[1] + body.head_length * math.sin(head_angle))
    points = {
        "withers": (*withers, 0.0),
        "tail_base": (*tail_base, 0.0),
        "neck_root": (*neck_root, 0.0),
        "spine": (*turned(0.0, body.height - 0.5 * body.rump_drop + arch), 0.0),
        "head": (*head, 0.3 * gait.head_aside),
        "nose": (*nose, gait.head_aside),
        "neck": (0.5 * (head[0] + neck_root[0]), 0.5 * (head[1] + neck_root[1]), 0.15 * gait.head_aside),
    }
    for index, name in enumerate(LEGS):
        side, end = name.split("_")
        hind = end == "hind"
        leg = body.hind if hind else body.fore
        chain = _chain(body, leg, gait, index, (gait.phases[index] + phase) % 1.0, turned(*leg.root))
        half = 0.5 * body.width * (1.0 if side == "near" else -1.0)
        for part, (x, y) in zip(_HIND if hind else _FORE, chain, strict=True):
            z = half if part in ("shoulder", "hip") else half * gait.spread
            points[f"{side}_{part}"] = (x, y, z)
    return points


def _chain(
    body: Body, leg: Leg, gait: Gait, index: int, phase: float, root: tuple[float, float]
) -> tuple[tuple[float, float], ...]:
    """Return root, middle, ankle and foot (x, y) of one leg at its own phase, 0 being touchdown."""
    hind = index >= 2
    reach = gait.reach[hind]
    if phase < gait.duty:
        ahead, up, swing = 1 - 2 * phase / gait.duty, 0.0, 0.0
    else:
        share = (phase - gait.duty) / (1 - gait.duty)
        ahead = -1 + 2 * share * share * (3 - 2 * share)
        swing = math.sin(math.pi * share)
        up = gait.lift * swing**1.3
    if hind:
        angle = 0.14 + 0.38 * ahead - swing * gait.curl * 0.45 * min(max(0.7 - 0.4 * ahead, 0.0), 1.2)
    else:
        root = (root[0] + 0.1 * reach * ahead, root[1])
        angle = 0.09 + 0.24 * ahead - swing * gait.curl * min(max(0.75 - 0.5 * ahead, 0.0), 1.2)
    angle = (0.2 * angle if body.kind == "robot" else angle) + gait.tilt[index]
    foot = (root[0] + gait.offset[hind] + reach * ahead, up + (gait.air * 0.5 if up else 0.0))
    down = (math.sin(angle) * leg.lengths[2], -math.cos(angle) * leg.lengths[2])
    middle, ankle = _two_links(root, (foot[0] - down[0], foot[1] - down[1]), leg.lengths[0], leg.lengths[1], leg.bend)
    return root, middle, ankle, (ankle[0] + down[0], ankle[1] + down[1])


def _two_links(
    root: tuple[float, float], target: tuple[float, float], first: float, second: float, bend: int
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the middle joint and the end of two links that reach for a target; `bend` +1 puts the middle forward."""
    dx, dy = target[0] - root[0], target[1] - root[1]
    far = math.hypot(dx, dy) + 1e-9
    length = min(max(far, abs(first - second) * 1.02 + 1e-3), (first + second) * 0.998)
    end = (root[0] + dx * length / far, root[1] + dy * length / far)
    cosine = (first * first + length * length - second * second) / (2 * first * length)
    angle = math.atan2(dy, dx) + bend * math.acos(min(max(cosine, -1.0), 1.0))
    return (root[0] + first * math.cos(angle), root[1] + first * math.sin(angle)), end
