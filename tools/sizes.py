"""How large the ready-made quantities are for one motion: whoever weighs them can do the sums before the trial does.

They are called on the trial's own scripted states; nothing foreign runs here.
"""

from __future__ import annotations

import inspect

from video2reward.memory.records import MotionTarget
from video2reward.sim.config import robot_config


def sizes_text(target: MotionTarget) -> str:
    """Return a line for each quantity: its mean on the wanted gait, standing, lying, falling, and on a rough gait.

    Footfalls are those of the target, `joint_weights` are all 1, all else is as it is by default.
    """
    from video2reward.sim import scripted, terms

    robot = robot_config(target.robot)
    given = {
        "offsets": target.phase_offsets,
        "duty": target.duty_factor,
        "joint_weights": (1.0,) * robot.num_joints,
        "pitch_rad": target.trunk_pitch_rad,
    }
    states = [
        make(robot, target)
        for make in (
            scripted.scripted_gait,
            scripted.standing_still,
            scripted.lying_still,
            scripted.falling,
            scripted.rough,
        )
    ]
    lines = []
    for name, function in vars(terms).items():
        if not inspect.isfunction(function) or function.__module__ != terms.__name__ or name.startswith("_"):
            continue
        asked = {key: given[key] for key in inspect.signature(function).parameters if key in given}
        values = [function(state, **asked) for state in states]
        if values[0].dim() == 1:
            lines.append(f"- {name}: " + ", ".join(f"{float(value.mean()):.3g}" for value in values))
    return "\n".join(lines)
