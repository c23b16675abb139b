"""Rods and faces around the joints of animals and people, ready to be projected and drawn.

World axes as in `bodies`: x forward, y up, z near. Parts are numbers that a palette gives colours to.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from video2reward.evals.quadnet.bodies import Body
from video2reward.evals.quadnet.motion import LEGS

TRUNK, NECK, HEAD, MUZZLE, EAR, TAIL, EYE = 1, 2, 3, 4, 5, 6, 7
LEG_PARTS = {name: tuple(range(8 + 4 * index, 12 + 4 * index)) for index, name in enumerate(LEGS)}
FIRST_OTHER = 32  # parts from here on are not the subject's
TROUSERS, SHOE, SHIRT, SKIN = 32, 33, 34, 35
NUM_PARTS = 40
STRAP, MOTOR, LOAD, PANEL = 24, 25, 26, 27

Point = tuple[float, float, float]


@dataclass(frozen=True)
class Rod:
    """A tapered rod with round ends; `flat` squeezes it along the view."""

    start: Point
    end: Point
    radius_start: float
    radius_end: float
    part: int
    flat: float = 1.0


def animal_rods(body: Body, points: dict[str, Point], arch: float) -> list[Rod]:
    """Return the rods of a body in the pose the points describe; `arch` bends the back up (trunk lengths)."""
    head = [] if body.headless else _head(body, points)
    rods = [*_trunk(body, points, arch), *head, *_tail(body, points)]
    for name in LEGS:
        side, end = name.split("_")
        hind = end == "hind"
        leg = body.hind if hind else body.fore
        parts = ("hip", "knee", "ankle", "hind_paw") if hind else ("shoulder", "elbow", "wrist", "front_paw")
        a, b, c, d = (points[f"{side}_{part}"] for part in parts)
        r, ids = leg.radii, LEG_PARTS[name]
        rods += [Rod(a, b, r[0], r[1], ids[0]), Rod(b, c, r[1], r[2], ids[1]), Rod(c, d, r[2], r[3], ids[2])]
        toe = (d[0] + r[4] * leg.toe, d[1] + 0.1 * r[4], d[2])
        rods.append(Rod(d, toe, r[4], r[4] * 0.85, ids[3]))
        if body.motor_radius:
            inner, outer = (a[0], a[1], 0.4 * a[2]), (a[0], a[1], 1.05 * a[2])
            rods.append(Rod(inner, outer, body.motor_radius, body.motor_radius, MOTOR, 0.25))
    return rods


def strap_rods(body: Body, points: dict[str, Point], shares: tuple[float, ...]) -> list[Rod]:
    """Return straps on the near side: a collar at share 1, a harness or girth at shares of the back below it."""
    rods = []
    for share in shares:
        if share >= 1.0:
            middle, radius = np.array(points["neck"]), body.neck_radii[0]
            along = np.array(points["head"]) - np.array(points["neck_root"])
        else:
            along = np.array(points["withers"]) - np.array(points["tail_base"])
            radius = 0.5 * (body.waist + (body.chest - body.waist) * share)
            middle = np.array(points["tail_base"]) + share * along
            middle = middle - radius * np.array([-along[1], along[0], 0.0])
        across = np.array([-along[1], along[0], 0.0]) / (np.linalg.norm(along) + 1e-6) * radius * 0.9
        front = np.array([0.0, 0.0, radius])
        middle = middle * (1.0, 1.0, 0.0) + front
        rods.append(Rod(tuple(middle - across), tuple(middle + across), 0.018, 0.018, STRAP))
    return rods


def _trunk(body: Body, points: dict[str, Point], arch: float) -> list[Rod]:
    tail, withers = points["tail_base"], points["withers"]
    axis = math.atan2(withers[1] - tail[1], withers[0] - tail[0])
    across = (math.sin(axis), -math.cos(axis))

    def under(share: float, depth: float, rise: float) -> Point:
        """A point of the trunk's middle line: `depth` below the back line, `share` of the way to the withers."""
        x = tail[0] + share * (withers[0] - tail[0]) + across[0] * depth
        y = tail[1] + share * (withers[1] - tail[1]) + across[1] * depth + rise
        return (x, y, 0.0)

    rump, waist, chest = 0.5 * body.rump, 0.5 * body.waist, 0.5 * body.chest
    stops = [(0.1, rump, 0.4 * arch), (0.45, waist, arch), (0.85, chest, 0.4 * arch), (1.02, 0.7 * chest, 0.0)]
    middle = [under(share, radius, rise) for share, radius, rise in stops]
    flat = body.flatness
    return [
        Rod(a, b, ra, rb, TRUNK, flat)
        for a, b, ra, rb in zip(middle, middle[1:], (rump, waist, chest), (waist, chest, 0.7 * chest), strict=False)
    ]


