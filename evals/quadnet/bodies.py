"""Random quadruped bodies: the proportions of dogs, horses, deer, cats, robots and of nothing in particular.

Lengths are in trunk lengths (tail base to withers = 1). Axes: x forward, y up, z towards the camera (the near side);
the ground is y = 0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

BodyKind = Literal["dog", "horse", "deer", "cat", "robot", "any"]
Span = tuple[float, float]


@dataclass(frozen=True)
class Kind:
    """The ranges a kind of body is drawn from; `fore_foot` and `hind_foot` are the last segment's share of a leg."""

    height: Span
    chest: Span
    neck: Span
    head: Span
    tail: Span
    fore_foot: Span
    hind_foot: Span


KINDS: dict[BodyKind, Kind] = {
    "dog": Kind((0.75, 1.2), (0.30, 0.52), (0.20, 0.45), (0.28, 0.45), (0.10, 0.70), (0.12, 0.24), (0.22, 0.36)),
    "horse": Kind((0.95, 1.25), (0.40, 0.55), (0.40, 0.70), (0.32, 0.45), (0.40, 0.80), (0.33, 0.42), (0.38, 0.46)),
    "deer": Kind((0.95, 1.3), (0.35, 0.48), (0.40, 0.70), (0.25, 0.36), (0.03, 0.15), (0.33, 0.42), (0.38, 0.46)),
    "cat": Kind((0.65, 0.95), (0.28, 0.40), (0.12, 0.28), (0.20, 0.30), (0.40, 0.85), (0.12, 0.20), (0.22, 0.34)),
    "robot": Kind((0.6, 1.1), (0.15, 0.35), (0.00, 0.25), (0.08, 0.30), (0.00, 0.00), (0.03, 0.10), (0.03, 0.10)),
    "any": Kind((0.5, 1.35), (0.20, 0.55), (0.10, 0.70), (0.15, 0.45), (0.00, 0.80), (0.10, 0.40), (0.20, 0.45)),
}
_SHARES: dict[BodyKind, float] = {"dog": 0.45, "horse": 0.1, "deer": 0.08, "cat": 0.07, "robot": 0.17, "any": 0.13}


@dataclass(frozen=True)
class Leg:
    """A leg of three segments: its root (x, y), lengths, radii from top to foot, and which way its middle bends."""

    root: tuple[float, float]
    lengths: tuple[float, float, float]
    radii: tuple[float, float, float, float, float]
    bend: Literal[-1, 1]
    toe: float


@dataclass(frozen=True)
class Body:
    """A body at rest: heights and depths of the trunk, the neck, the head, the tail and the two pairs of legs."""

    kind: BodyKind
    height: float
    rump_drop: float
    chest: float
    waist: float
    rump: float
    width: float
    flatness: float
    neck_length: float
    neck_angle: float
    neck_radii: tuple[float, float]
    head_length: float
    head_angle: float
    head_radius: float
    muzzle: float
    ears: Literal["none", "pointed", "hanging", "back"]
    ear_length: float
    tail_length: float
    tail_angle: float
    tail_curl: float
    tail_radius: float
    motor_radius: float
    fore: Leg
    hind: Leg
    schematic: bool
    headless: bool = False
    """A robot whose trunk ends in a flat face."""
    load: tuple[float, float, float] | None = None
    """A box on a robot's back: where it begins and ends along it, and how high it is."""
    panel: tuple[float, float, float, float] | None = None
    """A strip on a robot's sides: where it begins and ends along them, and from the top down."""


def random_body(rng: np.random.Generator) -> Body:
    """Draw a body. A schematic one is made of plain sticks of few widths, as a drawing or a robot's skeleton is."""
    kind = rng.choice(list(_SHARES), p=list(_SHARES.values()))
    ranges, u = KINDS[kind], rng.uniform
    robot = kind == "robot"
    short_legged = kind == "dog" and rng.random() < 0.12
    height = u(0.42, 0.7) if short_legged else u(*ranges.height)
    chest = u(*ranges.chest)
    rump = chest * u(0.6, 1.0)
    drop = u(-0.08, 0.1)
    schematic = rng.random() < (0.25 if robot else 0.2)
    neck_root = chest * u(0.18, 0.32) if not schematic else u(0.05, 0.1)
    fore_root = (0.5 + u(-0.08, 0.06), height - chest * (u(0.2, 0.9) if robot else u(0.35, 0.75)))
    hind_root = (
        -0.5 + u(0.0, 0.16),
        fore_root[1] if robot else height - drop - rump * u(0.15, 0.45),
    )
    fore_bend, hind_bend = (int(rng.choice([-1, -1, 1])), int(rng.choice([-1, -1, 1]))) if robot else (-1, 1)
    legs = [
        _leg(rng, root, share, bend, robot=robot, hind=hind, schematic=schematic, chest=chest)
        for root, share, bend, hind in (
            (fore_root, ranges.fore_foot, fore_bend, False),
            (hind_root, ranges.hind_foot, hind_bend, True),
        )
    ]
    head = u(*ranges.head)
    body = Body(
        kind=kind,
        height=height,
        rump_drop=drop,
        chest=chest if not schematic else u(0.12, 0.3),
        waist=(chest * u(0.5, 1.02)) if not schematic else u(0.1, 0.25),
        rump=rump if not schematic else u(0.12, 0.28),
        width=u(0.12, 0.3) * (0.6 + chest) if not robot else u(0.15, 0.5),
        flatness=u(0.45, 0.9),
        neck_length=u(*ranges.neck),
        neck_angle=np.deg2rad(u(-60, 0) if rng.random() < 0.15 else u(-20, 80)),
        neck_radii=(neck_root, neck_root * u(0.5, 0.95)),
        head_length=head,
        head_angle=np.deg2rad(u(-70, 15)),
        head_radius=head * u(0.24, 0.42) if not schematic else neck_root,
        muzzle=u(0.3, 0.75),
        ears="none" if schematic or robot else str(rng.choice(["none", "pointed", "hanging", "back"])),
        ear_length=head * u(0.25, 0.6),
        tail_length=u(*ranges.tail),
        tail_angle=np.deg2rad(u(-100, 75)),
        tail_curl=u(-2.5, 2.5),
        tail_radius=u(0.012, 0.06) if not schematic else u(0.025, 0.08),
        motor_radius=u(0.06, 0.15) if robot and not schematic and rng.random() < 0.6 else 0.0,
        fore=legs[0],
        hind=legs[1],
        schematic=schematic,
    )
    return _machine(rng, body) if robot and not schematic and rng.random() < 0.75 else body


