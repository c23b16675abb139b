"""The command line: typed options, one line for every error, and exit codes that scripts can rely on.

    0 the gates passed   3 finished without passing   2 bad input   1 our fault   130 interrupted

Only this file is read for `--help`; what a command needs is imported when it runs.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from tyro.conf import Positional, arg, subcommand

RunFolderArg = Annotated[Positional[Path], arg(metavar="RUN", help="a run folder, or one attempt in it")]
ClipArg = Annotated[Positional[Path], arg(metavar="CLIP", help="a video file, or a GIF")]


@dataclass(frozen=True)
class Clip:
    """The options of every command that looks at a clip."""

    clip: ClipArg
    keypoints: Annotated[Path | None, arg(metavar="FILE")] = None
    """Keypoint file (COCO JSON, DeepLabCut CSV, plain CSV or npz); without one, the pixels are looked at."""
    subject: Literal["auto", "person", "animal"] = "auto"
    """Who is followed: auto takes an upright person, or else the animal (or four-legged robot)."""
    box: Annotated[str | None, arg(metavar="X,Y,W,H")] = None
    """Where the subject is, in pixels of the clip, at --at-second (0)."""
    at_second: Annotated[float | None, arg(metavar="T")] = None
    """When --box is meant; without a box, the largest body then is the subject."""
    gait: Literal["walk", "amble", "trot", "pace", "canter", "gallop", "bound", "pronk", "run", "hop"] | None = None
    """What the subject does, where the clip does not show which foot falls when: strides are still measured."""
    slow_motion: Annotated[float, arg(aliases=["--slow-motion-factor"])] = 1.0
    """How many seconds of the clip show one real second."""


@dataclass(frozen=True)
class Run(Clip):
    """Train a robot to move like the subject of a clip."""

    robot: str = "go1"
    """go1, g1, or the path of any legged robot's MJCF (see `video2reward robot inspect`)."""
    author: str = "offline"
    """Who writes the rewards: offline (by rule, no key), or openai:MODEL."""
    critic: str = "offline"
    """Who looks at pictures of clip and robot beside the physics: offline (nobody), or openai:MODEL."""
    minutes: float = 10.0
    """Wall time, the report included."""
    laps: int = 3
    """How often rewards are written, trained and judged."""
    candidates: int = 2
    """Rewards per lap."""
    env_steps: Annotated[int | None, arg(metavar="N")] = None
    """The most environment steps, of all trainings together."""
    tokens: Annotated[int | None, arg(metavar="N")] = None
    """The most tokens of language models."""
    usd: Annotated[float | None, arg(metavar="DOLLARS")] = None
    """The most that language models may cost, by the price table."""
    robust: bool = False
    """Train with pushes, slippery floors, loads, noisy sensors and late commands: slower, and tougher."""
    seed: int = 0
    out: Annotated[Path | None, arg(metavar="PATH")] = None
    """Run folder; by default a new one under runs/."""
    wish: Annotated[str, arg(metavar="WORDS")] = ""
    """What is asked for beyond the clip: "slower, less bouncing", "lift the feet higher", "remove the pose term"."""
    memory: bool = True
    """Recall near rewards of earlier runs, and remember this one's."""
    resume: bool = False
    """Go on with the run in --out where it was left."""
    unsafe: bool = False
    """Run a language model's code even where the operating system's protection is missing (see `doctor`)."""


@dataclass(frozen=True)
class Chat:
    """Talk to the agent: start, watch, steer, stop and explain runs."""

    say: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """Say this and end; may be given several times."""
    model: Annotated[str | None, arg(metavar="openai:MODEL")] = None
    """Who understands: a language model, or `offline`; by default the settings' model, else a small grammar."""
    author: str = "offline"
    """Who writes the rewards of the runs that are started: offline, or openai:MODEL."""
    critic: str = "offline"
    """Who looks at pictures in them: offline, or openai:MODEL."""
    root: Path = Path("runs")
    """Where runs lie."""
    yes: bool = False
    """Answer yes to every question about time or money."""
    unsafe: bool = False
    """Let runs go on where the operating system's layer around reward code is missing."""


@dataclass(frozen=True)
class Overnight:
    """Work through clips on robots, one run after the other, and leave a report for the morning."""

    clips: Annotated[Positional[tuple[Path, ...]], arg(metavar="CLIP...", help="video files, or folders of them")]
    until: str
    """When it must have ended: 07:00, 2026-11-27T07:00, 90m, 8h."""
    robot: tuple[str, ...] = ("go1",)
    """One robot or several."""
    author: str = "offline"
    """Who writes the rewards: offline, or openai:MODEL."""
    critic: str = "offline"
    """Who looks at pictures of clip and robot: offline (nobody), or openai:MODEL."""
    usd: Annotated[float | None, arg(metavar="DOLLARS")] = None
    """The most that language models may cost, all runs together."""
    tokens: Annotated[int | None, arg(metavar="N")] = None
    """The most tokens, all runs together."""
    minutes_each: Annotated[float | None, arg(metavar="MINUTES")] = None
    """The most time for one run; by default what is left is shared evenly."""
    laps: int = 12
    candidates: int = 2
    seed: int = 0
    out: Annotated[Path | None, arg(metavar="PATH")] = None
    """Queue folder; by default a new one under runs/."""
    memory: bool = True
    """Recall near rewards of earlier runs, and remember these."""
    unsafe: bool = False
    """Run a language model's rewards even where this machine cannot confine them."""


