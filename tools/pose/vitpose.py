"""People and animals by ViTPose (Xu et al. 2022): heatmaps from an ONNX file, or from a checkpoint in transformers."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from video2reward.memory.errors import MissingPart
from video2reward.memory.records import Skeleton
from video2reward.tools.models import find_model
from video2reward.tools.pose.crop import cut
from video2reward.tools.pose.heatmap import decode_heatmaps
from video2reward.tools.pose.keypoint_formats import AP10K
from video2reward.tools.pose.names import canonical_names
from video2reward.tools.pose.network import Network

CHECKPOINT = "usyd-community/vitpose-plus-base"
CHECKPOINT_ENV = "V2R_VITPOSE"
_EXPERTS: dict[Skeleton, int] = {"person": 0, "quadruped": 3}
"""Of ViTPose+'s experts, COCO's and AP-10K's."""

Heatmaps = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Takes pictures (N, 3, H, W) and gives maps (N, K, h, w)."""


class HeatmapPose:
    """A PoseBackend around a heatmap network whose points are called `source_names` (K,), in the network's order."""

    def __init__(
        self, heatmaps: Heatmaps, size: tuple[int, int], name: str, skeleton: Skeleton, source_names: Sequence[str]
    ) -> None:
        self.name, self.skeleton = name, skeleton
        _, self.name_by_source_name = canonical_names(source_names)
        self.names = tuple(self.name_by_source_name.values())
        self._columns = [list(source_names).index(source) for source in self.name_by_source_name]
        self._num_points = len(source_names)
        self._heatmaps, self._size = heatmaps, size

    def see(
        self, image_rgb: NDArray[np.uint8], boxes_px: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return points (N, K, 2) and their confidence (N, K), as `PoseBackend` has it."""
        if not len(boxes_px):
            return np.empty((0, len(self.names), 2)), np.empty((0, len(self.names)))
        crops = [cut(image_rgb, box, self._size, unbiased=True) for box in boxes_px]
        maps = self._heatmaps(np.stack([crop.pixels for crop in crops]))
        if maps.ndim != 4 or maps.shape[1] != self._num_points:
            raise MissingPart(
                f"{self.name} gives {maps.shape[1:]} for a picture, not {self._num_points} maps.",
                "Add the network that belongs to this name.",
            )
        xy_map, confidence = decode_heatmaps(maps)
        # The centres of the outermost pixels of map and input lie on each other.
        stretch = (np.array(self._size) - 1) / (np.array(maps.shape[:1:-1]) - 1)
        xy = np.stack([crop.to_picture(points * stretch) for crop, points in zip(crops, xy_map, strict=True)])
        return xy[:, self._columns], confidence[:, self._columns]


def open_vitpose_onnx() -> HeatmapPose:
    """Load ViTPose for animals from its ONNX file. APT-36K has AP-10K's points. Raises MissingPart without the file."""
    file = find_model("vitpose-apt36k")
    network = Network(file)
    if network.input_size is None or len(network.output_names) != 1:
        raise MissingPart(f"{file} is no heatmap network.", "It takes pictures of a fixed size and gives one output.")
    name = "ViTPose APT-36K (onnxruntime)"
    return HeatmapPose(lambda pictures: network.run(pictures)[0], network.input_size, name, "quadruped", AP10K)


def open_vitpose_person() -> HeatmapPose:
    """Load ViTPose for people through transformers. Raises MissingPart without transformers or the checkpoint."""
    return _open_checkpoint("person")


def open_vitpose_animal() -> HeatmapPose:
    """Load ViTPose for animals through transformers, from the checkpoint that V2R_VITPOSE names.

    The published ViTPose+ checkpoints carry the decoder for people alone, so none is taken by itself. Raises
    MissingPart without transformers or a checkpoint that names an animal's points in its `id2label`.
    """
    return _open_checkpoint("quadruped")


def _open_checkpoint(skeleton: Skeleton) -> HeatmapPose:
    source = os.environ.get(CHECKPOINT_ENV) or (CHECKPOINT if skeleton == "person" else "")
    if not source:
        raise MissingPart(
            f"no ViTPose checkpoint with a decoder for animals is named by {CHECKPOINT_ENV}.",
            "The published ones have that for people alone: video2reward models pull vitpose-apt36k",
        )
    if importlib.util.find_spec("transformers") is None:
        raise MissingPart("transformers is not installed.", "Install it: pip install 'video2reward[vitpose]'.")
    if not Path(source).is_dir() and not _is_cached(source):
        raise MissingPart(
            f"the ViTPose checkpoint {source} is not here.",
            f"Get it: hf download {source}, or name a folder that holds one with {CHECKPOINT_ENV}.",
        )
    try:
        import torch
        from transformers import VitPoseForPoseEstimation

        model = VitPoseForPoseEstimation.from_pretrained(source, local_files_only=True).eval()
    except (ImportError, OSError, ValueError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise MissingPart(f"the ViTPose checkpoint {source} cannot be loaded ({first}).", "Get it again.") from error
    labels = [str(model.config.id2label[index]) for index in range(model.config.num_labels)]
    found, names = canonical_names(labels)
    if found != skeleton or len(names) < 8:
        raise MissingPart(
            f"the ViTPose checkpoint {source} names the points {', '.join(labels[:6])}, …: none of a {skeleton}.",
            f"Name another with {CHECKPOINT_ENV}.",
        )
    backbone = model.config.backbone_config
    height, width = backbone.image_size
    many = getattr(backbone, "num_experts", 1) > 1

    def heatmaps(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
        expert = torch.full((len(pictures),), _EXPERTS[skeleton]) if many else None
        with torch.inference_mode():
            return model(torch.from_numpy(pictures), dataset_index=expert).heatmaps.numpy()

    return HeatmapPose(heatmaps, (width, height), f"ViTPose {Path(source).name} (transformers)", skeleton, labels)


def _is_cached(checkpoint: str) -> bool:
    """Look into the hub's cache without loading transformers, which takes seconds."""
    try:
        from huggingface_hub import try_to_load_from_cache
        from huggingface_hub.errors import HFValidationError
    except ImportError:
        return False
    try:
        return isinstance(try_to_load_from_cache(checkpoint, "config.json"), str)
    except HFValidationError:
        return False
