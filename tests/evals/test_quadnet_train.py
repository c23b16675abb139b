"""Training: a changed sample keeps its truth, the loss is lowest at the truth, a run goes on where it stopped."""

import numpy as np
import pytest
import torch
from video2reward.evals.quadnet.network import STRIDE, QuadrupedNet, losses
from video2reward.evals.quadnet.store import CAPACITY, HELD_OUT, fill, next_place, open_ring
from video2reward.evals.quadnet.train import make_batch, train
from video2reward.tools.pose.network import Network
from video2reward.tools.pose.quadnet import CHANNELS, INPUT_PX, NEAR_FAR_KEYPOINTS, PAIRS

WITHERS, TAIL_BASE = (NEAR_FAR_KEYPOINTS.index(name) for name in ("withers", "tail_base"))


@pytest.fixture(scope="module")
def ring(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ring")
    drawn = fill(folder, minutes=0.02, seed=3, rest=0.0)
    ring = open_ring(folder)
    assert ring.filled == drawn > 5 and len(ring.images) == CAPACITY
    return ring


def share_on_mask(batch):
    hits = []
    for points, mask in zip(batch.points.numpy(), np.pad(batch.masks.numpy(), ((0, 0), (1, 1), (1, 1))), strict=True):
        for x, y, counts in points:
            if counts > 0:
                column, row = int(x / STRIDE), int(y / STRIDE)
                hits.append(mask[row : row + 3, column : column + 3].max() > 0.2)
    return np.mean(hits)


def test_turned_scaled_and_mirrored_samples_keep_their_points_on_the_animal(ring):
    places = np.arange(ring.filled)
    plain = make_batch(ring, places, 128, None)
    changed = make_batch(ring, places, 128, np.random.default_rng(0))
    assert not torch.equal(plain.points, changed.points)
    right = changed.facing > 0
    assert not changed.points[~right, :, 2].any()
    assert share_on_mask(changed) > share_on_mask(plain) - 0.05
    assert share_on_mask(plain) > 0.85


def test_a_full_ring_is_written_over_except_for_what_is_held_out():
    places = [next_place(count, HELD_OUT + 3) for count in range(HELD_OUT + 9)]
    # The first round fills every place; then the three after the held-out ones go round.
    assert places[: HELD_OUT + 3] == list(range(HELD_OUT + 3))
    assert places[HELD_OUT + 3 :] == [HELD_OUT, HELD_OUT + 1, HELD_OUT + 2] * 2


def test_samples_are_mirrored_to_face_right(ring):
    batch = make_batch(ring, np.arange(ring.filled), 128, np.random.default_rng(1))
    ahead = batch.points[:, WITHERS, 0] - batch.points[:, TAIL_BASE, 0]
    # A turn of a few degrees may swap the two of an animal that is seen from its end.
    assert ((ahead > -2) == (batch.facing > 0)).float().mean() > 0.9


def test_points_outside_a_picture_are_known_to_be_so(ring):
    places = np.tile(np.arange(ring.filled), 12)
    batch = make_batch(ring, places, 128, np.random.default_rng(2))
    xy, told = batch.points[..., :2].numpy(), batch.points[..., 2].numpy()
    drawn = ring.points[places, :, 2] > 0  # the rest lay outside the picture as it was drawn
    inside = ((xy > -1) & (xy < 128)).all(-1) & drawn
    right = (batch.facing > 0).numpy()
    np.testing.assert_array_equal(told[right], np.where(inside, 1, -1)[right])
    assert not told[~right].any()
    assert (told[right] == -1).any() and (told[right] == 1).any()


def test_a_map_of_a_point_outside_shall_point_nowhere():
    points = torch.zeros(1, len(NEAR_FAR_KEYPOINTS), 3)
    points[:, 0, 2], points[:, 1, 2] = 1, -1
    flat = torch.zeros(1, len(CHANNELS) + 1, 32, 32)
    pointing = flat.clone()
    pointing[:, 1, 16, 16] = 12.0
    assert losses(pointing, points, torch.zeros(1, 32, 32))[0] > losses(flat, points, torch.zeros(1, 32, 32))[0] + 0.1


def test_the_loss_is_lowest_where_the_maps_peak_at_the_truth():
    points = torch.zeros(1, len(NEAR_FAR_KEYPOINTS), 3)
    points[..., :2] = torch.rand(1, len(NEAR_FAR_KEYPOINTS), 2, generator=torch.Generator().manual_seed(0)) * 120
    points[..., 2] = 1

    def logits_at(xy):
        cells = torch.arange(32.0)
        centre = (xy - 1.5) / STRIDE
        down = (cells[:, None] - centre[:, None, 1, None]) ** 2
        across = (cells[None, :] - centre[:, None, 0, None]) ** 2
        return torch.cat([-(down + across) / 2.4, torch.zeros(1, 32, 32)])[None]

    ordered = []
    for near, far in PAIRS:
        pair = points[0, [near, far], :2]
        ordered.append(pair[pair[:, 0].argsort()])
    truth = torch.cat([points[0, :, :2], *ordered])
    exchanged = truth.clone()
    exchanged[20:] = truth[20:].unflatten(0, (-1, 2)).flip(1).flatten(0, 1)
    mask = torch.zeros(1, 32, 32)
    right = losses(logits_at(truth), points, mask)[0]
    assert right < losses(logits_at(truth + 6), points, mask)[0]
    assert right < losses(logits_at(exchanged), points, mask)[0]


def test_a_point_outside_the_picture_does_not_count():
    logits = torch.randn(1, len(CHANNELS) + 1, 24, 24, generator=torch.Generator().manual_seed(0))
    points = torch.full((1, len(NEAR_FAR_KEYPOINTS), 3), 40.0)
    points[..., 2] = 0
    points[0, 0, 2] = 1
    before = losses(logits, points, torch.zeros(1, 24, 24))[0]
    points[0, 5, :2] = 90.0
    assert torch.equal(before, losses(logits, points, torch.zeros(1, 24, 24))[0])


def test_the_network_takes_any_size_that_32_divides():
    net = QuadrupedNet().eval()
    with torch.no_grad():
        assert net(torch.zeros(1, 5, 96, 160))[0].shape == (1, len(CHANNELS) + 1, 24, 40)


@pytest.mark.slow
def test_a_run_goes_on_where_it_stopped_and_leaves_a_network_that_loads(tmp_path):
    # On a busy machine a minute draws few samples: what counts is that each call goes on where the last one stopped.
    while (before := open_ring(tmp_path / "ring").filled) <= HELD_OUT + 10:
        drawn = fill(tmp_path / "ring", minutes=0.05, seed=0, rest=0.0)
        assert drawn > 0 and open_ring(tmp_path / "ring").filled == before + drawn
    # Nor many steps: the minutes are those of all calls together, and are doubled until two calls have trained.
    steps, minutes = [0], 0.04
    while len(steps) < 3:
        train(tmp_path, minutes, seed=0, first_samples=HELD_OUT + 10)
        done = torch.load(tmp_path / "checkpoint.pt", weights_only=True)["steps"]
        assert done >= steps[-1] and minutes < 20.0
        steps += [done] if done > steps[-1] else []
        minutes *= 2.0
    network = Network(tmp_path / "quadnet.onnx")
    curves = network.run(np.zeros((2, 5, INPUT_PX, INPUT_PX), np.float32))[0]
    assert curves.shape == (2, len(CHANNELS), 2 * INPUT_PX)
