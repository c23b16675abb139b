"""Clips of drawn animals whose every number is known: any gait and body, a still or panning camera, also turning.

Bodies, legs and coats are those of `evals/quadnet`, which the embedded network was trained on; the bodies, paths and
scenes here come from other seeds. So these clips do not tell how well the network sees strange animals, but whether
what it sees becomes the right gait, and anyone can make them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from video2reward.evals.drawn_clips import encode
from video2reward.evals.mocap import MocapTruth
from video2reward.evals.quadnet.bodies import Body, BodyKind, random_body
from video2reward.evals.quadnet.camera import Camera
from video2reward.evals.quadnet.coat import paint, random_coat
from video2reward.evals.quadnet.flesh import TRUNK, animal_rods, robot_trunk
from video2reward.evals.quadnet.motion import Gait, joints
from video2reward.evals.quadnet.raster import Canvas
from video2reward.evals.quadnet.textures import Bank
from video2reward.memory.records import GaitLabel

Image = NDArray[np.uint8]
WIDTH_PX, HEIGHT_PX, FPS = 640, 360, 30
_TILE_PX = 288
_TRUNK_PX = 84.0
"""The trunk's length in the picture; everything else is measured in it."""
_DISTANCE = 9.0
# Touchdown phases (FL FR RL RR), duty, strides a second, half the way of a foot on the ground in leg heights, swing of
# the trunk's pitch in degrees.
_GAITS: dict[GaitLabel, tuple[tuple[float, float, float, float], float, float, float, float]] = {
    "walk": ((0.0, 0.5, 0.77, 0.27), 0.63, 1.1, 0.32, 0.5),
    "trot": ((0.0, 0.5, 0.49, 0.99), 0.44, 2.0, 0.32, 0.5),
    "pace": ((0.0, 0.5, 0.03, 0.53), 0.48, 1.7, 0.32, 0.5),
    "canter": ((0.0, 0.81, 0.47, 0.64), 0.33, 2.1, 0.34, 4.0),
    "gallop": ((0.0, 0.18, 0.71, 0.62), 0.27, 2.4, 0.36, 4.0),
    "bound": ((0.0, 0.03, 0.51, 0.54), 0.33, 2.2, 0.34, 4.0),
}
_LEFT_FRONT, _RIGHT_FRONT, _LEFT_HIND, _RIGHT_HIND = 1, 0, 3, 2  # the generator's order: its near side is the right one


@dataclass(frozen=True)
class DrawnAnimal:
    """One clip to draw. It goes to the right, or to the left; from `turns_at_s` on it turns by `turn_deg`."""

    gait: GaitLabel
    kind: BodyKind
    seed: int
    pan: bool = True
    to_left: bool = False
    seconds: float = 4.0
    turns_at_s: float = np.inf
    turn_deg: float = 180.0
    turn_s: float = 1.0

    @property
    def name(self) -> str:
        camera, side = "pan" if self.pan else "still", "left" if self.to_left else "right"
        return f"{self.gait}_{self.kind}_{self.seed}_{camera}_{side}"


# No rule of the eyes was made looking at these: others, of other seeds, served for that.
HELD_OUT = tuple(
    DrawnAnimal(gait, kind, 60 + index, pan=pan, to_left=to_left)
    for index, (gait, kind, pan, to_left) in enumerate(
        (
            ("walk", "dog", True, False), ("walk", "horse", False, True), ("walk", "robot", True, False),
            ("trot", "dog", True, True), ("trot", "deer", False, False), ("trot", "robot", True, True),
            ("pace", "dog", True, False), ("pace", "horse", False, True), ("canter", "dog", True, True),
            ("canter", "cat", True, False), ("gallop", "dog", True, False), ("bound", "any", True, True),
        )
    )
)  # fmt: skip


@dataclass(frozen=True)
class _Way:
    """Where the animal is over time: heading (radians, 0 to the right), and its place along and away, in trunks."""

    heading: NDArray[np.float64]
    along: NDArray[np.float64]
    nearer: NDArray[np.float64]


