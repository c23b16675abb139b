"""Steps: every stretch in which a foot is off the ground, and which of them are strict, lifted steps.

A strict step lifts the sole by at least 0.05 L, is airborne for at least three control steps and lands at least 0.08 L
ahead along the heading (behind where the target goes backward; anywhere where it stays on the spot). Everything else is
a raw touchdown: a shuffle, a bounce, a slide.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from video2reward.memory.records import Travel
from video2reward.tools.critic.evidence import Bools, Floats, Rollout

MIN_LIFT = 0.05
"""Clearance of the sole, in leg lengths."""
MIN_AIRBORNE_CONTROL_STEPS = 3
MIN_AHEAD = 0.08
"""From lift-off to touchdown along the heading, in leg lengths."""

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Swings:
    """Every airborne stretch that ended in a counted touchdown, sorted by environment, foot and time; arrays (M,)."""

    env: Ints
    foot: Ints
    lift_s: Floats
    land_s: Floats
    clearance: Floats
    ahead: Floats
    lifted: Bools
    strict: Bools
    counted_s: Floats
    num_feet: int

    def rate_hz(self, chosen: Bools) -> Floats:
        """Return how often each foot of each environment did so, per counted second (N, F); 0 where nothing counts."""
        count = np.zeros((len(self.counted_s), self.num_feet))
        np.add.at(count, (self.env[chosen], self.foot[chosen]), 1.0)
        return count / np.maximum(self.counted_s, 1e-9)[:, None]

    def mean_rate_hz(self, chosen: Bools) -> Floats:
        """Return each foot's rate over all environments together (F,)."""
        count = np.bincount(self.foot[chosen], minlength=self.num_feet)
        return count / max(float(self.counted_s.sum()), 1e-9)

    @cached_property
    def touchdowns_s(self) -> list[list[Floats]]:
        """Return the times at which each foot of each environment ended a lifted stretch, [env][foot]."""
        found = []
        for env in range(len(self.counted_s)):
            here = self.lifted & (self.env == env)
            found.append([self.land_s[here & (self.foot == foot)] for foot in range(self.num_feet)])
        return found


def find_swings(rollout: Rollout, travel: Travel) -> Swings:
    """Return the swings whose touchdown is counted."""
    contact = np.moveaxis(rollout.foot_contact, 0, -1)  # (N, F, S): one row per foot
    num_steps = contact.shape[-1]
    off = np.flatnonzero(_edges(~contact))
    on = np.flatnonzero(_edges(contact))
    # Lift-offs and touchdowns of one row alternate: the last lift-off before a touchdown is its own.
    before = np.searchsorted(off, on) - 1
    on, off = on[before >= 0], off[before[before >= 0]]  # one that is in the air from the start has none
    whole = off // num_steps == on // num_steps
    on, off = on[whole], off[whole]
    row, land = on // num_steps, on % num_steps
    env, foot, lift = row // rollout.robot.num_feet, row % rollout.robot.num_feet, off % num_steps
    control = land // rollout.decimation
    keep = rollout.counted[control, env]
    env, foot, lift, land, on, off, control = (a[keep] for a in (env, foot, lift, land, on, off, control))

    leg_m = rollout.robot.leg_length_m
    position = rollout.foot_pos_w
    heading = rollout.heading_w[control, env] + rollout.heading_w[lift // rollout.decimation, env]
    heading /= np.maximum(np.linalg.norm(heading, axis=-1, keepdims=True), 1e-9)
    moved = position[land, env, foot, :2] - position[lift, env, foot, :2]
    ahead = (moved * heading).sum(-1) / leg_m
    clearance = _highest(np.moveaxis(position[..., 2], 0, -1).ravel(), off, on) / leg_m
    airborne_s = (land - lift) * rollout.physics_dt_s
    lifted = (clearance >= MIN_LIFT) & (airborne_s >= MIN_AIRBORNE_CONTROL_STEPS * rollout.control_dt_s - 1e-9)
    on_the_way = {"forward": ahead >= MIN_AHEAD, "backward": ahead <= -MIN_AHEAD, "on_the_spot": np.isfinite(ahead)}
    return Swings(
        env=env,
        foot=foot,
        lift_s=(lift + 1) * rollout.physics_dt_s,
        land_s=(land + 1) * rollout.physics_dt_s,
        clearance=clearance,
        ahead=ahead,
        lifted=lifted,
        strict=lifted & on_the_way[travel],
        counted_s=rollout.counted.sum(axis=0) * rollout.control_dt_s,
        num_feet=rollout.robot.num_feet,
    )


def _edges(state: Bools) -> Bools:
    """Mark where a state begins along the last axis; what holds from the start did not begin."""
    begins = np.zeros_like(state)
    begins[..., 1:] = state[..., 1:] & ~state[..., :-1]
    return begins


def _highest(heights: Floats, starts: Ints, ends: Ints) -> Floats:
    """Return the largest of heights[start:end] for sorted stretches that do not overlap."""
    if not len(starts):
        return np.zeros(0)
    return np.maximum.reduceat(heights, np.column_stack([starts, ends]).ravel())[::2]
