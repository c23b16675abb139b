"""When a foot is on the ground: touchdown and duty, from its mean path over the stride."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from video2reward.memory.records import Skeleton
from video2reward.tools.body import Limb
from video2reward.tools.cycle import PHASE_GRID, MeanCycle, Stride, apart, longest_arc, mean_cycle, turn

CONTACT_SPEED, CONTACT_RISE = 0.5, 0.36
"""An animal's foot on the ground is slower than these shares of the body's speed, along the ground and up or down: both
together, as the axes of an ellipse. A planted foot does not rise, but seems to slide as far as the body's own speed is
unsteady. By its way along the ground alone a forefoot, which goes back before it lands, would touch down too early; by
its fall alone a hind foot would, which comes in flat. A tenth more or less of either moves mean phases by under .01."""
RUNNER_CONTACT_SPEED = 0.55
"""The same for running people, whose feet roll from heel to toe while they stand."""
CONTACT_HEIGHT = 0.1
"""... and lower than this share of the leg length: what is seen of a paw errs by half of that."""
UNSEEN_CONTACT = 0.2
"""How sure a contact is that was not seen, or lies far from where the foot's way has the middle of its stance."""
BRIDGE = 0.1
"""Holes in a contact of at most this share of a stride are noise: no foot swings that fast."""
RISE = 0.3
"""A foot that stays slow over the ground does not swing, however high it seems: what is seen of a paw jumps where the
other leg passes. Up to this share of a stride is bridged by that."""
ARC_ALONE = 0.3
"""How far a leg's own arc tells when the middle of its stance is, against what its pair's arcs tell together."""


@dataclass(frozen=True)
class FootCycle:
    """A foot's mean path relative to the trunk: forward and up, in pixels."""

    forward: MeanCycle
    up: MeanCycle


@dataclass(frozen=True)
class Going:
    """What all feet of one subject share: its stride, the trunk's own mean motion, and the ground under it.

    `ground_px_s` is how fast the ground goes back under the body: negative for one that walks backwards.
    """

    skeleton: Skeleton
    stride: Stride
    trunk_forward: MeanCycle
    trunk_up: MeanCycle
    ground_px_s: float
    leg_px: float
    num_harmonics: int

    @property
    def direction(self) -> int:
        return -1 if self.ground_px_s < 0 else 1


@dataclass(frozen=True)
class Contact:
    """When in the stride a foot touches down and for what share of it it stays.

    `way_middle` is the middle of the stance as the foot's way tells it, `middle_of_stance`.
    """

    touchdown: float
    duty: float
    sure: float
    way_middle: float

    @property
    def later(self) -> float:
        """How much later than its way tells the middle of this contact is, in strides."""
        return (self.touchdown + self.duty / 2 - self.way_middle + 0.5) % 1.0 - 0.5


def find_contact(limb: Limb, foot: FootCycle, going: Going) -> Contact:
    """Return when in the stride the foot touches down and for how long it stays.

    A walking person by Zeni et al. (2008): from the heel farthest ahead of the pelvis to the toe farthest behind. When
    running, and in animals, feet swing back before they land and after they leave: there, by when the foot is slow over
    the ground and low.
    """
    middle = middle_of_stance(foot, going.direction)
    walker = going.skeleton == "person" and going.direction > 0 and not _bounces(middle, going.trunk_up)
    if walker and (walking := _zeni(limb, foot, going, middle)):
        return walking
    frequency = going.stride.frequency_hz
    forward_slope = foot.forward.slope(PHASE_GRID, frequency) + going.trunk_forward.slope(PHASE_GRID, frequency)
    up_slope = foot.up.slope(PHASE_GRID, frequency) + going.trunk_up.slope(PHASE_GRID, frequency)
    up = foot.up.at(PHASE_GRID) + going.trunk_up.at(PHASE_GRID)
    # A foot cannot go back faster than the ground it stands on: where it seems to, it stands.
    sliding = np.maximum(going.direction * (going.ground_px_s + forward_slope), 0.0)
    fastest = max(abs(going.ground_px_s), 0.3 * going.leg_px)
    if going.skeleton == "person":
        moving = np.maximum(sliding, np.abs(up_slope)) / fastest / RUNNER_CONTACT_SPEED
    else:
        moving = np.hypot(sliding / CONTACT_SPEED, up_slope / CONTACT_RISE) / fastest
    height = (up - np.quantile(up, 0.05)) / going.leg_px
    down = (moving < 1) & (height < CONTACT_HEIGHT)
    if going.skeleton != "person":
        down = _without_rises(down, sliding < CONTACT_SPEED * fastest)
    arc = longest_arc(down, int(BRIDGE * len(PHASE_GRID)))
    if arc is None or not 0.08 < arc[1] < 0.95:
        low_share = float(np.clip((height < CONTACT_HEIGHT).mean(), 0.2, 0.8))
        return Contact(turn(middle - low_share / 2), low_share, UNSEEN_CONTACT, middle)
    start, length = arc
    sure = float(np.clip(1 - apart(start + length / 2, middle) / 0.15, UNSEEN_CONTACT, 1))
    return Contact(start, length, sure, middle)


