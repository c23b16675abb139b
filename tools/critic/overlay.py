"""The subject's half of a side-by-side video: its frames, cropped to it, its points on them, and its footfalls."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from video2reward.memory.errors import BadClip
from video2reward.memory.records import GaitDescriptor, KeypointTrack
from video2reward.sim.robots.model import LIMB_RGB
from video2reward.tools.track import TrackArrays
from video2reward.tools.video import frames

Image = NDArray[np.uint8]

PAPER, TRUNK_RGB = (236, 239, 243), (250, 250, 252)
_OUTLINE = (24, 28, 34)
_CHAINS = {
    "quadruped": {
        "FL": ("left_shoulder", "left_elbow", "left_wrist", "left_front_paw"),
        "FR": ("right_shoulder", "right_elbow", "right_wrist", "right_front_paw"),
        "RL": ("left_hip", "left_knee", "left_ankle", "left_hind_paw"),
        "RR": ("right_hip", "right_knee", "right_ankle", "right_hind_paw"),
    },
    "person": {
        "L": ("left_hip", "left_knee", "left_ankle", "left_heel", "left_toe"),
        "R": ("right_hip", "right_knee", "right_ankle", "right_heel", "right_toe"),
    },
}
_TRUNK = {
    "quadruped": (("nose", "neck", "withers", "tail_base"),),
    "person": (
        ("nose", "neck"),
        ("left_shoulder", "right_shoulder", "right_hip", "left_hip", "left_shoulder"),
        ("left_shoulder", "left_elbow", "left_wrist"),
        ("right_shoulder", "right_elbow", "right_wrist"),
    ),
}


@dataclass(frozen=True)
class Subject:
    """The clip's subject over clip seconds: what was followed, and the gait that was measured in it, if any."""

    clip: Path
    track: KeypointTrack
    arrays: TrackArrays
    gait: GaitDescriptor | None

    @property
    def limbs(self) -> tuple[str, ...]:
        return tuple(_CHAINS[self.track.skeleton])

    @cached_property
    def stride_s(self) -> float | None:
        """Length of a stride in clip seconds."""
        return self.track.clip.slow_motion_factor / self.gait.stride_frequency_hz if self.gait else None

    @cached_property
    def loop_s(self) -> tuple[float, float]:
        """Start and length, in clip seconds, of the stretch that is shown again and again.

        It begins with a touchdown of the reference limb and lasts whole strides, so that its repetition does not limp.
        """
        end_s = (self.arrays.num_frames - 1) / self.track.fps
        if not self.gait or not self.stride_s:
            return 0.0, max(end_s, 1.0 / self.track.fps)
        first_s, last_s = self.gait.window_s if self.gait.window_s[1] > self.gait.window_s[0] else (0.0, end_s)
        last_s = min(last_s, end_s)
        start_s = first_s + (-(first_s / self.stride_s - self.touchdown)) % 1.0 * self.stride_s
        strides = int((last_s - start_s) / self.stride_s)
        return (start_s, strides * self.stride_s) if strides else (first_s, max(last_s - first_s, 1.0 / self.track.fps))

    @cached_property
    def touchdown(self) -> float:
        """Stride phase, counted from clip second 0, at which the reference limb of the mean stride touches down.

        The forward swing of a foot against its root is a wave whose backward zero crossing is the middle of stance
        (the fundamental of "back at one speed, forward at another"); all limbs vote, each with its own offset and duty.
        """
        assert self.gait and self.stride_s
        cycles = np.arange(self.arrays.num_frames) / self.track.fps / self.stride_s
        toward = -1.0 if self.gait.facing == "left" else 1.0
        votes = 0j
        for limb, chain in _CHAINS[self.track.skeleton].items():
            if limb not in self.gait.phase_offsets:
                continue
            foot = chain[-1] if self.track.skeleton == "quadruped" else chain[2]
            forward = toward * (self.arrays.point(foot)[:, 0] - self.arrays.point(chain[0])[:, 0])
            known = np.isfinite(forward)
            if known.sum() < 4:
                continue
            wave = np.sum((forward[known] - forward[known].mean()) * np.exp(-2j * np.pi * cycles[known]))
            middle = 0.25 - np.angle(wave) / (2 * np.pi)
            start = middle - self.gait.duty_factor[limb] / 2 - self.gait.phase_offsets[limb]
            votes += np.abs(wave) * np.exp(2j * np.pi * start)
        return float(np.angle(votes) / (2 * np.pi) % 1.0)

    def stance(self, clip_s: NDArray[np.float64]) -> NDArray[np.bool_] | None:
        """Return which limbs (T, L) stand at these moments, by the mean stride; None where no gait was measured."""
        if not self.gait or not self.stride_s:
            return None
        cycles = clip_s / self.stride_s - self.touchdown
        columns = [
            (cycles - self.gait.phase_offsets.get(limb, 0.0)) % 1.0 < self.gait.duty_factor.get(limb, 0.0)
            for limb in self.limbs
        ]
        return np.stack(columns, axis=1)

    def clip_time(self, elapsed_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the clip second shown after so many real seconds: slow motion is sped up, the stretch repeats."""
        start_s, length_s = self.loop_s
        return start_s + (elapsed_s * self.track.clip.slow_motion_factor) % length_s


def subject_panels(
    subject: Subject, clip_s: NDArray[np.float64], width: int, height: int
) -> tuple[list[Image], list[str]]:
    """Return one picture (height, width, 3) RGB per moment, and notes.

    Where the clip cannot be read any more its points are shown alone.
    """
    crop = _Crop(subject, width, height)
    wanted = np.clip(np.round(clip_s * subject.track.fps).astype(int), 0, subject.arrays.num_frames - 1)
    notes: list[str] = []
    try:
        pictures = _pictures(subject, wanted, crop)
    except (BadClip, OSError) as error:
        pictures = {}
        notes.append(f"the clip could not be read again, its points are shown alone: {error}")
    blank = np.full((height, width, 3), (92, 98, 108), np.uint8)
    drawn: dict[int, Image] = {}
    for index in set(wanted.tolist()):
        panel = pictures.get(index, blank).copy()
        _draw_points(panel, subject, index, crop)
        drawn[index] = panel
    return [drawn[index] for index in wanted.tolist()], notes


class _Crop:
    """A window of the panel's shape that holds the subject and follows it evenly; the whole frame where it is large."""

    def __init__(self, subject: Subject, width: int, height: int) -> None:
        clip, box = subject.track.clip, subject.arrays.box_px
        full_w, full_h = clip.width_px, clip.height_px
        box = box if np.isfinite(box).any() else np.tile((0.0, 0.0, full_w, full_h), (subject.arrays.num_frames, 1))
        needed_w = 1.25 * np.nanpercentile(box[:, 2], 98)
        needed_h = 1.45 * np.nanpercentile(box[:, 3], 98)
        shape = width / height
        crop_w = min(max(needed_w, needed_h * shape), full_w, full_h * shape)
        whole = crop_w < needed_w  # The subject fills the frame: show all of it, with bars.
        self.size = (full_w, full_h) if whole else (crop_w, crop_w / shape)
        self.scale = min(width / self.size[0], height / self.size[1])
        self.pad = ((width - self.size[0] * self.scale) / 2, (height - self.size[1] * self.scale) / 2)
        self.panel = (width, height)
        middle = np.stack([box[:, 0] + box[:, 2] / 2, box[:, 1] + box[:, 3] / 2], axis=1)
        known = np.isfinite(middle[:, 0])
        grid = np.arange(len(middle))
        middle = np.stack([np.interp(grid, grid[known], middle[known, k]) for k in range(2)], axis=1)
        sigma = max(0.5 * subject.track.fps, 1.0)
        middle = cv2.GaussianBlur(middle, (1, 0), sigmaX=0.01, sigmaY=sigma, borderType=cv2.BORDER_REPLICATE)
        limit = np.array([full_w - self.size[0], full_h - self.size[1]])
        self.corner = np.clip(middle - np.array(self.size) / 2, 0, np.maximum(limit, 0))

    def matrix(self, index: int, picture_scale: float = 1.0) -> NDArray[np.float64]:
        """Return the map (2, 3) from a picture decoded at `picture_scale` to the panel."""
        x, y = self.corner[index]
        zoom = self.scale / picture_scale
        return np.array([[zoom, 0, self.pad[0] - x * self.scale], [0, zoom, self.pad[1] - y * self.scale]])


def _pictures(subject: Subject, wanted: NDArray[np.int_], crop: _Crop) -> dict[int, Image]:
    """Decode the frames nearest to the wanted steps of the track's grid, already cropped to the panel."""
    clip = subject.track.clip.model_copy(update={"path": subject.clip})
    todo = sorted(set(wanted.tolist()))
    needed_side_px = max(clip.width_px, clip.height_px) * min(1.0, 1.5 * crop.scale)
    done: dict[int, Image] = {}
    last = None
    for frame in frames(clip, max_side_px=int(needed_side_px)):
        while todo and todo[0] / subject.track.fps < frame.time_s + 0.5 / subject.track.fps:
            index = todo.pop(0)
            matrix = crop.matrix(index, frame.scale)
            done[index] = cv2.warpAffine(frame.image, matrix, crop.panel, flags=cv2.INTER_LINEAR)
            last = index
        if not todo:
            break
    if last is not None:
        done.update({index: done[last] for index in todo})
    return done


def _draw_points(panel: Image, subject: Subject, index: int, crop: _Crop) -> None:
    arrays, matrix = subject.arrays, crop.matrix(index)

    def place(name: str) -> NDArray[np.float64] | None:
        point = arrays.point(name)[index]
        return matrix[:, :2] @ point + matrix[:, 2] if np.isfinite(point).all() else None

    chains = [(chain, TRUNK_RGB) for chain in _TRUNK[subject.track.skeleton]]
    chains += [(chain, _rgb(limb)) for limb, chain in _CHAINS[subject.track.skeleton].items()]
    for chain, colour in chains:
        known = [point for name in chain if (point := place(name)) is not None]
        for start, end in zip(known, known[1:], strict=False):
            _stroke(panel, start, end, _OUTLINE, 5)
            _stroke(panel, start, end, colour, 3)
        for point in known:
            cv2.circle(panel, _fixed(point), 3 * 16 + 8, _OUTLINE, -1, cv2.LINE_AA, 4)
            cv2.circle(panel, _fixed(point), 2 * 16 + 4, colour, -1, cv2.LINE_AA, 4)


def _rgb(limb: str) -> tuple[int, ...]:
    return tuple(int(255 * value) for value in LIMB_RGB[limb])


def _fixed(point: NDArray[np.float64]) -> tuple[int, int]:
    return int(round(point[0] * 16)), int(round(point[1] * 16))


def _stroke(panel: Image, start: NDArray[np.float64], end: NDArray[np.float64], colour, thickness: int) -> None:
    cv2.line(panel, _fixed(start), _fixed(end), colour, thickness, cv2.LINE_AA, 4)


def draw_footfalls(
    width: int, height: int, limbs: tuple[str, ...], stance: NDArray[np.bool_], step_s: float, now_s: float
) -> Image:
    """Return a strip in which time runs to the left under a fixed cursor; a bar is a foot on the ground.

    `stance` (T, L) has a row every `step_s` from time 0.
    """
    before_s, after_s = 2.0, 0.5
    strip = np.full((height, width, 3), PAPER, np.uint8)
    left = 34
    per_s = (width - left - 6) / (before_s + after_s)
    row_h = (height - 8) / len(limbs)
    for row, limb in enumerate(limbs):
        top, bottom = int(4 + row * row_h + 2), int(4 + (row + 1) * row_h - 2)
        cv2.rectangle(strip, (left, top), (width - 6, bottom), (222, 226, 232), -1)
        first = max(0, int((now_s - before_s) / step_s))
        last = min(len(stance), int((now_s + after_s) / step_s) + 1)
        edges = np.flatnonzero(np.diff(np.concatenate([[False], stance[first:last, row], [False]]).astype(int)))
        for begin, end in edges.reshape(-1, 2):
            x0, x1 = (left + ((first + k) * step_s - now_s + before_s) * per_s for k in (begin, end))
            x0, x1 = np.clip((x0, x1), left, width - 6)
            cv2.rectangle(strip, (int(x0 * 16), top * 16), (int(x1 * 16), bottom * 16), _rgb(limb), -1, cv2.LINE_AA, 4)
        cv2.putText(strip, limb, (8, bottom - 1), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (60, 66, 76), 1, cv2.LINE_AA)
    cursor = int(left + before_s * per_s)
    cv2.line(strip, (cursor, 1), (cursor, height - 2), (30, 34, 40), 2)
    return strip
