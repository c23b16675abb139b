"""Draws the example dog into a picture of its landscape.

Each part of the dog is a flat outline; its shading comes from how far inside the outline a pixel lies, as if the part
were round.
"""

from __future__ import annotations

import cv2
import numpy as np
from dog_motion import TRUTH, Pose
from landscape import PX_PER_M, SUPERSAMPLE, project

COAT, COAT_LIGHT, COAT_DARK = (178, 118, 62), (244, 226, 202), (96, 60, 34)
NOSE_BLACK, EYE = (34, 28, 26), (24, 18, 14)
LIGHT = np.array([-0.35, -0.75, 0.56])  # from upper left, towards the camera; picture axes, y down
LIGHT = LIGHT / np.linalg.norm(LIGHT)


def draw_dog(picture: np.ndarray, pose: Pose) -> None:
    """Draw the dog into the picture: shadow, far legs, tail, trunk with neck and head, near legs, from far to near."""
    _shadow(picture, pose)
    for side, light in (("left", 0.62), ("right", 1.0)):
        if side == "right":
            _paint(picture, _tail(pose), COAT, 1.0, round_px=9)
            _paint(picture, _trunk(pose), COAT, 1.0, round_px=46, belly=True)
            _face(picture, pose)
        for upper in (_thigh(pose, side), _upper_arm(pose, side)):
            _paint(picture, upper, COAT, light, round_px=26, melt_px=30 if side == "right" else 0)
        for lower in (_shank(pose, side, "hind"), _shank(pose, side, "fore")):
            _paint(picture, lower, COAT_LIGHT, light, round_px=9, melt_px=12)


def _at(pose: Pose, name: str, dx: float = 0.0, dz: float = 0.0) -> np.ndarray:
    """Return a joint's pixel in the drawing, moved by metres along the trunk and up."""
    return project(pose.joints[name] + (dx, 0.0, dz), pose.time_s) * SUPERSAMPLE


def _capsules(*spans: tuple[np.ndarray, float, np.ndarray, float]) -> list[np.ndarray]:
    """Return outlines of limbs that taper from one radius (m) to the other; together they make one part."""
    outlines = []
    for start, radius_start, end, radius_end in spans:
        a, b = radius_start * PX_PER_M * SUPERSAMPLE, radius_end * PX_PER_M * SUPERSAMPLE
        axis = np.arctan2(*(end - start)[::-1])
        sides = np.linspace(np.pi / 2, 3 * np.pi / 2, 12)
        cap = np.stack([np.cos(sides + axis), np.sin(sides + axis)], axis=1)
        outlines.append(np.vstack([start + a * cap, end - b * cap]))
    return outlines


def _spline(points: np.ndarray) -> np.ndarray:
    """Return a smooth closed outline through the points (Catmull-Rom)."""
    before, here, after, beyond = (np.roll(points, k, axis=0)[:, None] for k in (1, 0, -1, -2))
    t = np.linspace(0, 1, 10, endpoint=False)[None, :, None]
    curve = 0.5 * (
        2 * here
        + (after - before) * t
        + (2 * before - 5 * here + 4 * after - beyond) * t**2
        + (3 * here - before - 3 * after + beyond) * t**3
    )
    return curve.reshape(-1, 2)


def _trunk(pose: Pose) -> list[np.ndarray]:
    """Return trunk, neck and head as one part: chest deep, waist tucked, head carried forward."""
    w, t, n, nose = (_at(pose, name) for name in ("withers", "tail_base", "neck", "nose"))
    along = (w - t) / np.linalg.norm(w - t)
    down = np.array([-along[1], along[0]])
    m = PX_PER_M * SUPERSAMPLE
    body = [
        t + m * (-0.015 * along + 0.005 * down),
        t + m * (0.090 * along - 0.030 * down),
        t + m * (0.260 * along - 0.020 * down),
        w + m * (-0.090 * along - 0.010 * down),
        w + m * (0.030 * along - 0.012 * down),
        w + m * (0.160 * along + 0.060 * down),
        w + m * (0.165 * along + 0.160 * down),
        w + m * (0.085 * along + 0.255 * down),
        w + m * (-0.060 * along + 0.275 * down),
        w + m * (-0.210 * along + 0.235 * down),
        t + m * (0.170 * along + 0.165 * down),
        t + m * (0.060 * along + 0.180 * down),
        t + m * (-0.030 * along + 0.110 * down),
    ]
    skull = n + m * np.array([0.075, -0.055])
    neck = _capsules((w + m * (0.045 * along + 0.085 * down), 0.118, n + m * np.array([0.02, -0.01]), 0.078))
    muzzle = skull + 0.80 * (nose - skull)
    head = _capsules((skull, 0.066, skull + 0.45 * (nose - skull), 0.050), (skull, 0.045, muzzle, 0.027))
    return [_spline(np.array(body)), *neck, *head]


