"""Boxes of people and animals, by YOLOX (Ge et al. 2021) or RTMDet (Lyu et al. 2022) through onnxruntime."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from video2reward.memory.errors import MissingPart
from video2reward.tools.models import find_model
from video2reward.tools.pose.backend import BodyKind, Detection, Detector
from video2reward.tools.pose.network import Network

MIN_SCORE = 0.3
MAX_OVERLAP = 0.45
MAX_DETECTIONS = 50

_PERSON = 0
_ANIMALS = {15: "cat", 16: "dog", 17: "horse", 18: "sheep", 19: "cow", 20: "elephant", 21: "bear", 22: "zebra",
            23: "giraffe"}  # fmt: skip
"""COCO's classes on four legs; its bird has two, and none of the networks for animals knows it."""
_STRIDES = (8, 16, 32)
_PAD_GREY = 114
# RTMDet was trained on BGR; YOLOX takes the values as they are.
_RTMDET_MEAN = np.float32([103.53, 116.28, 123.675])
_RTMDET_STD = np.float32([57.375, 57.12, 58.395])


class YOLOX:
    """A Detector around YOLOX's own export: one output (1, cells, 5 + classes) of offsets, objectness and scores."""

    def __init__(self, file: Path, name: str) -> None:
        self.name = name
        self._network = Network(file)
        size = self._network.input_size
        if size is None or len(self._network.output_names) != 1 or size[0] % 32 or size[1] % 32:
            raise MissingPart(
                f"{file} is no YOLOX network.", "It takes one picture of a fixed size and gives one output."
            )
        self._size = size
        self._cells, self._stride = _grid(size)

    def detect(self, image_rgb: NDArray[np.uint8]) -> tuple[Detection, ...]:
        """Return the bodies in a picture (H, W, 3), the surest first."""
        padded, scale = letterbox(image_rgb, self._size)
        raw = self._network.run(padded[None])[0][0]
        if raw.ndim != 2 or len(raw) != len(self._cells) or raw.shape[1] < 6:
            raise MissingPart(f"{self._network.file} is no YOLOX network: it gives {raw.shape} for a picture.")
        centre = (raw[:, :2] + self._cells) * self._stride
        extent = np.exp(np.clip(raw[:, 2:4], -20.0, 20.0)) * self._stride
        boxes = np.concatenate([centre - extent / 2, extent], axis=1) / scale
        scores = raw[:, 4:5] * raw[:, 5:]
        labels = scores.argmax(1)
        return bodies(boxes, scores[np.arange(len(scores)), labels], labels, image_rgb.shape[:2])


class RTMDet:
    """A Detector around mmdeploy's export: `dets` (1, N, 5), corners and score, and `labels` (1, N), sifted already."""

    def __init__(self, file: Path, name: str) -> None:
        self.name = name
        self._network = Network(file)
        if {"dets", "labels"} - set(self._network.output_names):
            raise MissingPart(f"{file} is no RTMDet network exported by mmdeploy.", "It gives `dets` and `labels`.")
        self._size = self._network.input_size or (640, 640)

    def detect(self, image_rgb: NDArray[np.uint8]) -> tuple[Detection, ...]:
        """Return the bodies in a picture (H, W, 3), the surest first."""
        padded, scale = letterbox(image_rgb, self._size)
        padded = (padded - _RTMDET_MEAN[:, None, None]) / _RTMDET_STD[:, None, None]
        found = dict(zip(self._network.output_names, self._network.run(padded[None]), strict=True))
        dets, labels = found["dets"][0], found["labels"][0].astype(int)
        boxes = np.concatenate([dets[:, :2], dets[:, 2:4] - dets[:, :2]], axis=1) / scale
        return bodies(boxes, dets[:, 4], labels, image_rgb.shape[:2])


def open_detector() -> Detector:
    """Load the surest detector whose file is here. Raises MissingPart where there is none."""
    missing = []
    for model, kind, name in (
        ("yolox-s", YOLOX, "YOLOX-s"),
        ("yolox-tiny", YOLOX, "YOLOX-tiny"),
        ("rtmdet", RTMDet, "RTMDet"),
    ):
        try:
            return kind(find_model(model), f"{name} (onnxruntime)")
        except MissingPart as error:
            missing.append(error)
    raise missing[0]


def letterbox(image_rgb: NDArray[np.uint8], size: tuple[int, int]) -> tuple[NDArray[np.float32], float]:
    """Return the picture as BGR values (3, height, width) in the upper left of a grey one, and its scale."""
    height, width = image_rgb.shape[:2]
    scale = min(size[0] / width, size[1] / height)
    fitted = (max(round(width * scale), 1), max(round(height * scale), 1))
    padded = np.full((size[1], size[0], 3), _PAD_GREY, np.uint8)
    padded[: fitted[1], : fitted[0]] = cv2.resize(image_rgb, fitted, interpolation=cv2.INTER_LINEAR)[..., ::-1]
    return np.ascontiguousarray(padded.transpose(2, 0, 1), np.float32), scale


def bodies(
    boxes: NDArray[np.float64], scores: NDArray[np.float64], labels: NDArray[np.int64], shape: tuple[int, int]
) -> tuple[Detection, ...]:
    """Return people and animals from boxes (N, 4), their scores and COCO labels (N,), the surest first.

    Of boxes that overlap, the surest is kept: among animals whatever they are called, since a dog that is also seen as
    a sheep is one animal. Boxes are cut at the picture's rim.
    """
    boxes, scores = np.asarray(boxes, float), np.asarray(scores, float)
    usable = np.isfinite(boxes).all(1) & np.isfinite(scores) & (scores >= MIN_SCORE)
    usable &= np.isin(labels, [_PERSON, *_ANIMALS])
    found: list[Detection] = []
    limit = np.array([shape[1], shape[0], shape[1], shape[0]], float)
    for index in np.flatnonzero(usable)[np.argsort(-scores[usable], kind="stable")]:
        corners = np.concatenate([boxes[index, :2], boxes[index, :2] + boxes[index, 2:]]).clip(0.0, limit)
        box = np.concatenate([corners[:2], corners[2:] - corners[:2]])
        label = int(labels[index])
        kind: BodyKind = "person" if label == _PERSON else "animal"
        if min(box[2:]) < 4 or any(other.kind == kind and iou(other.box_px, box) > MAX_OVERLAP for other in found):
            continue
        found.append(Detection(box, kind, _ANIMALS.get(label, "person"), float(min(scores[index], 1.0))))
        if len(found) == MAX_DETECTIONS:
            break
    return tuple(found)


def iou(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return the overlap of two boxes (x, y, width, height) over what they cover together."""
    both = overlap(a, b)
    return both / max(a[2] * a[3] + b[2] * b[3] - both, 1e-9)


def overlap(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return the area that two boxes have in common."""
    low = np.maximum(a[:2], b[:2])
    high = np.minimum(a[:2] + a[2:], b[:2] + b[2:])
    return float(np.prod(np.maximum(high - low, 0.0)))


def _grid(size: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return each cell's place (cells, 2), as column and row, and its stride (cells, 1), finest first."""
    places, strides = [], []
    for stride in _STRIDES:
        rows, columns = np.mgrid[: size[1] // stride, : size[0] // stride]
        places.append(np.stack([columns.ravel(), rows.ravel()], axis=1))
        strides.append(np.full((columns.size, 1), stride))
    return np.concatenate(places).astype(np.float32), np.concatenate(strides).astype(np.float32)
