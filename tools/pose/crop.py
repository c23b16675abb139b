"""Cut a body out of a picture the way pose networks were trained on: upright, its shape kept, a margin around."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

PADDING = 1.25
IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)


@dataclass(frozen=True)
class Crop:
    """One box as a network sees it: `pixels` (3, H, W), normalised RGB; `origin_px` (2,) and `scale_px` (2,), picture
    pixels per pixel of the input, lead back into the picture."""

    pixels: NDArray[np.float32]
    origin_px: NDArray[np.float64]
    scale_px: NDArray[np.float64]

    def to_picture(self, xy_input: NDArray[np.float64]) -> NDArray[np.float64]:
        """Carry points (…, 2) of the input over to the picture."""
        return xy_input * self.scale_px + self.origin_px


def cut(
    image_rgb: NDArray[np.uint8],
    box_px: NDArray[np.float64],
    input_size: tuple[int, int],
    *,
    padding: float = PADDING,
    unbiased: bool = False,
) -> Crop:
    """Return the box (x, y, width, height) of a picture (H, W, 3) as input of size (width, height).

    The box is widened to the input's shape, then by `padding`. `unbiased` maps the centres of the outermost pixels
    onto each other (Huang et al. 2020, "The devil is in the details", eq. 6) in place of the picture's edges, which is
    how ViTPose was trained and RTMPose was not. What lies outside the picture is black.
    """
    width, height = input_size
    box_px = np.asarray(box_px, float)
    centre = box_px[:2] + box_px[2:] / 2
    box_width, box_height = np.maximum(box_px[2:], 1.0)
    aspect = width / height
    extent = np.array([max(box_width, box_height * aspect), max(box_height, box_width / aspect)]) * padding
    units = np.array([width - 1, height - 1] if unbiased else [width, height], float)
    scale = extent / units
    origin = centre - extent / 2
    forward = np.array([[1 / scale[0], 0, -origin[0] / scale[0]], [0, 1 / scale[1], -origin[1] / scale[1]]])
    pixels = cv2.warpAffine(image_rgb, forward, (width, height), flags=cv2.INTER_LINEAR)
    normal = (pixels.astype(np.float32) - np.float32(IMAGENET_MEAN)) / np.float32(IMAGENET_STD)
    return Crop(np.ascontiguousarray(normal.transpose(2, 0, 1)), origin, scale)
