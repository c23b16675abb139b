"""Draws the world the example dog runs through, seen orthographically from a little above by a slowly panning camera.

What is farther from the camera moves slower across the picture; the path moves as the dog's own plane does.
"""

from __future__ import annotations

import cv2
import numpy as np
from dog_motion import TRUTH

WIDTH, HEIGHT = 640, 360
PX_PER_M = 205.0
GROUND_Y_PX = 296.0
"""Where the dog's own line of travel lies in the picture."""
ELEVATION = np.radians(7.0)
SUPERSAMPLE = 2


def camera_x_m(time_s: float) -> float:
    """Return the world x at the picture's middle: the camera pans after the dog, but slower, so the dog gains on it."""
    return 0.62 + 0.80 * TRUTH.speed_m_s * time_s


def project(point: np.ndarray, time_s: float) -> np.ndarray:
    """Return the pixel (x, y) of a world point (x, y to the camera, z up)."""
    x, y, z = point
    return np.array(
        [
            (x - camera_x_m(time_s)) * PX_PER_M + WIDTH / 2,
            GROUND_Y_PX + (y * np.sin(ELEVATION) - z * np.cos(ELEVATION)) * PX_PER_M,
        ]
    )


class Landscape:
    """The still world behind and under the dog, as strips that are made once and shifted by the camera."""

    def __init__(self) -> None:
        rng = np.random.default_rng(7)
        s = SUPERSAMPLE
        self.width, self.height = WIDTH * s, HEIGHT * s
        self.span = int((camera_x_m(TRUTH.num_frames / TRUTH.fps) - camera_x_m(0)) * PX_PER_M * s) + self.width + 8
        self.horizon = int(150 * s)
        self.path_top, self.path_bottom = int(262 * s), int(326 * s)
        self.sky = self._sky()
        self.hills = self._ridge(rng, 118, 20, 260, (150, 172, 178), (132, 158, 160))
        self.trees = self._trees(rng)
        self.ground = self._ground(rng)

    def draw(self, time_s: float) -> np.ndarray:
        """Return the picture without the dog, (height, width, 3) float32 RGB at the drawing's own size."""
        shift = (camera_x_m(time_s) - camera_x_m(0)) * PX_PER_M * SUPERSAMPLE
        picture = self.sky.copy()
        for (colour, alpha), depth in ((self.hills, 0.06), (self.trees, 0.22)):
            colour, alpha = self._window(colour, shift * depth), self._window(alpha, shift * depth)
            picture += alpha[..., None] * (colour - picture)
        rows = np.arange(self.horizon, self.height, dtype=np.float32)
        # From the trees' pace at the horizon to the dog's own where the path begins, and on the path itself.
        nearness = np.clip((rows - self.horizon) / (self.path_top - self.horizon), 0, 1)
        along = (0.22 + 0.78 * nearness**0.8) * shift
        across = np.arange(self.width, dtype=np.float32)[None] + along[:, None].astype(np.float32)
        down = np.repeat((rows - self.horizon)[:, None], self.width, axis=1)
        picture[self.horizon :] = cv2.remap(self.ground, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        return picture

    def _window(self, strip: np.ndarray, shift: float) -> np.ndarray:
        matrix = np.float32([[1, 0, -shift], [0, 1, 0]])
        return cv2.warpAffine(strip, matrix, (self.width, self.height), flags=cv2.INTER_LINEAR)

    def _sky(self) -> np.ndarray:
        top, low = np.array([122, 170, 214], np.float32), np.array([226, 234, 234], np.float32)
        along = np.clip(np.arange(self.height) / self.horizon, 0, 1)[:, None, None] ** 1.3
        return np.repeat(top + (low - top) * along, self.width, axis=1).astype(np.float32)

    def _ridge(self, rng, y: int, rise: int, wavelength: int, top, low) -> tuple[np.ndarray, np.ndarray]:
        x = np.arange(self.span) / SUPERSAMPLE
        phases = rng.uniform(0, 2 * np.pi, 5)
        edge = y + sum(
            rise / (k + 1) * np.sin(2 * np.pi * x * (k + 1) / wavelength + phases[k]) / 1.5 for k in range(5)
        )
        rows = np.arange(self.height)[:, None] / SUPERSAMPLE
        alpha = np.clip(rows - edge[None], 0, 1).astype(np.float32)
        along = np.clip((rows - edge[None]) / 50, 0, 1)[..., None]
        return (np.array(top) + (np.array(low) - np.array(top)) * along).astype(np.float32), alpha

    def _trees(self, rng) -> tuple[np.ndarray, np.ndarray]:
        s = SUPERSAMPLE
        colour = np.zeros((self.height, self.span, 3), np.float32)
        colour[:] = (86, 116, 74)
        alpha = np.zeros((self.height, self.span), np.float32)
        x = -20.0 * s
        while x < self.span + 20 * s:
            radius = rng.uniform(11, 25) * s
            centre = (int(x), int(self.horizon - radius * rng.uniform(0.35, 0.7)))
            shade = np.array((78, 110, 66)) * rng.uniform(0.85, 1.15)
            for _ in range(16):
                blob = np.array(centre) + rng.normal(0, radius * 0.42, 2)
                size = int(radius * rng.uniform(0.3, 0.55))
                lit = shade * (1.12 - 0.30 * (blob[1] - centre[1] + radius) / (2 * radius))
                place = tuple(int(v) for v in blob)
                cv2.circle(colour, place, size, tuple(float(v) for v in lit), -1, cv2.LINE_AA)
                cv2.circle(alpha, place, size, 1.0, -1, cv2.LINE_AA)
            x += radius * rng.uniform(0.8, 2.2)
        alpha[self.horizon - 5 * s : self.horizon + 2] = 1.0
        return cv2.GaussianBlur(colour, (0, 0), 1.6 * s), cv2.GaussianBlur(alpha, (0, 0), 1.3 * s)

    def _ground(self, rng) -> np.ndarray:
        s, rows = SUPERSAMPLE, self.height - self.horizon
        picture = np.empty((rows, self.span, 3), np.float32)
        depth = np.linspace(0, 1, rows)[:, None]
        picture[:] = (np.array((132, 152, 84)) + (np.array((104, 136, 62)) - np.array((132, 152, 84))) * depth)[:, None]
        # Mottled meadow: noise stretched along the ground.
        noise = rng.normal(0, 1, (rows, self.span)).astype(np.float32)
        for sigma_x, sigma_y, strength in ((60 * s, 5 * s, 14.0), (7 * s, 1.2 * s, 7.0)):
            soft = cv2.GaussianBlur(noise, (0, 0), sigmaX=sigma_x, sigmaY=sigma_y)
            picture += (strength * soft / soft.std())[..., None] * np.array((1.0, 0.9, 0.6), np.float32)
        top, bottom = self.path_top - self.horizon, self.path_bottom - self.horizon
        wobble = 2.5 * s * np.sin(np.arange(self.span) / (45.0 * s)) + 1.5 * s * np.sin(
            np.arange(self.span) / (17.0 * s)
        )
        row = np.arange(rows)[:, None]
        inside = np.clip((row - top - wobble) / (3 * s), 0, 1) * np.clip((bottom + wobble - row) / (3 * s), 0, 1)
        earth = np.empty_like(picture)
        earth[:] = (164, 138, 106)
        grit = cv2.GaussianBlur(noise, (0, 0), sigmaX=2.2 * s, sigmaY=0.9 * s)
        earth += (9.0 * grit / grit.std())[..., None]
        picture += inside[..., None] * (earth - picture)
        for _ in range(int(self.span / s * 1.3)):
            self._pebble(picture, rng, top + 4 * s, bottom - 3 * s)
        for _ in range(int(self.span / s * 2.6)):
            x, y = rng.uniform(0, self.span), rng.choice((top, bottom)) + rng.normal(0, 3.5 * s)
            self._tuft(picture, rng, x, y, rng.uniform(3, 8) * s)
        for _ in range(int(self.span / s * 3.0)):
            y = bottom + rng.uniform(0.1, 1.0) * (rows - bottom + 8 * s)
            self._tuft(picture, rng, rng.uniform(0, self.span), y, rng.uniform(5, 12) * s)
        return picture

    def _pebble(self, picture: np.ndarray, rng, top: float, bottom: float) -> None:
        centre = (int(rng.uniform(0, self.span)), int(rng.uniform(top, bottom)))
        radius = max(1, int(rng.gamma(2.0, 0.55) * SUPERSAMPLE))
        grey = rng.uniform(95, 215)
        axes = (radius + 1, max(1, int(radius * 0.6)))
        cv2.ellipse(picture, (centre[0] + 1, centre[1] + 1), axes, 0, 0, 360, (112, 94, 72), -1, cv2.LINE_AA)
        cv2.ellipse(picture, centre, axes, 0, 0, 360, (grey, grey * 0.96, grey * 0.88), -1, cv2.LINE_AA)

    def _tuft(self, picture: np.ndarray, rng, x: float, y: float, length: float) -> None:
        for _ in range(3):
            lean = rng.normal(0, 0.35)
            tip = (int(x + lean * length), int(y - length * rng.uniform(0.6, 1.0)))
            shade = rng.uniform(0.7, 1.25)
            colour = tuple(float(v * shade) for v in (96, 128, 54))
            cv2.line(picture, (int(x + rng.normal(0, 2)), int(y)), tip, colour, 1, cv2.LINE_AA)
