"""The outer half of the operating system's layer: a process in a box of bubblewrap, with one folder to write in.

In the box there is no network, no process but the box's own, and of the file system only what Python needs, read-only.
The inner half (`sim.lockdown`: system calls and limits) the process puts on itself. Whether both work is found out by
trying them, not by looking for a program: containers and hardened kernels have one and forbid the other.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from video2reward.memory.errors import MissingPart
from video2reward.memory.records import Record
from video2reward.sim.lockdown import SECCOMP_VARIABLE

PASSED_ON = ("LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "PYTHONPATH", "LD_LIBRARY_PATH")
"""What goes through of the starter's environment; no key is among it."""
_GL_PREFIXES = (
    "MUJOCO_GL", "PYOPENGL_", "EGL_", "__EGL_", "__GLX_", "LIBGL_", "MESA_", "GALLIUM_", "NVIDIA_", "CUDA_", "DISPLAY",
    "XDG_RUNTIME_DIR", "WAYLAND_DISPLAY",
)  # fmt: skip
_ETC = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "localtime")
_ROOMS = ("memory", "sim")
"""The rooms that reward code's process imports."""
_PROBE_TIMEOUT_S = 20.0


class Layers(Record):
    """The parts of the operating system's layer: "" where a part works here, else why it does not."""

    sandbox: str
    seccomp: str

    @property
    def complete(self) -> bool:
        return not (self.sandbox or self.seccomp)

    @property
    def missing(self) -> str:
        """Say in a sentence what is missing; "" where nothing is."""
        parts = [
            *([f"no sandbox ({self.sandbox})"] if self.sandbox else []),
            *([f"no filter of system calls ({self.seccomp})"] if self.seccomp else []),
        ]
        return " and ".join(parts)


@functools.cache
def available_layers() -> Layers:
    """Find out, once a process, what of the operating system's layer works here."""
    seccomp = _probe([])
    with tempfile.TemporaryDirectory(prefix="v2r-probe-") as folder:
        box = _box(Path(folder).resolve(), "video2reward", readable=(), gpu=False)
        if isinstance(box, str):
            return Layers(sandbox=box, seccomp=seccomp)
        # Without seccomp the box is tried with the plainest of programs.
        sandbox = _probe(box) if not seccomp else _probe(box, "print('locked')")
    return Layers(sandbox=sandbox, seccomp=seccomp)


def require_layers(author: str, *, unsafe: bool) -> Layers:
    """Return the layers that are here. Raises MissingPart where foreign code would run without them.

    The offline author's rewards are made of this project's own functions and run anywhere; what a language model or a
    person wrote needs the operating system's layer, or to be told that it does not.
    """
    layers = available_layers()
    if not (layers.complete or unsafe or author == "offline"):
        raise MissingPart(
            f"the code that {author} wrote would run without the operating system's protection here: {layers.missing}.",
            "Install bubblewrap and libseccomp2 (`video2reward doctor` tells more), or give --unsafe to run it anyway.",
        )
    return layers


def confined(
    module: str,
    arguments: Sequence[str],
    folder: Path,
    *,
    readable: Sequence[Path] = (),
    gpu: bool = False,
    box: bool | None = None,
) -> list[str]:
    """Return the command line that runs a module of ours in a box where `folder` alone can be written.

    `readable` are files that may be read but not replaced, even within the folder. Where boxes do not work here, the
    command comes without one; `box` overrules what was found out.
    """
    # -P keeps the folder, which holds foreign files, off the import path.
    command = [sys.executable, "-P", "-m", module, *arguments]
    if not (not available_layers().sandbox if box is None else box):
        return command
    found = _box(folder.resolve(), module, readable=readable, gpu=gpu)
    return command if isinstance(found, str) else [*found, *command]


