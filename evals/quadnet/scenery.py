"""What stands behind and before the animal: far and near ground that pass by as it travels, clutter, shadows, grass."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from video2reward.evals.quadnet.textures import Bank, random_colour

Floats = NDArray[np.float32]
MARGIN_PX = 72  # how far the scenery can pass by within one sample


@dataclass(frozen=True)
class Scenery:
    """Two layers wider than the picture by MARGIN_PX on both sides; the far one moves by `parallax` of the near one."""

    far: NDArray[np.uint8]
    ground: NDArray[np.uint8] | None
    horizon_px: int
    parallax: float
    blur_px: float
    ground_colour: Floats

    def picture(self, shift_px: float) -> Floats:
        """Return the scenery (S, S, 3) after it passed by `shift_px` (to the right when positive)."""
        size = self.far.shape[0]
        out = np.empty((size, size, 3), np.float32)
        out[:] = _slice(self.far, shift_px * self.parallax, size)
        if self.ground is not None and self.horizon_px < size:
            out[self.horizon_px :] = _slice(self.ground, shift_px, size)[self.horizon_px :]
        if self.blur_px > 1.5:
            out = cv2.blur(out, (int(self.blur_px), 1))
        return out


def _slice(layer: NDArray[np.uint8], shift_px: float, size: int) -> NDArray[np.uint8]:
    start = int(np.clip(round(MARGIN_PX - shift_px), 0, 2 * MARGIN_PX))
    return layer[:, start : start + size]


def random_scenery(
    rng: np.random.Generator, bank: Bank, size_px: int, paws_px: float, pitch: float, pass_by_px: float
) -> Scenery:
    """Draw scenery whose ground begins above the lowest paw (y = `paws_px`), higher the more we look down."""
    u, wide = rng.uniform, size_px + 2 * MARGIN_PX
    far = bank.texture(rng, size_px, wide)
    if rng.random() < 0.45:
        band = bank.texture(rng, size_px, wide)
        top, tall = int(u(0, size_px * 0.6)), int(u(5, 90))
        far[top : top + tall] = band[top : top + tall]
    if rng.random() < 0.5:
        far = cv2.GaussianBlur(far, (0, 0), u(0.6, 4))
    far = _clutter(rng, far)
    horizon = int(paws_px - size_px * (u(0.0, 0.5) + max(0.0, np.sin(pitch)) * 1.2))
    ground = bank.texture(rng, size_px, wide) if rng.random() < 0.85 else None
    if ground is not None and rng.random() < 0.3:
        ground = _clutter(rng, ground)
    source = ground if ground is not None else far
    row = int(np.clip(paws_px, 0, size_px - 1))
    ground_colour = source[max(row - 4, 0) : row + 4].reshape(-1, 3).mean(0).astype(np.float32)
    blur = abs(pass_by_px) * u(0.2, 0.8) if rng.random() < 0.4 else 0.0
    return Scenery(far, ground, max(0, horizon), u(0.2, 1.0), min(blur, 25.0), ground_colour)


def _clutter(rng: np.random.Generator, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Draw boxes, poles, blobs and lines of any colour."""
    picture = np.ascontiguousarray(picture)
    tall, wide = picture.shape[:2]
    for _ in range(rng.integers(0, 9)):
        colour = [float(v) for v in random_colour(rng)]
        x, y = int(rng.integers(0, wide)), int(rng.integers(0, tall))
        what = rng.integers(0, 5)
        if what == 0:
            corner = (x + int(rng.integers(5, 110)), y + int(rng.integers(5, 110)))
            cv2.rectangle(picture, (x, y), corner, colour, -1)
        elif what == 1:
            top = (x + int(rng.integers(-15, 15)), 0)
            cv2.line(
                picture, (x, int(rng.integers(tall // 3, tall))), top, colour, int(rng.integers(2, 20)), cv2.LINE_AA
            )
        elif what == 2:
            axes = (int(rng.integers(4, 60)), int(rng.integers(4, 50)))
            cv2.ellipse(picture, (x, y), axes, float(rng.uniform(0, 180)), 0, 360, colour, -1, cv2.LINE_AA)
        elif what == 3:
            other = (wide, y + int(rng.integers(-40, 40)))
            cv2.line(picture, (0, y), other, colour, int(rng.integers(1, 8)), cv2.LINE_AA)
        else:
            corners = (np.array([x, y]) + rng.normal(0, 30, (rng.integers(3, 8), 2))).astype(np.int32)
            cv2.fillPoly(picture, [corners], colour, cv2.LINE_AA)
    return picture


@dataclass(frozen=True)
class Foreground:
    """What lies before the animal; the same for the frames of one sample."""

    poles: tuple[tuple[int, int, Floats], ...]
    boxes: tuple[tuple[int, int, int, int, Floats], ...]
    grass_px: float
    grass_colour: Floats
    dapple: Floats | None
    leash: tuple[Floats, float, float, float, int] | None


def random_foreground(rng: np.random.Generator, bank: Bank, size_px: int, leg_px: float, ground: Floats) -> Foreground:
    """Draw poles, boxes, grass before the paws (`leg_px` is a leg's length), dappled light and a leash."""
    u = rng.uniform
    poles = tuple(
        (int(u(0, size_px)), int(u(2, 16)), random_colour(rng))
        for _ in range(rng.integers(1, 3))
        if rng.random() < 0.12
    )
    boxes = tuple(
        (int(u(0, size_px)), int(u(0, size_px)), int(u(6, 45)), int(u(6, 45)), random_colour(rng))
        for _ in range(1)
        if rng.random() < 0.1
    )
    dapple = None
    if rng.random() < 0.2:
        noise = bank.noise(rng, size_px)
        dapple = 1.0 + u(0.3, 1.0) * (np.clip((noise - u(0.4, 0.6)) * u(3, 15) + 0.5, 0, 1) - 0.5)
    leash = None
    if rng.random() < 0.25:
        leash = (
            random_colour(rng),
            u(-0.3, 1.3) * size_px,
            u(-0.3, 0.3) * size_px,
            u(0, 0.5) * size_px,
            int(rng.integers(1, 4)),
        )
    return Foreground(
        poles=poles,
        boxes=boxes,
        grass_px=leg_px * u(0.03, 0.25) if rng.random() < 0.22 else 0.0,
        grass_colour=random_colour(rng, 0.9) if rng.random() < 0.3 else ground,
        dapple=dapple,
        leash=leash,
    )


def cover(picture: Floats, front: Foreground, paws_px: float, collar_px: tuple[float, float], fur: Floats) -> Floats:
    """Return the picture (S, S, 3) with the foreground drawn over it; `fur` is noise (S, S) that shapes the grass."""
    size = picture.shape[0]
    if front.leash is not None:
        colour, x, y, sag, thick = front.leash
        share = np.linspace(0, 1, 10)[:, None]
        line = np.array(collar_px) * (1 - share) + np.array([x, y]) * share + np.array([0, sag]) * share * (1 - share)
        picture = np.ascontiguousarray(picture)
        cv2.polylines(
            picture, [np.round(line * 16).astype(np.int32)], False, [float(c) for c in colour], thick, cv2.LINE_AA, 4
        )
    if front.grass_px:
        top = paws_px - front.grass_px * (0.3 + 1.4 * fur[size // 2])
        blades = np.clip(np.arange(size)[:, None] - top[None, :], 0, 1)[..., None]
        picture = picture * (1 - blades) + front.grass_colour * (0.6 + 0.8 * fur[..., None]) * blades
    for x, wide, colour in front.poles:
        picture[:, x : x + wide] = colour
    for x, y, wide, tall, colour in front.boxes:
        picture[y : y + tall, x : x + wide] = colour
    if front.dapple is not None:
        picture = picture * front.dapple[..., None]
    return picture
