"""Measure the shipped quadruped network: `python -m video2reward.evals.quadnet.score`.

PCK@0.1: the share of points that lie within a tenth of the trunk's length (withers to tail base) of the truth. "either"
lets near and far legs be taken for each other, which tells places apart from sides. Three frames, the true box and the
true facing go in; the last columns are how often the facing is told from one box, and how well `detect` finds boxes.
Mocap dogs come from the folder V2R_CLIPS names.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from video2reward.evals.mocap import JOINT_BY_NAME
from video2reward.evals.quadnet.pictures import Artist
from video2reward.memory.records import QUADRUPED_KEYPOINTS
from video2reward.tools.pose.quadnet import FRAME_STEP_S, NEAR_FAR_KEYPOINTS, QuadNet, RawPose, to_left_right
from video2reward.tools.video import frames, open_clip

HELD_OUT_SEED = 20_261_125  # no training run draws from it
_GROUPS = {
    "paws": ("paw",),
    "knees, hocks": ("elbow", "wrist", "knee", "ankle"),
    "trunk": ("withers", "tail_base", "shoulder", "hip"),
}
_COLUMNS = {
    group: [i for i, name in enumerate(NEAR_FAR_KEYPOINTS) if name.endswith(ends)] for group, ends in _GROUPS.items()
}
_FIRST_LEG = 4
_LEAST_PX = 80
_EVERY = 4  # neighbouring frames of a clip say nearly the same


@dataclass(frozen=True)
class Hits:
    """Which points were hit, (N, 20), NaN where there is no truth; `boxes` (M,) is the overlap (IoU) of found boxes.

    `facing` is 1 for each picture whose facing was told right.
    """

    strict: NDArray[np.float64]
    either: NDArray[np.float64]
    boxes: NDArray[np.float64]
    facing: NDArray[np.float64]

    def share(self, group: str, *, either: bool = False) -> float:
        """Return PCK@0.1 over a group of points."""
        return float(np.nanmean((self.either if either else self.strict)[:, _COLUMNS[group]]))


def main() -> None:
    """Print a row for drawn pictures and one for each mocap dog, then the speed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=Path, default=os.environ.get("V2R_CLIPS"), help="folder; V2R_CLIPS by default")
    parser.add_argument("--samples", type=int, default=400, help="drawn pictures never trained on")
    args = parser.parse_args()
    network = QuadNet()
    rows = {f"drawn, held out ({args.samples})": drawn_hits(network, args.samples)}
    truths = sorted(args.clips.glob("dogs_mocap/*_gt.npz")) if args.clips else []
    if not truths:
        print("V2R_CLIPS names no folder with mocap dogs: they are left out")
    for truth in truths:
        rows[truth.name.removesuffix("_gt.npz")] = mocap_hits(network, truth)
    _print(rows)
    print(f"speed: {frames_per_second(network):.0f} boxes a second, one at a time, with cropping")


def drawn_hits(network: QuadNet, num_samples: int) -> Hits:
    """Score drawn samples that the training never saw, each whole picture as it was drawn."""
    artist = Artist(np.random.default_rng(HELD_OUT_SEED))
    strict, either, overlaps, facing = [], [], [], []
    while len(strict) < num_samples:
        sample = artist.sample()
        if np.ptp(sample.points[:, 0]) < _LEAST_PX:  # in use, the box is drawn around the animal
            continue
        side = sample.image.shape[0]
        rgb = np.ascontiguousarray(sample.image[..., :3])
        before, after = (cv2.cvtColor(np.ascontiguousarray(sample.image[..., c]), cv2.COLOR_GRAY2RGB) for c in (3, 4))
        inner = side / 1.25
        box = np.array([[(side - inner) / 2, (side - inner) / 2, inner, inner]])
        odds = network.facing((before, rgb, after), box)[0]
        truly_right = sample.points[2, 0] > sample.points[3, 0]
        facing.append((odds > 0) == truly_right)
        xy = network.raw((before, rgb, after), box, 1 if truly_right else -1).points()[0][0]
        truth = np.where(sample.points[:, 2:] > 0, sample.points[:, :2], np.nan)
        near_by = 0.1 * np.linalg.norm(sample.points[2, :2] - sample.points[3, :2])
        hit, either_hit = _hits(xy, truth, near_by)
        strict.append(hit)
        either.append(either_hit)
        if len(strict) % 8 == 0 and sample.mask.max() > 127:
            rows, columns = np.nonzero(sample.mask > 127)
            low, high = np.array([columns.min(), rows.min()]) * 4.0, np.array([columns.max(), rows.max()]) * 4.0 + 4
            overlaps.append(_found(network, rgb, np.array([*low, *(high - low)])))
    return Hits(np.array(strict), np.array(either), np.array(overlaps), np.array(facing, float))


