"""`video2reward doctor`: what is here, what is missing, and how to get it. Nothing is changed, no key is shown."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table
from video2reward.memory.records import Record

State = Literal["ok", "note", "missing"]

_PACKAGES = (
    "torch", "mujoco", "rsl-rl-lib", "tensordict", "numpy", "scipy", "av", "opencv-python-headless", "chromadb",
    "langgraph", "langgraph-checkpoint-sqlite", "langchain", "langchain-openai", "pydantic", "matplotlib", "tyro",
    "rich",
)  # fmt: skip
_LEAST_FREE_GB = 1.0
_CHECK_TIMEOUT_S = 60.0


class Finding(Record):
    """One thing that was looked at. `missing` is what no run can do without; `note` is worth knowing."""

    what: str
    state: State
    said: str
    cure: str = ""


def examine() -> list[Finding]:
    """Look at everything; a check that fails in an unforeseen way is itself a finding."""
    found: list[Finding] = []
    for check in _CHECKS:
        try:
            found += check()
        except Exception as error:
            name = check.__name__.strip("_").replace("_", " ")
            found.append(Finding(what=name, state="note", said=f"could not be looked at: {error}"))
    return found


def show(findings: list[Finding]) -> None:
    """Print the findings as a table, and a last line on whether a run can work."""
    marks = {"ok": "[green]ok[/]", "note": "[yellow]note[/]", "missing": "[red]missing[/]"}
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("what", "", "found", "how to get it"):
        table.add_column(column, overflow="fold")
    for finding in findings:
        table.add_row(finding.what, marks[finding.state], finding.said, finding.cure)
    console = Console()
    console.print(table)
    missing = [finding.what for finding in findings if finding.state == "missing"]
    console.print(f"missing: {', '.join(missing)}" if missing else "everything that a run needs is here", markup=False)


def _python() -> Iterator[Finding]:
    version = ".".join(str(part) for part in sys.version_info[:3])
    fine = sys.version_info >= (3, 11)
    yield Finding(what="Python", state="ok" if fine else "missing", said=version, cure="" if fine else "3.11 or newer")


def _packages() -> Iterator[Finding]:
    versions, missing = [], []
    for name in _PACKAGES:
        try:
            versions.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            missing.append(name)
    yield Finding(
        what="packages",
        state="missing" if missing else "ok",
        said=f"not installed: {', '.join(missing)}" if missing else ", ".join(versions),
        cure="make setup" if missing else "",
    )


def _torch() -> Iterator[Finding]:
    said = _in_a_process("import torch; print(torch.__version__, torch.version.cuda, torch.cuda.is_available())")
    if said is None:
        yield Finding(what="torch", state="missing", said="it cannot be imported", cure="make setup")
        return
    version, cuda, usable = said.split()
    build = (
        "CPU build" if cuda == "None" else f"CUDA {cuda} build, GPU {'usable' if usable == 'True' else 'not usable'}"
    )
    yield Finding(what="torch", state="ok", said=f"{version}, {build}; training runs on the CPU")


def _gl() -> Iterator[Finding]:
    backend = _in_a_process("from video2reward.sim.render import choose_gl; print(choose_gl())")
    if backend in ("egl", "osmesa"):
        yield Finding(what="rendering", state="ok", said=f"MuJoCo renders with {backend}")
    else:
        yield Finding(
            what="rendering",
            state="note",
            said="no GL library: robots are drawn as skeletons",
            cure="apt-get install libegl1 libgl1 libgles2",
        )


def _people() -> Iterator[Finding]:
    from video2reward.memory.errors import MissingPart
    from video2reward.tools.models import find_model, list_models

    code = "import mediapipe; from mediapipe.tasks.python import vision; vision.PoseLandmarker; print('fine')"
    if _in_a_process(code) is None:
        yield Finding(
            what="mediapipe",
            state="note",
            said="it cannot be imported: clips of people need it, keypoint files do not",
            cure="pip install 'video2reward[people]', then apt-get install libgl1 libegl1 libgles2",
        )
    else:
        yield Finding(what="mediapipe", state="ok", said=metadata.version("mediapipe"))
    try:
        yield Finding(what="pose model", state="ok", said=str(find_model("blazepose")))
    except MissingPart as error:
        yield Finding(what="pose model", state="note", said=error.what, cure="video2reward models pull blazepose")
    others = [status for status in list_models() if status.model.name != "blazepose"]
    here = [status.model.name for status in others if status.path]
    yield Finding(
        what="more pose models",
        state="ok",
        said=f"here: {', '.join(here) or 'none'}; QuadNet for animals is in the package (see: video2reward models)",
    )


def _protection() -> Iterator[Finding]:
    from video2reward.tools.confine import available_layers

    layers = available_layers()
    for what, trouble, works, package in (
        ("sandbox", layers.sandbox, "bubblewrap works: rewards run without network, files or keys", "bubblewrap"),
        ("seccomp", layers.seccomp, "the filter of system calls works: rewards start no process", "libseccomp2"),
    ):
        yield Finding(
            what=what,
            state="note" if trouble else "ok",
            said=f"{trouble}; rewards of language models and of files need --unsafe" if trouble else works,
            cure=f"apt-get install {package}, on a kernel that lets users make namespaces" if trouble else "",
        )


def _video() -> Iterator[Finding]:
    import av

    for codec in ("libx264", "mpeg4"):
        if codec in av.codecs_available:
            yield Finding(what="video", state="ok", said=f"PyAV {av.__version__} writes {codec}; no ffmpeg is needed")
            return
    yield Finding(what="video", state="note", said="PyAV has no encoder: reports come without video", cure="make setup")


def _memory() -> Iterator[Finding]:
    from video2reward.memory.recall import Memory, memory_home

    home = memory_home()
    nearest = next(path for path in (home, *home.parents) if path.exists())
    if not os.access(nearest, os.W_OK):
        yield Finding(what="memory", state="note", said=f"{home} cannot be written", cure="set V2R_HOME to a folder")
        return
    known = len(Memory(home).known_runs())
    yield Finding(what="memory", state="ok", said=f"{home}, {known} run{'s' * (known != 1)} remembered")


def _models() -> Iterator[Finding]:
    from video2reward.agent.settings import default_model, model_settings, settings_file

    said = {"author": "offline (by rule)", "critic": "physics alone", "chat": "a grammar of fixed sentences"}
    path = settings_file()
    said_of_file = str(path.absolute()) if path else "no video2reward.toml; none is needed"
    yield Finding(what="settings", state="ok", said=said_of_file)
    for role, without in said.items():
        settings = model_settings(role)
        if not settings.usable:
            cure = "V2R_BASE_URL for a local server, or OPENAI_API_KEY" if role == "author" else ""
            yield Finding(what=role, state="ok", said=f"{without}; no language model is set up", cure=cure)
            continue
        named = default_model(role)
        model = named or ("any model" if role != "chat" else "no model named")
        key = "with a key" if settings.api_key else "no key"
        vision = {True: "sees", False: "blind"}.get(settings.vision, "vision tried once")
        window = f", {settings.context_tokens} tokens" if settings.context_tokens else ""
        yield Finding(
            what=role,
            state="ok",
            said=f"{without}, or {model} at {settings.where} ({key}, {vision}, prompt {settings.prompt}{window}, "
            f"{settings.timeout_s:g} s)",
        )


def _machine() -> Iterator[Finding]:
    import psutil

    memory_gb = psutil.virtual_memory().available / 2**30
    yield Finding(
        what="machine",
        state="ok" if memory_gb > 2.0 else "note",
        said=f"{os.cpu_count()} cores, {memory_gb:.1f} GB of memory free",
        cure="" if memory_gb > 2.0 else "a run takes up to 2 GB",
    )
    free_gb = shutil.disk_usage(Path.cwd()).free / 2**30
    enough = free_gb > _LEAST_FREE_GB
    yield Finding(
        what="disk",
        state="ok" if enough else "note",
        said=f"{free_gb:.1f} GB free here",
        cure="" if enough else "free some space: a run takes up to 0.2 GB",
    )


def _in_a_process(code: str) -> str | None:
    """Run a line of Python where a crash of it does no harm; return what it printed, None where it failed."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=_CHECK_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


_CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    _python, _packages, _torch, _gl, _people, _protection, _video, _memory, _models, _machine,
)  # fmt: skip