def write_animal(folder: Path, animal: DrawnAnimal) -> tuple[Path, MocapTruth]:
    """Draw the clip to `folder` and return it with its truth; lengths of the truth are in trunks instead of metres."""
    pictures, truth = draw_animal(animal)
    options = {"crf": "23", "preset": "veryfast"}
    return encode(folder / f"{animal.name}.mp4", pictures, FPS, "libx264", options=options), truth


def draw_animal(animal: DrawnAnimal) -> tuple[Iterator[Image], MocapTruth]:
    """Return the clip's pictures (HEIGHT_PX, WIDTH_PX, 3), one at a time, and its truth."""
    rng = np.random.default_rng([20_261_128, animal.seed])
    bank = Bank(rng, 10)
    body = _body(rng, animal.kind)
    gait, truth = _gait(body, animal.gait)
    pictures = _pictures(rng, bank, body, gait, truth, animal)
    if animal.to_left:  # the picture in a mirror, so that the nearer legs are still the lighter ones
        return (np.ascontiguousarray(picture[:, ::-1]) for picture in pictures), _mirrored(truth)
    return pictures, truth


def _body(rng: np.random.Generator, kind: BodyKind) -> Body:
    while True:
        body = random_body(rng)
        if body.kind == kind and not body.schematic and body.height > 0.7:
            return body


def _gait(body: Body, name: GaitLabel) -> tuple[Gait, MocapTruth]:
    touchdown, duty, hertz, reach, pitch = _GAITS[name]
    # A leg's own phase is `phases + phase`, 0 at its touchdown; fore feet swing a tenth wider than they are told to.
    phases = np.zeros(4)
    phases[[_LEFT_FRONT, _RIGHT_FRONT, _LEFT_HIND, _RIGHT_HIND]] = -np.array(touchdown) % 1.0
    way = reach * body.height
    gait = Gait(
        phases=tuple(phases), duty=duty, reach=(way / 1.1, way), offset=(0.0, 0.0), lift=0.14 * body.height,
        curl=np.deg2rad(50), pitch=0.0, pitch_swing=np.deg2rad(pitch), bob=0.01, air=0.0, arch=0.0,
        nod=np.deg2rad(2), head_aside=0.0, spread=0.9, tilt=(0.0,) * 4,
    )  # fmt: skip
    limbs = ("FL", "FR", "RL", "RR")
    speed = 2 * way / duty * hertz
    return gait, MocapTruth(
        hertz, dict.fromkeys(limbs, duty), dict(zip(limbs, touchdown, strict=True)), speed, body.hind.root[1]
    )


def _mirrored(truth: MocapTruth) -> MocapTruth:
    """Return the truth with left and right exchanged; the phases count from the left forefoot again."""
    other = {limb: limb[0] + ("R" if limb[1] == "L" else "L") for limb in truth.phase_offsets}
    zero = truth.phase_offsets["FR"]
    phases = {limb: float((truth.phase_offsets[twin] - zero) % 1.0) for limb, twin in other.items()}
    return replace(truth, phase_offsets=phases)


def _way(animal: DrawnAnimal, speed: float) -> _Way:
    moments = np.arange(round(animal.seconds * FPS)) / FPS
    share = np.clip((moments - animal.turns_at_s) / animal.turn_s, 0, 1)
    turned = share * np.deg2rad(animal.turn_deg)
    step = speed / FPS
    along, nearer = np.cumsum(np.cos(turned)) * step, -np.cumsum(np.sin(turned)) * step
    return _Way(turned, along, nearer)


