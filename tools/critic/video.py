"""The clip and the robot side by side, at the same speed, with what their feet do under each.

Run as a process of its own, because it chooses the GL library that mujoco is imported with:
`python -m video2reward.tools.critic.video ROLLOUT --out video.mp4 --track FOLDER`.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from video2reward.memory.errors import V2RError
from video2reward.memory.records import ClipDescription, GaitDescriptor, KeypointTrack, RobotGait
from video2reward.memory.runs import load
from video2reward.sim.render import Recording, RobotFrames, load_recording, render_rollout
from video2reward.tools.critic.overlay import PAPER, Image, Subject, draw_footfalls, subject_panels
from video2reward.tools.track import load_track_arrays
from video2reward.tools.video_file import write_video

PANEL_W, PANEL_H = 480, 360
CAPTION_H, STRIP_H_PER_FOOT, GAP = 46, 19, 4
FPS = 25
START_S = 1.0
"""The rollout's first second is start-up: neither judged nor shown."""
INK, FAINT, ALARM = (36, 41, 48), (112, 120, 130), (190, 40, 40)


def side_by_side(
    rollout: Path,
    out: Path,
    *,
    track_json: Path | None = None,
    clip: Path | None = None,
    gait: GaitDescriptor | None = None,
    robot_gait: RobotGait | None = None,
    seconds: float = 6.0,
    env_id: int | None = None,
) -> Path:
    """Write an H.264 video that browsers play: left the clip with its points, right the robot, footfalls under both.

    Both run in real time; slow motion is sped up, and a clip that is shorter is repeated by whole strides. Both start
    with a touchdown of the reference limb. The clip's stance bars are those of its mean stride, the robot's are
    measured contacts. Without `track_json` there is only the robot; where the clip is gone, its points are shown alone;
    where there is no GL, the robot is drawn as a skeleton. The typical environment is shown, unless one is named.
    """
    recording = load_recording(rollout, env_id)
    subject = open_subject(track_json, clip, gait) if track_json else None
    start_s = _first_touchdown(recording)
    facing = "left" if subject and subject.gait and subject.gait.facing == "left" else "right"
    robot = render_rollout(
        recording, fps=FPS, start_s=start_s, seconds=seconds, width=PANEL_W, height=PANEL_H, facing=facing
    )
    elapsed_s = np.arange(len(robot.frames)) / FPS
    columns = [_robot_column(recording, robot, robot_gait or measured_gait(rollout), elapsed_s)]
    if subject:
        columns.insert(0, _subject_column(subject, elapsed_s))
    write_video(out, (np.hstack(_spaced(parts)) for parts in zip(*columns, strict=True)), FPS)
    return out


def open_subject(track_json: Path, clip: Path | None = None, gait: GaitDescriptor | None = None) -> Subject:
    """Return a clip's subject as it was followed and described."""
    track = load(KeypointTrack, track_json)
    described = track_json.parent / "description.json"
    if gait is None and described.is_file():
        gait = load(ClipDescription, described).gait
    return Subject(clip or _find_clip(track, track_json), track, load_track_arrays(track, track_json.parent), gait)


def _find_clip(track: KeypointTrack, track_json: Path) -> Path:
    """Return where the clip lies: as it was named, or, if that was relative, from a folder the track lies under."""
    named = track.clip.path
    places = [named, *(parent / named for parent in track_json.resolve().parents)]
    return next((place for place in places if place.is_file()), named)


def measured_gait(rollout: Path) -> RobotGait | None:
    """Measure the robot's gait for the caption; a rollout that cannot be measured is shown without one."""
    from video2reward.tools.critic.evidence import read_rollout
    from video2reward.tools.critic.measure import measure

    try:
        return measure(read_rollout(rollout)).robot
    except (V2RError, ValueError):
        return None


def _first_touchdown(recording: Recording) -> float:
    """Return when the reference foot first touches down after start-up; START_S where it never does."""
    contact = recording.foot_contact[:, 0]
    down = np.flatnonzero(contact[1:] & ~contact[:-1]) + 1
    times_s = down[down * recording.physics_dt_s >= START_S] * recording.physics_dt_s
    return float(times_s[0]) if len(times_s) and times_s[0] < START_S + 1.5 else START_S


