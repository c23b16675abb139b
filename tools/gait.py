"""How the subject moves: stride frequency, duty, phases, speed, posture and the limbs' mean cycle, with confidence.

Everything is measured relative to the trunk and folded over the stride, so that frequency and phases need no camera
motion; only the speed does. Phases are those of touchdown, in strides, 0 for the reference limb (FL, or L).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

import numpy as np
from video2reward.memory.errors import BadClip
from video2reward.memory.records import GaitDescriptor, GaitLabel, KeypointTrack, Skeleton, Travel
from video2reward.tools.body import Body, read_body
from video2reward.tools.contact import (
    UNSEEN_CONTACT,
    FootCycle,
    Going,
    backward_speed,
    contact_by_stance,
    even_in_pairs,
    find_contact,
)
from video2reward.tools.cycle import PHASE_GRID, Stride, apart, find_stride, mean_cycle, turn
from video2reward.tools.gait_labels import gait_label
from video2reward.tools.track import TrackArrays

T = TypeVar("T")
GRAVITY_M_S2 = 9.81
ASSUMED_LEG_LENGTH_M: dict[Skeleton, float] = {"person": 0.9, "quadruped": 0.5}
"""Hip to ground: an adult person; a large dog. A clip shows no metres, so speed is measured in leg lengths."""
NUM_BINS = 32
_CYCLE_CUTOFF_HZ = 10.0
HIP_OVER_SHOULDER = 1.11
"""How much higher a dog's hip is than its shoulder: the mean of motion capture."""
ALTERNATING, TOGETHER = 0.4, 0.33
"""Lags between the two legs of a pair, in strides."""
_PAIRS = (("FL", "FR"), ("RL", "RR"))
PLAIN_RHYTHM = 0.3
"""Strides this much alike in the pictures leave no doubt of their frequency."""
SIDES_SURE, FOOTFALLS_SURE = 0.75, 0.7
"""Below these, an animal's near and far legs, or its footfalls, are guesses; 0.75 standard errors are odds of 3.4."""
STANCE_SURE = 0.85
"""How far phases of the middles of stance are trusted, against those of touchdowns that were seen."""
SIDE_BY_SIDE = 0.06
"""Two feet of a pair that fall so close together, in strides, can be taken for each other and little changes."""
FAR_BEHIND, FOLLOWED_WELL = 0.5, 0.3
"""A background of which less than the second share agrees, and that goes less than the first share of what the feet
say, is far behind the ground: a camera that goes along leaves it where it is."""
MIDWAY = 0.09
"""So near to a quarter of a stride after another foot, in strides, a foot falls midway between two."""
AMBLE_FROUDE = 0.35
"""Slower than this, a gait with a walk's footfalls is one: a network's paws tell its duty less well than its speed. So
is one whose contacts were not seen: an amble has to be."""
BETWEEN = 0.3
"""Footfalls so little nearer to one gait than to the next are between the two."""
BOUND_FROUDE = 2.0
"""Faster than this, what is neither plainly a bound nor a gallop is one: large animals hardly bound."""
SIDES_PLAIN = 1.2
"""Above it near and far legs are told apart with odds of 8 to 1; between the two they are believed with a warning."""


def sides_matter(phases: Mapping[str, float]) -> bool:
    """Tell whether it makes a difference which leg is the near one.

    Where fore or hind feet fall together it does not: near and far of the other pair may be mistaken, which mirrors the
    animal. Nor where each foot of one pair falls midway between those of the other: that is a walk either way.
    """
    return min(_lags(phases), default=0.5) > SIDE_BY_SIDE and not _midway(phases)


def footfalls_told(
    track: KeypointTrack, phases: Mapping[str, float], confidence: Mapping[str, float], by_stance: bool = False
) -> bool:
    """Tell whether which foot falls when can be believed, of points the network saw in the pixels.

    Points of a keypoint file, and people's, carry their sides themselves. No gait has fore legs that alternate and hind
    legs that fall together, or the other way round (Hildebrand, 1989): where it looks so, a leg was mistaken. A gallop
    and a bound differ by less than the middles of the stances tell (`by_stance`).
    """
    if track.sides_sure is None:
        return True
    lags = _lags(phases)
    mixed = len(lags) == 2 and max(lags) > ALTERNATING and min(lags) < TOGETHER
    if by_stance and min(lags, default=0.0) < TOGETHER:
        return False
    sides_told = track.sides_sure >= SIDES_SURE or not sides_matter(phases)
    return not mixed and sides_told and confidence["phase_offsets"] >= FOOTFALLS_SURE


def short_for_a_walk(label: GaitLabel, duty: Mapping[str, float]) -> bool:
    """Tell whether a gait that is a walk by its speed was seen with its feet down too short for one: a bad duty."""
    return label == "walk" and float(np.mean(list(duty.values()))) < 0.5


