"""Train the quadruped network on drawn samples: `python -m video2reward.evals.quadnet.train --folder DIR`.

Starts its own drawing process, goes on from the folder's last checkpoint, and writes `quadnet.onnx` there at each one.
Sizes grow over the hour (96, 128, 160, 192 pixels): the early steps are the cheap ones.
"""

from __future__ import annotations

import argparse
import copy
import math
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import binary_cross_entropy_with_logits
from video2reward.evals.quadnet.export import export_onnx
from video2reward.evals.quadnet.network import QuadrupedNet, losses
from video2reward.evals.quadnet.pictures import MASK_STRIDE, PICTURE_PX
from video2reward.evals.quadnet.store import HELD_OUT, Ring, open_ring
from video2reward.tools.pose.quadnet import NEAR_FAR_KEYPOINTS

BATCH = 32
LEFT_SHARE, PART_SHARE = 0.2, 0.2
SIZES_PX = ((0.0, 96), (0.12, 128), (0.7, 160), (0.9, 192))
LEARNING_RATE = 2.5e-3
DRAWER_REST_S = 0.015  # each sample is trained on a few times: drawing needs no whole core
CHECKPOINT_EVERY_S = 180.0
_WITHERS, _TAIL_BASE = (NEAR_FAR_KEYPOINTS.index(name) for name in ("withers", "tail_base"))


@dataclass(frozen=True)
class Batch:
    """pictures (N, 5, R, R) in 0-255, points (N, 20, 3), masks (N, R/4, R/4) in [0, 1], facing (N,): 1 is right.

    The third number of a point is 1 where it is in the picture, -1 where it is outside, and 0 where nothing is asked.
    """

    pictures: torch.Tensor
    points: torch.Tensor
    masks: torch.Tensor
    facing: torch.Tensor


def make_batch(ring: Ring, places: NDArray[np.int64], size_px: int, rng: np.random.Generator | None) -> Batch:
    """Read samples, mirrored so that the animal faces right, and turn, scale, shift and recolour them.

    One in five faces left instead and teaches the outline and the facing alone. Without a generator the samples are
    only mirrored and scaled.
    """
    count, cells = len(places), size_px // MASK_STRIDE
    pictures = np.empty((count, size_px, size_px, 5), np.uint8)
    points = np.empty((count, *ring.points.shape[1:]), np.float32)
    masks = np.empty((count, cells, cells), np.float32)
    right = np.ones(count, np.float32) if rng is None else (rng.random(count) > LEFT_SHARE).astype(np.float32)
    for row, place in enumerate(places):
        image, kept = ring.images[place], ring.points[place]
        scale, angle = size_px / PICTURE_PX, 0.0
        mirror = (1.0 if kept[_WITHERS, 0] > kept[_TAIL_BASE, 0] else -1.0) * (2 * right[row] - 1)
        aim = np.full(2, (PICTURE_PX - 1) / 2)
        if rng is not None:
            angle = math.radians(rng.normal(0, 6))
            if rng.random() < PART_SHARE:  # a box about a part of it, so that it learns what a part looks like
                scale *= rng.uniform(1.3, 2.4)
                aim = kept[rng.integers(len(kept)), :2].astype(float)
            else:
                scale *= rng.uniform(0.85, 1.3)
                aim = 0.5 * aim + 0.5 * kept[:, :2].mean(0) + rng.normal(0, 8, 2)
        cos, sin = math.cos(angle) * scale, math.sin(angle) * scale
        turn = np.array([[mirror * cos, -mirror * sin], [sin, cos]])
        move = np.full(2, (size_px - 1) / 2) - turn @ aim
        edge = cv2.BORDER_CONSTANT if rng is None or rng.random() < 0.5 else cv2.BORDER_REPLICATE
        warp = np.column_stack([turn, move])
        big = [
            cv2.warpAffine(part, warp, (size_px, size_px), borderMode=edge) for part in (image[..., :3], image[..., 3:])
        ]
        pictures[row, ..., :3], pictures[row, ..., 3:] = big
        if rng is not None:
            pictures[row] = _recoloured(pictures[row], rng)
        # Cell (i, j) of a mask is centred on pixel 4 i + 1.5, in the sample as in the network.
        shift = (turn @ np.full(2, (MASK_STRIDE - 1) / 2) + move - (MASK_STRIDE - 1) / 2) / MASK_STRIDE
        masks[row] = cv2.warpAffine(ring.masks[place], np.column_stack([turn, shift]), (cells, cells)) / np.float32(255)
        points[row, :, :2] = kept[:, :2] @ turn.T + move
        inside = ((points[row, :, :2] > -1) & (points[row, :, :2] < size_px)).all(1)
        points[row, :, 2] = np.where((kept[:, 2] > 0) & inside, 1.0, -1.0) * right[row]
    tensor = torch.from_numpy(pictures).permute(0, 3, 1, 2).float()
    return Batch(tensor, torch.from_numpy(points), torch.from_numpy(masks), torch.from_numpy(right))


