"""People and animals by RTMPose (Jiang et al. 2023) through onnxruntime: mmpose's networks without mmpose."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from video2reward.memory.errors import MissingPart
from video2reward.memory.records import Skeleton
from video2reward.tools.models import find_model
from video2reward.tools.pose.crop import cut
from video2reward.tools.pose.keypoint_formats import AP10K, HALPE26
from video2reward.tools.pose.names import canonical_names
from video2reward.tools.pose.network import Network
from video2reward.tools.pose.simcc import SPLIT_RATIO, decode_simcc


class RTMPose:
    """A PoseBackend around a SimCC network whose points are called `source_names` (K,), in the network's order."""

    def __init__(self, file: Path, name: str, skeleton: Skeleton, source_names: Sequence[str]) -> None:
        self.name, self.skeleton = name, skeleton
        _, self.name_by_source_name = canonical_names(source_names)
        self.names = tuple(self.name_by_source_name.values())
        self._columns = [list(source_names).index(source) for source in self.name_by_source_name]
        self._num_points = len(source_names)
        self._network = Network(file)
        size = self._network.input_size
        if size is None or len(self._network.output_names) != 2:
            raise MissingPart(
                f"{file} is no RTMPose network: it has {len(self._network.output_names)} outputs and the input size "
                f"{size}.",
                "It takes pictures of a fixed size and gives two outputs, simcc_x and simcc_y.",
            )
        self._input_size = size

    def see(
        self, image_rgb: NDArray[np.uint8], boxes_px: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return points (N, K, 2) and their confidence (N, K), as `PoseBackend` has it."""
        if not len(boxes_px):
            return np.empty((0, len(self.names), 2)), np.empty((0, len(self.names)))
        crops = [cut(image_rgb, box, self._input_size) for box in boxes_px]
        x_curves, y_curves = self._network.run(np.stack([crop.pixels for crop in crops]))
        if x_curves.shape[1] != self._num_points:
            raise MissingPart(
                f"{self._network.file} gives {x_curves.shape[1]} points; {self.name} has {self._num_points}.",
                "Add the network that belongs to this name.",
            )
        xy_input, confidence = decode_simcc(x_curves, y_curves, SPLIT_RATIO)
        xy = np.stack([crop.to_picture(points) for crop, points in zip(crops, xy_input, strict=True)])
        return xy[:, self._columns], confidence[:, self._columns]


def open_halpe26() -> RTMPose:
    """Load RTMPose for people, with heels and toes. Raises MissingPart where its file is not here."""
    return RTMPose(find_model("rtmpose-halpe26"), "RTMPose Halpe26 (onnxruntime)", "person", HALPE26)


def open_ap10k() -> RTMPose:
    """Load RTMPose for animals. AP-10K's "hip" and "knee" are the anatomical knee and ankle, and are named so here.

    Raises MissingPart where its file is not here.
    """
    return RTMPose(find_model("rtmpose-ap10k"), "RTMPose AP-10K (onnxruntime)", "quadruped", AP10K)