def _machine(rng: np.random.Generator, body: Body) -> Body:
    """Give a robot what today's have: legs folded low under a box that overhangs them, knees back, ball feet, drums.

    A Go1 stands 0.6 of its unfolded leg high; its hips are 0.38 m apart under a trunk of 0.65 m.
    """
    u = rng.uniform
    overhang = u(0.0, 0.27)
    depth = u(0.3, 0.7) * body.chest
    # Half of them stand as low as a Go1, whose hips are 0.42 of the trunk's length above the ground.
    height = body.height * (1 - 0.9 * overhang) * (u(0.75, 1.0) if rng.random() < 0.5 else 1.0)
    hips = max(height - depth, 0.25)
    bends = [(-1, -1), (1, 1), (-1, 1), (1, -1)][int(rng.choice(4, p=[0.6, 0.12, 0.18, 0.1]))]
    unfolded, foot = hips * u(1.1, 1.8), u(0.02, 0.08)
    upper = u(0.44, 0.54)
    lengths = ((1 - foot) * upper * unfolded, (1 - foot) * (1 - upper) * unfolded, foot * unfolded)
    thick = hips * u(0.7, 1.3)
    knee = u(0.05, 0.1)
    radii = (thick * u(0.08, 0.18), thick * knee, thick * u(0.03, 0.06), thick * u(0.03, 0.05), thick * u(0.035, 0.09))
    legs = [
        replace(leg, root=(x, hips), lengths=lengths, radii=radii, bend=bend, toe=0.0)
        for leg, x, bend in (
            (body.fore, 0.5 - overhang + u(-0.04, 0.04), bends[0]),
            (body.hind, -0.5 + overhang + u(-0.04, 0.04), bends[1]),
        )
    ]
    headless = rng.random() < 0.5
    begins = u(0.0, 0.6)
    return replace(
        body,
        height=hips + depth,
        rump_drop=rng.normal(0, 0.01),
        motor_radius=thick * u(0.14, 0.3) if rng.random() < 0.8 else 0.0,
        fore=legs[0],
        hind=legs[1],
        headless=headless,
        neck_length=0.0 if headless else body.neck_length,
        head_length=u(0.03, 0.08) if headless else body.head_length,
        neck_angle=rng.normal(0, 0.1) if headless else body.neck_angle,
        head_angle=0.0 if headless else body.head_angle,
        load=(begins, begins + u(0.15, 0.5), u(0.03, 0.25)) if rng.random() < 0.35 else None,
        panel=(u(0.0, 0.3), u(0.6, 1.0), (top := u(0.05, 0.6)), top + u(0.1, 0.4)) if rng.random() < 0.4 else None,
    )


def _leg(
    rng: np.random.Generator,
    root: tuple[float, float],
    foot_share: Span,
    bend: int,
    *,
    robot: bool,
    hind: bool,
    schematic: bool,
    chest: float,
) -> Leg:
    u = rng.uniform
    foot, upper = u(*foot_share), u(0.42, 0.56)
    total = root[1] * (u(1.1, 1.3) if hind or robot else u(1.03, 1.2))
    lengths = ((1 - foot) * upper * total, (1 - foot) * (1 - upper) * total, foot * total)
    thick = u(0.75, 1.35) * (0.55 + 0.45 * chest / 0.4)
    if schematic:
        stick = u(0.03, 0.075)
        radii = (stick * u(1, 1.3), stick, stick * u(0.75, 1), stick * u(0.7, 1), stick * u(0.8, 1.1))
    elif robot:
        radii = tuple(thick * u(*span) for span in ((0.05, 0.14), (0.03, 0.08), (0.018, 0.045), (0.018, 0.035)))
        radii += (thick * u(0.022, 0.05),)
    elif hind:
        spans = ((0.12, 0.2), (0.065, 0.11), (0.026, 0.045), (0.022, 0.036), (0.026, 0.045))
        radii = tuple(thick * u(*span) for span in spans)
    else:
        spans = ((0.08, 0.14), (0.045, 0.08), (0.025, 0.045), (0.022, 0.036), (0.026, 0.045))
        radii = tuple(thick * u(*span) for span in spans)
    return Leg(root, lengths, radii, bend, 0.0 if robot or schematic else u(0.3, 1.4))
