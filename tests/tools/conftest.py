"""Fixtures of the tools' tests: small clips with a textured background and a block that moves, and trainings."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from video2reward.memory.records import ArrayFile, Clip, KeypointTrack, Skeleton
from video2reward.tools.track import TrackArrays

from .jobs import Jobs


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


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Jobs]]:
    """Return a function that makes folders of trainings for a worker of the tests; all are ended afterwards."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
    made: list[Jobs] = []

    def jobs(module: str) -> Jobs:
        made.append(Jobs(tmp_path, module))
        return made[-1]

    yield jobs
    for one in made:
        one.end()


@pytest.fixture(scope="session")
def clips() -> ClipMaker:
    """Return a maker of clips."""
    return ClipMaker()


@dataclass(frozen=True)
class Walker:
    """A subject made of rules: feet that stand still on the ground for their duty and swing forward for the rest.

    Lengths in pixels; forward is to the right. `phases` are touchdowns in strides.
    """

    skeleton: Skeleton = "quadruped"
    hertz: float = 2.0
    speed: float = 300.0
    leg: float = 100.0
    phases: dict[str, float] = field(default_factory=lambda: {"FL": 0.0, "FR": 0.5, "RL": 0.5, "RR": 0.0})
    duty: float = 0.45
    seconds: float = 5.0
    fps: float = 30.0
    start_s: float = 0.0
    left: bool = False
    bounce: float = -3.0
    noise: float = 0.0
    seed: int = 0

    def points(self) -> dict[str, np.ndarray]:
        """Return each named point over time, (T, 2) in pixels, y down."""
        time = self.start_s + np.arange(int(self.seconds * self.fps)) / self.fps
        trunk = np.stack([self.speed * time, self.leg + self.bounce * np.cos(4 * np.pi * self.hertz * time)], axis=1)
        person = self.skeleton == "person"
        points = {}
        for limb, phase in self.phases.items():
            root = trunk + ((0.0 if person else 0.6 if limb[0] == "F" else -0.6) * self.leg, 0.0)
            foot = self._foot(time, phase, root[:, 0])
            knee = (root + foot) / 2 + (0.1 * self.leg, 0.0)
            side = "left" if limb in ("L", "FL", "RL") else "right"
            if person:
                parts = {"hip": root, "knee": knee, "ankle": foot + (0, 0.06 * self.leg)}
                parts |= {"heel": foot - (0.08 * self.leg, 0), "toe": foot + (0.15 * self.leg, 0)}
                parts["shoulder"] = root + (0.0, 0.6 * self.leg)
            elif limb[0] == "F":
                parts = {"shoulder": root, "elbow": knee, "front_paw": foot}
            else:
                parts = {"hip": root, "knee": knee, "hind_paw": foot}
            points |= {f"{side}_{part}": path for part, path in parts.items()}
        points["nose"] = trunk + ((0.1 if person else 1.2) * self.leg, (0.9 if person else 0.3) * self.leg)
        if not person:
            points["tail_base"] = trunk + (-0.8 * self.leg, 0.1 * self.leg)
        rng = np.random.default_rng(self.seed)
        flip = -1.0 if self.left else 1.0
        return {
            name: path * (flip, -1.0) + (400.0, 300.0) + rng.normal(0.0, self.noise, path.shape)
            for name, path in points.items()
        }

    def track(self) -> tuple[KeypointTrack, TrackArrays]:
        """Return the walker as the eyes would hand it over, seen by a still camera."""
        points = self.points()
        x, y = (np.stack([path[:, axis] for path in points.values()], axis=1) for axis in range(2))
        length = len(x)
        names = tuple(points)
        box = np.stack([x.min(1), y.min(1), np.ptp(x, axis=1), np.ptp(y, axis=1)], axis=1)
        clip = Clip(
            path=Path("walker.mp4"),
            sha256="0",
            fps=self.fps,
            duration_s=length / self.fps,
            width_px=1000,
            height_px=500,
            num_frames=length,
        )
        track = KeypointTrack(
            clip=clip,
            skeleton=self.skeleton,
            names=names,
            fps=self.fps,
            arrays=ArrayFile(path="track.npz", sha256="0"),
            source="test",
            camera="still",
        )
        zeros = np.zeros(length)
        return track, TrackArrays(names, x, y, np.ones_like(x), box, zeros, zeros, np.ones(length, dtype=bool))

    def _foot(self, time: np.ndarray, phase: float, root_x: np.ndarray) -> np.ndarray:
        """Stand where the foot touched down, half a stance ahead of the root; then swing there again, smoothly."""
        turns = self.hertz * time - phase
        whole, part = np.floor(turns), turns % 1.0
        ahead = 0.5 * self.duty * self.speed / self.hertz
        offset = root_x - self.speed * time
        landed = self.speed * (whole + phase) / self.hertz + ahead
        swing = np.clip((part - self.duty) / (1 - self.duty), 0.0, 1.0)
        forward = landed + swing**2 * (3 - 2 * swing) * self.speed / self.hertz
        return np.stack([offset + forward, 0.22 * self.leg * np.sin(np.pi * swing)], axis=1)


@pytest.fixture(scope="session")
def walker() -> type[Walker]:
    """Return the class of rule-made subjects."""
    return Walker


def _texture(seed: int, width: int, height: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(30, 220, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    return np.kron(coarse, np.ones((8, 8, 1), np.uint8))[:height, :width]
