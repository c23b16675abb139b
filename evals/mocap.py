"""Turn the ground truth of rendered dog motion capture into keypoint files and known gaits.

The truth files name 27 points; their order was worked out from the geometry. The dogs go to the right of the picture,
so the near side is the right one.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_FRONT = ("shoulder", "elbow", "wrist", "front_paw")
_HIND = ("hip", "knee", "ankle", "hind_paw")
JOINT_BY_NAME = {
    "nose": 5,
    "withers": 3,
    "tail_base": 24,
    **{
        f"{side}_{part}": first + index
        for side, firsts in (("right", (7, 16)), ("left", (12, 20)))
        for first, parts in zip(firsts, (_FRONT, _HIND), strict=True)
        for index, part in enumerate(parts)
    },
}
_CONTACT_COLUMN = {"FR": 0, "FL": 1, "RR": 2, "RL": 3}


@dataclass(frozen=True)
class MocapTruth:
    """What the motion capture itself says about a rendered clip; limbs FL FR RL RR."""

    stride_frequency_hz: float
    duty_factor: dict[str, float]
    phase_offsets: dict[str, float]
    speed_m_s: float
    leg_length_m: float


def mocap_keypoints(
    gt_npz: Path, out: Path, *, noise_px: float = 0.0, dropout: float = 0.0, swaps: float = 0.0, seed: int = 0
) -> Path:
    """Write the true points of a rendered clip as a plain keypoint CSV and return its path.

    `noise_px` adds Gaussian noise, `dropout` leaves that share of the points out, `swaps` exchanges left and right in
    that share of the frames.
    """
    rng = np.random.default_rng(seed)
    with np.load(gt_npz) as truth:
        xy = truth["kp_px"][:, list(JOINT_BY_NAME.values())].astype(float)
    xy += rng.normal(0.0, noise_px, xy.shape) if noise_px else 0.0
    names = list(JOINT_BY_NAME)
    swapped = rng.random(len(xy)) < swaps
    lefts = [index for index, name in enumerate(names) if name.startswith("left_")]
    rights = [names.index(names[index].replace("left_", "right_")) for index in lefts]
    exchanged = xy.copy()
    exchanged[:, lefts], exchanged[:, rights] = xy[:, rights], xy[:, lefts]
    xy[swapped] = exchanged[swapped]
    sure = np.where(rng.random(xy.shape[:2]) < dropout, 0.0, 1.0)
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["frame", *(f"{name}_{what}" for name in JOINT_BY_NAME for what in ("x", "y", "confidence"))])
        for frame, (points, seen) in enumerate(zip(xy, sure, strict=True)):
            cells = [
                cell for (x, y), c in zip(points, seen, strict=True) for cell in (f"{x:.3f}", f"{y:.3f}", f"{c:.2f}")
            ]
            writer.writerow([frame, *cells])
    return out


def mocap_truth(gt_npz: Path) -> MocapTruth:
    """Read gait numbers from the true contacts and positions."""
    with np.load(gt_npz) as truth:
        contact, xyz, fps, speed = truth["contact"].astype(bool), truth["xyz_m"], float(truth["fps"]), truth["speed"]
    touchdowns = {limb: _touchdowns(contact[:, column]) / fps for limb, column in _CONTACT_COLUMN.items()}
    liftoffs = [_touchdowns(~contact[:, column]) / fps for column in _CONTACT_COLUMN.values()]
    stride_s = _common_period([*touchdowns.values(), *liftoffs])
    reference = touchdowns["FL"]
    offsets = {}
    for limb, times in touchdowns.items():
        turns = [(time - reference[np.argmin(np.abs(reference - time))]) / stride_s for time in times]
        offsets[limb] = float(np.angle(np.mean(np.exp(2j * np.pi * np.array(turns)))) / (2 * np.pi) % 1.0)
    duty = {}
    for limb, column in _CONTACT_COLUMN.items():
        starts = np.flatnonzero(contact[1:, column] & ~contact[:-1, column]) + 1
        duty[limb] = float(contact[starts[0] : starts[-1], column].mean())
    ground = np.quantile(xyz[:, [10, 15, 19, 23], 1], 0.05)
    hips = xyz[:, [JOINT_BY_NAME["left_hip"], JOINT_BY_NAME["right_hip"]], 1]
    return MocapTruth(1 / stride_s, duty, offsets, float(speed), float(np.median(hips) - ground))


def _common_period(events_s: list[NDArray[np.float64]]) -> float:
    """Return the one period of several series of events, by least squares.

    Touchdowns are known to a frame only; in a clip of six strides one limb's alone leave the frequency open by 1 %.
    """
    counted = [np.arange(len(times)) - (len(times) - 1) / 2 for times in events_s]
    return float(
        sum((count * times).sum() for count, times in zip(counted, events_s, strict=True))
        / sum((count**2).sum() for count in counted)
    )


def _touchdowns(contact: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.flatnonzero(contact[1:] & ~contact[:-1]).astype(float) + 0.5
