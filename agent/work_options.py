"""What can be typed: the commands that work, from a single training to a whole night."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from tyro.conf import Positional, arg

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
    """When --box is meant; without a box, whoever is seen best then is the subject."""
    gait: Literal["walk", "amble", "trot", "pace", "canter", "gallop", "bound", "pronk", "run", "hop"] | None = None
    """What the subject does, where the clip does not show which foot falls when: strides are still measured."""
    slow_motion: Annotated[float, arg(aliases=["--slow-motion-factor"])] = 1.0
    """How many seconds of the clip show one real second."""


@dataclass(frozen=True)
class Run(Clip):
    """Train a robot to move like the subject of a clip."""

    robot: str = "go1"
    """go1, g1, the path of any legged robot's MJCF, or the name of one inspected before (`video2reward robot`)."""
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
    most_candidates: Annotated[int | None, arg(metavar="N")] = None
    """The most rewards, of all laps together."""
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
    tokens: Annotated[int | None, arg(metavar="N")] = None
    """The most tokens of the conversation itself; runs have limits of their own."""
    usd: Annotated[float | None, arg(metavar="DOLLARS")] = None
    """The most that the conversation itself may cost; without it, you are asked now and then."""
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
    """One robot or several: go1, g1, the path of an MJCF, or the name of one that was inspected before."""
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
    minutes: Annotated[float | None, arg(metavar="MINUTES")] = None
    """So much more for one run that its time or its laps ended."""
    laps: Annotated[int | None, arg(metavar="N")] = None
    """So many more laps for it; by default as many as it had."""


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