def _tail(pose: Pose) -> list[np.ndarray]:
    root = _at(pose, "tail_base", -0.005, -0.005)
    m = PX_PER_M * SUPERSAMPLE
    sway = 0.10 * np.sin(2 * np.pi * TRUTH.stride_frequency_hz * pose.time_s + 0.5)
    spans, here, angle = [], root, np.pi - 0.55 + sway
    for index in range(6):
        there = here + 0.055 * m * np.array([np.cos(angle), -np.sin(angle)])
        spans.append((here, 0.026 - 0.003 * index, there, 0.024 - 0.003 * index))
        here, angle = there, angle - 0.16 + 0.3 * sway
    return _capsules(*spans)


def _thigh(pose: Pose, side: str) -> list[np.ndarray]:
    hip, knee, hock = (_at(pose, f"{side}_{part}") for part in ("hip", "knee", "ankle"))
    haunch = hip + np.array([0.010, 0.022]) * PX_PER_M * SUPERSAMPLE
    return _capsules((haunch, 0.086, knee, 0.052), (knee, 0.050, knee + 0.75 * (hock - knee), 0.030))


def _upper_arm(pose: Pose, side: str) -> list[np.ndarray]:
    shoulder, elbow, wrist = (_at(pose, f"{side}_{part}") for part in ("shoulder", "elbow", "wrist"))
    blade = shoulder + np.array([-0.045, -0.085]) * PX_PER_M * SUPERSAMPLE
    return _capsules(
        (blade, 0.055, shoulder, 0.066),
        (shoulder, 0.064, elbow, 0.046),
        (elbow, 0.043, elbow + 0.6 * (wrist - elbow), 0.028),
    )


def _shank(pose: Pose, side: str, end: str) -> list[np.ndarray]:
    """Return the thin end of a leg, with the paw."""
    top, low, paw = (
        _at(pose, f"{side}_{part}")
        for part in (("elbow", "wrist", "front_paw") if end == "fore" else ("knee", "ankle", "hind_paw"))
    )
    slim = 1.0 if end == "fore" else 0.95
    along = (paw - low) / max(np.linalg.norm(paw - low), 1e-6)
    # The toes point forward where the leg stands and hang along it where the paw is lifted.
    flat = np.array([1.0, 0.0])
    toes = flat if along[1] > 0.75 else 0.5 * flat + 0.5 * along * (1 if along[0] > -0.4 else 0.6)
    toes = toes / np.linalg.norm(toes) * 0.040 * PX_PER_M * SUPERSAMPLE
    return _capsules(
        (top + 0.45 * (low - top), 0.031 * slim, low, 0.024 * slim),
        (low, 0.024 * slim, paw, 0.019 * slim),
        (paw - 0.3 * toes, 0.018, paw + toes, 0.017),
    )


def _face(picture: np.ndarray, pose: Pose) -> None:
    m = PX_PER_M * SUPERSAMPLE
    n, nose = _at(pose, "neck"), _at(pose, "nose")
    skull = n + m * np.array([0.075, -0.055])
    along = (nose - skull) / np.linalg.norm(nose - skull)
    down = np.array([-along[1], along[0]])
    tip = skull + 0.84 * (nose - skull)
    _paint(
        picture,
        _capsules((tip - 0.085 * m * along + 0.012 * m * down, 0.020, tip, 0.017)),
        (220, 186, 146),
        1.0,
        round_px=8,
    )
    mouth = [tip - 0.075 * m * along + 0.020 * m * down, tip - 0.005 * m * along + 0.013 * m * down]
    cv2.line(picture, *[tuple(int(v) for v in p) for p in mouth], COAT_DARK, SUPERSAMPLE, cv2.LINE_AA)
    _dot(picture, tip + m * (0.006 * along - 0.012 * down), 0.014 * m, NOSE_BLACK)
    eye = skull + m * (0.040 * along - 0.014 * down)
    _dot(picture, eye, 0.0115 * m, EYE)
    _dot(picture, eye + m * (0.003 * along - 0.004 * down), 0.0035 * m, (240, 236, 230))
    sway = 0.012 * np.sin(4 * np.pi * TRUTH.stride_frequency_hz * pose.time_s)
    root = skull + m * (-0.022 * along - 0.040 * down)
    ear = np.array(
        [
            root + m * (0.026 * along - 0.012 * down),
            root + m * (-0.024 * along - 0.016 * down),
            root + m * ((-0.066 - sway) * along + 0.052 * down),
            root + m * ((-0.044 - sway) * along + 0.094 * down),
            root + m * ((-0.010 - sway) * along + 0.068 * down),
        ]
    )
    _paint(picture, [_spline(ear)], COAT_DARK, 1.15, round_px=10)


