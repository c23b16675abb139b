"""One training sample: a random quadruped in a random scene, its points, its outline, and the frames before and after.

The generator shares no code with the programs that drew the clips the network is measured on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from video2reward.evals.quadnet import coat as coats
from video2reward.evals.quadnet.bodies import Body, random_body
from video2reward.evals.quadnet.camera import Camera, random_camera
from video2reward.evals.quadnet.degrade import random_degradation
from video2reward.evals.quadnet.flesh import (
    FIRST_OTHER,
    Rod,
    animal_rods,
    rider_rods,
    robot_trunk,
    strap_rods,
    walker_rods,
)
from video2reward.evals.quadnet.flesh import TRUNK as TRUNK_PART
from video2reward.evals.quadnet.motion import Gait, joints, random_gait
from video2reward.evals.quadnet.raster import Canvas
from video2reward.evals.quadnet.scenery import Foreground, Scenery, cover, random_foreground, random_scenery
from video2reward.evals.quadnet.textures import Bank
from video2reward.tools.pose.quadnet import NEAR_FAR_KEYPOINTS

PICTURE_PX = 192
MASK_STRIDE = 4
_PAWS = tuple(i for i, name in enumerate(NEAR_FAR_KEYPOINTS) if name.endswith("paw"))


@dataclass(frozen=True)
class Sample:
    """image (S, S, 5) uint8: RGB, grey before, grey after; points (20, 3): x, y in pixels, 1 where inside the picture.

    mask (S/4, S/4) uint8 is the share of each cell the animal covers, 255 being all.
    """

    image: NDArray[np.uint8]
    points: NDArray[np.float32]
    mask: NDArray[np.uint8]


@dataclass(frozen=True)
class _Scene:
    body: Body
    gait: Gait
    camera: Camera
    coat: coats.Coat
    scenery: Scenery
    front: Foreground
    person: tuple[float, float, float, float] | None
    rider_height: float
    straps: tuple[float, ...]
    shadow: tuple[float, float, float] | None


class Artist:
    """Draws samples; keeps the bank of textures between them."""

    def __init__(self, rng: np.random.Generator, *, num_textures: int = 120) -> None:
        self._rng = rng
        self._bank = Bank(rng, num_textures)

    def sample(self) -> Sample:
        """Draw the next sample."""
        rng, u = self._rng, self._rng.uniform
        body = random_body(rng)
        gait = random_gait(rng, body)
        camera = random_camera(rng, body.height)
        phase, step = u(), u(0.02, 0.22)
        camera = _framed(rng, camera, joints(body, gait, phase))
        scene = self._scene(body, gait, camera, phase, step)
        blur_phase = u(0.005, 0.04) if rng.random() < 0.25 else 0.0
        degradation = random_degradation(rng)
        still = rng.random() < 0.1
        pictures, points, mask = [], None, None
        for when in (0, -1, 1):
            if when and still:
                pictures.append(pictures[0])
                continue
            jitter = tuple(rng.normal(0, 1.0, 2)) if when else (0.0, 0.0)
            picture, seen, xy = self._frame(scene, phase, when * step, blur_phase, jitter)
            if not when:
                mask, points = seen, xy
            pictures.append(degradation.apply(picture))
        flip = rng.random() < 0.5
        greys = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None] for picture in pictures[1:]]
        image = np.concatenate([pictures[0], *greys], axis=2)
        if flip:
            image, mask = image[:, ::-1], mask[:, ::-1]
            points[:, 0] = PICTURE_PX - 1 - points[:, 0]
        inside = ((points > -1) & (points < PICTURE_PX)).all(axis=1, keepdims=True)
        small = cv2.resize(
            np.ascontiguousarray(mask), None, fx=1 / MASK_STRIDE, fy=1 / MASK_STRIDE, interpolation=cv2.INTER_AREA
        )
        return Sample(
            np.ascontiguousarray(image),
            np.concatenate([points, inside], axis=1).astype(np.float32),
            np.round(small * 255).astype(np.uint8),
        )

    def _scene(self, body: Body, gait: Gait, camera: Camera, phase: float, step: float) -> _Scene:
        rng, u = self._rng, self._rng.uniform
        names = [name for name in NEAR_FAR_KEYPOINTS if name.endswith("paw")]
        now = joints(body, gait, phase)
        paws_px = float(camera.project(np.array([now[name] for name in names]))[0][:, 1].max())
        pass_by = 2 * step * gait.ground_speed * camera.scale_px
        scenery = random_scenery(rng, self._bank, PICTURE_PX, paws_px, camera.pitch, pass_by)
        coat = coats.random_coat(rng, body, scenery.ground_colour, self._bank, PICTURE_PX)
        front = random_foreground(rng, self._bank, PICTURE_PX, body.height * camera.scale_px, scenery.ground_colour)
        person = None
        if rng.random() < 0.22:
            side = -1.0 if rng.random() < 0.65 else 1.0
            person = (u(1.6, 3.4), u(-1.1, 1.1), side * u(0.35, 1.3), u())
        rider = u(0.5, 1.1) if rng.random() < (0.25 if body.kind == "horse" else 0.03) else 0.0
        straps = tuple(s for s in (1.0, u(0.7, 0.95), u(0.3, 0.8)) if rng.random() < 0.12) if not body.schematic else ()
        shadow = (u(-0.8, 0.8), u(-0.6, 0.6), u(0.2, 0.7)) if rng.random() < 0.6 else None
        return _Scene(body, gait, camera, coat, scenery, front, person, rider, straps, shadow)

    def _frame(
        self, scene: _Scene, phase: float, step: float, blur_phase: float, jitter: tuple[float, float]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float64]]:
        """Return RGB (S, S, 3), the subject's cover (S, S) and the 20 points (x, y) at `phase + step`."""
        camera = replace(
            scene.camera,
            centre_px=(scene.camera.centre_px[0] + jitter[0], scene.camera.centre_px[1] + jitter[1]),
        )
        passed = -step * scene.gait.ground_speed * camera.scale_px * np.cos(camera.yaw)
        behind = scene.scenery.picture(passed)
        steps = np.linspace(-blur_phase, blur_phase, 3) if blur_phase else (0.0,)
        layers, opacity = np.zeros_like(behind), np.zeros(behind.shape[:2], np.float32)
        for part in steps:
            canvas, now, shade = _drawn(scene, camera, phase + step + part)
            shift = (round(jitter[0]), round(jitter[1]))
            rgb, cover_now = coats.paint(canvas, scene.coat, shift)
            layers += rgb * cover_now[..., None] / len(steps)
            opacity += cover_now / len(steps)
        if shade is not None:
            behind *= (1.0 - scene.shadow[2] * shade)[..., None]
        picture = behind * (1 - opacity[..., None]) + layers
        middle, now = (canvas, now) if not blur_phase else _drawn(scene, camera, phase + step)[:2]
        screen = camera.project(np.array(list(now.values())))[0][:, :2]
        at = dict(zip(now, screen, strict=True))
        points = np.array([at[name] for name in NEAR_FAR_KEYPOINTS])
        paws_px = float(points[list(_PAWS), 1].max())
        picture = cover(picture, scene.front, paws_px, tuple(at["neck"]), scene.coat.fur)
        return picture, middle.cover * (middle.part < FIRST_OTHER) * (middle.part > 0), points


