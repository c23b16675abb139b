"""From a clip to what `describe` prints: the track, the gait, and how far to trust both."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table
from video2reward.memory.errors import BadClip
from video2reward.memory.records import ClipDescription, GaitDescriptor, KeypointTrack
from video2reward.memory.runs import save
from video2reward.tools.extract_keypoints import Progress, extract_keypoints, load_track_arrays
from video2reward.tools.gait import describe_gait
from video2reward.tools.quality import assess

DESCRIPTION_FILE = "description.json"
_SURE = ("very unsure", "unsure", "fair", "good", "good")


def describe_clip(
    clip: Path | str,
    out: Path,
    keypoints: Path | None = None,
    slow_motion_factor: float = 1.0,
    progress: Progress | None = None,
) -> tuple[KeypointTrack, ClipDescription]:
    """Follow the subject, measure its gait, judge both; write track.json, track.npz and description.json to `out`.

    A clip that can be read but shows nothing to be measured comes back with the verdict "refuse" and no gait.
    Raises BadClip, BadKeypoints or MissingPart where not even points can be had.
    """
    track = extract_keypoints(clip, out, keypoints=keypoints, slow_motion_factor=slow_motion_factor, progress=progress)
    arrays = load_track_arrays(track, out)
    gait: GaitDescriptor | None = None
    failure = ""
    try:
        gait = describe_gait(track, arrays)
    except BadClip as error:
        failure = error.what
    description = ClipDescription(
        clip=track.clip,
        subject=track.skeleton,
        pose_backend=track.source,
        frames_used=int(round((gait.window_s[1] - gait.window_s[0]) * track.fps)) if gait else 0,
        quality=assess(track, arrays, gait, failure),
        gait=gait,
    )
    save(description, out / DESCRIPTION_FILE)
    return track, description


def render_table(description: ClipDescription) -> Table:
    """Return the description as a table for the terminal."""
    clip, gait, quality = description.clip, description.gait, description.quality
    table = Table(title=f"{clip.path.name}: {quality.verdict}", show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    table.add_column(style="dim")
    size = f"{clip.width_px}×{clip.height_px}, {clip.duration_s:.1f} s, {clip.num_frames} frames at {clip.fps:.2f}/s"
    table.add_row("clip", size, "")
    table.add_row("subject", f"{description.subject}, by {description.pose_backend}", f"seen from: {quality.view}")
    if gait:
        for row in _gait_rows(gait):
            table.add_row(*row)
    for reason in quality.reasons:
        table.add_row(quality.verdict, reason, "")
    for advice in quality.advice:
        table.add_row("advice", advice, "")
    for note in (*clip.notes, *(gait.notes if gait else ())):
        table.add_row("note", note, "")
    return table


def _gait_rows(gait: GaitDescriptor) -> list[tuple[str, str, str]]:
    facing = f"facing {gait.facing}" if gait.facing != "unknown" else "facing cannot be told"
    duty = "  ".join(f"{limb} {value:.2f}" for limb, value in gait.duty_factor.items())
    phases = "  ".join(f"{limb} {value:.2f}" for limb, value in gait.phase_offsets.items())
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
