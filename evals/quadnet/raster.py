"""A small software renderer: tapered rods with round ends and flat faces, with depth, on numpy arrays.

Screen axes: x right, y down, z towards the viewer, all in pixels. Parallel projection within a rod: its surface is that
of balls that slide along its axis while their radius changes, which is exact for rods that lie across the view.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class Canvas:
    """What is seen at each pixel: `part` (0 where nothing is), the surface's normal, how much of it is covered."""

    def __init__(self, size_px: int) -> None:
        self.size_px = size_px
        self.depth = np.full((size_px, size_px), -1e6, np.float32)
        self.part = np.zeros((size_px, size_px), np.uint8)
        self.normal_x = np.zeros((size_px, size_px), np.float32)
        self.normal_y = np.zeros((size_px, size_px), np.float32)
        self.cover = np.zeros((size_px, size_px), np.float32)
        self._along = np.arange(size_px, dtype=np.float32)

    def rod(self, start: Floats, end: Floats, radius_start: float, radius_end: float, part: int, flat: float) -> None:
        """Draw a rod from `start` to `end` (x, y, z); `flat` squeezes it along the view, 1 being round."""
        most = max(radius_start, radius_end) + 1.0
        box = self._box(
            min(start[0], end[0]) - most, max(start[0], end[0]) + most, min(start[1], end[1]) - most,
            max(start[1], end[1]) + most,
        )  # fmt: skip
        if box is None:
            return
        rows, columns = box
        dx = (self._along[columns] - start[0])[None, :]
        dy = (self._along[rows] - start[1])[:, None]
        ux, uy = float(end[0] - start[0]), float(end[1] - start[1])
        share = np.clip((dx * ux + dy * uy) / (ux * ux + uy * uy + 1e-6), 0.0, 1.0)
        ex, ey = dx - share * ux, dy - share * uy
        radius = radius_start + share * (radius_end - radius_start)
        off = np.sqrt(ex * ex + ey * ey)
        self.cover[box] = np.maximum(self.cover[box], np.clip(radius - off + 0.5, 0.0, 1.0))
        bulge = np.sqrt(np.maximum(radius * radius - off * off, 0.0))
        depth = start[2] + share * (end[2] - start[2]) + flat * bulge
        seen = (off < radius + 0.5) & (depth > self.depth[box])
        np.copyto(self.depth[box], depth, where=seen, casting="same_kind")
        np.copyto(self.part[box], np.uint8(part), where=seen)
        np.copyto(self.normal_x[box], ex / radius, where=seen, casting="same_kind")
        np.copyto(self.normal_y[box], ey / radius, where=seen, casting="same_kind")

    def face(self, corners: Floats, part: int) -> None:
        """Draw a flat convex face (num_corners, 3) if its front, where the corners run clockwise, is seen."""
        normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
        length = float(np.linalg.norm(normal))
        if length < 1e-6 or normal[2] / length < 0.02:
            return
        normal = normal / length
        low, high = corners.min(0), corners.max(0)
        box = self._box(low[0] - 1, high[0] + 1, low[1] - 1, high[1] + 1)
        if box is None:
            return
        rows, columns = box
        mask = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.uint8)
        shifted = (corners[:, :2] - (columns.start, rows.start)) * 16
        cv2.fillConvexPoly(mask, np.round(shifted).astype(np.int32), 255, cv2.LINE_AA, 4)
        x = (self._along[columns] - corners[0, 0])[None, :]
        y = (self._along[rows] - corners[0, 1])[:, None]
        depth = corners[0, 2] - (normal[0] * x + normal[1] * y) / normal[2]
        seen = (mask > 127) & (depth > self.depth[box])
        self.cover[box] = np.maximum(self.cover[box], mask.astype(np.float32) / 255)
        np.copyto(self.depth[box], depth, where=seen, casting="same_kind")
        np.copyto(self.part[box], np.uint8(part), where=seen)
        np.copyto(self.normal_x[box], np.float32(normal[0]), where=seen)
        np.copyto(self.normal_y[box], np.float32(normal[1]), where=seen)

    def _box(self, left: float, right: float, top: float, bottom: float) -> tuple[slice, slice] | None:
        x0, x1 = max(int(left), 0), min(int(right) + 2, self.size_px)
        y0, y1 = max(int(top), 0), min(int(bottom) + 2, self.size_px)
        return None if x0 >= x1 or y0 >= y1 else (slice(y0, y1), slice(x0, x1))