def _framed(rng: np.random.Generator, camera: Camera, points: dict[str, tuple[float, float, float]]) -> Camera:
    """Scale and centre the camera so that the animal fills 50-95 % of the picture, now and then far less or more."""
    u, kind = rng.uniform, rng.random()
    share = u(0.22, 0.5) if kind < 0.22 else u(0.9, 1.15) if kind > 0.94 else u(0.5, 0.88)
    screen = camera.project(np.array([points[name] for name in NEAR_FAR_KEYPOINTS]))[0][:, :2]
    low, high = screen.min(0), screen.max(0)
    scale = PICTURE_PX * share / float((high - low).max())
    slack = np.maximum(0.5 * PICTURE_PX - 0.45 * (high - low) * scale, 0.06 * PICTURE_PX)
    middle = (
        0.5 * PICTURE_PX + rng.uniform(-1, 1, 2) * slack * (1.0 if kind < 0.22 else 0.6) - 0.5 * (low + high) * scale
    )
    return replace(camera, scale_px=scale, centre_px=(float(middle[0]), float(middle[1])))


def _drawn(
    scene: _Scene, camera: Camera, phase: float
) -> tuple[Canvas, dict[str, tuple[float, float, float]], NDArray[np.float32] | None]:
    """Return the canvas with animal, rider and person, the joints, and the shadow (S, S) on the ground in [0, 1]."""
    body = scene.body
    now = joints(body, scene.gait, phase)
    arch = scene.gait.arch * np.sin(2 * np.pi * phase)
    rods = animal_rods(body, now, arch)
    boxy = body.kind == "robot" and not body.schematic
    if boxy:
        rods = [rod for rod in rods if rod.part != TRUNK_PART]
    rods += strap_rods(body, now, scene.straps)
    if scene.rider_height:
        rods += rider_rods(now, scene.rider_height, body.width)
    if scene.person is not None:
        height, x, z, turn = scene.person
        rods += walker_rods(height, x, z, turn + 0.5 * phase)
    ends = np.array([rod.start for rod in rods] + [rod.end for rod in rods])
    screen, scale = camera.project(ends)
    canvas = Canvas(PICTURE_PX)
    count = len(rods)
    for index, rod in enumerate(rods):
        canvas.rod(
            screen[index], screen[index + count], rod.radius_start * scale[index],
            rod.radius_end * scale[index + count], rod.part, rod.flat,
        )  # fmt: skip
    if boxy:
        for part, face in robot_trunk(body, now):
            canvas.face(camera.project(face)[0], part)
    return canvas, now, _shadow(scene, camera, rods) if scene.shadow is not None else None


def _shadow(scene: _Scene, camera: Camera, rods: list[Rod]) -> NDArray[np.float32]:
    """Return the shadow (S, S) that parallel light casts on the ground y = 0."""
    along, aside, _ = scene.shadow
    ends = np.array([rod.start for rod in rods] + [rod.end for rod in rods])
    flat = np.stack([ends[:, 0] + along * ends[:, 1], np.zeros(len(ends)), ends[:, 2] + aside * ends[:, 1]], axis=1)
    screen, scale = camera.project(flat)
    shade = np.zeros((PICTURE_PX, PICTURE_PX), np.uint8)
    squeeze = max(0.15, abs(np.sin(camera.pitch)))
    count = len(rods)
    for index, rod in enumerate(rods):
        wide = max(1, int(2 * squeeze * 0.5 * (rod.radius_start + rod.radius_end) * scale[index]))
        a, b = (tuple(int(v) for v in np.clip(screen[i, :2], -500, 500)) for i in (index, index + count))
        cv2.line(shade, a, b, 255, wide)
    return cv2.blur(shade, (5, 5)).astype(np.float32) / 255
