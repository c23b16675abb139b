"""Draws a robot's side view from its joints' positions alone: the picture where no GL library works."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from video2reward.sim.robots.model import LIMB_RGB

if TYPE_CHECKING:
    from video2reward.sim.render import Recording

SKY, GROUND, EDGE, TRUNK = (222, 230, 240), (112, 120, 132), (140, 148, 160), (70, 74, 82)
_SHIFT = 4  # cv2 draws at sixteenths of a pixel: without it slow motion jerks.


def draw_skeleton(recording: Recording, time_s: float, width: int, height: int, facing: str) -> np.ndarray:
    """Return one RGB frame (height, width, 3): trunk, legs in their colours, a dot under each foot that bears.

    Points are projected on the vertical plane through the trunk's heading; the view follows the trunk.
    """
    robot = recording.robot
    step = min(round(time_s / recording.control_dt_s), len(recording.base_pos_w) - 1)
    substep = min(round(time_s / recording.physics_dt_s), len(recording.foot_contact) - 1)
    base = recording.base_pos_w[step]
    yaw = recording.heading_rad[step]
    ahead = np.array([np.cos(yaw), np.sin(yaw), 0.0])
    left = np.array([-np.sin(yaw), np.cos(yaw), 0.0])
    flip = 1.0 if facing == "right" else -1.0
    tall_m = robot.standing_height_m * (2.1 if robot.kind == "quadruped" else 2.0)
    px_per_m = height * 0.9 / tall_m
    ground_px = height * 0.80

    def project(point: np.ndarray) -> tuple[float, float]:
        return width / 2 + flip * float((point - base) @ ahead) * px_per_m, ground_px - float(point[2]) * px_per_m

    frame = np.full((height, width, 3), SKY, np.uint8)
    frame[int(ground_px) :] = GROUND
    _mark_ground(frame, float(base @ ahead), flip, px_per_m, int(ground_px))
    thick = max(2, height // 60)
    roots, mids, feet = recording.root_pos_w[step], recording.mid_pos_w[step], recording.foot_pos_w[substep]
    far_first = sorted(range(robot.num_feet), key=lambda i: -flip * float((roots[i] - base) @ left))
    drawn_trunk = False
    for position, index in enumerate(far_first):
        far = position < robot.num_feet // 2
        if not far and not drawn_trunk:
            _trunk(frame, recording, step, project, thick)
            drawn_trunk = True
        colour = np.array(LIMB_RGB[robot.feet[index]]) * 255
        colour = tuple(int(c) for c in (0.55 * colour + 0.45 * np.array(SKY) if far else colour))
        joints = [project(point) for point in (roots[index], mids[index], feet[index])]
        for start, end in zip(joints, joints[1:], strict=False):
            _line(frame, start, end, colour, thick)
        for joint in joints:
            _dot(frame, joint, thick * 0.75, colour)
        if recording.foot_contact[substep, index]:
            _dot(frame, (joints[-1][0], ground_px + 2 * thick), thick * 0.9, colour)
    return frame


def _trunk(frame: np.ndarray, recording: Recording, step: int, project, thick: int) -> None:
    """Draw the trunk along the body's own x for a quadruped, along its own z for a biped."""
    w, x, y, z = recording.base_quat_w[step]
    base, tall = recording.base_pos_w[step], recording.robot.standing_height_m
    body_x = np.array([1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y)])
    body_z = np.array([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)])
    if recording.robot.kind == "quadruped":
        _line(frame, project(base - 0.75 * tall * body_x), project(base + 0.95 * tall * body_x), TRUNK, 4 * thick)
        _dot(frame, project(base + 1.08 * tall * body_x), 2.4 * thick, TRUNK)
        return
    hips = recording.root_pos_w[step].mean(axis=0)
    _line(frame, project(hips), project(base + 0.42 * tall * body_z), TRUNK, 4 * thick)
    _dot(frame, project(base + 0.60 * tall * body_z), 3 * thick, TRUNK)


def _mark_ground(frame: np.ndarray, at_m: float, flip: float, px_per_m: float, ground_px: int) -> None:
    """Draw a mark every 0.25 m of ground, so that travel shows."""
    height, width = frame.shape[:2]
    reach_m = width / 2 / px_per_m
    for mark in range(int(np.floor((at_m - reach_m) / 0.25)), int(np.ceil((at_m + reach_m) / 0.25)) + 1):
        across = width / 2 + flip * (mark * 0.25 - at_m) * px_per_m
        _line(frame, (across, ground_px + 1), (across - flip * 12, height), EDGE, 1)
    _line(frame, (0, ground_px), (width, ground_px), EDGE, 2)


def _line(frame: np.ndarray, start, end, colour, thickness: int) -> None:
    scale = 1 << _SHIFT
    ends = [tuple(int(round(v * scale)) for v in point) for point in (start, end)]
    cv2.line(frame, *ends, colour, thickness, cv2.LINE_AA, _SHIFT)


def _dot(frame: np.ndarray, centre, radius: float, colour) -> None:
    scale = 1 << _SHIFT
    cv2.circle(
        frame, tuple(int(round(v * scale)) for v in centre), int(radius * scale), colour, -1, cv2.LINE_AA, _SHIFT
    )