def describe_gait(track: KeypointTrack, arrays: TrackArrays) -> GaitDescriptor:
    """Measure the gait of a track. Raises BadClip where no limbs can be followed or nothing strides."""
    body = read_body(track, arrays)
    known_hz = track.rhythm_hz * track.clip.slow_motion_factor if track.rhythm_hz else None
    stride = find_stride(body.forward_signals(), body.fps, known_hz)
    if stride is None:
        raise BadClip("the limbs show no rhythm: nothing walks, trots or runs here.", "Give a clip of steady strides.")
    harmonics = max(2, int(min(_CYCLE_CUTOFF_HZ, 0.4 * body.fps) / stride.frequency_hz))
    feet = {
        limb: FootCycle(*(mean_cycle(points.foot[:, axis], stride.phase, harmonics) for axis in range(2)))
        for limb, points in body.limbs.items()
    }
    trunk = [mean_cycle(body.trunk_w[:, axis], stride.phase, 2) for axis in range(2)]
    leg_px = _leg_length_px(body, feet, seen_by_network=track.sides_sure is not None)
    if np.mean([np.ptp(foot.forward.at(PHASE_GRID)) for foot in feet.values()]) < 0.05 * leg_px:
        raise BadClip("the subject stands: its feet hardly move against its body.", "Give a clip of steady strides.")

    speed_px_s = _mean_speed(body)
    backwards = speed_px_s < -0.2 * leg_px and track.camera != "unknown"
    belt_px_s = float(np.median([backward_speed(foot, stride, -1 if backwards else 1) for foot in feet.values()]))
    notes = [note for note in track.notes if note not in track.clip.notes] + list(body.notes)
    travel, speed_px_s, speed_sure = _travel(track, speed_px_s, belt_px_s, leg_px, notes)
    ground_px_s = speed_px_s if travel != "on_the_spot" else belt_px_s
    going = Going(body.skeleton, stride, trunk[0], trunk[1], ground_px_s, leg_px, harmonics)
    contacts = {limb: find_contact(body.limbs[limb], foot, going) for limb, foot in feet.items()}
    by_stance = track.sides_sure is not None and min(contact.sure for contact in contacts.values()) <= UNSEEN_CONTACT
    if by_stance:
        # What makes a foot's way look short makes it look slow as well: their ratio is right where neither is.
        under_feet = replace(going, ground_px_s=math.copysign(belt_px_s, ground_px_s))
        contacts = {limb: contact_by_stance(foot, under_feet) for limb, foot in feet.items()}
        notes.append("no contact with the ground is plain: touchdowns follow from the middles of the stances")
    elif track.sides_sure is not None:
        contacts = even_in_pairs(contacts)
    reference = next(iter(contacts))
    unsure = track.sides_sure is not None and track.sides_sure < SIDES_SURE
    if unsure and _diagonal({limb: contact.touchdown for limb, contact in contacts.items()}):
        # Walking animals but most primates put a hind foot down before the fore foot of its side (Hildebrand, 1965).
        body = replace(body, limbs=_hind_exchanged(body.limbs))
        contacts = _hind_exchanged(contacts)
    zero = contacts[reference].touchdown
    phases = {limb: turn(contact.touchdown - zero) for limb, contact in contacts.items()}
    duty = {limb: contact.duty for limb, contact in contacts.items()}
    label, clear = gait_label(body.skeleton, phases, duty)
    assumed_m = ASSUMED_LEG_LENGTH_M[body.skeleton]
    froude = (ground_px_s / leg_px) ** 2 * assumed_m / GRAVITY_M_S2
    if label == "amble" and track.sides_sure is not None:
        label = "walk" if froude < AMBLE_FROUDE or by_stance else label
    elif track.sides_sure is not None and clear < BETWEEN:
        label = _between(label, froude, duty)

    speed = speed_px_s / leg_px if travel != "on_the_spot" else 0.0
    periodic = float(np.mean([foot.forward.explained for foot in feet.values()]))
    contact_sure = float(np.mean([contact.sure for contact in contacts.values()]))
    enough = float(np.clip(stride.num_strides / 4, 0, 1))
    confidence = {
        "periodicity": float(np.clip(periodic, 0, 1)),
        "stride_frequency": float(np.clip(periodic * enough, 0, 1)),
        "duty_factor": float(np.clip(contact_sure * periodic * enough, 0, 1)),
        "phase_offsets": float(
            np.clip(periodic * enough * (STANCE_SURE if by_stance else 0.5 + 0.5 * contact_sure), 0, 1)
        ),
        "speed": float(np.clip(speed_sure, 0, 1)),
        "gait": float(np.clip(clear * periodic * enough, 0, 1)),
    }
    if track.sides_sure is not None and short_for_a_walk(label, duty):
        confidence["duty_factor"] = min(confidence["duty_factor"], 0.3)
    if track.rhythm_hz is not None:
        confidence["stride_frequency"] = float(np.clip(track.rhythm_strength / PLAIN_RHYTHM, 0, 1)) * enough
    if track.sides_sure is not None and sides_matter(phases):
        confidence["gait"] *= 0.5 * (1 + math.erf(track.sides_sure / math.sqrt(2)))
    if not footfalls_told(track, phases, confidence, by_stance):
        label, confidence["gait"] = "unknown", 0.0
        confidence["phase_offsets"] = min(confidence["phase_offsets"], 0.3)
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
        trunk_pitch_rad=float(np.nanmedian(body.pitch_rad)) if body.pitch_rad is not None else 0.0,
        trunk_bob_leg_lengths=float(np.ptp(trunk[1].at(PHASE_GRID))) / leg_px,
        limb_cycle=_limb_cycle(body, stride, zero, leg_px, harmonics),
        window_s=(body.window.start / track.fps, body.window.stop / track.fps),
        num_strides=stride.num_strides,
        confidence=confidence,
        notes=tuple(notes),
    )


