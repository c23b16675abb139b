"""The processes that the judge starts: the rollout, one under pushes, the video and the contact sheet.

None of them runs reward code. What fails in a picture is a note; what fails in the rollout is an error.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from video2reward.memory import runs
from video2reward.memory.errors import BadInput, V2RError
from video2reward.memory.records import MotionTarget, PushTest
from video2reward.tools.confine import clean_environment, drawing_environment
from video2reward.tools.critic.evidence import BadRollout, read_meta, read_rollout
from video2reward.tools.critic.footfalls import write_footfalls

ROLLOUT_MODULE = "video2reward.sim.rollout"
VIDEO_MODULE = "video2reward.tools.critic.video"
SHEET_MODULE = "video2reward.tools.critic.sheet"
PUSH_EVERY_S = 2.0
_PUSHED_S = 10.0
_ROLLOUT_TIMEOUT_S = 300.0
_VIDEO_TIMEOUT_S = 180.0


def roll_out(
    module: str, folder: Path, out: Path, *, seed: int, num_envs: int, seconds: float, push_m_s: float = 0.0
) -> None:
    """Roll a frozen policy out into `out`, in a process of its own. Raises V2RError with its last words."""
    folder = folder.resolve()
    out.unlink(missing_ok=True)
    arguments = {
        "--policy": folder / "policy.pt",
        "--target": folder / "target.json",
        "--out": folder / out.name,
        "--num-envs": num_envs,
        "--seconds": seconds,
        "--seed": seed,
        "--num-threads": min(os.cpu_count() or 1, 2),
        **({"--push-m-s": push_m_s} if push_m_s else {}),
    }
    command = [sys.executable, "-P", "-m", module, *(str(part) for pair in arguments.items() for part in pair)]
    _run(command, folder, clean_environment(folder), _ROLLOUT_TIMEOUT_S, "the rollout")


def made_already(rollout: Path, policy: Path, seed: int, num_envs: int, seconds: float) -> bool:
    """Tell whether a rollout is there already, whole, and of this very policy, seed and size."""
    if not rollout.is_file() or read_meta(rollout).get("policy_sha256") != runs.sha256_of(policy):
        return False
    try:
        made = read_rollout(rollout)
    except BadRollout:
        return False
    return (made.seed, made.num_envs) == (seed, num_envs) and abs(made.seconds - seconds) < 2 * made.control_dt_s


def rolled_out_pushed(
    module: str, folder: Path, notes: list[str], *, seed: int, num_envs: int, push_m_s: float
) -> PushTest | None:
    """Roll out under pushes and count who stays up; what fails is noted and nothing more."""
    out = folder / "pushed.npz"
    try:
        roll_out(module, folder, out, seed=seed, num_envs=num_envs, seconds=_PUSHED_S, push_m_s=push_m_s)
        made = read_rollout(out)
    except (V2RError, BadRollout) as error:
        notes.append(f"How it takes pushes could not be seen: {error}")
        return None
    finally:
        out.unlink(missing_ok=True)  # only its one number is kept
    survival = float(np.isinf(made.fell_at_s).mean())
    return PushTest(
        push_m_s=push_m_s, every_s=PUSH_EVERY_S, survival=survival, num_envs=made.num_envs, seconds=made.seconds
    )


def take_pictures(folder: Path, target: MotionTarget, track_dir: Path | None, notes: list[str]) -> dict[str, str]:
    """Make the video and the footfall diagrams; what fails is noted and nothing more."""
    made: dict[str, str] = {}
    try:
        write_footfalls(folder / "footfalls.svg", folder / "rollout.npz", target)
        made["footfalls"] = "footfalls.svg"
    except (V2RError, OSError, ValueError) as error:
        notes.append(f"The footfall diagram could not be drawn: {error}")
    command = [sys.executable, "-P", "-m", VIDEO_MODULE, str(folder.resolve() / "rollout.npz")]
    command += ["--out", str(folder.resolve() / "video.mp4")]
    if track_dir:
        command += ["--track", str(track_dir.resolve())]
    try:
        # No foreign code runs here, and what makes GL work on a machine stands in its environment.
        _run(command, folder, drawing_environment(), _VIDEO_TIMEOUT_S, "the video")
        made["video"] = "video.mp4"
    except (V2RError, OSError) as error:
        notes.append(f"The video could not be made: {error}")
    return made


def make_sheet(folder: Path, track_dir: Path | None, out: Path) -> Path:
    """Make the contact sheet of clip and robot from a judged attempt's rollout. Raises V2RError where that fails."""
    if not (folder / "rollout.npz").is_file():
        raise BadInput(f"{folder} holds no rollout.", "Judge it first.")
    command = [sys.executable, "-P", "-m", SHEET_MODULE, str(folder.resolve() / "rollout.npz"), "--out"]
    command.append(str(out.resolve()))
    if track_dir and (track_dir / "track.json").is_file():
        command += ["--track", str(track_dir.resolve())]
    _run(command, folder, drawing_environment(), _VIDEO_TIMEOUT_S, "the contact sheet")
    return out


def _run(command: list[str], folder: Path, environment: dict[str, str], timeout_s: float, what: str) -> str:
    """Run a process in a folder; return what it printed. Raises V2RError with its last words."""
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired:
        raise V2RError(f"{what} did not end within {timeout_s:.0f} s.") from None
    if done.returncode:
        words = done.stderr.strip().splitlines()
        raise V2RError(f"{what} ended with exit code {done.returncode}: {words[-1] if words else 'no word'}")
    return done.stdout
