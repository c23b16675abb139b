"""The commands on a trained policy: judge it, film it, take it out of the house."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from video2reward.agent.listings import plain_table
from video2reward.memory import runs
from video2reward.memory.errors import MissingPart
from video2reward.memory.records import ClipDescription, Critique, MotionTarget

if TYPE_CHECKING:
    from video2reward.agent import cli


def judge(command: cli.Judge) -> int:
    """Judge a policy again, on seeds of its own, beside the verdicts that are there."""
    from video2reward.agent.screen import Screen
    from video2reward.tools.render_and_critique import judge_run

    with Screen() as screen:
        screen.event("judging", {"attempt": command.run.name})
        critique = judge_run(
            command.run, seed=command.seed, num_envs=command.num_envs, seconds=command.seconds, push_m_s=command.push
        )
    if command.json:
        print(critique.model_dump_json(indent=2))
    else:
        show_critique(critique)
    return 0 if critique.passed else 3


def play(command: cli.Play) -> int:
    """Print where the video is; make it where there is none."""
    from video2reward.tools.render_and_critique import policy_folder

    folder = policy_folder(command.run)
    video = folder / "video.mp4"
    if not video.is_file():
        video = _make_video(folder)
    if command.out:
        _copy_video(video, command.out)
        video = command.out
    print(video)
    return 0


def _copy_video(video: Path, out: Path) -> None:
    if out.suffix.lower() == ".gif":
        from video2reward.tools.video_file import write_gif

        write_gif(video, out)
    else:
        out.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(video, out)


def export(command: cli.Export) -> int:
    """Export a policy and say how to run it."""
    from video2reward.tools.export import export_run

    folder = export_run(command.run, command.out)
    print(f"{folder}: policy.onnx, policy.torchscript.pt, contract.json, model.xml, run_policy.py")
    print(f"try it: python {folder / 'run_policy.py'} 10")
    return 0


def show_critique(critique: Critique) -> None:
    """Print the gates, the similarity and its parts, and the verdict."""
    table = plain_table("gate", "", "value", "needed")
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
    if pushed := critique.pushed:
        print(
            f"Pushed by up to {pushed.push_m_s:g} m/s every {pushed.every_s:g} s, {pushed.survival:.0%} of "
            f"{pushed.num_envs} stay up for {pushed.seconds:.0f} s."
        )


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
