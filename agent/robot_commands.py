"""`video2reward robot`: look at a robot before anything is trained with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from video2reward.agent.listings import plain_table
from video2reward.memory.errors import BadInput
from video2reward.memory.records import RobotInspection

if TYPE_CHECKING:
    from video2reward.agent import cli


def robot(command: cli.Robot) -> int:
    """Inspect an MJCF, fetch one of the menagerie, or list the robots there are."""
    from video2reward.memory.recall import memory_home
    from video2reward.tools.robots import MENAGERIE, fetch, inspect_robot, inspection_of, known_robots

    if command.action == "list":
        table = plain_table("robot", "kind", "joints", "leg", "--robot")
        for config in known_robots(memory_home()):
            table.add_row(
                config.title, config.kind, str(config.num_joints), f"{config.leg_length_m:.3f} m", config.name
            )
        Console().print(table)
        return 0
    if command.action not in ("inspect", "pull"):
        raise BadInput(f"robot {command.action} is not known.", "It is inspect, pull or list.")
    if not command.model:
        raise BadInput(f"robot {command.action} needs a model.", "Give the path of an MJCF, or menagerie:NAME.")
    name = command.model.removeprefix(MENAGERIE)
    fetched = command.action == "pull" or command.model.startswith(MENAGERIE)
    folder = inspect_robot(fetch(name) if fetched else Path(command.model), memory_home(), anew=command.anew)
    found = inspection_of(folder)
    if command.json:
        print(found.model_dump_json(indent=2))
    else:
        _show(found)
    if command.picture:
        from video2reward.tools.robots import draw_robot

        draw_robot(folder, command.picture)
        print(f"picture: {command.picture}")
    return 0


def _show(found: RobotInspection) -> None:
    legs = {"quadruped": "four legs", "biped": "two legs"}[found.kind]
    print(f"{found.card.parent.name}: {legs}, {found.mass_kg:.2f} kg, trunk {found.trunk!r}")
    print(f"hip over the ground {found.leg_length_m:.3f} m, trunk {found.standing_height_m:.3f} m when it stands")
    table = plain_table("leg", "joint", "turns", "range, rad", "stands at", "kp, N m/rad", "torque, N m")
    for servo in found.servos:
        limits = "free" if servo.range_rad is None else f"{servo.range_rad[0]:+.2f} … {servo.range_rad[1]:+.2f}"
        table.add_row(
            servo.leg, servo.joint, servo.axis, limits, f"{servo.default_rad:+.2f}", f"{servo.kp:.3g}",
            f"{servo.torque_limit_n_m:.3g}",
        )  # fmt: skip
    Console().print(table)
    for source in sorted({servo.source for servo in found.servos}):
        print(f"servos: {source}")
    for note in found.notes:
        print(f"note: {note}")
    print(f"card:  {found.card} (read it; what was guessed wrong is mended there)")
    print(f"train: video2reward run CLIP --robot {found.card}")
