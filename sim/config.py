"""What the rest of the house may know about a robot without importing a simulator: names, order, sizes, rates."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError
from video2reward.memory.errors import BadInput

GRAVITY_M_S2 = 9.81
CARD_FILE = "robot.json"
"""A robot that was found in somebody's MJCF: its card, beside the model it was written anew as."""

Axis = Literal["roll", "pitch", "yaw"]


@dataclass(frozen=True)
class RobotConfig:
    """A legged robot. Joint tuples follow the order of the MJCF's joints and actuators, foot tuples that of `feet`.

    `name` is what `robot_config` finds it by: a robot of the package by its name, any other by the path of its card.
    `leg_length_m` is the standing height of the hip pitch axis over the ground: the L of Froude scaling. It and
    `standing_height_m` (the trunk's origin) were measured after two seconds of standing on soft gains; the `home` key,
    its joints not yet sagging, stands a little higher. That was on hard feet; rubber ones give by 5 mm.
    `sprawled`: its legs stand out to the sides, as an insect's, and hinges that turn about the vertical swing them.
    """

    name: str
    kind: Literal["quadruped", "biped"]
    mjcf: str
    feet: tuple[str, ...]
    joint_names: tuple[str, ...]
    joint_axes: tuple[Axis, ...]
    default_joint_pos: tuple[float, ...]
    action_scale: tuple[float, ...]
    leg_length_m: float
    standing_height_m: float
    fall_height_m: float
    foot_radius_m: float
    contact_force_n: float
    control_hz: float = 50.0
    sprawled: bool = False
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The name for people."""
        return robot_title(self.name)

    @cached_property
    def mjcf_path(self) -> Path:
        """Where the model lies; a card's stands beside it, as an absolute path."""
        return Path(__file__).parent / "robots" / self.mjcf

    @property
    def num_joints(self) -> int:
        return len(self.joint_names)

    @property
    def num_feet(self) -> int:
        return len(self.feet)


_GO1_LEGS = ("FL", "FR", "RL", "RR")
_G1_LEG = ("hip_pitch", "hip_roll", "hip_yaw", "knee", "ankle_pitch", "ankle_roll")

GO1 = RobotConfig(
    name="go1",
    kind="quadruped",
    mjcf="go1.xml",
    feet=_GO1_LEGS,
    joint_names=tuple(f"{leg}_{part}_joint" for leg in _GO1_LEGS for part in ("hip", "thigh", "calf")),
    joint_axes=("roll", "pitch", "pitch") * 4,
    default_joint_pos=(-0.1, 0.9, -1.8, 0.1, 0.9, -1.8) * 2,
    action_scale=(0.15, 0.25, 0.25) * 4,
    leg_length_m=0.256,
    standing_height_m=0.261,
    fall_height_m=0.16,
    foot_radius_m=0.023,
    contact_force_n=1.0,
)

G1 = RobotConfig(
    name="g1",
    kind="biped",
    mjcf="g1.xml",
    feet=("L", "R"),
    joint_names=tuple(f"{side}_{part}_joint" for side in ("left", "right") for part in _G1_LEG),
    joint_axes=("pitch", "roll", "yaw", "pitch", "pitch", "roll") * 2,
    default_joint_pos=(-0.312, 0.0, 0.0, 0.669, -0.363, 0.0) * 2,
    # Out of the sagittal plane little motion is wanted and noise topples: these joints get half the range.
    action_scale=(0.25, 0.12, 0.12, 0.25, 0.25, 0.12) * 2,
    leg_length_m=0.645,
    standing_height_m=0.747,
    fall_height_m=0.5,
    foot_radius_m=0.0,
    contact_force_n=5.0,
)

ROBOTS = {robot.name: robot for robot in (GO1, G1)}


def robot_config(name: str) -> RobotConfig:
    """Return the robot called `name`, or the one whose card lies at that path.

    An unknown name is answered with those there are.
    """
    if name in ROBOTS:
        return ROBOTS[name]
    if name.endswith(CARD_FILE):
        return read_card(Path(name))
    raise BadInput(
        f"there is no robot {name!r}.", f"The robots are {', '.join(ROBOTS)}; any other by the path of its MJCF (.xml)."
    )


def robot_title(name: str) -> str:
    """Return a robot's name for people: a card's is that of its folder."""
    return Path(name).parent.name if name.endswith(CARD_FILE) else name


def robot_files(name: str) -> tuple[Path, ...]:
    """Return the files that a process needs beside the package to know a robot: a card and its model."""
    return (Path(name), robot_config(name).mjcf_path) if name.endswith(CARD_FILE) else ()


def robot_from_json(text: str) -> RobotConfig:
    """Read what `card_json` wrote, for a process that cannot reach the card."""
    return _CARD.validate_json(text)


@lru_cache(maxsize=16)
def read_card(path: Path) -> RobotConfig:
    """Read a robot's card. Raises BadInput where it is missing, damaged, or does not fit itself."""
    try:
        card = _CARD.validate_json(path.read_bytes())
    except OSError:
        raise BadInput(
            f"there is no robot card {path}.", "Make it anew with `video2reward robot inspect MODEL.xml`."
        ) from None
    except ValidationError as error:
        raise BadInput(
            f"{path} is not a robot's card: {error.errors()[0]['msg']}.", "Inspect its MJCF again."
        ) from None
    if len({len(card.joint_names), len(card.joint_axes), len(card.default_joint_pos), len(card.action_scale)}) != 1:
        raise BadInput(f"{path} does not give every joint its axis, angle and scale.", "Inspect its MJCF again.")
    return replace(card, name=str(path), mjcf=str(path.with_name(card.mjcf)))


def card_json(robot: RobotConfig) -> bytes:
    """Return a robot's card as readable JSON."""
    return _CARD.dump_json(robot, indent=2) + b"\n"


_CARD = TypeAdapter(RobotConfig)