def _subject_column(subject: Subject, elapsed_s: NDArray[np.float64]) -> Iterable[Image]:
    panels, notes = subject_panels(subject, subject.clip_time(elapsed_s), PANEL_W, PANEL_H)
    slow = subject.track.clip.slow_motion_factor
    details = [f"shown {slow:g} times faster: the clip is slow motion"] if slow != 1 else []
    details += ["the clip is gone: its points alone"] if notes else []
    if subject.gait:
        g = subject.gait
        words = f"{g.gait}, {g.speed_leg_lengths_s:.1f} leg lengths/s, {g.stride_frequency_hz:.2f} strides/s"
        details.append(f"points by {subject.track.source}; footfalls of the mean stride")
    else:
        words = "no gait could be measured"
    caption = _caption("clip", words, ", ".join(details))
    step_s = 0.01
    fine_s = np.arange(0.0, elapsed_s[-1] + 1.0, step_s)
    stance = subject.stance(subject.clip_time(fine_s))
    height = STRIP_H_PER_FOOT * len(subject.limbs) + 8
    for panel, now_s in zip(panels, elapsed_s, strict=True):
        if stance is None:
            strip = np.full((height, PANEL_W, 3), PAPER, np.uint8)
        else:
            strip = draw_footfalls(PANEL_W, height, subject.limbs, stance, step_s, float(now_s))
        yield np.vstack([panel, caption, strip])


def _robot_column(
    recording: Recording, robot: RobotFrames, gait: RobotGait | None, elapsed_s: NDArray[np.float64]
) -> Iterable[Image]:
    config = recording.robot
    if gait and gait.stride_frequency_hz > 0:
        legs_s = gait.speed_m_s / config.leg_length_m
        words = f"{gait.gait}, {legs_s:.1f} leg lengths/s ({gait.speed_m_s:.2f} m/s), "
        words += f"{gait.stride_frequency_hz:.2f} strides/s"
    else:
        way_m = float(np.linalg.norm(recording.base_pos_w[-1, :2] - recording.base_pos_w[0, :2]))
        words = f"{way_m / recording.duration_s:.2f} m/s, no regular strides"
    details = ["drawn as a skeleton: no GL library here"] if robot.gl is None else []
    details.append(f"environment {recording.env_id}, the typical one; footfalls measured")
    plain = _caption(config.title, words, ", ".join(details))
    fallen = _caption(config.title, f"FELL after {recording.fell_at_s:.1f} s", ", ".join(details), alarm=True)
    height = STRIP_H_PER_FOOT * config.num_feet + 8
    first = round(robot.start_s / recording.physics_dt_s)
    stance = recording.foot_contact[first:]
    for frame, now_s in zip(robot.frames, elapsed_s, strict=True):
        strip = draw_footfalls(PANEL_W, height, config.feet, stance, recording.physics_dt_s, float(now_s))
        down = robot.start_s + now_s >= recording.fell_at_s
        yield np.vstack([frame, fallen if down else plain, strip])


def _caption(name: str, words: str, details: str, alarm: bool = False) -> Image:
    caption = np.full((CAPTION_H, PANEL_W, 3), PAPER, np.uint8)
    after = _write(caption, name, (8, 18), cv2.FONT_HERSHEY_DUPLEX, (0.52,), INK)
    _write(caption, words, (after + 12, 18), cv2.FONT_HERSHEY_DUPLEX, (0.48, 0.44, 0.40, 0.36), ALARM if alarm else INK)
    _write(caption, details, (8, 38), cv2.FONT_HERSHEY_SIMPLEX, (0.38, 0.34, 0.30, 0.26), FAINT)
    return caption


def _write(picture: Image, text: str, at: tuple[int, int], font: int, sizes: tuple[float, ...], colour) -> int:
    """Write in the largest of the sizes that fits the width; return where the text ends."""
    for size in sizes:
        (across, _), _ = cv2.getTextSize(text, font, size, 1)
        if at[0] + across <= picture.shape[1] - 6:
            break
    cv2.putText(picture, text, at, font, size, colour, 1, cv2.LINE_AA)
    return at[0] + across


def _spaced(parts: tuple[Image, ...]) -> list[Image]:
    """Bring columns to one height, which differs where a person stands beside a quadruped robot, and part them."""
    height = max(part.shape[0] for part in parts)
    spaced: list[Image] = []
    for part in parts:
        if spaced:
            spaced.append(np.full((height, GAP, 3), 255, np.uint8))
        spaced.append(cv2.copyMakeBorder(part, 0, height - len(part), 0, 0, cv2.BORDER_CONSTANT, value=PAPER))
    return spaced


def main(argv: list[str] | None = None) -> int:
    """Make one video."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rollout", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--track", type=Path, help="the folder that track.json and description.json lie in")
    parser.add_argument("--clip", type=Path, help="where the clip lies now, if not where it was described")
    parser.add_argument("--seconds", type=float, default=6.0)
    arguments = parser.parse_args(argv)
    track_json = arguments.track / "track.json" if arguments.track else None
    try:
        side_by_side(
            arguments.rollout, arguments.out, track_json=track_json, clip=arguments.clip, seconds=arguments.seconds
        )
    except V2RError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