def _head(body: Body, points: dict[str, Point]) -> list[Rod]:
    root, head, nose = (np.array(points[name]) for name in ("neck_root", "head", "nose"))
    to_nose = nose - head
    r, tip = body.head_radius, body.head_radius * body.muzzle
    brow = head + 0.3 * to_nose
    rods = [
        Rod(tuple(root), tuple(head), *body.neck_radii, NECK, 0.8),
        Rod(tuple(head), tuple(brow), r, 0.9 * r, HEAD),
        Rod(tuple(brow), tuple(nose - 0.6 * tip * to_nose / (body.head_length + 1e-6)), 0.85 * r, tip, MUZZLE),
    ]
    up = np.array([-to_nose[1], to_nose[0], 0.0]) / (body.head_length + 1e-6)
    for z in (0.6 * r, -0.6 * r):
        base = head + 0.05 * to_nose + 0.6 * r * up + (0.0, 0.0, z)
        if body.ears == "none":
            continue
        way = {"pointed": up, "hanging": -up, "back": 0.3 * up - to_nose / (body.head_length + 1e-6)}[body.ears]
        wide = 0.3 * r
        ends = (wide, 0.2 * wide) if body.ears == "pointed" else (wide, 1.2 * wide)
        rods.append(Rod(tuple(base), tuple(base + body.ear_length * way), *ends, EAR, 0.5))
    if body.kind != "robot" and not body.schematic:
        eye = head + 0.35 * to_nose + 0.35 * r * up
        for z in (0.8 * r, -0.8 * r):
            spot = tuple(eye + (0.0, 0.0, z))
            rods.append(Rod(spot, spot, 0.12 * r, 0.12 * r, EYE))
    return rods


def _tail(body: Body, points: dict[str, Point]) -> list[Rod]:
    if body.tail_length < 0.03:
        return []
    steps, rods = 4, []
    angle, here = math.pi - body.tail_angle, points["tail_base"]
    here = (here[0], here[1] - body.tail_radius, 0.0)
    for step in range(steps):
        length = body.tail_length / steps
        there = (here[0] + length * math.cos(angle), here[1] + length * math.sin(angle), 0.0)
        rods.append(Rod(here, there, body.tail_radius, body.tail_radius * (1 - 0.15 * step), TAIL))
        here, angle = there, angle + body.tail_curl / steps
    return rods


def robot_trunk(body: Body, points: dict[str, Point]) -> list[tuple[int, NDArray[np.float64]]]:
    """Return parts and faces (4, 3) of a box-shaped trunk and of what it bears, corners as seen from outside."""
    tail, withers = np.array(points["tail_base"]), np.array(points["withers"])
    ahead = withers - tail
    down = np.array([ahead[1], -ahead[0], 0.0]) * body.chest
    aside = np.array([0.0, 0.0, 0.35 * body.width])
    faces = [(TRUNK, face) for face in _box(tail, ahead, down, aside)]
    if body.load:
        start, end, tall = body.load
        up = np.array([-ahead[1], ahead[0], 0.0]) * tall
        box = _box(tail + start * ahead + up, (end - start) * ahead, -up, 0.8 * aside)
        faces += [(LOAD, face) for face in box]
    if body.panel:
        start, end, top, bottom = body.panel
        corner = tail + start * ahead + top * down
        faces += [(PANEL, face) for face in _box(corner, (end - start) * ahead, (bottom - top) * down, 1.03 * aside)]
    return faces


