"""People and animals by mmpose itself, where the user has it: its networks, its own pre- and post-processing."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from video2reward.memory.errors import MissingPart
from video2reward.memory.records import Skeleton
from video2reward.tools.pose.names import canonical_names

_ALIASES: dict[Skeleton, str] = {"person": "body26", "quadruped": "animal"}

TopDownInference = Callable[..., Sequence[Any]]
"""mmpose.apis.inference_topdown: (model, picture in BGR, boxes (N, 4) as corners) to one data sample for each box."""


class MMPose:
    """A PoseBackend around a model that MMPoseInferencer has built."""

    def __init__(self, model: Any, infer: TopDownInference, name: str, skeleton: Skeleton) -> None:
        self.name, self.skeleton = name, skeleton
        labels = model.dataset_meta["keypoint_id2name"]
        source_names = [str(labels[index]) for index in range(len(labels))]
        found, self.name_by_source_name = canonical_names(source_names)
        if found != skeleton:
            raise MissingPart(f"{name} has the points {', '.join(source_names[:6])}, …: none of a {skeleton}.")
        self.names = tuple(self.name_by_source_name.values())
        self._columns = [source_names.index(source) for source in self.name_by_source_name]
        self._model, self._infer = model, infer

    def see(
        self, image_rgb: NDArray[np.uint8], boxes_px: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return points (N, K, 2) and their confidence (N, K), as `PoseBackend` has it."""
        if not len(boxes_px):  # mmpose would take the whole picture for a body
            return np.empty((0, len(self.names), 2)), np.empty((0, len(self.names)))
        corners = np.concatenate([boxes_px[:, :2], boxes_px[:, :2] + boxes_px[:, 2:]], axis=1).astype(np.float32)
        samples = self._infer(self._model, np.ascontiguousarray(image_rgb[..., ::-1]), corners, bbox_format="xyxy")
        xy = np.stack([np.asarray(sample.pred_instances.keypoints[0], float) for sample in samples])
        scores = np.stack([np.asarray(sample.pred_instances.keypoint_scores[0], float) for sample in samples])
        return xy[:, self._columns], np.clip(scores, 0.0, 1.0)[:, self._columns]


def open_mmpose_person() -> MMPose:
    """Load mmpose's RTMPose for people. Raises MissingPart where mmpose is not here or cannot get its weights."""
    return _open("person")


def open_mmpose_animal() -> MMPose:
    """Load mmpose's RTMPose for animals. Raises MissingPart where mmpose is not here or cannot get its weights."""
    return _open("quadruped")


def _open(skeleton: Skeleton) -> MMPose:
    if importlib.util.find_spec("mmpose") is None:
        raise MissingPart("mmpose is not installed.", "RTMPose needs none: video2reward models pull")
    alias = _ALIASES[skeleton]
    try:
        from mmpose.apis import MMPoseInferencer, inference_topdown

        # The boxes come from us, so mmdet need not be here.
        model = MMPoseInferencer(pose2d=alias, det_model="whole_image", device="cpu").inferencer.model
    except Exception as error:  # mmpose, mmengine and mmcv fail in many ways where their versions do not fit together
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise MissingPart(f"mmpose cannot load its model {alias} ({first}).", "Mend mmpose, or use RTMPose.") from error
    return MMPose(model, inference_topdown, f"mmpose {alias}", skeleton)
