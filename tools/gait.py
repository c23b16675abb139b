"""How the subject moves: stride frequency, duty, phases, speed, posture and the limbs' mean cycle, with confidence.

Everything is measured relative to the trunk and folded over the stride, so that frequency and phases need no camera
motion; only the speed does. Phases are those of touchdown, in strides, 0 for the reference limb (FL, or L).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from video2reward.memory.errors import BadClip
from video2reward.memory.records import GaitDescriptor, KeypointTrack, Skeleton, Travel
from video2reward.tools.body import Body, Limb, read_body
from video2reward.tools.cycle import PHASE_GRID, MeanCycle, Stride, find_stride, longest_arc, mean_cycle, turn
from video2reward.tools.gait_labels import gait_label
from video2reward.tools.track import TrackArrays

GRAVITY_M_S2 = 9.81
ASSUMED_LEG_LENGTH_M: dict[Skeleton, float] = {"person": 0.9, "quadruped": 0.5}
"""Hip to ground: an adult person; a large dog. A clip shows no metres, so speed is measured in leg lengths."""
CONTACT_SPEED = 0.45
"""A foot on the ground is slower than this share of the body's speed, in the frame of the ground."""
CONTACT_HEIGHT = 0.15
"""... and lower than this share of the leg length."""
BRIDGE = 0.1
"""Holes in a contact of at most this share of a stride are noise: no foot swings that fast."""
NUM_BINS = 32
_CYCLE_CUTOFF_HZ = 10.0


@dataclass(frozen=True)
class _FootCycle:
    forward: MeanCycle
    up: MeanCycle


@dataclass(frozen=True)
class _Contact:
    touchdown: float
    duty: float
    sure: float


def describe_gait(track: KeypointTrack, arrays: TrackArrays) -> GaitDescriptor:
    """Measure the gait of a track. Raises BadClip where no limbs can be followed or nothing strides."""
    body = read_body(track, arrays)
    stride = find_stride(body.forward_signals(), body.fps)
    if stride is None:
        raise BadClip("the limbs show no rhythm: nothing walks, trots or runs here.", "Give a clip of steady strides.")
    harmonics = max(2, int(min(_CYCLE_CUTOFF_HZ, 0.4 * body.fps) / stride.frequency_hz))
    feet = {
        limb: _FootCycle(*(mean_cycle(points.foot[:, axis], stride.phase, harmonics) for axis in range(2)))
        for limb, points in body.limbs.items()
    }
    trunk = [mean_cycle(body.trunk_w[:, axis], stride.phase, 2) for axis in range(2)]
    leg_px = _leg_length_px(body, feet)
    if np.mean([np.ptp(foot.forward.at(PHASE_GRID)) for foot in feet.values()]) < 0.05 * leg_px:
        raise BadClip("the subject stands: its feet hardly move against its body.", "Give a clip of steady strides.")

    belt_px_s = float(np.median([_backward_speed(foot, stride) for foot in feet.values()]))
    speed_px_s = _mean_speed(body)
    notes = list(body.notes)
    travel, speed_px_s, speed_sure = _travel(track, speed_px_s, belt_px_s, leg_px, notes)
    ground_px_s = speed_px_s if travel != "on_the_spot" else belt_px_s
    contacts = {
        limb: _contact(body.limbs[limb], foot, trunk, stride, ground_px_s, leg_px, harmonics, body.skeleton)
        for limb, foot in feet.items()
    }
    reference = next(iter(contacts))
    zero = contacts[reference].touchdown
    phases = {limb: turn(contact.touchdown - zero) for limb, contact in contacts.items()}
    duty = {limb: contact.duty for limb, contact in contacts.items()}
    label, clear = gait_label(body.skeleton, phases, duty)

    assumed_m = ASSUMED_LEG_LENGTH_M[body.skeleton]
    speed = speed_px_s / leg_px if travel != "on_the_spot" else 0.0
    periodic = float(np.mean([foot.forward.explained for foot in feet.values()]))
    contact_sure = float(np.mean([contact.sure for contact in contacts.values()]))
    enough = float(np.clip(stride.num_strides / 4, 0, 1))
    kind = "person" if body.skeleton == "person" else "dog"
    notes.append(f"a leg length of {assumed_m} m was assumed (a {kind}, hip to ground)")
    if travel == "on_the_spot" and belt_px_s > 0.5 * leg_px * stride.frequency_hz:
        notes.append(
            f"on the spot, as on a treadmill: the feet go back at {belt_px_s / leg_px:.1f} leg lengths a second"
        )
    return GaitDescriptor(
        subject=body.skeleton,
        gait=label,
        stride_frequency_hz=stride.frequency_hz,
        duty_factor=duty,
        phase_offsets=phases,
        speed_leg_lengths_s=speed,
        froude=speed**2 * assumed_m / GRAVITY_M_S2,
        leg_length_m_assumed=assumed_m,
        leg_length_px=leg_px,
        stride_frequency_dimensionless=stride.frequency_hz * (assumed_m / GRAVITY_M_S2) ** 0.5,
        travel=travel,
        facing={1: "right", -1: "left", 0: "unknown"}[body.facing],
        trunk_pitch_rad=float(np.median(body.pitch_rad)) if body.pitch_rad is not None else 0.0,
        trunk_bob_leg_lengths=float(np.ptp(trunk[1].at(PHASE_GRID))) / leg_px,
        limb_cycle=_limb_cycle(body, stride, zero, leg_px, harmonics),
        window_s=(body.window.start / track.fps, body.window.stop / track.fps),
        num_strides=stride.num_strides,
        confidence={
            "periodicity": float(np.clip(periodic, 0, 1)),
            "stride_frequency": float(np.clip(periodic * enough, 0, 1)),
            "duty_factor": float(np.clip(contact_sure * periodic * enough, 0, 1)),
            "phase_offsets": float(np.clip(periodic * enough * (0.5 + 0.5 * contact_sure), 0, 1)),
            "speed": float(np.clip(speed_sure, 0, 1)),
            "gait": float(np.clip(clear * periodic * enough, 0, 1)),
        },
        notes=tuple(notes),
    )


