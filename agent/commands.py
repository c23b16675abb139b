"""What each command of the command line does. Nothing heavy is imported before it is needed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from video2reward.memory import runs
from video2reward.memory.errors import BadInput, MissingPart
from video2reward.memory.records import (
    ClipDescription,
    Critique,
    MotionTarget,
    RunRequest,
    RunResult,
    TrainingSpec,
)

if TYPE_CHECKING:
    from video2reward.agent import cli

EXIT_BY_STATUS = {"passed": 0, "budget": 3, "failed": 3, "stopped": 130}
_STEPS = {"quadruped": 400_000, "biped": 900_000}


def run(command: cli.Run) -> int:
    """Run the whole loop on a clip."""
    from video2reward.agent.screen import Screen
    from video2reward.agent.session import default_out, resume, start
    from video2reward.memory.recall import Memory

    memory = Memory() if command.memory else None
    with Screen() as screen:
        if command.resume:
            if command.out is None:
                raise BadInput("--resume needs the run folder.", "Name it with --out.")
            result, out = resume(command.out, watcher=screen, memory=memory), command.out
        else:
            out = (command.out or default_out(command.clip, command.robot)).absolute()
            request = RunRequest(
                clip=command.clip.absolute(),
                keypoints=command.keypoints.absolute() if command.keypoints else None,
                robot=command.robot,
                author=command.author,
                minutes=command.minutes,
                laps=command.laps,
                candidates=command.candidates,
                seed=command.seed,
                out=out,
                memory=memory.home if memory else None,
                slow_motion_factor=command.slow_motion,
            )
            result = start(request, watcher=screen, memory=memory)
    _show_result(result, out)
    return EXIT_BY_STATUS[result.status]


def describe(command: cli.Describe) -> int:
    """Print what a clip shows."""
    from video2reward.tools.describe import render_table

    with tempfile.TemporaryDirectory() as folder:
        description = _describe(command, Path(folder))
    if command.json:
        print(json.dumps(flat_description(description), indent=2))
    else:
        Console().print(render_table(description))
    return 2 if description.quality.verdict == "refuse" else 0


def train(command: cli.Train) -> int:
    """Train with a reward file, then judge."""
    from video2reward.agent.screen import Screen
    from video2reward.sim.config import robot_config
    from video2reward.tools.render_and_critique import FRESH_SEED, render_and_critique
    from video2reward.tools.train_policy import submit, train_policies
    from video2reward.tools.write_reward import adopt_reward, motion_of

    robot = robot_config(command.robot)
    if not command.reward.is_file():
        raise BadInput(f"there is no reward file {command.reward}.", "Check the path.")
    target = motion_of(command.reward, robot.name) or default_motion(command.robot)
    out = command.out or Path("runs") / f"train-{robot.name}-{time.strftime('%Y%m%d-%H%M%S')}"
    runs.create(out)
    program = adopt_reward(command.reward, target, out, attempt="train")
    if program.status != "ok":
        raise BadInput(f"{command.reward} cannot be trained with: {program.reason}")
    spec = TrainingSpec(
        attempt="train",
        reward="reward.py",
        target=target,
        seed=command.seed,
        num_threads=2,
        max_env_steps=command.steps or _STEPS[robot.kind],
        max_wall_s=60.0 * command.minutes,
    )
    with Screen() as screen:
        screen.event("training", {"attempt": "train", "max_env_steps": spec.max_env_steps})
        try:
            (training,) = train_policies([submit(spec, out)], on_progress=screen.row)
        except KeyboardInterrupt:
            from video2reward.tools.train_policy import WORKER_MODULE
            from video2reward.tools.workers import Worker

            Worker(out, WORKER_MODULE).cancel()
            raise
        screen.event("trained", training.model_dump())
        if training.checkpoint is None:
            screen.say(f"nothing was learned: {training.reason}")
            return 3
        screen.event("judging", {"attempt": "train"})
        critique = render_and_critique(out, target, seed=FRESH_SEED)
        screen.event("judged", {"attempt": "train", "passed": critique.passed, "gsi": critique.similarity.gsi})
    _show_critique(critique)
    print(f"policy: {out / 'policy.pt'}")
    return 0 if critique.passed else 3


def judge(command: cli.Judge) -> int:
    """Judge a policy again, on seeds of its own, beside the verdicts that are there."""
    from video2reward.agent.screen import Screen
    from video2reward.tools.render_and_critique import judge_run

    with Screen() as screen:
        screen.event("judging", {"attempt": command.run.name})
        critique = judge_run(command.run, seed=command.seed, num_envs=command.num_envs, seconds=command.seconds)
    if command.json:
        print(critique.model_dump_json(indent=2))
    else:
        _show_critique(critique)
    return 0 if critique.passed else 3


def recall(command: cli.Recall) -> int:
    """List the rewards that are nearest in motion."""
    from video2reward.memory.recall import Memory
    from video2reward.sim.config import robot_config

    if command.robot:
        robot_config(command.robot)
    with tempfile.TemporaryDirectory() as folder:
        description = _describe(command, Path(folder))
    if description.gait is None:
        raise BadInput(f"{command.clip} cannot be used: {' '.join(description.quality.reasons)}")
    memory = Memory()
    if command.robot:
        from video2reward.tools.retarget import retarget

        hits = memory.recall(retarget(description.gait, robot_config(command.robot)), command.robot, command.k)
    else:
        hits = memory.recall(description.gait, None, command.k)
    for trouble in memory.trouble:
        Console(stderr=True).print(trouble, markup=False)
    if command.json:
        print(json.dumps([hit.model_dump(mode="json") for hit in hits], indent=2))
        return 0
    if not hits:
        print(f"Nothing is remembered yet that could be compared (memory: {memory.home}).")
    table = _table("attempt", "robot", "distance", "GSI", "how it differs")
    for hit in hits:
        table.add_row(hit.attempt, hit.robot, f"{hit.distance:.2f}", f"{hit.gsi:.2f}", hit.sentence)
    if hits:
        Console().print(table)
    return 0


def play(command: cli.Play) -> int:
    """Print where the video is; make it where there is none."""
    from video2reward.tools.render_and_critique import policy_folder

    folder = policy_folder(command.run)
    video = folder / "video.mp4"
    if not video.is_file():
        video = _make_video(folder)
    if command.out:
        command.out.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(video, command.out)
        video = command.out
    print(video)
    return 0


def list_runs(command: cli.Runs) -> int:
    """List the runs, best first."""
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
    table = _table("run", "robot", "status", "GSI", "gait", "speed", "laps", "time")
    for path, result in found:
        best = result.best
        table.add_row(
            str(path), result.robot, result.status, f"{best.gsi:.2f}" if best else "-", best.gait if best else "-",
            f"{best.speed_m_s:.2f} m/s" if best else "-", str(result.laps), f"{result.wall_s:.0f} s",
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
    """List or pull the pose models."""
    from video2reward.tools.models import list_models, pull

    if command.action not in ("list", "pull"):
        raise BadInput(f"there is no {command.action!r}.", "Use `models list` or `models pull`.")
    if command.action == "pull":
        for name in [command.name] if command.name else [status.model.name for status in list_models()]:
            print(f"{name}: {pull(name)}")
        return 0
    table = _table("model", "for", "licence", "file")
    for status in list_models():
        model = status.model
        table.add_row(
            model.name, model.purpose, model.licence, str(status.path or "not here: video2reward models pull")
        )
    Console().print(table)
    return 0


def bench(command: cli.Bench) -> int:
    """Measure the promised figures."""
    # A process of its own: evals lie above the agent, which imports nothing of theirs.
    options = ["--only", command.only] if command.only else []
    options += ["--clips", *command.clips] if command.clips else []
    options += ["--json", str(command.json)] if command.json else []
    return subprocess.run([sys.executable, "-m", "video2reward.evals.bench", *options]).returncode


COMMANDS: dict[str, Callable[[Any], int]] = {
    "Run": run,
    "Describe": describe,
    "Train": train,
    "Judge": judge,
    "Recall": recall,
    "Play": play,
    "Runs": list_runs,
    "Doctor": doctor,
    "Models": models,
    "Bench": bench,
}


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


def default_motion(robot: str) -> MotionTarget:
    """Return the motion of a reward that states none: an easy trot, or a walk on two legs (Froude 0.4, 0.1)."""
    from video2reward.sim.config import GRAVITY_M_S2, robot_config

    config = robot_config(robot)
    four = config.kind == "quadruped"
    froude = 0.4 if four else 0.1
    return MotionTarget(
        robot=robot,
        feet=config.feet,
        gait="trot" if four else "walk",
        speed_m_s=round((froude * GRAVITY_M_S2 * config.leg_length_m) ** 0.5, 3),
        stride_frequency_hz=2.2 if four else 0.9,
        duty_factor=(0.5,) * 4 if four else (0.6, 0.6),
        phase_offsets=(0.0, 0.5, 0.5, 0.0) if four else (0.0, 0.5),
        leg_length_m=config.leg_length_m,
        froude=froude,
        notes=("the reward states no MOTION: the default one is used",),
    )


def _describe(command: cli.Clip, folder: Path) -> ClipDescription:
    from video2reward.agent.screen import Screen
    from video2reward.tools.describe import describe_clip

    if not command.clip.exists():
        raise BadInput(f"there is no clip {command.clip}.", "Check the path.")
    with Screen() as screen:
        _, description = describe_clip(
            command.clip,
            folder,
            keypoints=command.keypoints,
            slow_motion_factor=command.slow_motion,
            progress=lambda share: screen.share("watching the clip", share),
        )
        screen.share("watching the clip", 1.0)
    return description


def _make_video(folder: Path) -> Path:
    """Judge a policy once more as it was judged, this time with the video."""
    from video2reward.agent.screen import Screen
    from video2reward.tools.render_and_critique import render_and_critique

    run_path = next((up for up in (folder, *folder.parents[:2]) if (up / "track.json").exists()), None)
    gait = runs.load(ClipDescription, run_path / "description.json").gait if run_path else None
    known = runs.load(Critique, folder / "critique.json") if (folder / "critique.json").exists() else None
    size = {"seed": known.seed, "num_envs": known.num_envs, "seconds": known.seconds} if known else {}
    target = runs.load(MotionTarget, folder / "target.json")
    with Screen() as screen:
        screen.event("judging", {"attempt": folder.name})
        critique = render_and_critique(folder, target, gait=gait, track_dir=run_path, video=True, **size)
    video = folder / critique.artifacts.get("video", "video.mp4")
    if not video.is_file():
        why = " ".join(finding.sentence for finding in critique.findings if finding.quantity == "pictures")
        raise MissingPart(f"no video could be made. {why}", "See `video2reward doctor`.")
    return video


def _without_cycle(gait: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in gait.items() if name not in ("gait", "limb_cycle", "schema_version")}


def _show_critique(critique: Critique) -> None:
    table = _table("gate", "", "value", "needed")
    for gate in critique.gates:
        table.add_row(gate.name.replace("_", " "), "pass" if gate.passed else "FAIL", f"{gate.value:.3g}", gate.needed)
    console = Console()
    console.print(table)
    parts = critique.similarity
    print(
        f"GSI {parts.gsi:.3f}  (E_f {parts.E_f:.3f}, E_beta {parts.E_beta:.3f}, E_phi {parts.E_phi:.3f}, "
        f"E_Fr {parts.E_Fr:.3f}; ungated {parts.gsi_ungated:.3f})"
    )
    print(critique.verdict)


def _show_result(result: RunResult, out: Path) -> None:
    print(f"{result.status}: {result.stop_reason}")
    if result.best:
        best = result.best
        print(f"best {best.attempt}: {best.gait} at {best.speed_m_s:.2f} m/s, GSI {best.gsi:.2f}")
    for note in result.notes:
        print(note)
    for name in ("report", "video", "reward", "policy"):
        if path := getattr(result.artifacts, name):
            print(f"{name:<7} {out / path}")


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
