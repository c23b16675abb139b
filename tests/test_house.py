"""The house itself: arrows point down, records are light, every room is packaged."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FLOORS = {"prompts": 0, "memory": 1, "sim": 2, "tools": 3, "agent": 4, "evals": 5}
# What a room may take from a lower one, where it may not take everything.
NARROW = {
    "agent": {"sim": {"video2reward.sim.config", "video2reward.sim.contract", "video2reward.sim.reward_text"}},
    "sim": {"memory": {"video2reward.memory.records", "video2reward.memory.errors", "video2reward.memory.runs",
                       "video2reward.memory"}},
}  # fmt: skip


def imports_of(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found += [node.module] + [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
    return [name for name in found if name.startswith("video2reward.")]


def files() -> list[Path]:
    return [path for room in FLOORS for path in sorted((ROOT / room).rglob("*.py"))]


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_imports_only_from_below(path):
    room = path.relative_to(ROOT).parts[0]
    for name in imports_of(path):
        other = name.split(".")[1]
        if other == room:
            continue
        assert FLOORS[other] < FLOORS[room], f"{room} may not import {name}"
        assert room != "prompts"
        narrow = NARROW.get(room, {}).get(other)
        if narrow:
            assert any(name == allowed or name.startswith(allowed + ".") or name == f"video2reward.{other}"
                       for allowed in narrow), f"{room} may import only {sorted(narrow)} from {other}"  # fmt: skip


def test_reading_a_record_imports_nothing_heavy():
    heavy = ["torch", "chromadb", "mujoco", "cv2", "mediapipe", "langgraph", "matplotlib"]
    code = f"import sys, video2reward.memory.records; print([m for m in {heavy!r} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_every_folder_of_code_is_packaged():
    packaged = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    found = {"video2reward." + ".".join(p.parent.relative_to(ROOT).parts) for p in files()}
    assert found == packaged


def test_no_line_of_the_project_names_a_package_registry_or_this_machine():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    hosts = ["py" + "pi.org", "pytorch" + ".org/whl", "/wo" + "rk/", "/ro" + "ot/"]
    for name in tracked:
        if name.endswith((".py", ".toml", ".txt", ".sh", ".md", ".xml", ".html", "Makefile")):
            text = (ROOT / name).read_text(encoding="utf-8")
            assert not [host for host in hosts if host in text], name