def clean_environment(home: Path) -> dict[str, str]:
    """Return an environment for processes that run foreign code: no keys, one thread, `home` as the home."""
    return {
        **{name: os.environ[name] for name in PASSED_ON if name in os.environ},
        "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        "HOME": str(home.resolve()),
        "LOGNAME": "worker",
        "OMP_NUM_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def drawing_environment() -> dict[str, str]:
    """Return an environment for our own processes that draw: what makes GL work on a machine, and no key."""
    wanted = {name: value for name, value in os.environ.items() if name.startswith(_GL_PREFIXES)}
    return {**clean_environment(Path.home()), **wanted, "PATH": os.environ.get("PATH", "/usr/bin:/bin")}


def locked_environment(home: Path) -> dict[str, str]:
    """Return the environment of a process that can write in `home` alone, with the demand for seccomp if it works."""
    folder = str(home.resolve())
    own = {"TMPDIR": folder, "TORCHINDUCTOR_CACHE_DIR": f"{folder}/.cache"}
    return clean_environment(home) | own | ({} if available_layers().seccomp else {SECCOMP_VARIABLE: "1"})


def _box(folder: Path, module: str, *, readable: Sequence[Path], gpu: bool) -> list[str] | str:
    """Return the beginning of a bubblewrap command line, or why there is none."""
    if sys.platform != "linux":
        return f"bubblewrap is for Linux, this is {sys.platform}"
    if (bwrap := shutil.which("bwrap")) is None:
        return "bubblewrap is not installed"
    line = [bwrap, "--unshare-user-try", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"]
    line += ["--unshare-cgroup-try", "--hostname", "v2r", "--cap-drop", "ALL"]
    line += ["--proc", "/proc", "--dev", "/dev"]
    for path in map(Path, ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/nix/store")):
        if path.is_symlink():
            line += ["--symlink", os.readlink(path), str(path)]
        elif path.is_dir():
            line += ["--ro-bind", str(path), str(path)]
    line += [part for name in _ETC for part in ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")]
    line += ["--ro-bind-try", "/sys/devices/system/cpu", "/sys/devices/system/cpu"]
    for path in _python_paths(module.split(".")[0], os.environ.get("PYTHONPATH", "")):
        line += ["--ro-bind", str(path), str(path)]
    if gpu:
        line += _gpu_binds()
    line += ["--bind", str(folder), str(folder)]
    for path in readable:
        line += ["--ro-bind", str(path), str(path)]
    # What holds the mounts together is a file system in memory: nobody shall fill that.
    return [*line, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", str(folder), "--"]


@functools.cache
def _python_paths(package: str, python_path: str) -> tuple[Path, ...]:
    """Return the folders that our interpreter, its packages, the rooms it imports and `package` lie in."""
    import site

    found = [Path(sys.prefix), Path(sys.base_prefix), Path(os.path.realpath(sys.executable)).parent.parent]
    found += [Path(folder) for folder in site.getsitepackages() if Path(folder).is_dir()]
    for room in _ROOMS:
        spec = importlib.util.find_spec(f"video2reward.{room}")
        if spec is not None:
            folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
            found += [*folders, *(folder.resolve() for folder in folders)]
    # Of PYTHONPATH nothing but what leads to this project or the module: whatever else it names is the user's own.
    found += [
        Path(entry)
        for entry in filter(None, python_path.split(os.pathsep))
        if any((Path(entry) / name).exists() for name in ("video2reward", package, f"{package}.py"))
    ]
    kept: list[Path] = []
    for path in sorted({path.absolute() for path in found}, key=lambda path: len(path.parts)):
        if len(path.parts) > 1 and not any(path.is_relative_to(other) for other in (Path("/usr"), *kept)):
            kept.append(path)
    return tuple(kept)


def _gpu_binds() -> list[str]:
    """Bind the devices and the driver's description that CUDA opens."""
    line = ["--ro-bind", "/sys", "/sys"]
    for path in sorted([*Path("/dev").glob("nvidia*"), Path("/dev/dri")]):
        line += ["--dev-bind-try", str(path), str(path)]
    return line


_PROBE = """
import os
from video2reward.sim.lockdown import filter_system_calls
filter_system_calls()
try:
    os.fork()
except PermissionError:
    print("locked")
"""


def _probe(box: list[str], code: str = _PROBE) -> str:
    """Run a few lines that lock themselves down; return "" where they could, else what stood in the way."""
    try:
        done = subprocess.run(
            [*box, sys.executable, "-P", "-c", code],
            env=clean_environment(Path("/")),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PROBE_TIMEOUT_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0 and done.stdout.strip().endswith("locked"):
        return ""
    words = done.stderr.strip().splitlines()
    return words[-1][:200] if words else f"it ended with exit code {done.returncode}"
