"""One process for all trials: torch is imported once, in the box, and every reward is tried in a fork of its own."""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError
from video2reward.memory.records import MotionTarget, TrialReport
from video2reward.memory.runs import write_atomic
from video2reward.sim.config import ROBOTS, RobotConfig, card_json, robot_config
from video2reward.tools.confine import confined, locked_environment

TRIAL_MODULE = "video2reward.sim.trial"
TRIAL_TIMEOUT_S = 20.0
_START_S = 60.0

_lock = threading.Lock()
_running: _Trials | None = None


def prepare() -> None:
    """Start the process without waiting for it, so that the first reward finds it warm."""
    with _lock:
        _ready()


def stop() -> None:
    """End the process, if there is one."""
    global _running
    with _lock:
        if _running is not None:
            _running.close()
        _running = None


def try_confined(text: str, target: MotionTarget) -> TrialReport:
    """Try a reward's text behind the operating system's layer; what becomes of it is in the report.

    The first call starts the process, the others find it warm. What it answers is read as a stranger's.
    """
    with _lock:
        for _ in range(2):
            report = _ready().ask(text, target)
            if isinstance(report, TrialReport):
                return report
        return TrialReport(problem=f"the trial could not be held: {report}.")


def _ready() -> _Trials:
    global _running
    if _running is None or not _running.alive:
        _running = _Trials()
        atexit.register(_running.close)
    return _running


class _Trials:
    """The process, and the pipes to it."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="v2r-trials-")
        folder = Path(self._folder.name)
        self._words = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            confined(TRIAL_MODULE, ["--serve", str(TRIAL_TIMEOUT_S)], folder),
            cwd=folder,
            env=locked_environment(folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            start_new_session=True,
        )
        self._warm, self._owner = False, os.getpid()

    @property
    def alive(self) -> bool:
        # A fork of ours must not talk through the pipes of its parent.
        return self._process.poll() is None and self._owner == os.getpid()

    def ask(self, text: str, target: MotionTarget) -> TrialReport | str:
        """Return the report on a reward; where the process is gone, its last words: another may be asked."""
        robot = card_json(self._in_the_box(robot_config(target.robot))).decode()
        line = json.dumps({"text": text, "target": target.model_dump(mode="json"), "robot": robot})
        answer = self._exchange(line.encode() + b"\n", TRIAL_TIMEOUT_S + (5.0 if self._warm else _START_S))
        if answer is None:
            said = self._last_words()
            self.close()
            return said
        self._warm = True
        try:
            return TrialReport.model_validate_json(answer)
        except ValidationError:
            return TrialReport(problem="the trial gave no report that could be read.")

    def _in_the_box(self, robot: RobotConfig) -> RobotConfig:
        """Return the robot as the box can read it: card and model of a foreign one lie where it cannot look."""
        if robot.name in ROBOTS:
            return robot
        # Anew each time: a reward that got as far as writing must not choose the next one's robot.
        model = Path(self._folder.name) / "model.xml"
        write_atomic(model, robot.mjcf_path.read_bytes())
        return replace(robot, mjcf=str(model))

    def close(self) -> None:
        """End the process and everything in its box."""
        if self._owner != os.getpid():
            return
        if self._process.poll() is None:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            try:
                pipe.close()
            except BrokenPipeError:
                continue
        self._words.close()
        self._folder.cleanup()

    def _last_words(self) -> str:
        self._words.seek(0)
        lines = self._words.read(1 << 16).decode(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else "its process ended without a word"

    def _exchange(self, line: bytes, seconds: float) -> bytes | None:
        try:
            self._process.stdin.write(line)
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError):
            return None
        answer, deadline = b"", time.monotonic() + seconds
        while not answer.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._process.stdout], [], [], left)[0]:
                return None
            part = os.read(self._process.stdout.fileno(), 1 << 16)
            if not part or len(answer) > 1 << 20:
                return None
            answer += part
        return answer