def mocap_hits(network: QuadNet, truth_file: Path) -> Hits:
    """Score a clip of a mocap dog; its dogs face right."""
    with np.load(truth_file) as file:
        points, fps = file["kp_px"].astype(float), float(file["fps"])
    truth = np.full((len(points), len(QUADRUPED_KEYPOINTS), 2), np.nan)
    for name, joint in JOINT_BY_NAME.items():
        truth[:, QUADRUPED_KEYPOINTS.index(name)] = points[:, joint]
    truth = to_left_right(truth, 1)  # the exchange is its own inverse: from left, right to near, far
    low, high = points.min(1), points.max(1)
    boxes = np.concatenate([low, high - low], axis=1)
    clip = truth_file.with_name(truth_file.name.replace("_gt.npz", ".mp4"))
    pictures = [frame.image for frame in frames(open_clip(clip))]
    step = max(1, round(FRAME_STEP_S * fps))
    strict, either, overlaps, facing = [], [], [], []
    for index in range(step, min(len(pictures), len(truth)) - step, _EVERY):
        around = (index - step, index, index + step)
        three = tuple(pictures[i] for i in around)
        before, now, after = (boxes[i : i + 1] for i in around)
        raw = [network.raw(three, now, way, boxes_before_px=before, boxes_after_px=after) for way in (1, -1)]
        facing.append(raw[0].facing_odds[0] > raw[1].facing_odds[0])
        xy = raw[0].points()[0][0]
        near_by = 0.1 * np.linalg.norm(truth[index, 2] - truth[index, 3])
        hit, either_hit = _hits(xy, truth[index], near_by)
        strict.append(hit)
        either.append(either_hit)
        if index % (6 * _EVERY) == step:
            overlaps.append(_found(network, pictures[index], boxes[index]))
    return Hits(np.array(strict), np.array(either), np.array(overlaps), np.array(facing, float))


def frames_per_second(network: QuadNet, num_frames: int = 60) -> float:
    """Return how many boxes a second go through cropping, network and decoding, one box a frame."""
    picture = np.random.default_rng(0).integers(0, 255, (360, 640, 3), np.uint8)
    others = (picture.copy(), picture, picture.copy())
    box = np.array([[200.0, 100.0, 240.0, 160.0]])

    def once() -> RawPose:
        raw = network.raw(others, box)
        raw.points()
        return raw

    once()
    start = time.perf_counter()
    for _ in range(num_frames):
        once()
    return num_frames / (time.perf_counter() - start)


def _hits(
    xy: NDArray[np.float64], truth: NDArray[np.float64], near_by: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    exchanged = to_left_right(xy, 1)

    def hit(points: NDArray[np.float64]) -> NDArray[np.float64]:
        off = np.linalg.norm(points - truth, axis=1)
        return np.where(np.isfinite(truth[:, 0]), (off < near_by).astype(float), np.nan)

    strict = hit(xy)
    swapped = hit(exchanged)
    either = strict.copy()
    for near in range(_FIRST_LEG, len(xy), 2):  # a pair counts as its better order
        pair = slice(near, near + 2)
        if np.nansum(swapped[pair]) > np.nansum(strict[pair]):
            either[pair] = swapped[pair]
    return strict, either


def _found(network: QuadNet, picture: NDArray[np.uint8], box: NDArray[np.float64]) -> float:
    found = network.detect(picture)
    if not found:
        return 0.0
    low, high = box[:2], box[:2] + box[2:]
    got = found[0].box_px
    sides = np.maximum(np.minimum(high, got[:2] + got[2:]) - np.maximum(low, got[:2]), 0.0)
    both = float(np.prod(sides))
    return both / (float(np.prod(box[2:])) + float(np.prod(got[2:])) - both)


def _print(rows: dict[str, Hits]) -> None:
    table = Table(title="QuadNet, PCK@0.1 of trunk length (either = near and far may be exchanged)")
    table.add_column("pictures")
    for group in _GROUPS:
        table.add_column(group, justify="right")
        if group != "trunk":
            table.add_column("either", justify="right")
    table.add_column("facing", justify="right")
    table.add_column("box IoU", justify="right")
    table.add_column("boxes > 0.5", justify="right")
    for name, hits in rows.items():
        cells = []
        for group in _GROUPS:
            cells.append(f"{hits.share(group):.2f}")
            if group != "trunk":
                cells.append(f"{hits.share(group, either=True):.2f}")
        found = hits.boxes if len(hits.boxes) else np.array([np.nan])
        table.add_row(
            name, *cells, f"{hits.facing.mean():.2f}", f"{np.median(found):.2f}", f"{(found > 0.5).mean():.2f}"
        )
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
