"""Write the trained network as ONNX in RTMPose's output form, with the heat maps and the outline beside it."""

from __future__ import annotations

import copy
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.nn import functional
from video2reward.evals.quadnet.network import NUM_CHANNELS, STRIDE, QuadrupedNet
from video2reward.tools.pose.quadnet import INPUT_PX
from video2reward.tools.pose.simcc import SPLIT_RATIO

_OUTPUTS = ["simcc_x", "simcc_y", "heatmaps", "outline", "facing"]
_WINDOW = 5
_BLUR_CELLS = 0.7


class _Exported(nn.Module):
    """Adds what the eyes read: SimCC curves (N, 32, 384), heat maps that sum to one, the outline in [0, 1]
    and the log-odds that the animal faces right.

    A curve is the highest of the heat maps' window sums over the other axis, so both curves of a point have their
    maximum at the same peak of its heat map, and its height is the share of the probability near it. (RTMPose's own
    curves are learnt one axis at a time; of two legs they may take x from one and y from the other.)
    """

    def __init__(self, net: QuadrupedNet) -> None:
        super().__init__()
        self.net = net
        bins, cells = int(INPUT_PX * SPLIT_RATIO), INPUT_PX // STRIDE
        position = (torch.arange(bins) / SPLIT_RATIO - (STRIDE - 1) / 2) / STRIDE
        weights = torch.exp(-((position[:, None] - torch.arange(cells)) ** 2) / (2 * _BLUR_CELLS**2)) + 1e-9
        self.register_buffer("finer", (weights / weights.sum(1, keepdim=True)).T.contiguous())

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """Return simcc_x, simcc_y (N, 32, 384), heatmaps (N, 32, 48, 48), outline (N, 1, 48, 48), facing (N,)."""
        logits, facing = self.net(pictures)
        heat = torch.softmax(logits[:, :NUM_CHANNELS].flatten(2), dim=2).unflatten(2, logits.shape[2:])
        near = functional.avg_pool2d(heat, _WINDOW, 1, _WINDOW // 2) * _WINDOW**2
        x_curves, y_curves = near.amax(dim=2) @ self.finer, near.amax(dim=3) @ self.finer
        return x_curves, y_curves, heat, torch.sigmoid(logits[:, NUM_CHANNELS:]), facing


def export_onnx(net: QuadrupedNet, file: Path) -> None:
    """Write the network for pictures (N, 5, 192, 192) in 0-255, N free; weights lie in half precision on disk only."""
    exported = _Exported(copy.deepcopy(net)).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the newer exporter cannot yet keep N free here
        torch.onnx.export(
            exported,
            (torch.zeros(1, 5, INPUT_PX, INPUT_PX),),
            str(file),
            dynamo=False,
            input_names=["pictures"],
            output_names=_OUTPUTS,
            dynamic_axes={name: {0: "N"} for name in ("pictures", *_OUTPUTS)},
        )
    _halve(file)


def _halve(file: Path) -> None:
    """Keep large weights as float16, cast back to float32 when the file is loaded: half the size, the same speed."""
    model = onnx.load(str(file))
    kept = list(model.graph.initializer)
    del model.graph.initializer[:]
    for weight in kept:
        values = numpy_helper.to_array(weight)
        if values.dtype == np.float32 and values.size > 256:
            half = numpy_helper.from_array(values.astype(np.float16), weight.name + "_half")
            cast = helper.make_node("Cast", [half.name], [weight.name], to=TensorProto.FLOAT)
            model.graph.initializer.append(half)
            model.graph.node.insert(0, cast)
        else:
            model.graph.initializer.append(weight)
    onnx.checker.check_model(model)
    onnx.save(model, str(file))
