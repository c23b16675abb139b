"""The contact sheet: clip and robot at the same phases of a stride, from two sides, with moments and numbers.

It is what a critic that sees is shown, and it serves people as well. Run as a process of its own, because it chooses
the GL library that mujoco is imported with:
`python -m video2reward.tools.critic.sheet ROLLOUT --out sheet.jpg --track FOLDER`.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from video2reward.memory.errors import BadInput, V2RError
from video2reward.memory.records import GaitDescriptor, RobotGait
from video2reward.sim.config import GRAVITY_M_S2
from video2reward.sim.render import Recording, load_recording, render_rollout
from video2reward.sim.robots.model import LIMB_RGB
from video2reward.tools.critic.overlay import PAPER, Image, Subject, subject_panels
from video2reward.tools.critic.video import START_S, measured_gait, open_subject

PHASES = 8
PANEL_W, PANEL_H = 236, 178
CAPTION_H, MARGIN_W, GAP, HEAD_H = 50, 92, 3, 58
INK, FAINT, ALARM = (36, 41, 48), (96, 104, 114), (190, 40, 40)
_JPEG_QUALITY = 88
_LEAST_STRIDE_S, _MOST_STRIDE_S = 0.15, 3.0


@dataclass(frozen=True)
class Caption:
    """What stands under a picture: its moment, which feet stand, and numbers."""

    moment: str
    limbs: tuple[str, ...]
    stance: tuple[bool, ...]
    numbers: str
    alarm: bool = False


def contact_sheet(rollout: Path, out: Path, *, track_json: Path | None = None, env_id: int | None = None) -> Path:
    """Write a picture: the clip, and the robot from its side and from the front, at eight phases of a stride.

    Both strides begin with a touchdown of the reference limb. The last row shows the robot over the whole rollout. The
    typical environment is shown, unless one is named.
    """
    recording = load_recording(rollout, env_id)
    gait = measured_gait(rollout)
    subject = open_subject(track_json) if track_json else None
    rows = [_head(_subject_words(subject), _robot_words(recording, gait))]
    if subject and subject.gait:
        rows.append(_row("clip", *_clip_pictures(subject)))
    facing = "left" if subject and subject.gait and subject.gait.facing == "left" else "right"
    start_s, stride_s = _stride_of(recording, gait)
    fps = PHASES / stride_s
    # Half a frame more than a stride, so that rounding never drops the last phase.
    span = {"fps": fps, "start_s": start_s, "seconds": (PHASES + 0.49) / fps}
    side = render_rollout(recording, width=PANEL_W, height=PANEL_H, facing=facing, **span)
    times_s = side.start_s + np.arange(PHASES) / fps
    phases = [f"{k}/{PHASES} stride, " for k in range(PHASES)]
    captions = [_robot_caption(recording, float(t), label) for t, label in zip(times_s, phases, strict=True)]
    rows.append(_row("robot", list(side.frames[:PHASES]), captions))
    if side.gl:
        front = render_rollout(recording, width=PANEL_W, height=PANEL_H, view="front", **span)
        rows.append(_row("robot,\nfront", list(front.frames[:PHASES]), []))
    whole_s = recording.duration_s - 0.5
    whole = render_rollout(
        recording, width=PANEL_W, height=PANEL_H, facing=facing, fps=PHASES / whole_s, start_s=0.4, seconds=whole_s
    )
    moments = whole.start_s + np.arange(len(whole.frames)) * whole_s / PHASES
    rows.append(
        _row("robot,\nwhole\nrollout", list(whole.frames), [_robot_caption(recording, float(t)) for t in moments])
    )
    return _write_picture(out, rows)


def make_clip_sheet(run: Path, out: Path) -> Path:
    """Write the picture of the subject alone at eight phases of its stride; without a gait raises BadInput."""
    subject = open_subject(run / "track.json")
    if not subject.gait:
        raise BadInput(f"no gait was measured in {subject.clip}.", "There is no stride to show.")
    pictures, captions = _clip_pictures(subject)
    half = PHASES // 2
    rows = [_row("clip", pictures[k : k + half], captions[k : k + half]) for k in (0, half)]
    return _write_picture(out, rows)


def _clip_pictures(subject: Subject) -> tuple[list[Image], list[Caption]]:
    assert subject.gait and subject.stride_s
    phase = np.arange(PHASES) / PHASES
    moments_s = subject.loop_s[0] + phase * subject.stride_s
    panels, _ = subject_panels(subject, moments_s, PANEL_W, PANEL_H)
    # A hair after the touchdown, so that rounding does not show the foot that lands as lifted.
    stance = subject.stance(moments_s + 0.01 * subject.stride_s)
    assert stance is not None
    captions = [
        Caption(
            moment=f"{k}/{PHASES} stride, clip t {moments_s[k]:.2f} s",
            limbs=subject.limbs,
            stance=tuple(bool(down) for down in stance[k]),
            numbers=_lifts(subject.limbs, _clip_lifts(subject.gait, subject.limbs, k / PHASES)),
        )
        for k in range(PHASES)
    ]
    return panels, captions


def _clip_lifts(gait: GaitDescriptor, limbs: tuple[str, ...], phase: float) -> list[float | None]:
    """Return how high each foot is over its lowest point in the mean stride, in leg lengths."""
    lifts: list[float | None] = []
    for limb in limbs:
        path = gait.limb_cycle.get(f"{limb}_foot")
        lifts.append(path[int(phase * len(path)) % len(path)][1] - min(z for _, z in path) if path else None)
    return lifts


def _robot_caption(recording: Recording, time_s: float, label: str = "") -> Caption:
    step = min(round(time_s / recording.control_dt_s), len(recording.base_pos_w) - 1)
    fine = min(round(time_s / recording.physics_dt_s), len(recording.foot_contact) - 1)
    robot = recording.robot
    lifts = [max(float(z - robot.foot_radius_m) / robot.leg_length_m, 0.0) for z in recording.foot_pos_w[fine, :, 2]]
    fell = time_s >= recording.fell_at_s
    trunk = f"trunk {recording.base_pos_w[step, 2] / robot.standing_height_m:.0%}, {_speed(recording, step):.2f} m/s, "
    return Caption(
        moment=f"{label}t {time_s:.2f} s{'  FELL' if fell else ''}",
        limbs=robot.feet,
        stance=tuple(bool(down) for down in recording.foot_contact[fine]),
        numbers=f"{_lifts(robot.feet, lifts)}\n{trunk}pitch {_pitch_deg(recording, step):+.0f} deg",
        alarm=fell,
    )


def _speed(recording: Recording, step: int) -> float:
    """Return the speed over the fifth of a second around a step, m/s."""
    half = max(1, round(0.1 / recording.control_dt_s))
    first, last = max(0, step - half), min(len(recording.base_pos_w) - 1, step + half)
    way_m = float(np.linalg.norm(recording.base_pos_w[last, :2] - recording.base_pos_w[first, :2]))
    return way_m / max((last - first) * recording.control_dt_s, 1e-9)


def _pitch_deg(recording: Recording, step: int) -> float:
    """Return the trunk's pitch, nose down positive."""
    w, x, y, z = (float(value) for value in recording.base_quat_w[step])
    return float(np.degrees(np.arcsin(np.clip(2.0 * (w * y - z * x), -1.0, 1.0))))


