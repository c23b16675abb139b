"""Small networks with the inputs and outputs of the real ones: each channel finds the blob of one colour."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from video2reward.tools.pose.crop import IMAGENET_MEAN, IMAGENET_STD

COLOURS = np.array(
    [[red, green, blue] for red in (40, 148, 255) for green in (40, 148, 255) for blue in (40, 148, 255)]
)[1:]
"""26 colours that are told apart; the first K of them are the points of a network with K points."""


def picture_with_blobs(size: tuple[int, int], xy_px: NDArray[np.float64], radius_px: float = 9.0) -> NDArray[np.uint8]:
    """Return a black picture (H, W, 3) of `size` (width, height) with one disc of its own colour for every point."""
    width, height = size
    picture = np.zeros((height, width, 3), np.uint8)
    y, x = np.mgrid[:height, :width]
    for colour, point in zip(COLOURS, xy_px, strict=False):
        picture[np.hypot(x - point[0], y - point[1]) <= radius_px] = colour
    return picture


def _score_weights(num_points: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return weights (K, 3, 1, 1) and offsets (K,) of a 1×1 convolution on normalised RGB.

    The result is 1 - |c - c_k|² / d² without the part in |c|² that all channels share; c_k is the k-th colour.
    """
    colours = (COLOURS[:num_points] - np.array(IMAGENET_MEAN)) / np.array(IMAGENET_STD)
    return (2 * colours)[:, :, None, None].astype(np.float32), (-(colours**2).sum(1)).astype(np.float32)


def _match(num_points: int) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """Return nodes from "input" to "match" (N, K, H, W): near 1 where a pixel has the channel's colour, else 0."""
    weights, offsets = _score_weights(num_points)
    nodes = [
        helper.make_node("Conv", ["input", "weights", "offsets"], ["likeness"]),
        helper.make_node("Mul", ["input", "input"], ["squares"]),
        helper.make_node("ReduceSum", ["squares", "channel"], ["square"], keepdims=1),
        helper.make_node("Sub", ["likeness", "square"], ["minus_distance"]),
        helper.make_node("Mul", ["minus_distance", "sharpness"], ["sharpened"]),
        helper.make_node("Exp", ["sharpened"], ["sharp"]),
        # Smoothed, so that a disc has one highest pixel.
        helper.make_node("AveragePool", ["sharp"], ["match"], kernel_shape=[9, 9], pads=[4, 4, 4, 4]),
    ]
    constants = [
        numpy_helper.from_array(weights, "weights"),
        numpy_helper.from_array(offsets, "offsets"),
        numpy_helper.from_array(np.array([1], np.int64), "channel"),
        numpy_helper.from_array(np.array(8.0, np.float32), "sharpness"),
    ]
    return nodes, constants


def save_simcc(path: Path, num_points: int, input_size: tuple[int, int], batch: int | str = "batch") -> Path:
    """Write a network like RTMPose's: a picture in, `simcc_x` (N, K, 2W) and `simcc_y` (N, K, 2H) out."""
    width, height = input_size
    nodes, constants = _match(num_points)
    for axis, name, other in ((2, "x", height), (3, "y", width)):
        # The curve is the share of a column, or row, that has the colour: highest through the middle of a disc.
        nodes += [
            helper.make_node("ReduceSum", ["match", f"over_{name}"], [f"sum_{name}"], keepdims=0),
            helper.make_node("Mul", [f"sum_{name}", f"unit_{name}"], [f"share_{name}"]),
            helper.make_node("Resize", [f"share_{name}", "", f"double_{name}"], [f"simcc_{name}"], mode="linear",
                             coordinate_transformation_mode="asymmetric"),
        ]  # fmt: skip
        constants += [
            numpy_helper.from_array(np.array([axis], np.int64), f"over_{name}"),
            numpy_helper.from_array(np.array(16.0 / other, np.float32), f"unit_{name}"),
            numpy_helper.from_array(np.array([1.0, 1.0, 2.0], np.float32), f"double_{name}"),
        ]
    outputs = [("simcc_x", [batch, num_points, 2 * width]), ("simcc_y", [batch, num_points, 2 * height])]
    return _save(path, nodes, constants, [batch, 3, height, width], outputs)


