"""From a clip to what `describe` prints: the track, the gait, and how far to trust both."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table
from rich.text import Text
from video2reward.memory.errors import BadClip
from video2reward.memory.records import ClipDescription, GaitDescriptor, KeypointTrack, SubjectChoice
from video2reward.memory.runs import save
from video2reward.tools.extract_keypoints import Progress, extract_keypoints, load_track_arrays
from video2reward.tools.gait import describe_gait
from video2reward.tools.quality import assess
from video2reward.tools.swing_gait import with_swings
from video2reward.tools.told_gait import quality_when_told, with_told_gait

DESCRIPTION_FILE = "description.json"
_STYLE = {"ok": "green", "warn": "yellow", "refuse": "bold red"}
_SURE = ("very unsure", "unsure", "fair", "good", "good")


def describe_clip(
    clip: Path | str,
    out: Path,
    keypoints: Path | None = None,
    slow_motion_factor: float = 1.0,
    subject: SubjectChoice | None = None,
    progress: Progress | None = None,
) -> tuple[KeypointTrack, ClipDescription]:
    """Follow the subject, measure its gait, judge both; write track.json, track.npz and description.json to `out`.

    A clip that can be read but shows nothing to be measured comes back with the verdict "refuse" and no gait.
    Raises BadClip, BadKeypoints or MissingPart where not even points can be had.
    """
    track = extract_keypoints(
        clip, out, keypoints=keypoints, slow_motion_factor=slow_motion_factor, subject=subject, progress=progress
    )
    arrays = load_track_arrays(track, out)
    gait: GaitDescriptor | None = None
    failure = ""
    try:
        gait = with_swings(track, describe_gait(track, arrays))
    except BadClip as error:
        failure = error.what
    quality = assess(track, arrays, gait, failure)
    if subject and subject.gait and gait:
        gait = with_told_gait(gait, subject.gait)
        quality = quality_when_told(quality, gait)
    description = ClipDescription(
        clip=track.clip,
        subject=track.skeleton,
        pose_backend=track.source,
        frames_used=int(round((gait.window_s[1] - gait.window_s[0]) * track.fps)) if gait else 0,
        quality=quality,
        gait=gait,
    )
    save(description, out / DESCRIPTION_FILE)
    return track, description


def render_table(description: ClipDescription) -> Table:
    """Return the description as a table for the terminal."""
    verdict = description.quality.verdict
    table = Table(
        title=Text.assemble(description.clip.path.name, ": ", (verdict, _STYLE[verdict])),
        show_header=False, title_justify="left", title_style="bold", border_style="dim",
    )  # fmt: skip
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(style="dim", justify="right")
    last = ""
    for head, said, sure in description_rows(description):
        # Clip names and what libraries say may hold what looks like markup.
        style = _STYLE.get(head, "")
        table.add_row(Text(head if head != last else "", style=style), Text(said, style=style), Text(sure))
        last = head
    return table


def description_rows(description: ClipDescription) -> list[tuple[str, str, str]]:
    """Return what is told of a clip: a heading, a sentence, and how sure it is, where that was measured."""
    clip, gait, quality = description.clip, description.gait, description.quality
    size = f"{clip.width_px}×{clip.height_px}, {clip.duration_s:.1f} s, {clip.num_frames} frames at {clip.fps:.2f}/s"
    rows = [
        ("clip", size, ""),
        ("subject", f"{description.subject}, by {description.pose_backend}", f"seen from: {quality.view}"),
    ]
    rows += _gait_rows(gait) if gait else []
    rows += [(quality.verdict, reason, "") for reason in quality.reasons]
    rows += [("advice", advice, "") for advice in quality.advice]
    rows += [("note", note, "") for note in dict.fromkeys((*clip.notes, *(gait.notes if gait else ())))]
    return rows


def _gait_rows(gait: GaitDescriptor) -> list[tuple[str, str, str]]:
    facing = f"facing {gait.facing}" if gait.facing != "unknown" else "facing cannot be told"
    duty = "  ".join(f"{limb} {value:.2f}" for limb, value in gait.duty_factor.items())
    phases = "  ".join(f"{limb} {round(value, 2) % 1:.2f}" for limb, value in gait.phase_offsets.items())
    speed = f"{gait.speed_leg_lengths_s:.2f} leg lengths a second, Froude {gait.froude:.2f}"
    used = f"{gait.window_s[0]:.1f} to {gait.window_s[1]:.1f} s, {gait.num_strides:.1f} strides"
    return [
        ("gait", f"{gait.gait}, {gait.travel.replace('_', ' ')}, {facing}", _sure(gait, "gait")),
        ("strides", f"{gait.stride_frequency_hz:.2f} a second", _sure(gait, "stride_frequency")),
        ("duty", duty, _sure(gait, "duty_factor")),
        ("touchdowns", phases, _sure(gait, "phase_offsets")),
        ("speed", speed, _sure(gait, "speed")),
        ("trunk", f"pitch {gait.trunk_pitch_rad:+.2f} rad, bob {gait.trunk_bob_leg_lengths:.2f} leg lengths", ""),
        ("used", used, ""),
    ]


def _sure(gait: GaitDescriptor, quantity: str) -> str:
    value = gait.confidence.get(quantity, 0.0)
    return f"{_SURE[min(int(value * 5), 4)]} ({value:.2f})"