def _lags(phases: Mapping[str, float]) -> list[float]:
    """Return how far apart, in strides, the two feet of each pair fall."""
    return [apart(phases[left], phases[right]) for left, right in _PAIRS if left in phases and right in phases]


def _midway(phases: Mapping[str, float]) -> bool:
    """Tell whether the feet of each pair alternate and each falls midway between the feet of the other pair."""
    if len(phases) < 4 or min(_lags(phases), default=0.0) <= ALTERNATING:
        return False
    return apart(2 * (phases["RL"] - phases["FL"]), 0.5) < 2 * MIDWAY


def _between(label: GaitLabel, froude: float, duty: Mapping[str, float]) -> GaitLabel:
    """Return the name of footfalls between two gaits, seen by the network, that speed and duty make the likelier one.

    A foot that is down for more than half a slow stride walks, though its side's feet fall nearly together; who is fast
    and brings the feet of a pair down one shortly after the other gallops.
    """
    if label == "pace" and froude < AMBLE_FROUDE and float(np.mean(list(duty.values()))) > 0.5:
        return "walk"
    if label == "bound" and froude > BOUND_FROUDE:
        return "gallop"
    return label


def _diagonal(phases: Mapping[str, float]) -> bool:
    return _midway(phases) and apart(phases["RL"] - phases["FL"], 0.25) < MIDWAY


def _hind_exchanged(by_limb: Mapping[str, T]) -> dict[str, T]:
    return {**by_limb, "RL": by_limb["RR"], "RR": by_limb["RL"]}


def _leg_length_px(body: Body, feet: dict[str, FootCycle], seen_by_network: bool) -> float:
    """Return the standing leg: hip over the ground, from the height of the hips over the lowest paths of the feet.

    The robot's leg length is the same: hip axis to ground. Where no hip was seen, a shoulder (1.11 times its height)
    or the tail base (0.87 times) stands for it, in the proportions of a dog. The embedded network puts hips anywhere
    between the joint and the line of the back, but shoulders where they are: of its points the shoulder is taken first.
    """
    hind = [limb for limb in body.limbs if limb in ("RL", "RR", "L", "R")]
    ways = [(hind, 1.0), ([limb for limb in body.limbs if limb in ("FL", "FR")], HIP_OVER_SHOULDER)]
    for limbs, factor in reversed(ways) if seen_by_network else ways:
        heights = [
            factor * (float(np.nanmedian(root[:, 1])) - _ground_px(feet[limb]))
            for limb in limbs
            if (root := body.limbs[limb].root) is not None
        ]
        if heights and min(heights) > 0:
            return float(np.mean(heights))
    ground = float(np.mean([_ground_px(feet[limb]) for limb in hind or feet]))
    top = float(np.nanmedian(body.tail_base[:, 1])) * 0.87 - ground * 0.87 if body.tail_base is not None else -ground
    return max(top, 1.0)


def _ground_px(foot: FootCycle) -> float:
    """Return where the ground lies under a foot, relative to the trunk: the lowest fifth of its path."""
    return float(np.quantile(foot.up.at(PHASE_GRID), 0.1))


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
        if abs(speed_px_s) < FAR_BEHIND * abs(belt_px_s) and track.camera_inlier_ratio < FOLLOWED_WELL:
            notes.append("what could be followed lies far behind: the speed is that of the ground under the feet")
            speed_px_s, sure = math.copysign(belt_px_s, speed_px_s), 0.4
    if abs(speed_px_s) < max(0.2 * leg_px, 0.25 * abs(belt_px_s)):
        return "on_the_spot", speed_px_s, sure
    return ("forward" if speed_px_s > 0 else "backward"), speed_px_s, sure


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
