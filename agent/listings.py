"""The commands that look and change nothing: clips, runs, the memory, the installation."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from video2reward.memory import runs
from video2reward.memory.errors import BadClip, BadInput, MissingPart
from video2reward.memory.records import ClipDescription, GaitDescriptor, MotionTarget

if TYPE_CHECKING:
    from video2reward.agent import cli
    from video2reward.agent.work_options import Clip


def describe(command: cli.Describe) -> int:
    """Print what a clip shows, and draw it where that is asked for."""
    from video2reward.tools.describe import render_table

    for wanted, ending in ((command.picture, ".png"), (command.video, ".mp4")):
        if wanted is not None and wanted.suffix.lower() != ending:
            raise BadInput(f"{wanted} does not end in {ending}.", f"Name it {wanted.with_suffix(ending)}.")
    with tempfile.TemporaryDirectory() as folder:
        try:
            description = _describe(command, Path(folder))
        except BadClip as error:
            _draw_refusal(command, error)
            raise
        _draw(command, Path(folder), description)
    if command.json:
        print(json.dumps(flat_description(description), indent=2))
    else:
        Console().print(render_table(description))
    return 2 if description.quality.verdict == "refuse" else 0


def _draw(command: cli.Describe, folder: Path, description: ClipDescription) -> None:
    from video2reward.memory.records import KeypointTrack
    from video2reward.tools.describe_picture import write_picture
    from video2reward.tools.describe_video import write_description_video
    from video2reward.tools.track import TRACK_FILE, load_track_arrays

    if command.picture is None and command.video is None:
        return
    track = runs.load(KeypointTrack, folder / TRACK_FILE)
    arrays = load_track_arrays(track, folder)
    if command.picture is not None:
        write_picture(command.picture, track, arrays, description)
    if command.video is not None:
        write_description_video(command.video, track, arrays, description)


def _draw_refusal(command: cli.Describe, error: BadClip) -> None:
    """Show the frames of a clip that was refused, as far as it can be read."""
    from video2reward.tools.describe_picture import write_refusal
    from video2reward.tools.video import open_clip

    if command.picture is not None:
        with contextlib.suppress(BadClip):
            write_refusal(command.picture, open_clip(command.clip, command.slow_motion), error)


def recall(command: cli.Recall) -> int:
    """List the rewards that are nearest in motion, or in words."""
    from video2reward.agent.embeddings import open_memory
    from video2reward.memory.motion import FAR
    from video2reward.memory.recall import memory_home
    from video2reward.sim.config import robot_title
    from video2reward.tools.robots import resolve_robot

    if (command.clip is None) == (command.words is None):
        raise BadInput("recall looks for one thing.", 'Name a clip, or say it: --words "slow trot".')
    robot = resolve_robot(command.robot, memory_home()) if command.robot else None
    memory = open_memory()
    if command.words is not None:
        hits = memory.recall_words(command.words, robot, command.k)
    else:
        hits = memory.recall(_motion_of(command, robot), robot, command.k)
    for trouble in memory.trouble:
        Console(stderr=True).print(trouble, markup=False)
    if command.json:
        print(json.dumps([hit.model_dump(mode="json") for hit in hits], indent=2))
        return 0
    if not hits:
        print(f"Nothing is remembered yet that could be compared (memory: {memory.home}).")
        return 0
    table = plain_table("attempt", "robot", "distance", "GSI", "how it differs" if command.clip else "in words")
    for hit in hits:
        table.add_row(hit.attempt, robot_title(hit.robot), f"{hit.distance:.2f}", f"{hit.gsi:.2f}", hit.sentence)
    Console().print(table)
    if command.clip and hits[0].distance > FAR:
        print(f"The nearest is far ({hits[0].distance:.1f}; {FAR} is another motion): none of these is a start.")
    return 0


def guard(command: cli.Guard) -> int:
    """Print what the guard refuses in a reward file."""
    from video2reward.sim.config import robot_config
    from video2reward.tools.write_reward import guard_problems

    problems = guard_problems(command.reward, robot_config(command.robot) if command.robot else None)
    if command.json:
        listed = [{"line": p.line, "construct": p.construct, "instead": p.message} for p in problems]
        print(json.dumps({"reward": str(command.reward), "harmless": not problems, "problems": listed}, indent=2))
    else:
        for problem in problems:
            print(f"{command.reward}:{problem.line}: {problem.construct}: {problem.message}")
        if not problems:
            print(f"{command.reward}: the guard refuses nothing; the trial and the training have their own say.")
    return 2 if problems else 0


def _motion_of(command: cli.Recall, robot: str | None) -> MotionTarget | GaitDescriptor:
    from video2reward.sim.config import robot_config

    with tempfile.TemporaryDirectory() as folder:
        description = _describe(command, Path(folder))
    if description.gait is None:
        raise BadInput(f"{command.clip} cannot be used: {' '.join(description.quality.reasons)}")
    if robot is None:
        return description.gait
    from video2reward.tools.retarget import retarget

    return retarget(description.gait, robot_config(robot))


def list_runs(command: cli.Runs) -> int:
    """List the runs, best first."""
    from video2reward.sim.config import robot_title

    found = sorted(
        runs.results(command.root),
        key=lambda item: (item[1].status == "passed", item[1].best.gsi if item[1].best else -1.0),
        reverse=True,
    )
    if command.json:
        print(json.dumps([{"run": str(p), **r.model_dump(mode="json", by_alias=True)} for p, r in found], indent=2))
        return 0
    if not found:
        print(f"No finished run under {command.root}.")
        return 0
    table = plain_table("run", "robot", "status", "GSI", "gait", "speed", "laps", "time")
    for path, result in found:
        best = result.best
        table.add_row(
            str(path), robot_title(result.robot), result.status, f"{best.gsi:.2f}" if best else "-",
            best.gait if best else "-", f"{best.speed_m_s:.2f} m/s" if best else "-", str(result.laps),
            f"{result.wall_s:.0f} s",
        )  # fmt: skip
    Console().print(table)
    return 0


def doctor(command: cli.Doctor) -> int:
    """Look at the installation."""
    from video2reward.agent.doctor import examine, show

    findings = examine()
    if command.json:
        print(json.dumps([finding.model_dump() for finding in findings], indent=2))
    else:
        show(findings)
    return 0 if all(finding.state != "missing" for finding in findings) else 2


def models(command: cli.Models) -> int:
    """List, pull or add the model files."""
    from video2reward.tools.models import add, list_models

    if command.action not in ("list", "pull", "add"):
        raise BadInput(
            f"there is no {command.action!r}.", "Use `models list`, `models pull` or `models add NAME FILE`."
        )
    if command.action == "pull":
        return _pull_models(
            [command.name] if command.name else [s.model.name for s in list_models() if s.model.size_mb]
        )
    if command.action == "add":
        if not command.name or command.file is None:
            raise BadInput("a model to add needs its name and a file.", "Use `models add NAME FILE`.")
        added = add(command.name, command.file)
        print(f"{command.name}: {added.path} ({added.state})")
        return 0
    table = plain_table("model", "for", "licence", "MB", "state", "file")
    for status in list_models():
        model = status.model
        size = f"{model.size_mb:.1f}" if model.size_mb else "-"
        cure = "video2reward models " + (f"pull {model.name}" if model.size_mb else f"add {model.name} FILE")
        table.add_row(model.name, model.purpose, model.licence, size, status.state, str(status.path or cure))
    Console().print(table)
    return 0


def _pull_models(names: list[str]) -> int:
    """Fetch models one after the other; one that cannot be had does not keep the others from coming."""
    from video2reward.agent.screen import Screen
    from video2reward.tools.models import pull

    failures = []
    for name in names:
        try:
            with Screen() as screen:
                path = pull(name, lambda share, name=name, screen=screen: screen.share(f"fetching {name}", share))
            print(f"{name}: {path}")
        except MissingPart as error:
            failures.append(error)
    for error in failures[:-1]:
        print(f"video2reward: {error}", file=sys.stderr)
    if failures:
        raise failures[-1]
    return 0


def bench(command: cli.Bench) -> int:
    """Measure the promised figures."""
    # A process of its own: evals lie above the agent, which imports nothing of theirs.
    options = ["--only", command.only] if command.only else []
    options += ["--clips", *command.clips] if command.clips else []
    options += ["--json", str(command.json)] if command.json else []
    options += ["--markdown", str(command.markdown)] if command.markdown else []
    return subprocess.run([sys.executable, "-m", "video2reward.evals.bench", *options]).returncode


def flat_description(description: ClipDescription) -> dict[str, Any]:
    """Return what `describe --json` prints: the record with the names that scripts may rely on at the top."""
    whole = description.model_dump(mode="json")
    return {
        "clip": whole["clip"]["path"],
        "quality": whole["quality"],
        "subject": description.subject,
        "pose_backend": description.pose_backend,
        "frames_used": description.frames_used,
        "gait": None if description.gait is None else {"label": description.gait.gait, **_without_cycle(whole["gait"])},
    }


def plain_table(*columns: str) -> Table:
    """Return an empty table without lines."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _describe(command: Clip | cli.Recall, folder: Path) -> ClipDescription:
    from video2reward.agent.screen import Screen
    from video2reward.agent.subject import subject_of
    from video2reward.tools.describe import describe_clip

    if not command.clip.exists():
        raise BadInput(f"there is no clip {command.clip}.", "Check the path.")
    with Screen() as screen:
        _, description = describe_clip(
            command.clip,
            folder,
            keypoints=command.keypoints,
            slow_motion_factor=command.slow_motion,
            subject=subject_of(command),
            progress=lambda share: screen.share("watching the clip", share),
        )
        screen.share("watching the clip", 1.0)
    return description


def _without_cycle(gait: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in gait.items() if name not in ("gait", "limb_cycle", "schema_version")}
