"""Procedural textures and noise fields for coats, grounds and walls; a bank keeps some and renews them slowly."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]

SIZE_PX = 320
_KINDS = (
    "noise",
    "noise",
    "grass",
    "leaves",
    "stripes",
    "bricks",
    "plain",
    "blotches",
    "confetti",
    "trunks",
    "pebbles",
)


def noise_field(
    rng: np.random.Generator, size: int = SIZE_PX, *, finest: int = 96, beta: float | None = None, aspect: float = 1.0
) -> Floats:
    """Return fractal noise in [0, 1], (size, size); `aspect` > 1 makes it change faster along x."""
    beta = rng.uniform(0.4, 1.1) if beta is None else beta
    out = np.zeros((size, size), np.float32)
    for octave, cells in enumerate(c for c in (3, 6, 12, 24, 48, 96, 160) if c <= finest):
        wide, tall = max(2, int(cells * aspect)), max(2, int(cells / aspect))
        coarse = rng.random((min(tall, size), min(wide, size)), dtype=np.float32)
        out += cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC) * beta**octave
    out -= out.min()
    return out / (out.max() + 1e-6)


def random_colour(rng: np.random.Generator, natural: float = 0.65) -> Floats:
    """Return an RGB colour (3,), in 0-255; a natural one is of earth, plants, sky or stone."""
    if rng.random() < natural:
        hue = rng.choice([rng.uniform(5, 30), rng.uniform(30, 75), rng.uniform(90, 125), rng.uniform(0, 180)])
        hsv = (hue, rng.uniform(0, 130), rng.uniform(20, 245))
    else:
        hsv = (rng.uniform(0, 180), rng.uniform(0, 255), rng.uniform(10, 255))
    return cv2.cvtColor(np.array([[hsv]], np.uint8), cv2.COLOR_HSV2RGB)[0, 0].astype(np.float32)


def coat_colour(rng: np.random.Generator) -> Floats:
    """Return an RGB colour (3,) of a coat: mostly black, grey, white, tan, brown or red; sometimes anything."""
    if rng.random() < 0.3:
        return random_colour(rng, 0.7)
    kind = rng.random()
    value = rng.uniform(8, 60) if kind < 0.25 else rng.uniform(205, 255) if kind < 0.45 else rng.uniform(30, 250)
    most_saturation = 40 if 0.25 <= kind < 0.45 else 170
    hsv = np.array([[(rng.uniform(4, 24), rng.uniform(0, most_saturation) * rng.random(), value)]], np.uint8)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0].astype(np.float32)


def texture(rng: np.random.Generator) -> Bytes:
    """Return a picture of some surface, RGB (SIZE_PX, SIZE_PX, 3)."""
    kind = str(rng.choice(_KINDS))
    first, second = random_colour(rng), random_colour(rng)
    if rng.random() < 0.6:
        second = np.clip(first * rng.uniform(0.5, 1.4) + rng.normal(0, 10, 3), 0, 255).astype(np.float32)
    if kind in ("leaves", "confetti", "pebbles", "trunks"):
        base = np.clip(first * (0.8 + 0.4 * noise_field(rng)[..., None]), 0, 255).astype(np.uint8)
        return _scattered(rng, kind, base, first, second)
    if kind == "stripes":
        share = _stripes(rng)
    elif kind == "bricks":
        share = _bricks(rng)
    elif kind == "plain":
        share = np.full((SIZE_PX, SIZE_PX), 0.5, np.float32) + rng.normal(0, 0.04, (SIZE_PX, SIZE_PX))
    elif kind == "blotches":
        share = (noise_field(rng, beta=0.6) > 0.5) * 0.7 + noise_field(rng) * 0.3
    else:
        aspect = float(rng.choice([0.2, 0.35, 3.0, 6.0])) if kind == "grass" else 1.0
        share = noise_field(rng, finest=160 if kind == "grass" else 96, aspect=aspect)
    return np.clip(first + (second - first) * share[..., None], 0, 255).astype(np.uint8)


def _stripes(rng: np.random.Generator) -> Floats:
    angle = rng.choice([0.0, 0.0, np.pi / 2, rng.uniform(0, np.pi)])
    yy, xx = np.mgrid[:SIZE_PX, :SIZE_PX].astype(np.float32)
    wave = np.sin((xx * np.cos(angle) + yy * np.sin(angle)) * rng.uniform(0.06, 0.8))
    hard = cv2.GaussianBlur((wave > rng.uniform(-0.9, 0.9)).astype(np.float32), (0, 0), rng.uniform(0.5, 2))
    return hard * 0.7 + noise_field(rng) * 0.3


def _bricks(rng: np.random.Generator) -> Floats:
    share = np.ones((SIZE_PX, SIZE_PX), np.float32)
    tall, wide = int(rng.integers(8, 50)), int(rng.integers(10, 80))
    for row, y in enumerate(range(0, SIZE_PX, tall)):
        share[y : y + 2] = 0
        for x in range((row % 2) * wide // 2, SIZE_PX, wide):
            share[y : y + tall, x : x + 2] = 0
            share[y + 2 : y + tall, x + 2 : x + wide] *= rng.uniform(0.7, 1.0)
    return share * 0.6 + noise_field(rng) * 0.4


def _scattered(rng: np.random.Generator, kind: str, base: Bytes, first: Floats, second: Floats) -> Bytes:
    """Strew leaves, dots, stones or tree trunks over a picture."""
    count = {"leaves": 400, "confetti": int(rng.integers(30, 160)), "pebbles": 500, "trunks": int(rng.integers(4, 25))}
    for _ in range(count[kind]):
        at = tuple(int(v) for v in rng.integers(0, SIZE_PX, 2))
        if kind == "confetti":
            colour = random_colour(rng, 0.0)
        else:
            colour = np.clip((first if rng.random() < 0.5 else second) * rng.uniform(0.6, 1.3), 0, 255)
        colour = [float(v) for v in colour]
        if kind == "trunks":
            top = (at[0] + int(rng.integers(-12, 12)), 0)
            cv2.line(base, (at[0], SIZE_PX), top, colour, int(rng.integers(1, 14)), cv2.LINE_AA)
        elif kind == "confetti":
            cv2.circle(base, at, int(rng.integers(1, 9)), colour, -1, cv2.LINE_AA)
        else:
            long = rng.uniform(1.5, 9) if kind == "leaves" else rng.uniform(1, 4)
            axes = (max(1, int(long)), max(1, int(long * rng.uniform(0.3, 0.8))))
            cv2.ellipse(base, at, axes, float(rng.uniform(0, 180)), 0, 360, colour, -1, cv2.LINE_AA)
    return base


class Bank:
    """A stock of textures and noise fields; a draw now and then renews one, so a long run sees ever new ones."""

    def __init__(self, rng: np.random.Generator, num_textures: int = 120) -> None:
        self._textures = [texture(rng) for _ in range(num_textures)]
        self._noises = [noise_field(rng) for _ in range(12)]
        self._fine = [noise_field(rng, finest=160, beta=1.0, aspect=float(a)) for a in (0.4, 0.6, 1, 1, 1.6, 2.5)]

    def texture(self, rng: np.random.Generator, tall: int, wide: int) -> Bytes:
        """Return a random piece of a random texture, RGB (tall, wide, 3)."""
        if rng.random() < 0.03:
            self._textures[rng.integers(len(self._textures))] = texture(rng)
        return _piece(rng, self._textures[rng.integers(len(self._textures))], tall, wide)

    def noise(self, rng: np.random.Generator, size: int, *, fine: bool = False) -> Floats:
        """Return a random piece of noise in [0, 1], (size, size); fine noise has hardly any slow parts."""
        fields = self._fine if fine else self._noises
        return _piece(rng, fields[rng.integers(len(fields))], size, size)


def _piece(rng: np.random.Generator, whole: NDArray, tall: int, wide: int) -> NDArray:
    share = rng.uniform(0.5, 1.0)
    high, across = int(SIZE_PX * share * min(1, tall / wide)), int(SIZE_PX * share * min(1, wide / tall))
    y, x = rng.integers(0, SIZE_PX - high + 1), rng.integers(0, SIZE_PX - across + 1)
    piece = cv2.resize(whole[y : y + high, x : x + across], (wide, tall), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(piece[:, ::-1]) if rng.random() < 0.5 else piece
