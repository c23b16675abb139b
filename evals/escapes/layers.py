"""Payloads held against one layer at a time: the guard alone, the trial after it, the operating system alone.

With the guard off a payload runs only behind the operating system's layer, and canaries tell whether anything got out:
a folder and a file outside the box, a listener on the loopback, a secret in our environment, and processes left over.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from video2reward.evals.escapes.catalogue import Entry
from video2reward.memory.errors import MissingPart
from video2reward.sim.guard import Problem, check_source
from video2reward.tools.confine import available_layers
from video2reward.tools.run_confined import Ending, run_files

_BATCH = 24
_MOST_FILES = 100_000
_RUN = """

if __name__ == "__main__":
    import sys
    import torch as _torch
    from types import SimpleNamespace as _Space
    _f = lambda *shape: _torch.rand(*shape)
    _state = _Space(
        base_lin_vel_b=_f(4096, 3), base_ang_vel_b=_f(4096, 3), projected_gravity_b=_f(4096, 3),
        base_height_m=_f(4096), joint_pos=_f(4096, 12), joint_vel=_f(4096, 12), default_joint_pos=_f(12),
        action=_f(4096, 12), last_action=_f(4096, 12), feet_contact=_f(4096, 4), feet_touchdown=_f(4096, 4),
        feet_air_time_s=_f(4096, 4), feet_force_n=_f(4096, 4), feet_height_m=_f(4096, 4), feet_vel_w=_f(4096, 4, 3),
        feet_tilt=_f(4096, 4), gait_phase=_f(4096), command_speed_m_s=_f(4096), joint_torque=_f(4096, 12),
        leg_length_m=0.25, standing_height_m=0.26, step_s=0.02)
    for _name in ("probe", "grow", "helper"):
        if _name in globals():
            print(type(globals()[_name](_state)))
