"""What a target would ask of the robot's joints, and what is asked instead where that is too much.

The target's motion is carried to the joints (`sim.reference`); what that needs in joint speed, torque, reach and flight
is compared with what the robot can give. Each change, and each doubt, is a sentence in the target's notes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from video2reward.memory.records import MotionTarget
from video2reward.sim.config import GRAVITY_M_S2, RobotConfig

if TYPE_CHECKING:
    from video2reward.sim.reference import Strain

MAX_JOINT_SPEED_RAD_S = 25.0
"""Geared leg motors of this class turn at 20 to 32 rad/s without load (Unitree's Go1 and G1)."""
MAX_RISE = 0.4
"""How high a robot may throw its trunk, in leg lengths."""
MAX_TORQUE_SHARE = 1.0
FAR_OUT_OF_REACH = 0.08
_HOPELESS_SHARE = 2.0
_MAX_DUTY = 0.8


def within_means(target: MotionTarget, robot: RobotConfig) -> MotionTarget:
    """Return the target as the robot can do it, with what was changed and what is doubtful in its notes.

    A flight that is too long is shortened by longer stances, joints that would turn too fast get a lower cadence at
    the same length of step. Reach and torque are said. Twice what the motors can give is infeasible.
    """
    notes: list[str] = []
    changed = _shorter_flight(target, _strain(target, robot), notes)
    strain = _strain(changed, robot)
    if strain.joint_speed_rad_s > MAX_JOINT_SPEED_RAD_S:
        share = MAX_JOINT_SPEED_RAD_S / strain.joint_speed_rad_s
        speed, cadence = changed.speed_m_s * share, changed.stride_frequency_hz * share
        notes.append(
            f"{strain.fastest_joint} would have to turn at {strain.joint_speed_rad_s:.0f} rad/s, "
            f"{MAX_JOINT_SPEED_RAD_S:.0f} are possible: the same steps {cadence:.2f} times a second, "
            f"at {abs(speed):.2f} m/s"
        )
        changed = changed.model_copy(
            update={
                "speed_m_s": speed,
                "stride_frequency_hz": cadence,
                "froude": speed**2 / (GRAVITY_M_S2 * target.leg_length_m),
            }
        )
        strain = _strain(changed, robot)
    adjusted = bool(notes) or target.feasibility == "adjusted"
    if strain.out_of_reach > FAR_OUT_OF_REACH:
        notes.append(
            f"a foot's path leads {strain.out_of_reach:.2f} leg lengths beyond its reach: the leg does what it can"
        )
    if strain.torque_share > MAX_TORQUE_SHARE:
        notes.append(
            f"{strain.weakest_joint} would need about {strain.torque_share:.0%} of its torque to bear the weight so"
        )
    hopeless = strain.torque_share > _HOPELESS_SHARE
    return changed.model_copy(
        update={
            "feasibility": "infeasible" if hopeless else "adjusted" if adjusted else target.feasibility,
            "notes": target.notes + tuple(notes),
        }
    )


def _shorter_flight(target: MotionTarget, strain: Strain, notes: list[str]) -> MotionTarget:
    """Lengthen every stance until the trunk is thrown no higher than it may: T seconds of flight lift it by gT²/8."""
    rise = GRAVITY_M_S2 * strain.flight_s**2 / 8.0 / target.leg_length_m
    if rise <= MAX_RISE:
        return target
    longest_s = math.sqrt(8.0 * MAX_RISE * target.leg_length_m / GRAVITY_M_S2)
    more = (strain.flight_s - longest_s) * target.stride_frequency_hz
    duty = tuple(min(value + more, _MAX_DUTY) for value in target.duty_factor)
    notes.append(
        f"a flight of {strain.flight_s:.2f} s would lift the trunk by {rise:.2f} leg lengths: "
        f"feet stand {more:.2f} of a stride longer"
    )
    return target.model_copy(update={"duty_factor": duty})


def _strain(target: MotionTarget, robot: RobotConfig) -> Strain:
    from video2reward.sim.reference import reference_motion

    return reference_motion(robot, target.model_dump_json()).strain
