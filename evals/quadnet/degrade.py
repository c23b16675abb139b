"""What a camera and the web do to a picture: exposure, blur, few pixels, noise, black bars, compression."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Degradation:
    """The same for all frames of a sample, apart from the noise."""

    curve: NDArray[np.uint8]
    kernel: NDArray[np.float32] | None
    soften_px: float
    shrink: float
    quality: int
    bars_px: int
    bars_at_sides: bool
    noise: NDArray[np.int16] | None

    def apply(self, picture: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Return the picture (S, S, 3) as it would arrive."""
        out = cv2.LUT(np.clip(picture, 0, 255).astype(np.uint8), self.curve)
        size = out.shape[0]
        if self.kernel is not None:
            out = cv2.filter2D(out, -1, self.kernel)
        if self.shrink < 1.0:
            small = cv2.resize(out, None, fx=self.shrink, fy=self.shrink, interpolation=cv2.INTER_AREA)
            out = cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR)
        if self.soften_px:
            out = cv2.GaussianBlur(out, (0, 0), self.soften_px)
        if self.noise is not None:
            out = cv2.add(out, self.noise, dtype=cv2.CV_8U)
        if self.bars_px and self.bars_at_sides:
            out[:, : self.bars_px] = out[:, size - self.bars_px :] = 0
        elif self.bars_px:
            out[: self.bars_px] = out[size - self.bars_px :] = 0
        if self.quality < 100:
            out = cv2.imdecode(cv2.imencode(".jpg", out, [cv2.IMWRITE_JPEG_QUALITY, self.quality])[1], cv2.IMREAD_COLOR)
        return out


def random_degradation(rng: np.random.Generator, size_px: int = 192) -> Degradation:
    """Draw what happens to a sample; about one in five stays nearly clean."""
    u = rng.uniform
    levels = np.arange(256, dtype=np.float32)[:, None]
    levels = (levels - 118) * u(0.6, 1.3) + 118 + u(-30, 30) + rng.uniform(-12, 12, 3)
    if rng.random() < 0.3:
        levels = 255 * (np.clip(levels, 0, 255) / 255) ** u(0.6, 1.6)
    kernel = None
    if rng.random() < 0.2:
        length = int(rng.integers(2, 8))
        kernel = np.zeros((length, length), np.float32)
        kernel[length // 2] = 1.0 / length
        if rng.random() < 0.4:
            turn = cv2.getRotationMatrix2D((length / 2 - 0.5, length / 2 - 0.5), u(0, 180), 1)
            kernel = cv2.warpAffine(kernel, turn, (length, length))
            kernel /= kernel.sum() + 1e-6
    noise = None
    if rng.random() < 0.3:
        strength = u(2, 14)
        noise = rng.integers(-strength, strength + 1, (size_px, size_px, 3)).astype(np.int16)
    return Degradation(
        curve=np.clip(levels, 0, 255).astype(np.uint8)[None],
        kernel=kernel,
        soften_px=u(0.4, 1.4) if rng.random() < 0.3 else 0.0,
        shrink=u(0.3, 0.9) if rng.random() < 0.3 else 1.0,
        quality=int(u(15, 75)) if rng.random() < 0.35 else 100,
        bars_px=int(u(5, 35)) if rng.random() < 0.06 else 0,
        bars_at_sides=rng.random() < 0.4,
        noise=noise,
    )