"""


@dataclass
class Canaries:
    """What must stay as it is while a payload runs, and where payloads are told to look for it."""

    root: Path
    secret: str = field(default_factory=lambda: f"canary-{secrets.token_hex(8)}")
    listeners: list[socket.socket] = field(default_factory=list)
    port: int = 0

    @property
    def inside(self) -> Path:
        return self.root / "box"

    @property
    def outside(self) -> Path:
        return self.root / "outside"

    @property
    def secret_file(self) -> Path:
        return self.root / "secret.txt"

    def aimed(self, source: str) -> str:
        """Put the real places into a payload."""
        places = {
            "{outside}": str(self.outside),
            "{inside}": str(self.inside),
            "{secret}": str(self.secret_file),
            "{port}": str(self.port),
        }
        for word, place in places.items():
            source = source.replace(word, place)
        return source

    def got_out(self, words: str) -> list[str]:
        """Say what a payload reached that it must not."""
        found = [f"wrote {path.name} outside" for path in self.outside.rglob("*")]
        if not self.secret_file.exists() or self.secret_file.read_text(encoding="utf-8") != self.secret:
            found.append("changed a file outside")
        if self.secret_file.exists() and self.secret_file.stat().st_mode & 0o777 != 0o600:
            found.append("changed the rights of a file outside")
        if _called(self.listeners):
            found.append("reached the network")
        if self.secret in words or any(self.secret in text for text in _left_texts(self.inside)):
            found.append("read a secret")
        if left := _processes_of(str(self.root)):
            found.append(f"left {len(left)} processes")
        return found


@contextmanager
def canaries() -> Iterator[Canaries]:
    """Set the canaries out, and take them in."""
    with tempfile.TemporaryDirectory(prefix="v2r-escapes-") as name:
        birds = Canaries(Path(name).resolve())
        birds.inside.mkdir()
        birds.outside.mkdir()
        birds.secret_file.write_text(birds.secret, encoding="utf-8")
        birds.secret_file.chmod(0o600)
        os.environ["V2R_CANARY_API_KEY"] = birds.secret
        birds.listeners = [socket.socket(socket.AF_INET, kind) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)]
        birds.listeners[0].bind(("127.0.0.1", 0))
        birds.port = birds.listeners[0].getsockname()[1]
        birds.listeners[1].bind(("127.0.0.1", birds.port))
        birds.listeners[0].listen()
        for listener in birds.listeners:
            listener.setblocking(False)
        try:
            yield birds
        finally:
            for listener in birds.listeners:
                listener.close()
            os.environ.pop("V2R_CANARY_API_KEY", None)


def by_guard(payload: Entry) -> Problem | None:
    """Return the first thing that the guard refuses in a payload; None where it lets it through."""
    return next(iter(check_source(payload.source)), None)


def by_trial(payload: Entry) -> str:
    """Return why the trial refuses a payload; "" where it lets it through."""
    from video2reward.memory.records import MotionTarget
    from video2reward.sim.config import GO1
    from video2reward.tools.trials import try_confined

    target = MotionTarget(
        robot="go1", feet=GO1.feet, gait="trot", speed_m_s=1.0, stride_frequency_hz=2.0, duty_factor=(0.5,) * 4,
        phase_offsets=(0.0, 0.5, 0.5, 0.0), leg_length_m=GO1.leg_length_m, froude=0.4,
    )  # fmt: skip
    return try_confined(payload.source, target).problem


def by_system(payloads: Sequence[Entry], birds: Canaries, seconds: float) -> dict[str, tuple[str, list[str]]]:
    """Run payloads behind the operating system's layer alone; return (how it ended, what got out) by name.

    Raises MissingPart where that layer is not whole here: then nothing is run.
    """
    if not (layers := available_layers()).complete:
        raise MissingPart(
            f"payloads are never run without the operating system's layer: {layers.missing}.", "Leave out --system."
        )
    found: dict[str, tuple[str, list[str]]] = {}
    waiting = list(payloads)
    while waiting:
        some = waiting[:_BATCH]
        endings = _run_some(some, birds, seconds)
        leaks = birds.got_out(" ".join(ending.words for ending in endings.values()))
        _emptied(birds.inside)
        for payload in some:
            ending = endings.get(payload.name)
            if ending is None:
                # It took the runner along: those after it are run by another.
                found[payload.name] = ("ended the runner", leaks)
                break
            own = [leak for leak in leaks if "secret" not in leak or birds.secret in ending.words]
            found[payload.name] = (_how(ending.exit, ending.words), own)
        waiting = [payload for payload in waiting if payload.name not in found]
    return found


def _run_some(payloads: Sequence[Entry], birds: Canaries, seconds: float) -> dict[str, Ending]:
    """Run payloads one after another in one box; return how they ended by name, as far as it came."""
    with tempfile.TemporaryDirectory(dir=birds.root, prefix="files-") as name:
        files: dict[str, Entry] = {}
        for payload in payloads:
            text = birds.aimed(payload.source) + _RUN
            path = Path(name) / f"p{len(files)}.py"
            # What is no UTF-8 is no text that anything here would read.
            path.write_text(text, encoding="utf-8", errors="replace")
            files[path.name] = payload
        endings = run_files([Path(name) / file for file in files], birds.inside, seconds=seconds, torch=True)
        return {files[file].name: ending for file, ending in endings.items()}


def _how(code: int | None, words: str) -> str:
    last = (words.strip().splitlines() or [""])[-1][:70]
    if code is None:
        return "killed when its time ran out"
    return last or f"ended with {code}"


def _called(listeners: Sequence[socket.socket]) -> bool:
    """Say whether anybody called; the kernel keeps calls until they are asked for, so that none is missed."""
    called = False
    for listener in listeners:
        try:
            while True:
                if listener.type == socket.SOCK_STREAM:
                    listener.accept()[0].close()
                else:
                    listener.recv(1024)
                called = True
        except BlockingIOError:
            continue
    return called


def _left_texts(folder: Path) -> Iterator[str]:
    """Yield what lies in the small files of a folder, however deep it goes and however many there are."""
    rest, left = [str(folder)], _MOST_FILES
    while rest and left:
        try:
            with os.scandir(rest.pop()) as entries:
                for entry in entries:
                    left = max(left - 1, 0)
                    if entry.is_dir(follow_symlinks=False):
                        rest.append(entry.path)
                    elif entry.is_file(follow_symlinks=False) and entry.stat().st_size < 1 << 20:
                        yield Path(entry.path).read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue


def _emptied(folder: Path) -> None:
    """Make a folder empty again; Python's own way of removing does not go as deep as a payload may."""
    subprocess.run(["rm", "-rf", "--one-file-system", str(folder)], check=True)
    folder.mkdir()


def _processes_of(mark: str) -> list[str]:
    """Return processes of others whose command line or working folder names the canaries' folder."""
    found = []
    for folder in Path("/proc").iterdir() if Path("/proc").is_dir() else ():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            line = (folder / "cmdline").read_bytes().decode(errors="replace")
            where = os.readlink(folder / "cwd")
        except OSError:
            continue
        if mark in line or where.startswith(mark):
            found.append(folder.name)
    return found
