"""The report: one HTML file that tells a run from what was asked to why it stopped, with all its pictures inside.

It asks nothing of the network and can be sent to someone. Everything in it that came from a clip, a file name or a
model is text and is escaped; it can be written at any time, of a run that is still going on or that was killed.
"""

from __future__ import annotations

import base64
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from video2reward.memory import runs
from video2reward.sim.config import robot_title
from video2reward.tools.critic.curves import curves
from video2reward.tools.critic.footfalls import contact_strip, footfall_diagram, limb_paths
from video2reward.tools.critic.measure import Measurement
from video2reward.tools.critic.similarity import SCALES
from video2reward.tools.critic.story import AttemptStory, RunStory, measured_again, read_story

MAX_VIDEO_BYTES = 24 << 20
"""A larger video stays beside the report: browsers do not like data URIs of that size."""
_PACKAGES = ("video2reward", "mujoco", "torch", "rsl-rl-lib", "numpy", "langgraph", "mediapipe", "chromadb")
_STATUS = {
    "passed": ("Passed", "good"),
    "budget": ("Not passed: the budget ended", "bad"),
    "stopped": ("Stopped", "odd"),
    "failed": ("Failed", "bad"),
    None: ("Unfinished", "odd"),
}


@dataclass(frozen=True)
class Pictures:
    """Everything drawn, as markup that is safe to put into the page."""

    footfalls: Markup
    strip: Markup
    paths: tuple[Markup, ...]
    curves_by_attempt: dict[str, tuple[Markup, ...]]


def write_report(run: Path) -> Path:
    """Write `run/report.html` and return its path."""
    story = read_story(run)
    measured = measured_again(story)
    template = _environment().get_template("report.html")
    page = template.render(
        story=story,
        title=_title(story),
        status=_STATUS[story.result.status if story.result else None],
        verdict=story.verdict,
        pictures=_pictures(story, measured),
        video=_video(story),
        scales=SCALES,
        gait_rows=_gait_rows(story),
        reward=_reward(story),
        versions=_versions(),
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        machine=f"Python {platform.python_version()} on {platform.system()} {platform.machine()}",
    )
    path = run / "report.html"
    runs.write_atomic(path, page)
    return path


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": _number,
        "percent": _percent,
        "steps": _steps,
        "clock": _clock,
        "robot": robot_title,
    }
    return environment


def _title(story: RunStory) -> str:
    clip = story.request.clip if story.request else None
    if clip is None and story.description:
        clip = story.description.clip.path
    robot = story.target.robot if story.target else (story.request.robot if story.request else "")
    return f"{clip.name if clip else story.folder.name} → {robot_title(robot) or 'a robot'}"


def _pictures(story: RunStory, measured: Measurement | None) -> Pictures:
    target, verdict = story.target, story.verdict
    moves = measured or (verdict.robot if verdict else None)
    robot = moves.robot if isinstance(moves, Measurement) else moves
    wanted = target.speed_m_s if target else None
    return Pictures(
        footfalls=Markup(footfall_diagram(target, moves)) if target else Markup(),
        strip=Markup(contact_strip(measured)) if measured else Markup(),
        paths=tuple(Markup(picture) for picture in limb_paths(target, robot)) if target else (),
        curves_by_attempt={
            attempt.id: tuple(Markup(picture) for picture in curves(attempt.progress, wanted))
            for attempt in story.attempts
            if attempt.progress
        },
    )


def _video(story: RunStory) -> str | None:
    """Return the video as a data URI, its relative path where it is too large, None where there is none."""
    places = [story.folder / "best" / "video.mp4"]
    if story.best:
        places.append(story.best.folder / "video.mp4")
    path = next((place for place in places if place.is_file() and place.stat().st_size), None)
    if path is None:
        return None
    if path.stat().st_size > MAX_VIDEO_BYTES:
        return path.relative_to(story.folder).as_posix()
    return "data:video/mp4;base64," + base64.b64encode(path.read_bytes()).decode()


@dataclass(frozen=True)
class GaitRow:
    """One number of the gait on its way from the clip over the target to the robot."""

    name: str
    clip: str
    target: str
    robot: str
    confidence: float | None

    @classmethod
    def of(cls, name: str, clip: object, target: object, robot: object, confidence: float | None = None) -> GaitRow:
        return cls(name, _number(clip), _number(target), _number(robot), confidence)


def _gait_rows(story: RunStory) -> list[GaitRow]:
    gait = story.description.gait if story.description else None
    target, robot = story.target, story.verdict.robot if story.verdict else None
    if not (gait or target):
        return []
    sure = gait.confidence if gait else {}
    leg_m = target.leg_length_m if target else None
    rows = [
        GaitRow.of("gait", gait and gait.gait, target and target.gait, robot and robot.gait, sure.get("gait")),
        GaitRow.of(
            "strides, 1/s",
            gait and gait.stride_frequency_hz,
            target and target.stride_frequency_hz,
            robot and robot.stride_frequency_hz,
            sure.get("stride_frequency"),
        ),
        GaitRow.of(
            "speed, m/s",
            gait and gait.speed_leg_lengths_s * gait.leg_length_m_assumed,
            target and target.speed_m_s,
            robot and robot.speed_m_s,
        ),
        GaitRow.of(
            "speed, leg lengths/s",
            gait and gait.speed_leg_lengths_s,
            target and target.speed_m_s / target.leg_length_m,
            robot and leg_m and robot.speed_m_s / leg_m,
            sure.get("speed"),
        ),
        GaitRow.of("Froude number", gait and gait.froude, target and target.froude, robot and robot.froude),
        GaitRow.of("leg length, m", gait and gait.leg_length_m_assumed, leg_m, robot and leg_m),
    ]
    feet = target.feet if target else tuple(gait.duty_factor if gait else ())
    for field, words in (("duty_factor", "stance"), ("phase_offsets", "touchdown")):
        for index, foot in enumerate(feet):
            rows.append(
                GaitRow.of(
                    f"{words} {foot}",
                    getattr(gait, field).get(foot) if gait else None,
                    getattr(target, field)[index] if target else None,
                    getattr(robot, field)[index] if robot else None,
                    sure.get(field),
                )
            )
    return rows


@dataclass(frozen=True)
class RewardView:
    """The reward that came out best, or the newest where none was judged."""

    attempt: str
    author: str
    rationale: str
    terms: tuple[tuple[str, float, str], ...]
    source: str


def _reward(story: RunStory) -> RewardView | None:
    chosen: AttemptStory | None = story.best or next((a for a in reversed(story.attempts) if a.program), None)
    if chosen is None or chosen.program is None:
        return None
    program = chosen.program
    return RewardView(
        attempt=chosen.id,
        author=program.author,
        rationale=program.rationale,
        terms=tuple((name, weight, program.serves.get(name, "")) for name, weight in program.terms.items()),
        source=chosen.source,
    )


def _versions() -> list[tuple[str, str]]:
    found = []
    for name in _PACKAGES:
        try:
            found.append((name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            continue
    return found


def _number(value: object, digits: int = 2) -> str:
    """Write a value for a table; nothing where there is none."""
    if value is None:
        return "–"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:.{digits}f}"


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %"


def _steps(value: int) -> str:
    return f"{value / 1e6:.2f} M" if value >= 1e6 else f"{value / 1e3:.0f} k"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d} min" if minutes else f"{rest} s"
