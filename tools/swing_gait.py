"""What the pictures as a whole add to a gait: a second opinion where single legs cannot be told apart."""

from __future__ import annotations

from video2reward.memory.records import GaitDescriptor, GaitLabel, KeypointTrack
from video2reward.tools.cycle import apart
from video2reward.tools.gait import TOGETHER
from video2reward.tools.told_gait import with_footfalls_of

HALVES_ALIKE, HALVES_OPPOSITE = -0.25, -0.4
"""Of 30 drawn animals whose stride was found right, symmetrical gaits come to -0.21 and more, others to -0.47 and
less."""
GALLOP_FROUDE = 4.0
"""Mammals gallop from Froude numbers of 2 to 3 on (Alexander & Jayes, 1983)."""
_GALLOP_SHARE = 0.7
_SYMMETRICAL = ("walk", "amble", "trot", "pace")


def with_swings(track: KeypointTrack, gait: GaitDescriptor) -> GaitDescriptor:
    """Return the gait with the name that the pictures give it, where its points give none; else as it is.

    The footfalls are then those of the name. Where the points' name does not fit the pictures, neither is believed.
    """
    if track.rhythm_halves is None:
        return gait
    if gait.gait != "unknown":
        against = contradiction(track, gait.gait)
        if against is None:
            return gait
        unsure = {"gait": 0.0, "phase_offsets": min(gait.confidence["phase_offsets"], 0.3)}
        confidence, notes = gait.confidence | unsure, (*gait.notes, against)
        return gait.model_copy(update={"gait": "unknown", "confidence": confidence, "notes": notes})
    if track.swings is not None and track.swings.gait is not None and track.rhythm_halves > HALVES_ALIKE:
        told = with_footfalls_of(gait, track.swings.gait, f"the footfalls are those of a usual {track.swings.gait}")
        return told.model_copy(update={"confidence": told.confidence | {"gait": track.swings.share}})
    if track.rhythm_halves < HALVES_OPPOSITE and _pairs_together(gait) and gait.froude > GALLOP_FROUDE:
        told = with_footfalls_of(gait, "gallop", "the footfalls are those of a usual gallop")
        return told.model_copy(update={"confidence": told.confidence | {"gait": _GALLOP_SHARE}})
    return gait


def contradiction(track: KeypointTrack, name: GaitLabel) -> str | None:
    """Return in a sentence what in the pictures does not fit a gait of that name; None where nothing does."""
    symmetrical = name in _SYMMETRICAL
    if track.rhythm_halves is not None and not HALVES_OPPOSITE < track.rhythm_halves < HALVES_ALIKE:
        if symmetrical != (track.rhythm_halves > HALVES_ALIKE):
            shown = "the opposite" if symmetrical else "the same"
            return f"its points make it a {name}, but half a stride later its legs show {shown}"
    if track.swings is not None and track.swings.gait is not None and symmetrical and not swings_agree(track, name):
        return f"its points make it a {name}, but when something swings fits a {track.swings.gait}"
    return None


def swings_agree(track: KeypointTrack, name: GaitLabel) -> bool:
    """Tell whether the swings name the same gait: they do not tell an amble from a walk."""
    return track.swings is not None and track.swings.gait == ("walk" if name == "amble" else name)


def doubt_about(track: KeypointTrack, gait: GaitDescriptor) -> str | None:
    """Return in a sentence what a name rests on that only the pictures gave; None for one that the points gave."""
    if track.rhythm_halves is None or gait.gait == "unknown" or gait.confidence.get("phase_offsets", 0.0) > 0.0:
        return None
    if gait.gait == "gallop":
        return (
            "the legs of a pair go together, which at this speed is most often a gallop; a bound looks much alike. "
            "Which foot falls when is taken from that, not seen."
        )
    return (
        f"single legs cannot be told apart; when something swings fits a {gait.gait} ({gait.confidence['gait']:.0%}). "
        "Which foot falls when is taken from that, not seen."
    )


def _pairs_together(gait: GaitDescriptor) -> bool:
    pairs = (("FL", "FR"), ("RL", "RR"))
    return all(
        left in gait.phase_offsets
        and right in gait.phase_offsets
        and apart(gait.phase_offsets[left], gait.phase_offsets[right]) < TOGETHER
        for left, right in pairs
    )
