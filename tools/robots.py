"""Any legged robot: an MJCF becomes a robot of ours, once, and is found again by its card.

Cards lie in `robots/` of the memory's folder, named after the model and its contents, so that the same file is the same
robot in every run and in what is remembered.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from video2reward.memory import runs
from video2reward.memory.errors import BadInput, MissingPart
from video2reward.memory.records import RobotInspection
from video2reward.sim.config import CARD_FILE, ROBOTS, RobotConfig, robot_config
from video2reward.tools.confine import clean_environment

MENAGERIE = "menagerie:"
INSPECTION_FILE = "inspection.json"
_TIMEOUT_S = 120.0
_MAX_BYTES = 20_000_000


def resolve_robot(name: str, home: Path) -> str:
    """Return the name that `robot_config` knows a robot by.

    `name` is a robot of the package, a card, the path of an MJCF (adopted into `home` at its first use),
    `menagerie:NAME`, or what a robot that was adopted before is called. Raises BadInput or MissingPart.
    """
    if name in ROBOTS:
        return name
    if name.endswith(CARD_FILE):
        return robot_config(str(Path(name).expanduser().resolve())).name
    if name.startswith(MENAGERIE):
        return str(inspect_robot(fetch(name.removeprefix(MENAGERIE)), home) / CARD_FILE)
    if name.lower().endswith((".xml", ".mjcf")):
        return str(inspect_robot(Path(name), home) / CARD_FILE)
    if card := _adopted(name, home):
        return card
    robot_config(name)  # says which there are
    return name


def _adopted(name: str, home: Path) -> str | None:
    """Return the card of the robot called so, by its folder or by its model's file; of several, the latest."""
    cards = [card for card in (home / "robots").glob(f"*/{CARD_FILE}") if card.parent.name.rpartition("-")[0] == name]
    exact = home / "robots" / name / CARD_FILE
    cards += [exact] if name and "/" not in name and exact.is_file() else []
    return str(max(cards, key=lambda card: card.stat().st_mtime).resolve()) if cards else None


def inspect_robot(mjcf: Path, home: Path, *, anew: bool = False) -> Path:
    """Adopt an MJCF; return the folder with its card, model and `inspection.json`. `anew` overwrites a mended card."""
    path = mjcf.expanduser().resolve()
    if not path.is_file():
        raise BadInput(f"there is no robot model {mjcf}.", "Check the path.")
    if path.stat().st_size > _MAX_BYTES:
        raise BadInput(f"{mjcf} is larger than {_MAX_BYTES / 1e6:.0f} MB.", "Give the MJCF, not its meshes.")
    folder = home / "robots" / f"{path.stem}-{runs.sha256_of(path)[:8]}"
    if (folder / CARD_FILE).is_file() and (folder / INSPECTION_FILE).is_file() and not anew:
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-P", "-m", "video2reward.sim.robots.adopt", str(path), str(folder)]
    # MuJoCo writes its log into the working directory; includes and meshes are found beside the model all the same.
    with tempfile.TemporaryDirectory(prefix="video2reward-") as scratch:
        try:
            done = subprocess.run(
                command, cwd=scratch, env=clean_environment(Path(scratch)), stdin=subprocess.DEVNULL,
                capture_output=True, text=True, errors="replace", timeout=_TIMEOUT_S,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise BadInput(f"{mjcf} could not be read within {_TIMEOUT_S:.0f} s.", "Give a smaller model.") from None
    if done.returncode == BadInput.exit_code:
        raise BadInput(done.stderr.strip())
    if done.returncode:
        raise BadInput(f"MuJoCo cannot read {mjcf} (it ended with {done.returncode}).", "Open it in its viewer first.")
    runs.write_atomic(folder / INSPECTION_FILE, done.stdout)
    return folder


def inspection_of(folder: Path) -> RobotInspection:
    """Read what was found when a robot was adopted."""
    return runs.load(RobotInspection, folder / INSPECTION_FILE)


def known_robots(home: Path) -> list[RobotConfig]:
    """Return the robots of the package and those that were adopted here; damaged cards are passed over."""
    found = list(ROBOTS.values())
    for card in sorted((home / "robots").glob(f"*/{CARD_FILE}")):
        try:
            found.append(robot_config(str(card.resolve())))
        except BadInput:
            continue
    return found


def draw_robot(folder: Path, picture: Path) -> None:
    """Draw an adopted robot as it stands, in a process of its own: GL has to be chosen before MuJoCo is there."""
    command = [sys.executable, "-P", "-m", "video2reward.sim.robots.portrait", str(folder / CARD_FILE), str(picture)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_TIMEOUT_S)
    if done.returncode:
        words = done.stderr.strip().splitlines()
        raise MissingPart(words[-1] if words else "the robot could not be drawn.")


def fetch(name: str) -> Path:
    """Return the model of a robot of the MuJoCo Menagerie, fetched by the `mujoco-menagerie` package where needed."""
    try:
        import mujoco_menagerie
    except ImportError:
        raise MissingPart(
            "the package mujoco-menagerie is not installed.", "pip install 'video2reward[menagerie]', or give an MJCF."
        ) from None
    if name not in (known := sorted(mujoco_menagerie.names())):
        near = [other for other in known if name.split("_")[0] in other][:8]
        raise BadInput(f"the menagerie has no {name!r}.", f"Near it: {', '.join(near)}." if near else "")
    robot = mujoco_menagerie.get(name)
    try:
        return Path(robot.xml(robot.default_model))
    except (mujoco_menagerie.MenagerieError, OSError) as error:
        said = " ".join(str(error).split())[:200]
        raise BadInput(f"{name} could not be fetched: {said}", "It needs the internet once; or give an MJCF.") from None