def _stride_of(recording: Recording, gait: RobotGait | None) -> tuple[float, float]:
    """Return start and length of the stride that is shown: one in the middle of what the robot walked, s.

    It begins with a touchdown of the reference foot; where there is none, anywhere, and lasts half a second.
    """
    end_s = min(recording.fell_at_s, recording.duration_s - 0.1)
    stride_s = 1.0 / gait.stride_frequency_hz if gait and gait.stride_frequency_hz > 0 else 0.5
    stride_s = min(max(stride_s, _LEAST_STRIDE_S), _MOST_STRIDE_S, max(end_s, _LEAST_STRIDE_S))
    contact = recording.foot_contact[:, 0].astype(bool)
    down_s = (np.flatnonzero(contact[1:] & ~contact[:-1]) + 1) * recording.physics_dt_s
    fitting = down_s[(down_s >= min(START_S, end_s / 2)) & (down_s + stride_s <= end_s)]
    start_s = float(fitting[len(fitting) // 2]) if len(fitting) else max(0.0, end_s - stride_s)
    return start_s, stride_s


def _subject_words(subject: Subject | None) -> str:
    if subject is None or subject.gait is None:
        return ""
    gait = subject.gait
    return _gait_words(
        f"clip ({gait.subject})", gait.gait, gait.stride_frequency_dimensionless, gait.froude,
        [gait.duty_factor.get(limb, 0.0) for limb in subject.limbs],
        [gait.phase_offsets.get(limb, 0.0) for limb in subject.limbs], subject.limbs,
    )  # fmt: skip


def _robot_words(recording: Recording, gait: RobotGait | None) -> str:
    robot = recording.robot
    if gait is None or gait.stride_frequency_hz <= 0:
        return f"{robot.name}: no regular strides"
    return _gait_words(
        robot.name, gait.gait, gait.stride_frequency_hz * (robot.leg_length_m / GRAVITY_M_S2) ** 0.5, gait.froude,
        list(gait.duty_factor), list(gait.phase_offsets), robot.feet,
    )  # fmt: skip


def _gait_words(
    name: str, gait: str, cadence: float, froude: float, duty: Sequence[float], phases: Sequence[float],
    limbs: Sequence[str],
) -> str:  # fmt: skip
    """Say a gait in numbers that do not depend on size."""
    each = "  ".join(f"{limb} {b:.2f}/{p:.2f}" for limb, b, p in zip(limbs, duty, phases, strict=True))
    return f"{name}: {gait}, cadence f sqrt(L/g) {cadence:.2f}, Froude number {froude:.2f}, duty/phase {each}"


def _lifts(limbs: tuple[str, ...], lifts: Sequence[float | None]) -> str:
    """Say how high each foot is over the ground, in leg lengths."""
    each = (f"{limb} {'-' if lift is None else f'{lift:.2f}'}" for limb, lift in zip(limbs, lifts, strict=True))
    return "lift " + "  ".join(each)


def _head(first: str, second: str) -> Image:
    head = np.full((HEAD_H, _width(), 3), 255, np.uint8)
    _text(head, first or second, (8, 22), 0.55, INK)
    if first:
        _text(head, second, (8, 46), 0.55, INK)
    return head


def _row(name: str, pictures: list[Image], captions: list[Caption]) -> Image:
    columns = []
    for index, picture in enumerate(pictures[:PHASES]):
        parts = [picture]
        if captions:
            parts.append(_captioned(captions[index]))
        columns.append(np.vstack(parts))
    height = columns[0].shape[0]
    margin = np.full((height, MARGIN_W, 3), 255, np.uint8)
    for line, word in enumerate(name.split("\n")):
        _text(margin, word, (6, 24 + 20 * line), 0.5, INK)
    spaced = [margin]
    for column in columns:
        spaced += [column, np.full((height, GAP, 3), 255, np.uint8)]
    row = np.hstack(spaced)
    missing = _width() - row.shape[1]
    return cv2.copyMakeBorder(row, 0, GAP, 0, max(missing, 0), cv2.BORDER_CONSTANT, value=(255, 255, 255))


def _captioned(caption: Caption) -> Image:
    strip = np.full((CAPTION_H, PANEL_W, 3), PAPER, np.uint8)
    _text(strip, caption.moment, (5, 13), 0.38, ALARM if caption.alarm else INK)
    box_w = 14
    for index, (limb, down) in enumerate(zip(caption.limbs, caption.stance, strict=True)):
        left = PANEL_W - (len(caption.limbs) - index) * (box_w + 3) - 2
        colour = tuple(int(255 * part) for part in LIMB_RGB[limb])
        cv2.rectangle(strip, (left, 3), (left + box_w, 14), colour, -1 if down else 1)
    for line, text in enumerate(caption.numbers.split("\n")):
        _text(strip, text, (5, 29 + 15 * line), 0.36, FAINT)
    return strip


def _text(picture: Image, text: str, at: tuple[int, int], size: float, colour: tuple[int, ...]) -> None:
    """Write a line, smaller where it would not fit."""
    (across, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, 1)
    size *= min(1.0, (picture.shape[1] - at[0] - 4) / max(across, 1))
    cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)


def _width() -> int:
    return MARGIN_W + PHASES * (PANEL_W + GAP)


def _write_picture(out: Path, rows: list[Image]) -> Path:
    width = max(_content_width(row) for row in rows)
    sheet = np.vstack([row[:, :width] for row in rows])
    written, encoded = cv2.imencode(
        out.suffix or ".jpg", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    )
    if not written:
        raise BadInput(f"{out} is no picture's name.", "End it with .jpg or .png.")
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f".{out.name}.part")
    part.write_bytes(encoded.tobytes())
    part.replace(out)
    return out


def _content_width(row: NDArray[np.uint8]) -> int:
    """Return how far to the right a row holds anything but white."""
    used = np.flatnonzero((row != 255).any(axis=(0, 2)))
    return int(used[-1]) + 1 + GAP if len(used) else row.shape[1]


def main(argv: list[str] | None = None) -> int:
    """Make one sheet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rollout", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--track", type=Path, help="the folder that track.json and description.json lie in")
    parser.add_argument("--env", type=int, help="which environment; the typical one by default")
    arguments = parser.parse_args(argv)
    track_json = arguments.track / "track.json" if arguments.track else None
    try:
        contact_sheet(arguments.rollout, arguments.out, track_json=track_json, env_id=arguments.env)
    except V2RError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
