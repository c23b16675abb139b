"""Footfall diagrams (Hildebrand 1989) of the subject and the robot, and the paths of their feet.

A bar is a stance: it begins where the foot touches down and ends where it leaves the ground. Time runs in strides of
the first foot, so that two bodies of any size can be read one under the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from video2reward.memory import runs
from video2reward.memory.records import MotionTarget, RobotGait
from video2reward.sim.render import typical_env
from video2reward.tools.critic import svg
from video2reward.tools.critic.evidence import Floats, read_rollout
from video2reward.tools.critic.measure import Measurement, measure, stance_share

WIDTH = 360
_LEFT, _RIGHT, _ROW, _BAR = 34, 52, 20, 14
_STRIDES = 2
_LEVELS = 8
_PATH_SIZE = 172


def write_footfalls(out: Path, rollout: Path, target: MotionTarget) -> Path:
    """Write the footfall diagram of a target and of a rollout as an SVG file that stands alone."""
    measured = measure(read_rollout(rollout), target.travel)
    runs.write_atomic(out, footfall_diagram(target, measured, alone=True))
    return out


def footfall_diagram(target: MotionTarget, robot: Measurement | RobotGait | None, *, alone: bool = False) -> str:
    """Draw the stances of the clip over those of the robot, two strides of each.

    Of a Measurement the robot's bars are its measured contacts, as dark as they were frequent: bounces and strides
    that differ show as half-tones. Of a RobotGait they are its mean phases and duty.
    """
    feet = target.feet
    parts = [svg.text(WIDTH, 12, "stance", kind="faint", anchor="end")]
    parts += _panel(16, "the clip", feet, _schedule_bars(target.duty_factor, target.phase_offsets), target.duty_factor)
    height = 16 + _panel_height(feet)
    if robot is not None:
        gait = robot.robot if isinstance(robot, Measurement) else robot
        share = stance_share(robot) if isinstance(robot, Measurement) else np.zeros((len(feet), 0))
        bars = _share_bars(share) if share.shape[1] else _schedule_bars(gait.duty_factor, gait.phase_offsets)
        parts += _panel(height + 8, "the robot", feet, bars, gait.duty_factor)
        height += 8 + _panel_height(feet)
    parts += _axis(height + 2)
    return svg.picture(WIDTH, height + 32, parts, title="Footfalls over two strides, clip and robot", alone=alone)


def limb_paths(target: MotionTarget, robot: RobotGait | None) -> list[str]:
    """Draw the mean path of each foot seen from its hip: the subject's dashed, the robot's in the limb's colour.

    The stance of the robot is broad, the dot its touchdown. All are drawn to one scale.
    """
    cycles = (target.limb_cycle, robot.limb_cycle if robot else {})
    paths = [cycle[f"{foot}_foot"] for cycle in cycles for foot in target.feet if f"{foot}_foot" in cycle]
    if not paths:
        return []
    points = np.concatenate([np.array(path, dtype=float) for path in paths])
    low, high = points.min(axis=0), points.max(axis=0)
    scale = (_PATH_SIZE - 24) / max(high[0] - low[0], 2.0 * (high[1] - low[1]), 0.2)
    height = 24 + scale * (high[1] - low[1]) + 34
    left = (_PATH_SIZE - scale * (high[0] - low[0])) / 2

    def place(path: Sequence[Sequence[float]]) -> Floats:
        return np.array([(left + scale * (x - low[0]), 26 + scale * (high[1] - z)) for x, z in path])

    drawn = []
    for index, foot in enumerate(target.feet):
        subject, ours = (cycle.get(f"{foot}_foot") for cycle in cycles)
        parts = [svg.text(6, 14, foot, kind="strong")]
        if subject:
            parts.append(svg.path(place(subject), "var(--faint)", closed=True, dashed=True, width=1.8))
        if ours and robot:
            parts += _robot_path(place(ours), foot, robot.duty_factor[index], robot.phase_offsets[index])
        parts += [
            svg.line(8, height - 10, 8 + 0.25 * scale, height - 10, kind="mark"),
            svg.text(14 + 0.25 * scale, height - 6, "¼ leg length", kind="faint"),
        ]
        title = f"Path of {foot} from its hip, clip and robot"
        drawn.append(svg.picture(_PATH_SIZE, height, parts, title=title))
    return drawn


def _robot_path(points: Floats, foot: str, duty: float, phase: float) -> list[str]:
    parts = [svg.path(points, svg.colour(foot), closed=True, width=2.2)]
    num_bins = len(points)
    stance = np.arange(round(np.clip(duty, 0.0, 1.0) * num_bins)) + round(phase * num_bins)
    if len(stance) > 1:
        parts.append(svg.path(points[stance % num_bins], svg.colour(foot), width=5.5, opacity=0.4))
    return [*parts, svg.dot(*points[round(phase * num_bins) % num_bins], 3.6, svg.colour(foot))]


def contact_strip(measured: Measurement, seconds: float = 2.0) -> str:
    """Draw the contacts of the robot that the video shows, as they happened: nothing averaged, every bounce there."""
    rollout = measured.rollout
    env = typical_env({"base_pos_w": rollout.base_pos_w, "fell_at_s": rollout.reported_fall_s})
    feet = rollout.robot.feet
    first = round(1.0 / rollout.physics_dt_s)
    steps = min(round(seconds / rollout.physics_dt_s), len(rollout.foot_contact) - first)
    contact = rollout.foot_contact[first : first + steps, env]
    bars = [_runs(contact[:, foot].astype(float) * _LEVELS, _STRIDES) for foot in range(len(feet))]
    parts = _panel(0, f"robot {env} as it happened", feet, bars, None)
    height = _panel_height(feet)
    for tick in np.arange(0.0, seconds + 0.01, 0.5):
        x = _x(_STRIDES * tick / seconds)
        parts.append(
            svg.text(x, height + 16, f"{1 + tick:g}{' s' if tick == seconds else ''}", kind="faint", anchor="middle")
        )
    return svg.picture(WIDTH, height + 22, parts, title="Contacts of one robot over two seconds")


def _panel_height(feet: Sequence[str]) -> float:
    return 20 + _ROW * len(feet)


def _panel(
    top: float, title: str, feet: Sequence[str], bars: Sequence[Sequence[tuple[float, float, float]]],
    duty: Sequence[float] | None,
) -> list[str]:  # fmt: skip
    """Draw one body: a row per foot of (start, end, opacity) in strides."""
    parts = [svg.text(0, top + 11, title, kind="strong")]
    for row, (foot, stances) in enumerate(zip(feet, bars, strict=True)):
        y = top + 18 + row * _ROW
        parts.append(svg.text(_LEFT - 8, y + 11.5, foot, anchor="end"))
        parts.append(svg.line(_x(0), y + _BAR / 2, _x(_STRIDES), y + _BAR / 2))
        parts += [
            svg.box(_x(start), y, _x(end) - _x(start), _BAR, svg.colour(foot), opacity=opacity, round_px=1.5)
            for start, end, opacity in stances
        ]
        if duty is not None:
            parts.append(svg.text(WIDTH, y + 11.5, f"{duty[row]:.0%}", kind="faint", anchor="end"))
    return parts


def _axis(y: float) -> list[str]:
    parts = []
    for tick in np.arange(0.0, _STRIDES + 0.01, 0.5):
        parts += [
            svg.line(_x(tick), y - 2, _x(tick), y + 3, kind="mark"),
            svg.text(_x(tick), y + 16, f"{tick:g}", kind="faint", anchor="middle"),
        ]
    return [*parts, svg.text(_x(_STRIDES) + 7, y + 16, "strides", kind="faint")]


def _x(strides: float) -> float:
    return _LEFT + (WIDTH - _LEFT - _RIGHT) * strides / _STRIDES


def _schedule_bars(duty: Sequence[float], offsets: Sequence[float]) -> list[list[tuple[float, float, float]]]:
    rows = []
    for share, offset in zip(duty, offsets, strict=True):
        spans = [(offset + turn, offset + turn + share) for turn in range(-1, _STRIDES + 1)]
        clipped = [(max(start, 0.0), min(end, float(_STRIDES)), 1.0) for start, end in spans]
        rows.append([bar for bar in clipped if bar[1] > bar[0]])
    return rows


def _share_bars(share: Floats) -> list[list[tuple[float, float, float]]]:
    return [_runs(np.tile(np.round(row * _LEVELS), _STRIDES), _STRIDES) for row in share]


def _runs(levels: Floats, length: float) -> list[tuple[float, float, float]]:
    """Join equal neighbours of a row of levels 0 to _LEVELS, spread over a length, into (start, end, opacity)."""
    edges = np.concatenate([[0], np.flatnonzero(np.diff(levels)) + 1, [len(levels)]])
    unit = length / len(levels)
    return [
        (start * unit, end * unit, float(levels[start]) / _LEVELS)
        for start, end in zip(edges[:-1], edges[1:], strict=True)
        if levels[start] > 0
    ]
