"""What can be typed: the commands that look at clips, runs, policies, the memory and this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg
from video2reward.agent.work_options import Clip

RunFolderArg = Annotated[Positional[Path], arg(metavar="RUN", help="a run folder, or one attempt in it")]


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
    """Copy the video to this file; NAME.gif is made into a GIF of three seconds."""


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