def save_heatmaps(path: Path, num_points: int, input_size: tuple[int, int]) -> Path:
    """Write a network like ViTPose's: a picture in, heatmaps (N, K, H/4, W/4) out."""
    width, height = input_size
    nodes, constants = _match(num_points)
    # The outermost pixels of map and input lie on each other, as in ViTPose's training.
    nodes.append(
        helper.make_node("Resize", ["match", "", "", "size"], ["heatmaps"], mode="linear",
                         coordinate_transformation_mode="align_corners")
    )  # fmt: skip
    constants.append(numpy_helper.from_array(np.array([1, num_points, height // 4, width // 4], np.int64), "size"))
    outputs = [("heatmaps", [1, num_points, height // 4, width // 4])]
    return _save(path, nodes, constants, [1, 3, height, width], outputs)


def save_yolox(path: Path, classes: Mapping[int, tuple[int, int, int]], size: tuple[int, int], finest: int = 8) -> Path:
    """Write a network like YOLOX's: raw BGR in, (1, cells, 85) out; a cell is sure where it sees a class's RGB colour.

    Every cell proposes a box of four cells by three around its middle; the sure ones lie where the colour is. Cells
    finer than `finest` are never sure.
    """
    width, height = size
    nodes: list[onnx.NodeProto] = []
    constants = [
        numpy_helper.from_array(np.array([1], np.int64), "channel"),
        numpy_helper.from_array(np.array(-1e-3, np.float32), "sharpness"),
        numpy_helper.from_array(np.array([0, 0, -1], np.int64), "flat"),
    ]
    heads = []
    for stride in (8, 16, 32):
        rows, columns, tag = height // stride, width // stride, f"_{stride}"
        pool = {"kernel_shape": [stride, stride], "strides": [stride, stride]}
        nodes.append(helper.make_node("AveragePool", ["input"], [f"mean{tag}"], **pool))
        scores = []
        for label in range(80):
            if label not in classes or stride < finest:
                scores.append("zero" + tag)
                continue
            colour = np.array(classes[label][::-1], np.float32)[None, :, None, None]
            constants.append(numpy_helper.from_array(colour, f"colour{tag}_{label}"))
            away, square, summed, weighed = (f"{what}{tag}_{label}" for what in ("away", "square", "summed", "weighed"))
            nodes += [
                helper.make_node("Sub", [f"mean{tag}", f"colour{tag}_{label}"], [away]),
                helper.make_node("Mul", [away, away], [square]),
                helper.make_node("ReduceSum", [square, "channel"], [summed], keepdims=1),
                helper.make_node("Mul", [summed, "sharpness"], [weighed]),
                helper.make_node("Exp", [weighed], [f"score{tag}_{label}"]),
            ]
            scores.append(f"score{tag}_{label}")
        fixed = np.zeros((1, 5, rows, columns), np.float32)
        fixed[:, :2], fixed[:, 2], fixed[:, 3], fixed[:, 4] = 0.5, np.log(4.0), np.log(3.0), 1.0
        constants += [
            numpy_helper.from_array(fixed, f"fixed{tag}"),
            numpy_helper.from_array(np.zeros((1, 1, rows, columns), np.float32), f"zero{tag}"),
        ]
        nodes += [
            helper.make_node("Concat", [f"fixed{tag}", *scores], [f"head{tag}"], axis=1),
            helper.make_node("Reshape", [f"head{tag}", "flat"], [f"list{tag}"]),
        ]
        heads.append(f"list{tag}")
    cells = sum((width // stride) * (height // stride) for stride in (8, 16, 32))
    nodes += [
        helper.make_node("Concat", heads, ["all"], axis=2),
        helper.make_node("Transpose", ["all"], ["output"], perm=[0, 2, 1]),
    ]
    return _save(path, nodes, constants, [1, 3, height, width], [("output", [1, cells, 85])])


def save_rtmdet(path: Path, boxes: NDArray[np.float32], labels: NDArray[np.int64]) -> Path:
    """Write a network like mmdeploy's RTMDet: it has always seen `boxes` (N, 5), corners and score.

    The score is weighed by the picture's middle: 1 where it is RTMDet's mean grey, less where it is brighter.
    """
    nodes = [
        helper.make_node("ReduceMean", ["input"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Abs", ["mean"], ["brightness"]),
        helper.make_node("Sub", ["one", "brightness"], ["weight"]),
        helper.make_node("Reshape", ["weight", "scalar"], ["factor"]),
        helper.make_node("Mul", ["score", "factor"], ["weighed"]),
        helper.make_node("Concat", ["corners", "weighed"], ["dets"], axis=2),
        helper.make_node("Identity", ["which"], ["labels"]),
    ]
    constants = [
        numpy_helper.from_array(np.array([1.0], np.float32), "one"),
        numpy_helper.from_array(np.array([1, 1, 1], np.int64), "scalar"),
        numpy_helper.from_array(boxes[None, :, :4], "corners"),
        numpy_helper.from_array(boxes[None, :, 4:], "score"),
        numpy_helper.from_array(labels[None], "which"),
    ]
    graph = helper.make_graph(
        nodes,
        "boxes",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 320, 320])],
        [
            helper.make_tensor_value_info("dets", TensorProto.FLOAT, [1, len(boxes), 5]),
            helper.make_tensor_value_info("labels", TensorProto.INT64, [1, len(labels)]),
        ],
        constants,
    )
    return _write(path, graph)


def _save(
    path: Path,
    nodes: list[onnx.NodeProto],
    constants: list[onnx.TensorProto],
    input_shape: list[int | str],
    outputs: list[tuple[str, list[int | str]]],
) -> Path:
    graph = helper.make_graph(
        nodes,
        "blobs",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, input_shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs],
        constants,
    )
    return _write(path, graph)


def _write(path: Path, graph: onnx.GraphProto) -> Path:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path