def _box(
    corner: NDArray[np.float64], ahead: NDArray[np.float64], down: NDArray[np.float64], aside: NDArray[np.float64]
) -> list[NDArray[np.float64]]:
    """Return the six faces (4, 3) of a box from its upper hind edge's middle on, as wide as twice `aside`."""
    at = {
        (i, j, k): corner + i * ahead + j * down + (2 * k - 1) * aside for i in (0, 1) for j in (0, 1) for k in (0, 1)
    }
    loops = (
        ((0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)),
        ((1, 0, 0), (0, 0, 0), (0, 1, 0), (1, 1, 0)),
        ((0, 0, 0), (1, 0, 0), (1, 0, 1), (0, 0, 1)),
        ((0, 1, 1), (1, 1, 1), (1, 1, 0), (0, 1, 0)),
        ((1, 0, 1), (1, 0, 0), (1, 1, 0), (1, 1, 1)),
        ((0, 0, 0), (0, 0, 1), (0, 1, 1), (0, 1, 0)),
    )
    return [np.stack([at[key] for key in loop]) for loop in loops]


def walker_rods(height: float, x: float, z: float, phase: float) -> list[Rod]:
    """Return a person who walks beside the animal, `height` tall, at (x, z), at a phase of their own stride."""
    hip, knee_length, thigh = 0.52 * height, 0.26 * height, 0.26 * height
    rods = []
    for turn, side in ((phase, 0.05), (phase + 0.5, -0.05)):
        swing = math.sin(2 * math.pi * turn)
        bend = 0.9 * max(0.0, math.cos(2 * math.pi * turn)) ** 2
        at = z + side * height
        knee = (x + thigh * math.sin(0.5 * swing), hip - thigh * math.cos(0.5 * swing), at)
        low = 0.5 * swing - bend
        ankle = (knee[0] + knee_length * math.sin(low), max(knee[1] - knee_length * math.cos(low), 0.03 * height), at)
        toe = (ankle[0] + 0.11 * height * math.cos(0.4 * bend), max(ankle[1] - 0.02 * height - 0.1 * bend, 0.0), at)
        rods += [
            Rod((x, hip, at), knee, 0.055 * height, 0.04 * height, TROUSERS),
            Rod(knee, ankle, 0.04 * height, 0.028 * height, TROUSERS),
            Rod(ankle, toe, 0.028 * height, 0.02 * height, SHOE),
        ]
        hand = (x - 0.25 * height * swing * 0.6, 0.5 * height, z + 2.4 * side * height)
        rods.append(Rod((x, 0.8 * height, z + 2 * side * height), hand, 0.03 * height, 0.02 * height, SKIN))
    rods.append(Rod((x, hip, z), (x, 0.8 * height, z), 0.08 * height, 0.1 * height, SHIRT, 1.2))
    rods.append(Rod((x, 0.93 * height, z), (x + 0.02 * height, 0.93 * height, z), 0.06 * height, 0.06 * height, SKIN))
    return rods


def rider_rods(points: dict[str, Point], height: float, width: float) -> list[Rod]:
    """Return a person who sits behind the withers, `height` tall when sitting."""
    seat = np.array(points["withers"]) + (-0.3, 0.08, 0.0)
    top = seat + (0.04, 0.6 * height, 0.0)
    rods = [
        Rod(tuple(seat), tuple(top), 0.13 * height, 0.14 * height, SHIRT),
        Rod(tuple(top + (0, 0.22 * height, 0)), tuple(top + (0, 0.25 * height, 0)), 0.1 * height, 0.1 * height, SKIN),
    ]
    for z in (0.55 * width, -0.55 * width):
        knee = seat + (0.2, -0.25, z)
        foot = knee + (-0.1, -0.35, 0.0)
        rods += [
            Rod(tuple(seat), tuple(knee), 0.09 * height, 0.07 * height, TROUSERS),
            Rod(tuple(knee), tuple(foot), 0.06 * height, 0.05 * height, TROUSERS),
            Rod(tuple(foot), tuple(foot + (0.12, 0.0, 0.0)), 0.05 * height, 0.04 * height, SHOE),
        ]
    return rods
