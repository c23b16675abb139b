"""Fixtures of the eyes' tests: small clips made on the spot, with a textured background and a block that moves."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest


class ClipMaker:
    """Write clips of any container, pace and damage."""

    @staticmethod
    def video(
        path: Path,
        *,
        num_frames: int = 30,
        fps: int = 30,
        size: tuple[int, int] = (160, 96),
        times: list[int] | None = None,
        pan_px: float = 0.0,
        codec: str = "mpeg4",
        black_from: int | None = None,
        cut_at: int | None = None,
        repeat: tuple[int, ...] = (),
    ) -> Path:
        """Write a clip; `times` are milliseconds of each frame, `pan_px` the camera's way a frame."""
        width, height = size
        backgrounds = [_texture(seed, width + int(abs(pan_px) * num_frames) + 8, height) for seed in (0, 1)]
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=fps)
            stream.width, stream.height = size
            stream.pix_fmt = "rgb8" if codec == "gif" else "yuv420p"
            stream.codec_context.time_base = Fraction(1, 1000)
            if codec == "mpeg4":
                stream.bit_rate = 4_000_000
            shown = 0
            for index in range(num_frames):
                shown = shown if index in repeat else index
                background = backgrounds[1 if cut_at is not None and index >= cut_at else 0]
                start = int(round(pan_px * shown))
                image = background[:, start : start + width].copy()
                left = int(20 + 0.5 * shown) % (width - 20)
                image[height // 3 : 2 * height // 3, left : left + 16] = (220, 40, 40)
                if black_from is not None and index >= black_from:
                    image[:] = 0
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
                frame.pts = times[index] if times else round(index * 1000 / fps)
                frame.time_base = Fraction(1, 1000)
                for packet in stream.encode(frame):
                    container.mux(packet)
            for packet in stream.encode(None):
                container.mux(packet)
        return path

    @staticmethod
    def sound(path: Path) -> Path:
        """Write a second of silence and no picture."""
        with av.open(str(path), "w") as container:
            stream = container.add_stream("aac", rate=16000)
            stream.layout = "mono"
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), format="fltp", layout="mono")
            frame.sample_rate = 16000
            for packet in [*stream.encode(frame), *stream.encode(None)]:
                container.mux(packet)
        return path

    @staticmethod
    def rotated(mp4: bytes, degrees: int) -> bytes:
        """Write a rotation into the display matrix of an MP4's track header, as a phone held upright does."""
        matrices = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}
        a, b, c, d = (value << 16 for value in matrices[degrees])
        head = mp4.index(b"tkhd") + 4
        start = head + 4 + 4 * 5 + 8 + 8  # version and flags, times and ids, reserved, layer to volume
        matrix = [a, b, 0, c, d, 0, 0, 0, 1 << 30]
        packed = b"".join(int(value).to_bytes(4, "big", signed=True) for value in matrix)
        return mp4[:start] + packed + mp4[start + 36 :]


@pytest.fixture(scope="session")
def clips() -> ClipMaker:
    """Return a maker of clips."""
    return ClipMaker()


def _texture(seed: int, width: int, height: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(30, 220, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    return np.kron(coarse, np.ones((8, 8, 1), np.uint8))[:height, :width]