def _recoloured(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    levels = np.arange(256, dtype=np.float32)[:, None]
    gain, offset = rng.uniform(0.65, 1.35), rng.uniform(-30, 30)
    tint = rng.uniform(-15, 15, 3)
    curve = np.clip((levels - 118) * gain + 118 + offset + np.append(tint, [tint.mean()] * 2), 0, 255).astype(np.uint8)
    out = np.empty_like(picture)
    grey = rng.random() < 0.15
    for channel in range(5):
        out[..., channel] = cv2.LUT(picture[..., channel], curve[:, channel])
    if grey:
        out[..., :3] = cv2.cvtColor(np.ascontiguousarray(out[..., :3]), cv2.COLOR_RGB2GRAY)[..., None]
    if rng.random() < 0.1:  # a single picture: no motion to see
        out[..., 3:] = cv2.cvtColor(np.ascontiguousarray(out[..., :3]), cv2.COLOR_RGB2GRAY)[..., None]
    return out


@dataclass
class Progress:
    """What a checkpoint holds beside the weights."""

    steps: int = 0
    trained_s: float = 0.0


def train(folder: Path, minutes: float, seed: int, *, first_samples: int = 2000) -> None:
    """Train until `minutes` were spent in this folder, all calls together; waits for the ring's first samples."""
    ring = open_ring(folder / "ring")
    while ring.count[0] < first_samples:
        time.sleep(1.0)
    rng = np.random.default_rng([seed, int(ring.count[0])])
    torch.manual_seed(seed)
    net = QuadrupedNet().to(memory_format=torch.channels_last)
    mean = copy.deepcopy(net).eval()
    optimizer = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=0.02)
    progress, checkpoint = Progress(), folder / "checkpoint.pt"
    if checkpoint.exists():
        kept = torch.load(checkpoint, weights_only=True)
        net.load_state_dict(kept["net"])
        mean.load_state_dict(kept["mean"])
        optimizer.load_state_dict(kept["optimizer"])
        progress = Progress(kept["steps"], kept["trained_s"])
    held_out = np.arange(HELD_OUT)
    last = saved = time.monotonic()
    recent: list[tuple[float, float, float]] = []
    while progress.trained_s < minutes * 60:
        share = progress.trained_s / (minutes * 60)
        size = max(px for start, px in SIZES_PX if share >= start)
        warm = min(1.0, (progress.steps + 1) / 150)
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * share)))
        batch = make_batch(ring, rng.integers(HELD_OUT, ring.filled, BATCH), size, rng)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits, facing = net(batch.pictures.contiguous(memory_format=torch.channels_last))
        heat, outline = losses(logits, batch.points, batch.masks)
        turned = binary_cross_entropy_with_logits(facing.float(), batch.facing)
        optimizer.zero_grad()
        (heat + outline + 0.3 * turned).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimizer.step()
        _follow(mean, net, min(0.998, (1 + progress.steps) / (10 + progress.steps)))
        recent.append((heat.item(), outline.item(), turned.item()))
        now = time.monotonic()
        progress.trained_s += now - last
        progress.steps += 1
        last = now
        if now - saved > CHECKPOINT_EVERY_S or progress.trained_s >= minutes * 60:
            saved = now
            state = {"net": net.state_dict(), "mean": mean.state_dict(), "optimizer": optimizer.state_dict()}
            torch.save(
                state | {"steps": progress.steps, "trained_s": progress.trained_s}, checkpoint.with_suffix(".new")
            )
            checkpoint.with_suffix(".new").replace(checkpoint)
            export_onnx(mean, folder / "quadnet.onnx")
            seen = _loss_of(mean, make_batch(ring, held_out, size, None))
            print(
                f"{progress.trained_s / 60:.1f} min, {size} px, step {progress.steps}, drawn {int(ring.count[0])}, "
                f"loss {np.mean(recent[-100:], 0).round(3)}, held out {np.round(seen, 3)}",
                flush=True,
            )
            last = time.monotonic()


def _follow(mean: torch.nn.Module, net: torch.nn.Module, keep: float) -> None:
    with torch.no_grad():
        for kept, now in zip(mean.state_dict().values(), net.state_dict().values(), strict=True):
            if kept.is_floating_point():
                kept.mul_(keep).add_(now, alpha=1 - keep)
            else:
                kept.copy_(now)


def _loss_of(net: torch.nn.Module, batch: Batch) -> tuple[float, float]:
    with torch.no_grad():
        logits = torch.cat(
            [net(part.contiguous(memory_format=torch.channels_last))[0] for part in batch.pictures.split(30)]
        )
        heat, outline = losses(logits, batch.points, batch.masks)
    return heat.item(), outline.item()


def main() -> None:
    """Start the drawing process and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--folder", type=Path, required=True, help="for checkpoints and samples; training resumes there"
    )
    parser.add_argument("--minutes", type=float, default=60.0, help="all calls together")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(1)
    drawing = [sys.executable, "-m", "video2reward.evals.quadnet.store", "--folder", str(args.folder)]
    drawing += ["--minutes", str(args.minutes), "--seed", str(args.seed), "--rest", str(DRAWER_REST_S)]
    with subprocess.Popen(drawing) as drawer:
        try:
            train(args.folder, args.minutes, args.seed)
        finally:
            drawer.terminate()


if __name__ == "__main__":
    main()