def _shadow(picture: np.ndarray, pose: Pose) -> None:
    """Darken the ground under the trunk, and under each paw the more the nearer it is."""
    s = SUPERSAMPLE
    mask = np.zeros(picture.shape[:2], np.float32)
    middle = project(np.array([pose.trunk[0] + 0.02, 0.0, 0.0]), pose.time_s) * s
    cv2.ellipse(mask, tuple(int(v) for v in middle), (int(86 * s), int(7 * s)), 0, 0, 360, 0.42, -1)
    for side in ("left", "right"):
        for part in ("front_paw", "hind_paw"):
            x, y, z = pose.joints[f"{side}_{part}"]
            under = project(np.array([x + 0.01, y, 0.0]), pose.time_s) * s
            dark = 0.62 * float(np.exp(-max(z - 0.02, 0) / 0.04))
            paw = np.zeros_like(mask)
            cv2.ellipse(paw, tuple(int(v) for v in under), (int(12 * s), int(3 * s)), 0, 0, 360, dark, -1)
            np.maximum(mask, paw, out=mask)
    mask = cv2.GaussianBlur(mask, (0, 0), 3.0 * s)
    picture *= 1 - mask[..., None]


def _paint(
    picture: np.ndarray,
    outlines: list[np.ndarray],
    colour: tuple[int, int, int],
    light: float,
    *,
    round_px: float,
    melt_px: float = 0.0,
    belly: bool = False,
) -> None:
    """Fill a part, lit as if it were round: its surface turns away from the eye within `round_px` of its outline.

    Over its topmost `melt_px` it melts into what it lies on, as a thigh does into the trunk.
    """
    everything = np.vstack(outlines)
    pad = 6
    x0, y0 = np.maximum(np.floor(everything.min(0)).astype(int) - pad, 0)
    x1, y1 = np.minimum(np.ceil(everything.max(0)).astype(int) + pad, picture.shape[1::-1])
    if x1 - x0 < 4 or y1 - y0 < 4:
        return
    mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
    for outline in outlines:
        cv2.fillPoly(mask, [np.round((outline - (x0, y0)) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    inside = cv2.distanceTransform((mask > 127).astype(np.uint8), cv2.DIST_L2, 5)
    depth = round_px * SUPERSAMPLE / 2
    reach = np.clip(inside / depth, 0, 1)
    bulge = cv2.GaussianBlur(depth * np.sqrt(np.maximum(1 - (1 - reach) ** 2, 0)), (0, 0), 1.5 * SUPERSAMPLE)
    slope_x, slope_y = cv2.Sobel(bulge, cv2.CV_32F, 1, 0) / 8, cv2.Sobel(bulge, cv2.CV_32F, 0, 1) / 8
    norm = np.sqrt(slope_x**2 + slope_y**2 + 1)
    lit = (-slope_x * LIGHT[0] - slope_y * LIGHT[1] + LIGHT[2]) / norm
    shade = light * (0.52 + 0.62 * np.clip(lit, 0, 1))
    base = np.empty((*mask.shape, 3), np.float32)
    base[:] = colour
    if belly:
        # A dark saddle above, light chest and belly below.
        rows = (np.arange(y0, y1, dtype=np.float32)[:, None] - everything[:, 1].min()) / np.ptp(everything[:, 1])
        low = np.clip((rows - 0.70) / 0.25, 0, 1)[..., None]
        high = np.clip((0.62 - rows) / 0.30, 0, 1)[..., None] * 0.30
        base += low * 0.75 * (np.array(COAT_LIGHT, np.float32) - base)
        base += high * (np.array(COAT_DARK, np.float32) - base)
    alpha = mask.astype(np.float32)[..., None] / 255
    if melt_px:
        rows = np.arange(y0, y1, dtype=np.float32)[:, None, None] - everything[:, 1].min()
        alpha = alpha * np.clip(rows / (melt_px * SUPERSAMPLE), 0.0, 1) ** 0.8
    view = picture[y0:y1, x0:x1]
    view += alpha * (base * shade[..., None] - view)


def _dot(picture: np.ndarray, centre: np.ndarray, radius: float, colour) -> None:
    cv2.circle(picture, tuple(int(v * 16) for v in centre), int(radius * 16), colour, -1, cv2.LINE_AA, 4)