def _leg_length_px(body: Body, feet: dict[str, _FootCycle]) -> float:
    """Return the standing leg: hip over the ground, from the height of the hips over the lowest paths of the feet.

    The robot's leg length is the same: hip axis to ground. Where no hip was seen, a shoulder (1.15 times its height)
    or the tail base (0.87 times) stands for it, in the proportions of a dog.
    """
    hind = [limb for limb in body.limbs if limb in ("RL", "RR", "L", "R")]
    for limbs, factor in ((hind, 1.0), ([limb for limb in body.limbs if limb in ("FL", "FR")], 1.15)):
        heights = [
            factor * (float(np.median(root[:, 1])) - _ground_px(feet[limb]))
            for limb in limbs
            if (root := body.limbs[limb].root) is not None
        ]
        if heights and min(heights) > 0:
            return float(np.mean(heights))
    ground = float(np.mean([_ground_px(feet[limb]) for limb in hind or feet]))
    top = float(np.median(body.tail_base[:, 1])) * 0.87 - ground * 0.87 if body.tail_base is not None else -ground
    return max(top, 1.0)


def _ground_px(foot: _FootCycle) -> float:
    """Return where the ground lies under a foot, relative to the trunk: the lowest fifth of its path."""
    return float(np.quantile(foot.up.at(PHASE_GRID), 0.1))


def _backward_speed(foot: _FootCycle, stride: Stride) -> float:
    """Return how fast the foot goes back against the body in the middle of stance: the speed of the ground under it."""
    around = _middle_of_stance(foot) + np.linspace(-0.12, 0.12, 25)
    return -float(np.median(foot.forward.slope(around, stride.frequency_hz)))


def _middle_of_stance(foot: _FootCycle) -> float:
    """Return the phase at which the foot, on its way back, is as far ahead as behind: the fundamental's zero.

    A foot that goes back at one speed and forward at another is odd about the middle of its stance, whatever its duty.
    """
    return turn(np.angle(foot.forward.fundamental) / (2 * np.pi) + 0.25)


def _mean_speed(body: Body) -> float:
    """Return the way over the time, from a cubic through the trunk's path: a bob or a speeding-up does no harm."""
    along = np.linspace(-1, 1, body.num_frames)
    path = np.polynomial.Polynomial.fit(along, body.trunk_w[:, 0], 3)
    return float(path(1.0) - path(-1.0)) * body.fps / (body.num_frames - 1)


def _travel(
    track: KeypointTrack, speed_px_s: float, belt_px_s: float, leg_px: float, notes: list[str]
) -> tuple[Travel, float, float]:
    """Return which way the subject goes, its speed, and how sure that is.

    The trunk's way over the background and the speed of the ground under the feet are two independent measures. Where
    the background could not be followed only the second is left.
    """
    if track.camera == "unknown" or track.camera_inlier_ratio < 0.15:
        notes.append("the background could not be followed: the speed is that of the ground under the feet")
        speed_px_s, sure = belt_px_s, 0.4
    else:
        largest = max(abs(speed_px_s), abs(belt_px_s), 0.2 * leg_px)
        agree = 1 - min(abs(speed_px_s - belt_px_s) / largest, 1.0)
        sure = (0.5 + 0.5 * agree) * min(1.0, track.camera_inlier_ratio / 0.5)
    if abs(speed_px_s) < max(0.2 * leg_px, 0.25 * abs(belt_px_s)):
        return "on_the_spot", speed_px_s, sure
    return ("forward" if speed_px_s > 0 else "backward"), speed_px_s, sure