@dataclass(frozen=True)
class Resume:
    """Go on with every run and queue under a folder that ended in the middle; what finished is left alone."""

    root: Annotated[Positional[Path], arg(metavar="ROOT", help="a folder of runs, a queue, or one run")] = Path("runs")
    until: Annotated[str | None, arg(metavar="TIME")] = None
    """A new end for a queue: 07:00, 90m, 8h."""


@dataclass(frozen=True)
class Status:
    """Say what lives: queues, runs and their workers, how far they are and what they have used."""

    root: Annotated[Positional[Path], arg(metavar="ROOT", help="a folder of runs, a queue, or one run")] = Path("runs")
    all: bool = False
    """Show finished runs too."""
    json: bool = False
    """Print JSON."""


@dataclass(frozen=True)
class Describe(Clip):
    """Say what moves in a clip, how, and how far to trust it."""

    json: bool = False
    """Print JSON."""
    picture: Annotated[Path | None, arg(metavar="FILE.png")] = None
    """Draw it too: frames with points, footfalls, joints, and what was refused and why."""
    video: Annotated[Path | None, arg(metavar="FILE.mp4")] = None
    """Write the clip with its points and footfalls."""


@dataclass(frozen=True)
class Train:
    """Train a policy with a reward file and judge it."""

    reward: Path
    """A reward file; its MOTION says what it is for."""
    robot: str = "go1"
    """go1, g1, or the path of any legged robot's MJCF (see `video2reward robot inspect`)."""
    steps: Annotated[int | None, arg(metavar="N")] = None
    """Environment steps."""
    minutes: float = 10.0
    """The most wall time the training may take."""
    robust: bool = False
    """Train with pushes, slippery floors, loads, noisy sensors and late commands: slower, and tougher."""
    seed: int = 0
    out: Annotated[Path | None, arg(metavar="PATH")] = None
    """Folder to fill; by default a new one under runs/."""
    unsafe: bool = False
    """Run the reward's code even where the operating system's protection is missing (see `doctor`)."""


@dataclass(frozen=True)
class Judge:
    """Judge the frozen policy of a run on fresh seeds: gates, then similarity."""

    run: RunFolderArg
    seed: int = 9000
    num_envs: int = 64
    seconds: float = 10.0
    push: float = 0.5
    """Report how many stay up when pushed by this much (m/s) every two seconds; 0 leaves it out."""
    json: bool = False
    """Print JSON."""


@dataclass(frozen=True)
class Recall:
    """List the remembered rewards that are nearest to a clip in motion, or to a text in words."""

    clip: Annotated[Positional[Path | None], arg(metavar="CLIP", help="a video file, or a GIF")] = None
    words: Annotated[str | None, arg(metavar="TEXT")] = None
    """Search by words instead: "slow trot, feet lifted high"."""
    keypoints: Annotated[Path | None, arg(metavar="FILE")] = None
    """Keypoint file (COCO JSON, DeepLabCut CSV, plain CSV or npz)."""
    slow_motion: float = 1.0
    """How many seconds of the clip show one real second."""
    k: Annotated[int, arg(aliases=["-k"])] = 5
    """How many."""
    robot: Annotated[str | None, arg(metavar="NAME")] = None
    """Only rewards for this robot."""
    json: bool = False
    """Print JSON."""


@dataclass(frozen=True)
class Memory:
    """Say what is remembered, make the index anew from the run folders, or share the memory as a file."""

    action: Annotated[Positional[str], arg(metavar="{stats,rebuild,export,import}")] = "stats"
    file: Annotated[Positional[Path | None], arg(metavar="FILE")] = None
    """The .zip file to write or to read."""
    json: bool = False
    """Print JSON."""


@dataclass(frozen=True)
class Play:
    """Make, or find, the video of a run's best policy beside its clip."""

    run: RunFolderArg
    out: Annotated[Path | None, arg(metavar="PATH")] = None
    """Copy the video to this file."""


@dataclass(frozen=True)
class Export:
    """Write a run's best policy as ONNX and TorchScript, with its contract, its robot and a runner."""

    run: RunFolderArg
    out: Annotated[Path | None, arg(metavar="DIR")] = None
    """Folder to fill; by default export/ beside the policy."""


@dataclass(frozen=True)
class Guard:
    """Say what the guard refuses in a reward file, and what to write instead; exit 2 where it refuses anything."""

    reward: Annotated[Positional[Path], arg(metavar="REWARD", help="a reward file")]
    robot: Annotated[str | None, arg(metavar="NAME")] = None
    """The robot it is for; by default it must fit one of those there are."""
    json: bool = False
    """Print JSON."""