def _pictures(
    rng: np.random.Generator, bank: Bank, body: Body, gait: Gait, truth: MocapTruth, animal: DrawnAnimal
) -> Iterator[Image]:
    way = _way(animal, truth.speed_m_s)
    pitch, aside = np.deg2rad(rng.uniform(0, 8)), np.deg2rad(rng.normal(0, 5))
    middle_px = 0.5 * WIDTH_PX / _TRUNK_PX
    # A panning camera follows with some delay and gives a little; a still one has the animal pass by its middle.
    follow = way.along + 0.25 * np.sin(1.3 * np.arange(len(way.along)) / FPS) if animal.pan else 0.0 * way.along
    place = middle_px + way.along - follow - (0.0 if animal.pan else way.along[len(way.along) // 2])
    behind, ground_px = _scenery(rng, bank, follow)
    coat = random_coat(rng, body, np.array([128.0] * 3, np.float32), bank, _TILE_PX)
    for index, heading in enumerate(way.heading):
        size = _TRUNK_PX / (1 - way.nearer[index] / _DISTANCE)
        phase = index / FPS * truth.stride_frequency_hz
        camera = Camera(heading + aside, pitch, 0.0, _DISTANCE, 0.0, size, (_TILE_PX / 2, 0.75 * _TILE_PX))
        start = round((follow[index] - follow.min()) * _TRUNK_PX)
        picture = behind[:, start : start + WIDTH_PX].astype(np.float32)
        left = place[index] * _TRUNK_PX - _TILE_PX / 2
        rgb, cover = paint(_drawn(body, gait, phase, camera), coat, (0, 0))
        _lay_over(picture, rgb, cover, left, ground_px - 0.75 * _TILE_PX)
        yield np.clip(picture + rng.normal(0, 2, picture.shape), 0, 255).astype(np.uint8)


def _scenery(rng: np.random.Generator, bank: Bank, follow: NDArray[np.float64]) -> tuple[Image, float]:
    """Return what stands behind, as wide as the camera sees of it, and where the feet are."""
    wide = WIDTH_PX + round(float(np.ptp(follow)) * _TRUNK_PX) + 2
    pieces = -(-wide // WIDTH_PX)
    horizon = int(rng.uniform(0.45, 0.65) * HEIGHT_PX)
    layers = []
    for tall in (horizon, HEIGHT_PX - horizon):
        piece = bank.texture(rng, tall, WIDTH_PX)
        layers.append(np.concatenate([piece[:, :: 1 - 2 * (index % 2)] for index in range(pieces)], axis=1)[:, :wide])
    behind = np.concatenate(layers)
    for _ in range(6 * pieces):  # things to hold on to, as any place has
        corner, size = rng.integers(0, (wide, horizon)), rng.integers(8, 60, 2)
        colour = [float(value) for value in rng.integers(20, 235, 3)]
        cv2.rectangle(behind, corner, corner + size, colour, -1)
    return cv2.GaussianBlur(behind, (0, 0), 0.8), 0.8 * HEIGHT_PX


def _drawn(body: Body, gait: Gait, phase: float, camera: Camera) -> Canvas:
    now = joints(body, gait, phase)
    boxy = body.kind == "robot"
    rods = [rod for rod in animal_rods(body, now, 0.0) if not (boxy and rod.part == TRUNK)]
    ends = np.array([rod.start for rod in rods] + [rod.end for rod in rods])
    screen, scale = camera.project(ends)
    canvas, count = Canvas(_TILE_PX), len(rods)
    for index, rod in enumerate(rods):
        radii = rod.radius_start * scale[index], rod.radius_end * scale[index + count]
        canvas.rod(screen[index], screen[index + count], *radii, rod.part, rod.flat)
    for part, face in robot_trunk(body, now) if boxy else ():
        canvas.face(camera.project(face)[0], part)
    return canvas


def _lay_over(picture: NDArray, rgb: NDArray, cover: NDArray, left: float, top: float) -> None:
    """Lay a square tile over the picture in place, as far as it lies inside, its corner at any part of a pixel."""
    shift = np.array([[1.0, 0.0, left], [0.0, 1.0, top]])
    size = picture.shape[1::-1]
    layer = cv2.warpAffine(rgb * cover[..., None], shift, size)
    picture *= 1 - cv2.warpAffine(cover, shift, size)[..., None]
    picture += layer
