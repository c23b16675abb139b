"""The network: a small residual encoder with a feature pyramid; heat maps at a quarter of the input's size.

Its input is (N, 5, H, W) in 0-255: RGB of the frame, grey of a frame shortly before and of one shortly after. The greys
enter as differences to the frame itself, so a still picture (three times the same) is a valid input. The animal faces
right: which way it does is told by a number of its own, and pictures of one that faces left are mirrored first.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional
from video2reward.tools.pose.quadnet import CHANNELS, NEAR_FAR_KEYPOINTS, PAIRS

NUM_KEYPOINTS, NUM_CHANNELS = len(NEAR_FAR_KEYPOINTS), len(CHANNELS)
STRIDE = 4
OUTSIDE_WEIGHT = 0.3
"""What it costs that a map points somewhere for a point that is outside, against a map that points wrongly."""
_GREY = (0.299, 0.587, 0.114)


def _conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _conv(channels, channels)
        self.second = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.norm(self.second(self.first(x))))


class QuadrupedNet(nn.Module):
    """Maps pictures (N, 5, H, W) to logits (N, 33, H/4, W/4) of CHANNELS and the outline, and of facing right (N,)."""

    def __init__(self) -> None:
        super().__init__()
        self.quarter = nn.Sequential(_conv(5, 24, 2), _conv(24, 40, 2), _Residual(40))
        self.eighth = nn.Sequential(_conv(40, 72, 2), _Residual(72), _Residual(72))
        self.sixteenth = nn.Sequential(_conv(72, 144, 2), _Residual(144), _Residual(144))
        self.coarse = nn.Sequential(_conv(144, 224, 2), _Residual(224))
        self.whole = nn.Linear(224, 224)
        self.facing = nn.Linear(224, 1)
        self.lateral = nn.ModuleList([nn.Conv2d(c, o, 1) for c, o in ((224, 72), (144, 72), (72, 72), (40, 48))])
        self.narrow = nn.Conv2d(72, 48, 1)
        self.smooth = nn.ModuleList([_conv(72, 72), _conv(72, 72), _conv(48, 48)])
        self.head = nn.Conv2d(48, NUM_CHANNELS + 1, 1)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """See the class. H and W are multiples of 32."""
        rgb, greys = pictures[:, :3], pictures[:, 3:]
        grey = (rgb * rgb.new_tensor(_GREY).view(1, 3, 1, 1)).sum(1, keepdim=True)
        x = torch.cat([(rgb - 118.0) / 60.0, (greys - grey) / 30.0], dim=1)
        quarter = self.quarter(x)
        eighth = self.eighth(quarter)
        sixteenth = self.sixteenth(eighth)
        coarse = self.coarse(sixteenth)
        whole = coarse.mean(dim=(2, 3))
        coarse = coarse + self.whole(whole)[:, :, None, None]
        y = self.smooth[0](self.lateral[1](sixteenth) + _doubled(self.lateral[0](coarse)))
        y = self.smooth[1](self.lateral[2](eighth) + _doubled(y))
        y = self.smooth[2](self.lateral[3](quarter) + _doubled(self.narrow(y)))
        return self.head(y), self.facing(whole)[:, 0]


def _doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")


def losses(logits: Tensor, points: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return the cross-entropy of the heat maps against Gaussians at the points, and that of the outline.

    `points` (N, 20, 3): x, y in input pixels; 1 where the point is in the picture, 0 where it does not count, and -1
    where it is outside: there the map shall point nowhere, so that a box about a part of an animal is not sure of
    itself. `mask` (N, H/4, W/4) in [0, 1].
    """
    logits, points = logits.float(), _with_ordered(points)
    sigma = 1.1
    centre = (points[..., :2] - (STRIDE - 1) / 2) / STRIDE
    along = [torch.arange(size, device=logits.device).float() for size in logits.shape[2:]]
    down = torch.exp(-((along[0] - centre[..., 1:2]) ** 2) / (2 * sigma**2))
    across = torch.exp(-((along[1] - centre[..., 0:1]) ** 2) / (2 * sigma**2))
    target = (down[..., :, None] * across[..., None, :]).flatten(2)
    target = target / (target.sum(-1, keepdim=True) + 1e-6)
    log_share = torch.log_softmax(logits[:, :NUM_CHANNELS].flatten(2), -1)
    seen, outside = points[..., 2].clamp(min=0), -points[..., 2].clamp(max=0)
    surprise = -(target * log_share).sum(-1) * seen
    pointed = (-log_share.mean(-1) - math.log(log_share.shape[-1])) * outside
    outline = functional.binary_cross_entropy_with_logits(logits[:, NUM_CHANNELS], mask)
    return (surprise + OUTSIDE_WEIGHT * pointed).sum() / seen.sum().clamp(min=1), outline


def _with_ordered(points: Tensor) -> Tensor:
    """Append each pair's one behind and one ahead: (N, 20, 3) -> (N, 32, 3), in the order of CHANNELS."""
    pairs = points[:, [index for near, far in PAIRS for index in (near, far)]].unflatten(1, (len(PAIRS), 2))
    swapped = (pairs[:, :, 0, 0] > pairs[:, :, 1, 0])[:, :, None, None]
    return torch.cat([points, torch.where(swapped, pairs.flip(2), pairs).flatten(1, 2)], dim=1)
