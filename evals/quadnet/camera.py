"""The camera a picture is taken with: from the side, turned by yaw, from above by pitch, nearly parallel or close."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Camera:
    """Looks at a point above the ground; angles in radians, distance in trunk lengths, scale in pixels per one."""

    yaw: float
    pitch: float
    roll: float
    distance: float
    look_at_height: float
    scale_px: float = 1.0
    centre_px: tuple[float, float] = (0.0, 0.0)

    def project(self, points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return screen points (N, 3) in pixels, z towards the viewer, and pixels per trunk length at each (N,)."""
        x, y, z = points[:, 0], points[:, 1] - self.look_at_height, points[:, 2]
        across, depth = x * np.cos(self.yaw) + z * np.sin(self.yaw), -x * np.sin(self.yaw) + z * np.cos(self.yaw)
        up = y * np.cos(self.pitch) - depth * np.sin(self.pitch)
        near = y * np.sin(self.pitch) + depth * np.cos(self.pitch)
        scale = self.scale_px / np.maximum(1.0 - near / self.distance, 0.2)
        right = across * np.cos(self.roll) - up * np.sin(self.roll)
        over = across * np.sin(self.roll) + up * np.cos(self.roll)
        screen = np.stack([right * scale + self.centre_px[0], -over * scale + self.centre_px[1], near * scale], axis=1)
        return screen, scale


def random_camera(rng: np.random.Generator, body_height: float) -> Camera:
    """Draw a camera: mostly side-on and level, one in five up to 50 degrees aside, one in three up to 42 above."""
    u = rng.uniform
    pitch = u(8, 42) if rng.random() < 0.33 else abs(rng.normal(0, 7)) * (1 if rng.random() < 0.85 else -1)
    return Camera(
        yaw=np.deg2rad(rng.normal(0, 12) if rng.random() < 0.8 else u(-50, 50)),
        pitch=np.deg2rad(pitch),
        roll=np.deg2rad(rng.normal(0, 3)),
        distance=u(3.5, 15),
        look_at_height=0.5 * body_height,
    )
