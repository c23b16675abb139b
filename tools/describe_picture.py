"""What was seen in a clip, on one page: frames with points, footfalls, feet and joints over the stride, doubts."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from video2reward.memory.errors import BadClip
from video2reward.memory.records import Clip, ClipDescription, GaitDescriptor, KeypointTrack
from video2reward.sim.robots.model import LIMB_RGB
from video2reward.tools.critic.overlay import Subject, subject_panels
from video2reward.tools.describe import description_rows
from video2reward.tools.joint_cycles import joint_cycles, joint_names
from video2reward.tools.track import TrackArrays
from video2reward.tools.video import frames

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

NUM_FRAMES = 10
_PANEL_PX = (320, 240)
_WIDTH_IN, _DPI = 16.0, 100
_INK, _FAINT = "#24292f", "#6e7781"
_VERDICT = {"ok": "#1a7f37", "warn": "#9a6700", "refuse": "#cf222e"}
_SIDE_LIMB = {"front leg": "F", "elbow": "F", "hind leg": "R", "knee": "R"}


def write_picture(out: Path, track: KeypointTrack, arrays: TrackArrays, description: ClipDescription) -> Path:
    """Draw the page as a PNG; the frames come from the clip again. A refused clip shows its frames and the reasons."""
    from matplotlib.figure import Figure

    subject = Subject(track.clip.path, track, arrays, description.gait)
    gait = description.gait
    rows = description_rows(description)
    text_in = 0.6 + 0.21 * sum(_num_lines(said) for _, said, _ in rows)
    heights = [0.55, 5.3, *((3.0, 2.7) if gait else ()), text_in]
    figure = Figure(figsize=(_WIDTH_IN, sum(heights)), dpi=_DPI, facecolor="white", layout="constrained")
    parts = np.atleast_1d(figure.subfigures(len(heights), 1, height_ratios=heights))
    _headline(parts[0], description)
    _contact_sheet(parts[1], subject)
    if gait:
        left, right = parts[2].subfigures(1, 2, width_ratios=(1, 1))
        _footfalls(left.subplots(), gait)
        _foot_paths(right, gait)
        _joints(parts[3], subject)
    _words(parts[-1], rows)
    return _save(figure, out)


def write_refusal(out: Path, clip: Clip, error: BadClip) -> Path:
    """Draw the page of a clip in which no subject was found: moments of it, and why."""
    from matplotlib.figure import Figure

    rows = [("refuse", error.what, ""), *((("advice", error.cure, ""),) if error.cure else ())]
    heights = [0.55, 5.3, 0.6 + 0.21 * sum(_num_lines(said) for _, said, _ in rows)]
    figure = Figure(figsize=(_WIDTH_IN, sum(heights)), dpi=_DPI, facecolor="white", layout="constrained")
    parts = figure.subfigures(len(heights), 1, height_ratios=heights)
    _title(parts[0], clip.path.name, "refuse", "nothing to be measured was found")
    cells = parts[1].subplots(2, NUM_FRAMES // 2).ravel()
    for cell in cells:
        _bare(cell)
    wanted = np.linspace(0, clip.num_frames - 1, NUM_FRAMES).astype(int).tolist()
    for frame in frames(clip, max_side_px=2 * _PANEL_PX[0]):
        while wanted and frame.index >= wanted[0]:
            cell = cells[NUM_FRAMES - len(wanted)]
            cell.imshow(frame.image)
            cell.set_title(f"{frame.time_s:.2f} s, frame {wanted.pop(0)}", fontsize=9, color=_INK, pad=3)
        if not wanted:
            break
    _words(parts[2], rows)
    return _save(figure, out)


def _headline(part: SubFigure, description: ClipDescription) -> None:
    gait = description.gait
    what = f"{gait.gait}, {gait.stride_frequency_hz:.2f} strides a second" if gait else "no gait could be measured"
    said = f"{what} · {description.subject} by {description.pose_backend}"
    _title(part, description.clip.path.name, description.quality.verdict, said)


def _title(part: SubFigure, name: str, verdict: str, said: str) -> None:
    part.text(0.008, 0.62, name, fontsize=17, weight="bold", color=_INK, va="center")
    part.text(0.992, 0.62, verdict, fontsize=17, weight="bold", color=_VERDICT[verdict], ha="right", va="center")
    part.text(0.008, 0.1, said, fontsize=11, color=_FAINT, va="center")


def _contact_sheet(part: SubFigure, subject: Subject) -> None:
    """Show moments of one stride from the reference limb's touchdown on; without a gait, of the whole clip."""
    fps = subject.track.fps
    start_s, length_s = subject.loop_s
    if subject.stride_s:
        # The stride in the middle of what was used: at the ends the subject is often cut off.
        before = int(length_s / subject.stride_s / 2) * subject.stride_s
        start_s, length_s = start_s + before, min(subject.stride_s, length_s)
    moments = start_s + length_s * np.arange(NUM_FRAMES) / NUM_FRAMES
    panels, notes = subject_panels(subject, moments, *_PANEL_PX)
    stance = subject.stance(moments)
    axes = part.subplots(2, NUM_FRAMES // 2)
    for index, (cell, panel) in enumerate(zip(axes.ravel(), panels, strict=True)):
        cell.imshow(panel)
        _bare(cell)
        said = f"{moments[index]:.2f} s, frame {round(moments[index] * fps)}"
        if stance is not None:
            down = [limb for limb, stands in zip(subject.limbs, stance[index], strict=True) if stands]
            said += f" · down: {' '.join(down) or 'none'}"
        cell.set_title(said, fontsize=9, color=_INK, pad=3)
    what = "one stride, from the touchdown of the first limb" if subject.stride_s else "the clip"
    part.suptitle(f"{what}{': ' + notes[0] if notes else ''}", fontsize=10, color=_FAINT, x=0.008, ha="left")


def _footfalls(axes: Axes, gait: GaitDescriptor) -> None:
    """Draw Hildebrand's diagram (1965): a bar for each foot on the ground, over two strides."""
    limbs = list(gait.duty_factor)
    for row, limb in enumerate(limbs):
        start, duty = gait.phase_offsets[limb], gait.duty_factor[limb]
        for turn in (-1, 0, 1, 2):
            low, high = np.clip((start + turn, start + turn + duty), 0, 2)
            if high > low:
                axes.barh(row, high - low, left=low, height=0.15 * len(limbs), color=LIMB_RGB[limb])
        said = f"lands at {round(start, 2) % 1:.2f}, stands {100 * duty:.0f} %"
        axes.text(2.03, row, said, va="center", fontsize=9, color=_FAINT)
    axes.set_yticks(range(len(limbs)), limbs, fontsize=10)
    axes.invert_yaxis()
    axes.set_xlim(0, 2)
    axes.set_xlabel("strides", fontsize=9, color=_FAINT)
    axes.set_title("feet on the ground", fontsize=10, color=_INK, loc="left")
    axes.grid(axis="x", color="#d0d7de", linewidth=0.6)
    axes.set_axisbelow(True)
    _plain(axes)


def _foot_paths(part: SubFigure, gait: GaitDescriptor) -> None:
    """Draw each foot's mean path from its root, forward to the right; its stance is broad."""
    limbs = [limb for limb in gait.duty_factor if f"{limb}_foot" in gait.limb_cycle]
    if not limbs:
        part.text(0.02, 0.5, "no roots of limbs were seen: no paths of the feet", fontsize=10, color=_FAINT)
        return
    cells = part.subplots(-(-len(limbs) // 2), min(len(limbs), 2), sharex=True, sharey=True, squeeze=False).ravel()
    for axes, limb in zip(cells, limbs, strict=False):
        path = np.array(gait.limb_cycle[f"{limb}_foot"])
        closed = np.concatenate([path, path[:1]])
        axes.plot(closed[:, 0], closed[:, 1], color=LIMB_RGB[limb], linewidth=1.2)
        phase = (np.arange(len(closed)) / len(path) - gait.phase_offsets[limb]) % 1.0
        standing = np.where((phase <= gait.duty_factor[limb])[:, None], closed, np.nan)
        axes.plot(standing[:, 0], standing[:, 1], color=LIMB_RGB[limb], linewidth=4)
        axes.set_title(limb, fontsize=10, color=_INK, loc="left")
        axes.set_aspect("equal", adjustable="box")
        axes.grid(color="#d0d7de", linewidth=0.6)
        axes.tick_params(labelsize=8, colors=_FAINT)
        _plain(axes)
    part.suptitle("paths of the feet from their roots, in leg lengths", fontsize=10, color=_INK, x=0.03, ha="left")


def _joints(part: SubFigure, subject: Subject) -> None:
    """Draw each joint over the stride: every stride thin, the mean broad, one standard deviation shaded."""
    names = joint_names(subject.track.skeleton)
    assert subject.stride_s is not None
    cycles = joint_cycles(subject.track, subject.arrays, subject.touchdown, subject.stride_s)
    row = part.subplots(1, len(names), sharex=True, squeeze=False)[0]
    for axes, name in zip(row, names, strict=True):
        said = []
        for cycle in (cycle for cycle in cycles if cycle.joint == name):
            colour = LIMB_RGB[_limb(subject, name, cycle.side)]
            phase = np.linspace(0, 1, len(cycle.mean_deg))
            axes.plot(phase, cycle.strides_deg.T, color=colour, linewidth=0.5, alpha=0.35)
            axes.fill_between(phase, cycle.mean_deg - cycle.spread_deg, cycle.mean_deg + cycle.spread_deg, color=colour,
                              alpha=0.18, linewidth=0)  # fmt: skip
            axes.plot(phase, cycle.mean_deg, color=colour, linewidth=2.2, label=cycle.side)
            said.append(f"{cycle.side} ±{cycle.spread_deg.mean():.0f}° over {len(cycle.strides_deg)}")
        axes.set_title(f"{name}, degrees", fontsize=10, color=_INK, loc="left")
        axes.set_xlabel(", ".join(said) or "not seen through a whole stride", fontsize=8, color=_FAINT)
        axes.set_xlim(0, 1)
        axes.tick_params(labelsize=8, colors=_FAINT)
        axes.grid(color="#d0d7de", linewidth=0.6)
        if said:
            axes.legend(
                fontsize=8, frameon=False, loc="lower right", bbox_to_anchor=(1.0, 0.98), ncols=2, handlelength=1.2
            )
        _plain(axes)


def _limb(subject: Subject, joint: str, side: str) -> str:
    if subject.track.skeleton == "person":
        return side[0].upper()
    return _SIDE_LIMB[joint] + side[0].upper()


def _words(part: SubFigure, rows: list[tuple[str, str, str]]) -> None:
    """Write the rows of the table, and what is refused or doubted in its colour."""
    total = sum(_num_lines(said) for _, said, _ in rows) + 1
    line = 0.5
    for head, said, sure in rows:
        y = 1 - line / total
        colour = _VERDICT.get(head, _INK)
        part.text(0.008, y, head, fontsize=10, weight="bold", color=colour, va="top")
        part.text(0.085, y, "\n".join(_wrapped(said)), fontsize=10, color=colour if head in _VERDICT else _INK,
                  va="top", linespacing=1.25)  # fmt: skip
        part.text(0.5, y, sure, fontsize=9, color=_FAINT, va="top")
        line += _num_lines(said)


def _wrapped(said: str) -> list[str]:
    return textwrap.wrap(said, 165) or [""]


def _num_lines(said: str) -> int:
    return len(_wrapped(said))


def _bare(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def _plain(axes: Axes) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color("#8c959f")


def _save(figure: Figure, out: Path) -> Path:
    """Write the page whole or not at all."""
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f".{out.name}.part")
    try:
        figure.savefig(part, format="png")
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    return out
