"""Small clips of an animal that trots on the spot, drawn flat, its points beside them: any size, pace and codec."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Point = tuple[float, float]
_HERTZ, _DUTY = 2.0, 0.45
_LEGS = {"left_front": 0.0, "right_front": 0.5, "left_hind": 0.5, "right_hind": 0.0}


def write_subject(
    folder: Path, *, size: tuple[int, int] = (640, 360), fps: int = 30, frames: int = 120, name: str = "clip.mp4",
    points: bool = True, moving: bool = True, cuts: int = 0, codec: str = "mpeg4", pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
) -> Path:  # fmt: skip
    """Write a clip of a trotting animal to `folder`/`name`, and its points.csv where they are wanted."""
    moments_s = np.arange(frames) / fps
    if points:
        write_points(folder, size, moments_s, moving)
    return encode(folder / name, scene(size, moments_s, moving=moving, cuts=cuts), fps, codec, pix_fmt, options)


def scene(
    size: tuple[int, int], moments_s: NDArray[np.float64], *, animals: int = 1, moving: bool = True, cuts: int = 0,
    belt: bool = False, flat: bool = False,
) -> Iterator[Image]:  # fmt: skip
    """Draw a picture (height, width, 3) for each moment: so many animals, over a background that a cut changes."""
    width, height = size
    leg_px = height / (3.5 if animals == 1 else 12)
    for index, moment_s in enumerate(moments_s):
        shot = index * (cuts + 1) // len(moments_s)
        picture = np.full((height, width, 3), 210, np.uint8) if flat else _background(shot, width, height)
        if belt:
            shift = int(moment_s * width * 0.4)
            stripes = (np.arange(width) + shift) // max(width // 20, 1) % 2 * 60 + 60
            picture[int(0.8 * height) :] = stripes[None, :, None]
        for animal in range(animals):
            points = trotter(moment_s + 0.13 * animal, _place(animal, animals, size), leg_px, moving)
            draw(picture, points, leg_px, (30 + 20 * animal, 25, 20))
        yield picture


def write_points(folder: Path, size: tuple[int, int], moments_s: NDArray[np.float64], moving: bool = True) -> None:
    """Write `folder`/points.csv, the points of a scene's one animal in every frame."""
    rows = [trotter(moment_s, _place(0, 1, size), size[1] / 3.5, moving) for moment_s in moments_s]
    head = ",".join(["frame", *(f"{name}_{axis}" for name in rows[0] for axis in "xy")])
    lines = [",".join([str(i), *(f"{v:.2f}" for xy in row.values() for v in xy)]) for i, row in enumerate(rows)]
    (folder / "points.csv").write_text("\n".join([head, *lines]) + "\n")


def encode(path: Path, pictures: Iterable[Image], fps: int, codec: str = "mpeg4", pix_fmt: str = "yuv420p",
            options: dict[str, str] | None = None) -> Path:  # fmt: skip
    """Write pictures, RGB or with alpha, as a video."""
    with av.open(str(path), "w") as container:
        stream = None
        for picture in pictures:
            if stream is None:
                stream = container.add_stream(codec, rate=fps, options=options or {})
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = pix_fmt
            frame = av.VideoFrame.from_ndarray(picture, format="rgba" if picture.shape[2] == 4 else "rgb24")
            container.mux(stream.encode(frame))
        assert stream is not None
        container.mux(stream.encode())
    return path


def trotter(moment_s: float, place_px: tuple[float, float], leg_px: float, moving: bool = True) -> dict[str, Point]:
    """Return the points of an animal that trots to the right on a belt: x, y in pixels, y down."""
    x, y = place_px
    points: dict[str, Point] = {
        "nose": (x + 1.3 * leg_px, y - 0.4 * leg_px),
        "withers": (x + 0.6 * leg_px, y - 0.15 * leg_px),
        "tail_base": (x - 0.75 * leg_px, y - 0.1 * leg_px),
    }
    for limb, phase in _LEGS.items():
        root_x = x + (0.55 if "front" in limb else -0.6) * leg_px
        turn = (moment_s * _HERTZ - phase) % 1.0 if moving else 0.2
        reach = 0.45 * leg_px
        if turn < _DUTY:
            ahead, up = reach * (1 - 2 * turn / _DUTY), 0.0
        else:
            swing = (turn - _DUTY) / (1 - _DUTY)
            ahead, up = reach * (2 * swing**2 * (3 - 2 * swing) - 1), 0.2 * leg_px * np.sin(np.pi * swing)
        foot = (root_x + ahead, y + leg_px - up)
        knee = ((root_x + foot[0]) / 2 + 0.1 * leg_px, (y + foot[1]) / 2)
        side, end = limb.split("_")
        root, joint = ("shoulder", "elbow") if end == "front" else ("hip", "knee")
        points |= {f"{side}_{root}": (root_x, y), f"{side}_{joint}": knee, f"{limb}_paw": foot}
    return points


def draw(picture: Image, points: dict[str, Point], leg_px: float, colour: tuple[int, int, int]) -> None:
    """Draw an animal flat, as in a cartoon."""
    width = max(int(0.18 * leg_px), 2)
    place = {name: (int(x), int(y)) for name, (x, y) in points.items()}
    for limb in _LEGS:
        side, end = limb.split("_")
        root, joint = ("shoulder", "elbow") if end == "front" else ("hip", "knee")
        for a, b in ((f"{side}_{root}", f"{side}_{joint}"), (f"{side}_{joint}", f"{limb}_paw")):
            cv2.line(picture, place[a], place[b], colour, width)
    cv2.line(picture, place["tail_base"], place["withers"], colour, 3 * width)
    cv2.line(picture, place["withers"], place["nose"], colour, 2 * width)


def _place(animal: int, animals: int, size: tuple[int, int]) -> Point:
    if animals == 1:
        return 0.5 * size[0], 0.55 * size[1]
    return (0.15 + 0.18 * (animal % 5)) * size[0], (0.25 + 0.45 * (animal // 5)) * size[1]


def _background(seed: int, width: int, height: int) -> Image:
    coarse = np.random.default_rng(seed).integers(90, 220, (9, 16, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST)