@dataclass(frozen=True)
class Runs:
    """List what has been run, best first."""

    root: Path = Path("runs")
    json: bool = False
    """Print JSON."""


@dataclass(frozen=True)
class Doctor:
    """Say what is here, what is missing, and how to get it."""

    json: bool = False
    """Print JSON."""


@dataclass(frozen=True)
class Models:
    """List the model files that see in clips, pull them, or add one that you brought."""

    action: Annotated[Positional[str], arg(metavar="{list,pull,add}")] = "list"
    name: Annotated[Positional[str], arg(metavar="NAME")] = ""
    """Which one; without a name, all are pulled."""
    file: Annotated[Positional[Path | None], arg(metavar="FILE")] = None
    """The file to add."""


@dataclass(frozen=True)
class Robot:
    """Look at a robot: inspect MODEL.xml, pull NAME from the MuJoCo Menagerie, or list."""

    action: Annotated[Positional[str], arg(metavar="{inspect,pull,list}")] = "list"
    model: Annotated[Positional[str], arg(metavar="MODEL")] = ""
    """The path of an MJCF, or menagerie:NAME."""
    anew: bool = False
    """Find everything again, over a card that was mended by hand."""
    json: bool = False
    """Print JSON."""
    picture: Annotated[Path | None, arg(metavar="FILE.png")] = None
    """Draw it as it stands."""


@dataclass(frozen=True)
class Bench:
    """Measure what the project promises, on this machine."""

    only: Annotated[str | None, arg(metavar="{speed,runs}")] = None
    """One part alone."""
    clips: Annotated[tuple[str, ...], arg(metavar="NAME...")] = ()
    """The runs to do; all by default."""
    json: Annotated[Path | None, arg(metavar="FILE")] = None
    """Write the figures to this file too."""
    markdown: Annotated[Path | None, arg(metavar="FILE")] = None
    """Write them to this file as tables."""


Command = (
    Annotated[Run, subcommand("run")]
    | Annotated[Chat, subcommand("chat")]
    | Annotated[Overnight, subcommand("overnight")]
    | Annotated[Resume, subcommand("resume")]
    | Annotated[Status, subcommand("status")]
    | Annotated[Describe, subcommand("describe")]
    | Annotated[Train, subcommand("train")]
    | Annotated[Judge, subcommand("judge")]
    | Annotated[Recall, subcommand("recall")]
    | Annotated[Memory, subcommand("memory")]
    | Annotated[Play, subcommand("play")]
    | Annotated[Export, subcommand("export")]
    | Annotated[Guard, subcommand("guard")]
    | Annotated[Runs, subcommand("runs")]
    | Annotated[Doctor, subcommand("doctor")]
    | Annotated[Models, subcommand("models")]
    | Annotated[Robot, subcommand("robot")]
    | Annotated[Bench, subcommand("bench")]
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    command = tyro.cli(
        Command,  # type: ignore[arg-type]
        prog="video2reward",
        description="From a clip of something that walks to a reward, a trained robot, and proof that they move alike.",
        args=argv,
        config=(tyro.conf.OmitSubcommandPrefixes, tyro.conf.FlagCreatePairsOff),
    )
    try:
        return _dispatch(command)
    except KeyboardInterrupt:
        print("\ninterrupted.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone, as with `| head`; the interpreter must not complain at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        return _explain(error)


def _dispatch(command: object) -> int:
    from video2reward.agent import commands

    return commands.COMMANDS[type(command).__name__](command)


def _explain(error: Exception) -> int:
    """Print one line on what went wrong and what to do; a traceback goes to a file."""
    from video2reward.memory.errors import V2RError

    if isinstance(error, V2RError):
        print(f"video2reward: {' '.join(str(error).split())}", file=sys.stderr)
        return error.exit_code
    if (full := _cannot_write(error)) is not None:
        cure = "Free some space, or choose another folder with --out; what was finished is kept."
        print(f"video2reward: {full}. {cure}", file=sys.stderr)
        return 2
    import traceback

    where = _log("".join(traceback.format_exception(error)))
    said = " ".join(str(error).split())[:300]
    print(f"video2reward: our fault: {type(error).__name__}: {said} (traceback: {where})", file=sys.stderr)
    return 1


def _cannot_write(error: BaseException | None) -> str | None:
    """Return what is said where a full or closed disk is at the bottom of an error, else None."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES):
            return f"{error.strerror}: {error.filename or 'a file could not be written'}"
        # SQLite, which keeps the checkpoints, has words of its own for it.
        if type(error).__name__ == "OperationalError" and any(
            sign in str(error) for sign in ("full", "readonly", "disk I/O", "unable to open")
        ):
            return f"the run's checkpoints cannot be written: {error}"
        error = error.__cause__ or error.__context__
    return None


def _log(text: str) -> str:
    import tempfile

    from video2reward.memory.recall import memory_home

    name = f"error-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    for folder in (memory_home() / "logs", Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        except OSError:
            continue
        return str(folder / name)
    print(text, file=sys.stderr)
    return "above"


if __name__ == "__main__":
    sys.exit(main())