def even_in_pairs(contacts: Mapping[str, Contact]) -> dict[str, Contact]:
    """Give left and right of each pair the mean of their duties, about middles of their stances that agree.

    For feet seen by a network: its errors draw one stance out and cut another short. The duties themselves are the same
    in symmetrical gaits (Hildebrand, 1989) and differ by a few hundredths between the leading and the trailing leg of a
    dog's canter. When a foot is in the middle of its stance its way tells better than its contact does; how much later
    the contact's middle is than that, as where feet land ahead of the hip, is much the same for both legs of a pair.
    """
    even = {}
    for limb, contact in contacts.items():
        pair = [contacts[name] for name in (limb[:-1] + "L", limb[:-1] + "R") if name in contacts]
        duty = float(np.mean([one.duty for one in pair]))
        together = float(np.mean([one.later for one in pair]))
        later = ARC_ALONE * contact.later + (1 - ARC_ALONE) * together
        even[limb] = replace(contact, touchdown=turn(contact.way_middle + later - duty / 2), duty=duty)
    return even


def contact_by_stance(foot: FootCycle, going: Going) -> Contact:
    """Return the contact of a foot whose path is too unsteady to see it land: half a stance about its middle.

    While it stands it goes back under the body as fast as the ground, from one end of its way to the other: the stance
    lasts as long as the ground takes for that.
    """
    way = float(np.ptp(foot.forward.at(PHASE_GRID)))
    ground = max(abs(going.ground_px_s), 1e-9)
    duty = float(np.clip(way * going.stride.frequency_hz / ground, 0.2, 0.75))
    middle = middle_of_stance(foot, going.direction)
    return Contact(turn(middle - duty / 2), duty, UNSEEN_CONTACT, middle)


def backward_speed(foot: FootCycle, stride: Stride, direction: int = 1) -> float:
    """Return how fast the foot goes back against the body in the middle of stance: the speed of the ground under it."""
    around = middle_of_stance(foot, direction) + np.linspace(-0.12, 0.12, 25)
    return -float(np.median(foot.forward.slope(around, stride.frequency_hz)))


def middle_of_stance(foot: FootCycle, direction: int = 1) -> float:
    """Return the phase at which the foot, on the ground, is as far ahead as behind: the zero of its fundamental.

    A foot that goes back at one speed and forward at another is odd about the middle of its stance, whatever its duty.
    """
    return turn(np.angle(foot.forward.fundamental) / (2 * np.pi) + 0.25 * direction)


def _without_rises(down: NDArray[np.bool_], slow: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return `down`, a circle of cells, with its holes filled that are `slow` all along and not longer than RISE."""
    if down.all() or not down.any():
        return down
    start = int(np.flatnonzero(down & ~np.roll(down, -1))[0]) + 1  # the first cell of a hole
    ring, slow = np.roll(down, -start), np.roll(slow, -start)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], (~ring).astype(np.int8), [0]])))
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        ring[first:last] = last - first <= RISE * len(ring) and bool(slow[first:last].all())
    return np.roll(ring, start)


def _bounces(middle: float, trunk_up: MeanCycle) -> bool:
    """Tell a run from a walk: over the standing leg the trunk is at its lowest, and not, as in a walk, at its highest.

    Cavagna et al. (1976): running is bouncing, walking vaulting.
    """
    twice_a_stride = trunk_up.at(middle + np.array([0.0, 0.25, 0.5, 0.75])) * (1, -1, 1, -1)
    return float(twice_a_stride.sum()) < 0


def _zeni(limb: Limb, foot: FootCycle, going: Going, middle: float) -> Contact | None:
    """Return the contact of a walk; None where it does not last about two thirds of the stride."""
    ends = []
    for points, extreme in ((limb.heel, np.argmax), (limb.toe, np.argmin)):
        known = points is not None
        cycle = mean_cycle(points[:, 0], going.stride.phase, going.num_harmonics) if known else foot.forward
        ends.append(float(PHASE_GRID[extreme(cycle.at(PHASE_GRID))]))
    duty = turn(ends[1] - ends[0])
    return Contact(ends[0], duty, 0.9, middle) if 0.52 <= duty < 0.85 else None
