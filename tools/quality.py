"""Say what in a clip can be trusted, and what a person can do about the rest, before any compute is spent."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from video2reward.memory.records import BIPED_LIMBS, QUADRUPED_LIMBS, GaitDescriptor, KeypointTrack, QualityReport
from video2reward.tools.clean import runs_of
from video2reward.tools.gait import GRAVITY_M_S2, SIDES_PLAIN, SIDES_SURE, short_for_a_walk, sides_matter
from video2reward.tools.swing_gait import doubt_about, swings_agree
from video2reward.tools.track import TrackArrays

View = Literal["side", "oblique", "front_or_back", "unknown"]

MIN_STRIDES = 2.0
MIN_PERIODICITY = 0.35
_WEAK_PERIODICITY = 0.65
LYING_RAD = 0.9
_SLOWED = 1.6
_TURNED_AWAY = 0.8
"""A body that looks this much shorter at one time than at another has turned by 37 degrees: that is their cosine."""
_EDGE = 0.02
_TURN_S = 1.0
_FEWEST_IN_A_STRIDE = 4
"""With fewer pictures a second, their median is that of a moment and not of a stride."""
_BETWEEN = 0.25
"""Below this confidence in its name, a gait lies between two."""
MIN_RHYTHM = 0.12
"""How alike strides have to look in the pictures, at least."""
_FEET = ("paw", "ankle", "heel", "toe")


def assess(track: KeypointTrack, arrays: TrackArrays, gait: GaitDescriptor | None, failure: str = "") -> QualityReport:
    """Weigh a track and the gait that was measured in it (None where none could be; `failure` said why)."""
    refuse: list[str] = []
    warn: list[str] = []
    advice: list[str] = []
    view = _view(track, arrays)
    periodicity = gait.confidence.get("periodicity", 0.0) if gait else 0.0
    missing = _missing_share(arrays, gait, track.fps)
    sure = arrays.confidence[arrays.confidence > 0]

    if gait is None:
        refuse.append(failure or "no gait could be measured.")
        advice.append("Give a clip in which the whole subject walks, trots or runs steadily, seen from the side.")
    else:
        strides = math.floor(10 * gait.num_strides) / 10  # 3.98 are not the 4.0 that are asked for
        if gait.num_strides < MIN_STRIDES:
            refuse.append(f"only {strides:.1f} strides can be seen; at least {MIN_STRIDES:.0f} are needed.")
            advice.append("Film longer, or start the clip earlier.")
        elif gait.num_strides < 4:
            warn.append(f"only {strides:.1f} strides can be seen; the numbers rest on few of them.")
            advice.append("Four strides or more make the numbers surer.")
        if periodicity < MIN_PERIODICITY:
            refuse.append(f"the limbs repeat themselves too little ({periodicity:.0%}) to be a gait.")
            advice.append("Give a clip of steady strides, or better keypoints.")
        elif periodicity < _WEAK_PERIODICITY:
            warn.append(f"the strides differ much from each other ({periodicity:.0%} is alike).")
            advice.append("Cut the clip to a stretch of steady strides.")
        samples = track.fps * track.clip.slow_motion_factor / gait.stride_frequency_hz
        if samples < 5:
            refuse.append(f"{samples:.1f} frames a stride are too few to see the feet touch down.")
            advice.append("Film at 30 frames a second or more.")
        elif samples < 9:
            warn.append(f"{samples:.1f} frames a stride are few: duty and phases are rough.")
            advice.append("Film at 30 frames a second or more.")
        if gait.leg_length_px < 15:
            warn.append(f"the subject is small: its leg measures {gait.leg_length_px:.0f} px.")
            advice.append("Film closer, or crop and enlarge.")
        if gait.subject == "person" and abs(gait.trunk_pitch_rad) > LYING_RAD:
            refuse.append("the body that was found does not stand upright: it is hardly a person.")
            advice.append("For an animal, give its points with --keypoints FILE.")
        expected = QUADRUPED_LIMBS if gait.subject == "quadruped" else BIPED_LIMBS
        if lost := [limb for limb in expected if limb not in gait.phase_offsets]:
            warn.append(f"{', '.join(lost)} could not be followed: what it does is assumed.")
            advice.append("Film the whole subject, its feet included, with nothing in front of it.")
        if track.sides_sure is not None:
            refuse += _pixel_doubts(track, gait)
            unsure = gait.gait != "unknown" and track.sides_sure < SIDES_PLAIN and sides_matter(gait.phase_offsets)
            if short_for_a_walk(gait.gait, gait.duty_factor):
                seen = float(np.mean(list(gait.duty_factor.values())))
                warn.append(
                    f"a walking foot is down for more than half a stride, and {seen:.0%} was seen: duty is a guess."
                )
                advice.append("Film closer, with the ground under the feet in view.")
            if gait.gait != "unknown" and gait.confidence["gait"] < _BETWEEN:
                warn.append(f"the footfalls lie between those of two gaits: {gait.gait} is the likelier name.")
                advice.append(f"Say what it does (--gait {gait.gait}), or film longer, from the side.")
            if doubt := doubt_about(track, gait):
                warn.append(doubt)
                advice.append(f"Say what it does (--gait {gait.gait}), or film from the side, all four legs in view.")
            elif unsure and not swings_agree(track, gait.gait):
                share = 0.5 * (1 + math.erf(track.sides_sure / math.sqrt(2)))
                warn.append(
                    f"near and far legs look alike: {gait.gait} is the likeliest ({share:.0%}), not the only reading."
                )
                advice.append(f"Say what it does (--gait {gait.gait}), or film from the side, all four legs in view.")
            if refuse:
                named = "or say what it does (--gait trot), or give --keypoints FILE"
                advice.append(f"Film from the side, all four legs in view, {named}.")
        elif gait.gait == "unknown":
            warn.append("the footfalls fit no gait that has a name; left and right may be mixed up.")
        slowed = slow_motion_estimate(gait)
        if slowed > _SLOWED or (gait.subject == "person" and gait.gait == "run" and gait.stride_frequency_hz < 1.0):
            warn.append(
                f"{gait.stride_frequency_hz:.2f} strides a second are slow for a run: perhaps slow motion; by how the "
                f"trunk falls the clip is slowed about {slowed:.1f} times."
            )
            advice.append("Give --slow-motion-factor where the clip is slowed (4 for a quarter of the speed).")
        if gait.confidence.get("speed", 1.0) < 0.5 and gait.travel != "on_the_spot":
            warn.append("the speed is uncertain: the background and the feet do not tell the same one.")
            advice.append("Film with a still camera, with something in the background to hold on to.")
    if track.turned_s is not None:
        refuse.append(f"the subject turns round at {track.turned_s:.1f} s.")
        advice.append(f"Cut the clip to where it goes one way: before or after {track.turned_s:.1f} s.")
    elif _turns(track, arrays):
        refuse.append("the subject turns round within the clip.")
        advice.append("Cut the clip to where it goes one way.")
    elif (straight := _straightest(track, arrays)).least < _TURNED_AWAY:
        when = f"before {straight.start_s:.1f} s" if straight.start_s > 0 else f"from {straight.stop_s:.1f} s on"
        refuse.append(f"the subject turns: {when} its body looks only {straight.least:.0%} as long as at other times.")
        advice.append(f"Cut the clip to {straight.start_s:.1f} to {straight.stop_s:.1f} s, where it goes straight on.")
    if view == "front_or_back":
        refuse.append("the subject is seen from the front or back, where strides cannot be measured.")
        advice.append("Film from the side.")
    elif view == "oblique":
        warn.append("the subject is seen at an angle: lengths along its way look shorter than they are.")
        advice.append("Film from the side.")
    if missing > 0.6:
        refuse.append(f"the feet are hidden or unsure for {missing:.0%} of the time.")
        advice.append("Film the whole subject, its feet included, with nothing in front of it.")
    elif missing > 0.25:
        warn.append(f"the feet are hidden or unsure for {missing:.0%} of the time and were filled in.")
        advice.append("Film the whole subject, its feet included, with nothing in front of it.")
    if track.camera == "unknown":
        warn.append("how the camera moves cannot be told: the background is too plain or too blurred.")
    return QualityReport(
        verdict="refuse" if refuse else "warn" if warn else "ok",
        reasons=tuple(refuse + warn),
        advice=tuple(dict.fromkeys(advice)),
        view=view,
        periodicity=periodicity,
        mean_confidence=float(np.clip(sure.mean(), 0, 1)) if sure.size else 0.0,
        missing_share=missing,
        num_strides=gait.num_strides if gait else 0.0,
    )


def slow_motion_estimate(gait: GaitDescriptor) -> float:
    """Return how many times a clip of a running person is slowed, by how its trunk falls; 1 for everything else.

    A runner's trunk bobs twice a stride, and in flight falls at g. Of a bob of height b at 2 f hertz the most fall is
    (4 pi f)^2 b / 2; time that is stretched s times makes that s^2 times smaller.
    """
    if gait.subject != "person" or gait.gait not in ("run", "hop") or gait.trunk_bob_leg_lengths <= 0:
        return 1.0
    bob_m = gait.trunk_bob_leg_lengths * gait.leg_length_m_assumed
    bobs_hz = (2 if gait.gait == "run" else 1) * gait.stride_frequency_hz
    fall_m_s2 = (2 * np.pi * bobs_hz) ** 2 * bob_m / 2
    return float(np.sqrt(GRAVITY_M_S2 / fall_m_s2))


def _pixel_doubts(track: KeypointTrack, gait: GaitDescriptor) -> list[str]:
    """Return what an animal seen by the network alone must not be trusted with."""
    if track.rhythm_strength < MIN_RHYTHM:
        return [f"the strides look too little alike ({track.rhythm_strength:.0%}) to be told."]
    if gait.gait == "unknown":
        guess = track.sides_sure is None or track.sides_sure < SIDES_SURE
        seen = "the paws are not seen plainly enough, for too few strides, or do not fit the picture as a whole"
        why = "near and far legs look alike" if guess else seen
        return [
            f"which foot falls when cannot be told surely: {why}. The stride frequency of "
            f"{gait.stride_frequency_hz:.2f} Hz rests on the whole picture ({track.rhythm_strength:.0%} alike)."
        ]
    return []


def _missing_share(arrays: TrackArrays, gait: GaitDescriptor | None, fps: float) -> float:
    """Return the share of foot samples, within the stretch that was used, that were not seen."""
    columns = [index for index, name in enumerate(arrays.names) if name.endswith(_FEET)]
    if not columns:
        return 1.0
    used = slice(0, None)
    if gait and gait.window_s[1] > gait.window_s[0]:
        used = slice(round(gait.window_s[0] * fps), max(round(gait.window_s[1] * fps), 1))
    return float((arrays.confidence[used][:, columns] <= 0).mean())


def _view(track: KeypointTrack, arrays: TrackArrays) -> View:
    """Judge the view: seen from the side, a quadruped's trunk is long and a person's shoulders and hips are narrow."""
    if track.skeleton == "quadruped":
        rear, front = _middle(arrays, ("hip", "tail_base")), _middle(arrays, ("shoulder", "withers", "neck"))
        feet = _middle(arrays, ("paw",))
        length = np.nanmedian(np.abs(front[:, 0] - rear[:, 0])) if np.isfinite(front - rear).any() else np.nan
        top = np.fmin(front[:, 1], rear[:, 1])
        height = np.nanmedian(feet[:, 1] - top) if np.isfinite(feet[:, 1] - top).any() else np.nan
        if not (np.isfinite(length) and np.isfinite(height) and height > 0):
            return "unknown"
        ratio = length / height
        return "side" if ratio > 0.7 else "oblique" if ratio > 0.4 else "front_or_back"
    widths = []
    for part in ("shoulder", "hip"):
        apart = np.abs(arrays.point(f"left_{part}")[:, 0] - arrays.point(f"right_{part}")[:, 0])
        if np.isfinite(apart).any():
            widths.append(float(np.nanmedian(apart)))
    trunk = _middle(arrays, ("hip",))[:, 1] - _middle(arrays, ("shoulder",))[:, 1]
    if not widths or not np.isfinite(trunk).any() or np.nanmedian(trunk) <= 0:
        return "unknown"
    ratio = float(np.mean(widths) / np.nanmedian(trunk))
    return "side" if ratio < 0.33 else "oblique" if ratio < 0.52 else "front_or_back"


def _turns(track: KeypointTrack, arrays: TrackArrays) -> bool:
    """Tell whether head and tail, or toes and heels, change sides for a good part of the clip."""
    if track.skeleton == "quadruped":
        ahead = _middle(arrays, ("shoulder", "withers", "neck"))[:, 0] - _middle(arrays, ("hip", "tail_base"))[:, 0]
    else:
        ahead = _middle(arrays, ("toe",))[:, 0] - _middle(arrays, ("heel", "ankle"))[:, 0]
    ahead = ahead[np.isfinite(ahead)]
    if len(ahead) < 10:
        return False
    return min((ahead > 0).mean(), (ahead < 0).mean()) > 0.25


@dataclass(frozen=True)
class _Straight:
    """The stretch in which a body is seen at its longest, and what share of that it measures at its shortest."""

    least: float
    start_s: float = 0.0
    stop_s: float = 0.0


def _straightest(track: KeypointTrack, arrays: TrackArrays) -> _Straight:
    """Find where the animal looks as long as it ever does for its height, trunk or box, and how short it comes to look.

    A body that turns away from the side view by an angle looks cos(angle) as long; one that comes nearer looks larger
    every way. Medians over a second pass over what a trunk does within a stride; the box bears witness against points
    that are mistaken, the trunk against a head or a tail that is raised.
    """
    span = round(_TURN_S * track.fps)
    if track.skeleton != "quadruped" or span < _FEWEST_IN_A_STRIDE:
        return _Straight(1.0)
    front, rear = _middle(arrays, ("shoulder", "withers", "neck")), _middle(arrays, ("hip", "tail_base"))
    height = _middle(arrays, ("paw",))[:, 1] - np.fmin(front[:, 1], rear[:, 1])
    trunk = np.abs(front[:, 0] - rear[:, 0]) / np.where(height > 0, height, np.nan)
    box = arrays.box_px[:, 2] / np.where(arrays.box_px[:, 3] > 0, arrays.box_px[:, 3], np.nan)
    # What the picture's edge cuts off looks short, and so does its trunk, which is then guessed.
    left, right = arrays.box_px[:, 0], arrays.box_px[:, 0] + arrays.box_px[:, 2]
    whole = (left > _EDGE * track.clip.width_px) & (right < (1 - _EDGE) * track.clip.width_px)
    known = np.flatnonzero(np.isfinite(trunk) & np.isfinite(box) & whole)
    if len(known) < 2 * span:
        return _Straight(1.0)
    starts = np.arange(0, len(known) - span + 1, span // 2)
    length = np.array([[np.median(one[known[at : at + span]]) for at in starts] for one in (trunk, box)])
    share = (length / np.maximum(length.max(1, keepdims=True), 1e-9)).max(0)
    runs = runs_of(share >= _TURNED_AWAY)
    run = max(runs, key=lambda one: one.stop - one.start)
    middles = known[starts + span // 2] / track.fps
    return _Straight(
        float(share.min()),
        0.0 if run.start == 0 else float(middles[run.start]),
        arrays.num_frames / track.fps if run.stop == len(starts) else float(middles[run.stop - 1]),
    )


def _middle(arrays: TrackArrays, ends: tuple[str, ...]) -> np.ndarray:
    """Return the mean of the points whose names end so, (T, 2), NaN where none is known."""
    columns = [index for index, name in enumerate(arrays.names) if name.endswith(ends)]
    middle = np.full((arrays.num_frames, 2), np.nan)
    if columns:
        for axis, values in enumerate((arrays.x_px[:, columns], arrays.y_px[:, columns])):
            counts = np.isfinite(values).sum(1)
            middle[:, axis] = np.where(counts > 0, np.nansum(values, 1) / np.maximum(counts, 1), np.nan)
    return middle