def _contact(
    limb: Limb,
    foot: _FootCycle,
    trunk: list[MeanCycle],
    stride: Stride,
    ground_px_s: float,
    leg_px: float,
    harmonics: int,
    skeleton: Skeleton,
) -> _Contact:
    """Return when in the stride the foot touches down and for how long it stays.

    A walking person by Zeni et al. (2008): from the heel farthest ahead of the pelvis to the toe farthest behind. When
    running, and in animals, feet swing back before they land and after they leave: there, by when the foot is slow over
    the ground and low.
    """
    if skeleton == "person" and not _bounces(foot, trunk[1]) and (walking := _zeni(limb, foot, stride, harmonics)):
        return walking
    up = foot.up.at(PHASE_GRID) + trunk[1].at(PHASE_GRID)
    forward_slope = foot.forward.slope(PHASE_GRID, stride.frequency_hz)
    forward_slope = forward_slope + trunk[0].slope(PHASE_GRID, stride.frequency_hz)
    up_slope = foot.up.slope(PHASE_GRID, stride.frequency_hz) + trunk[1].slope(PHASE_GRID, stride.frequency_hz)
    slow = np.hypot(ground_px_s + forward_slope, up_slope) < CONTACT_SPEED * max(abs(ground_px_s), 0.3 * leg_px)
    low = up - np.quantile(up, 0.05) < CONTACT_HEIGHT * leg_px
    arc = longest_arc(slow & low, bridge=int(BRIDGE * len(PHASE_GRID)))
    middle = _middle_of_stance(foot)
    if arc is None or not 0.08 < arc[1] < 0.95:
        low_share = float(np.clip(low.mean(), 0.2, 0.8))
        return _Contact(turn(middle - low_share / 2), low_share, 0.2)
    start, length = arc
    off = abs((start + length / 2 - middle + 0.5) % 1.0 - 0.5)
    return _Contact(start, length, float(np.clip(1 - off / 0.15, 0.2, 1)))


def _bounces(foot: _FootCycle, trunk_up: MeanCycle) -> bool:
    """Tell a run from a walk: over the standing leg the trunk is at its lowest, and not, as in a walk, at its highest.

    Cavagna et al. (1976): running is bouncing, walking vaulting.
    """
    middle = _middle_of_stance(foot)
    twice_a_stride = trunk_up.at(np.array([middle, middle + 0.25, middle + 0.5, middle + 0.75])) * (1, -1, 1, -1)
    return float(twice_a_stride.sum()) < 0


def _zeni(limb: Limb, foot: _FootCycle, stride: Stride, harmonics: int) -> _Contact | None:
    """Return the contact of a walk; None where it does not last about two thirds of the stride."""
    ends = []
    for points, extreme in ((limb.heel, np.argmax), (limb.toe, np.argmin)):
        cycle = foot.forward if points is None else mean_cycle(points[:, 0], stride.phase, harmonics)
        ends.append(float(PHASE_GRID[extreme(cycle.at(PHASE_GRID))]))
    duty = turn(ends[1] - ends[0])
    return _Contact(ends[0], duty, 0.9) if 0.52 <= duty < 0.85 else None


def _limb_cycle(
    body: Body, stride: Stride, zero: float, leg_px: float, harmonics: int
) -> dict[str, tuple[tuple[float, float], ...]]:
    """Return each limb's mean path from its root, in leg lengths, from the reference limb's touchdown on."""
    bins = zero + np.arange(NUM_BINS) / NUM_BINS
    cycle = {}
    for name, limb in body.limbs.items():
        for part, points in (("foot", limb.foot), ("mid", limb.mid)):
            if points is None or limb.root is None:
                continue
            path = [mean_cycle(points[:, axis] - limb.root[:, axis], stride.phase, harmonics) for axis in range(2)]
            forward, up = (side.at(bins) / leg_px for side in path)
            cycle[f"{name}_{part}"] = tuple(
                (round(float(x), 5), round(float(z), 5)) for x, z in zip(forward, up, strict=True)
            )
    return cycle
