"""Finds the legs in a compiled MuJoCo model: trunk, hips, knees, feet, and which way each joint bends.

Nothing is told by names. A leg is what ends low and is driven: the lowest ends of the kinematic tree, seen in the
model's own rest pose, two or four of them; what they have in common is the trunk, what else moves is held still.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import mujoco
import numpy as np
from numpy.typing import NDArray
from video2reward.memory.errors import BadInput

Axis = Literal["roll", "pitch", "yaw"]
_REST_KEYS = ("home", "stand", "standing", "init", "default")
_LOW = 0.25
"""An end belongs to a leg if it lies in the lowest quarter of the robot's height."""
_ACROSS = 0.9
"""A hinge lies across the trunk if so much of its axis points to the side."""
_LEAST_APART = 0.05
"""Hips closer to the middle than this share of the larger spread have no side."""


@dataclass(frozen=True)
class Leg:
    """One leg, by MuJoCo's ids: the bodies from the hip to the foot and the hinges that move them, in that order.

    A leg is `sprawled` if it stands out to its side, as an insect's: none of its hinges lies across the trunk, and a
    vertical one swings it forward.
    """

    name: str
    bodies: tuple[int, ...]
    joints: tuple[int, ...]
    axes: tuple[Axis, ...]
    sprawled: bool = False

    @property
    def foot(self) -> int:
        return self.bodies[-1]

    @property
    def hip_joint(self) -> int:
        """The joint whose height is the leg's length: the first that swings it forward, else the first."""
        swings = "yaw" if self.sprawled else "pitch"
        return next((j for j, axis in zip(self.joints, self.axes, strict=True) if axis == swings), self.joints[0])

    @property
    def knee_joint(self) -> int:
        """The next joint that bends it, else the last."""
        after = self.joints[self.joints.index(self.hip_joint) + 1 :]
        bending = [j for j in after if self.axes[self.joints.index(j)] == "pitch"]
        return (bending or list(after) or [self.joints[-1]])[0]


@dataclass(frozen=True)
class Anatomy:
    """A legged robot as found in a model. `rest` is the whole qpos it was found in."""

    trunk: int
    legs: tuple[Leg, ...]
    rest: NDArray[np.float64]
    rest_key: str
    held_joints: tuple[int, ...]

    @property
    def kind(self) -> Literal["quadruped", "biped"]:
        return "quadruped" if len(self.legs) == 4 else "biped"

    @property
    def joints(self) -> list[tuple[int, Axis]]:
        """All legs' hinges with their axes, in the order in which MuJoCo's qpos has them, whatever the legs' is."""
        return sorted((j, axis) for leg in self.legs for j, axis in zip(leg.joints, leg.axes, strict=True))

    @property
    def sprawled(self) -> bool:
        return all(leg.sprawled for leg in self.legs)


def find_anatomy(model: mujoco.MjModel) -> Anatomy:
    """Return trunk and legs of a model. Raises BadInput where it is not a two- or four-legged robot facing +x."""
    rest, key = _rest_pose(model)
    data = mujoco.MjData(model)
    data.qpos[:] = rest
    mujoco.mj_kinematics(model, data)
    trunk = _trunk(model)
    if data.xmat[trunk].reshape(3, 3)[2, 2] < 0.9:
        raise BadInput(f"the trunk {model.body(trunk).name!r} does not stand upright.", "Its z axis must point up.")
    ends = _low_ends(model, data, trunk)
    hub = _common_ancestor(model, ends)
    by_branch: dict[int, int] = {}
    for end in ends:
        branch = _path(model, hub, end)[0] if end != hub else end
        by_branch.setdefault(branch, end)  # the lowest end stands for its leg
    chains = [_path(model, hub, end) for end in by_branch.values()]
    chains = [chain for chain in chains if len(_hinges(model, chain)) >= 2]
    if len(chains) not in (2, 4):
        found = ", ".join(model.body(chain[-1]).name or "(unnamed)" for chain in chains) or "none"
        raise BadInput(
            f"{len(chains)} legs were found ({found}); robots with two or four are known.",
            "A leg ends low and has at least two hinges.",
        )
    legs = _named(model, data, trunk, chains)
    moving = {joint for leg in legs for joint in leg.joints}
    held = tuple(j for j in range(model.njnt) if j not in moving and model.jnt_type[j] != mujoco.mjtJoint.mjJNT_FREE)
    return Anatomy(trunk=trunk, legs=legs, rest=rest, rest_key=key, held_joints=held)


def lowest_m(model: mujoco.MjModel, data: mujoco.MjData, body: int) -> float:
    """Return the height of a body's lowest point, m, by its shapes' bounding boxes; its origin's where it has none."""
    heights = [float(data.xpos[body, 2])]
    for geom in np.flatnonzero(model.geom_bodyid == body):
        center, half = model.geom_aabb[geom, :3], model.geom_aabb[geom, 3:]
        axes = data.geom_xmat[geom].reshape(3, 3)
        if model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_SPHERE:
            reach = float(model.geom_size[geom, 0])
        else:
            reach = float(np.abs(axes[2]) @ half)
        heights.append(float(data.geom_xpos[geom, 2] + axes[2] @ center) - reach)
    return min(heights)


def _rest_pose(model: mujoco.MjModel) -> tuple[NDArray[np.float64], str]:
    names = [model.key(i).name for i in range(model.nkey)]
    for wanted in (*_REST_KEYS, *names):
        if wanted in names:
            return model.key_qpos[names.index(wanted)].copy(), wanted
    return model.qpos0.copy(), ""


def _trunk(model: mujoco.MjModel) -> int:
    """Return the floating body with most hinges below it; without a free joint the heaviest child of the world."""
    free = [int(model.jnt_bodyid[j]) for j in range(model.njnt) if model.jnt_type[j] == mujoco.mjtJoint.mjJNT_FREE]
    candidates = free or [b for b in range(1, model.nbody) if model.body_parentid[b] == 0]
    if not candidates:
        raise BadInput("the model holds no body.", "Give an MJCF of a legged robot.")

    def hinges_below(body: int) -> tuple[int, float]:
        below = [b for b in range(1, model.nbody) if body in _ancestors(model, b)]
        return len(_hinges(model, below)), float(model.body_subtreemass[body])

    return max(candidates, key=hinges_below)


def _low_ends(model: mujoco.MjModel, data: mujoco.MjData, trunk: int) -> list[int]:
    """Return the ends of the tree that lie low, the lowest first."""
    bodies = [b for b in range(1, model.nbody) if trunk in _ancestors(model, b)]
    parents = {int(model.body_parentid[b]) for b in bodies}
    ends = [b for b in bodies if b not in parents and len(_hinges(model, _path(model, trunk, b))) >= 2]
    if not ends:
        raise BadInput(f"nothing is hinged to {model.body(trunk).name!r}.", "Give an MJCF of a legged robot.")
    heights = {b: lowest_m(model, data, b) for b in ends}
    bottom = min(heights.values())
    top = max(float(data.xpos[b, 2]) for b in bodies)
    return sorted((b for b in ends if heights[b] <= bottom + _LOW * max(top - bottom, 0.1)), key=heights.__getitem__)


def _common_ancestor(model: mujoco.MjModel, ends: list[int]) -> int:
    lines = [[*reversed(_ancestors(model, end)), end] for end in ends]
    common = 0
    for level in zip(*lines, strict=False):
        if len(set(level)) > 1:
            break
        common = level[0]
    return common


def _ancestors(model: mujoco.MjModel, body: int) -> list[int]:
    """Return the bodies above a body, the world last."""
    above = []
    while body:
        body = int(model.body_parentid[body])
        above.append(body)
    return above


def _path(model: mujoco.MjModel, top: int, end: int) -> list[int]:
    """Return the bodies from just under `top` down to `end`."""
    line = [end]
    while model.body_parentid[line[0]] not in (top, 0):
        line.insert(0, int(model.body_parentid[line[0]]))
    return line


def _hinges(model: mujoco.MjModel, bodies: list[int]) -> list[int]:
    return [
        j
        for body in bodies
        for j in range(model.body_jntadr[body], model.body_jntadr[body] + model.body_jntnum[body])
        if model.jnt_type[j] == mujoco.mjtJoint.mjJNT_HINGE
    ]


def _named(model: mujoco.MjModel, data: mujoco.MjData, trunk: int, chains: list[list[int]]) -> tuple[Leg, ...]:
    """Give each leg its side by where its first hinge lies: x forward, y left."""
    to_trunk = data.xmat[trunk].reshape(3, 3).T
    hips = np.array([to_trunk @ (data.xanchor[_hinges(model, chain)[0]] - data.xpos[trunk]) for chain in chains])
    middle, spread = hips.mean(0), np.ptp(hips, axis=0)
    across = hips[:, 1] - middle[1]
    if np.abs(across).min() < _LEAST_APART * spread.max() or (len(chains) == 2 and spread[0] > spread[1]):
        raise BadInput(
            "the legs do not lie left and right of the x axis.",
            "Turn the model so that it faces +x, with y to its left.",
        )
    legs = []
    for index, chain in enumerate(chains):
        side = "L" if across[index] > 0 else "R"
        end = "" if len(chains) == 2 else "F" if hips[index, 0] > middle[0] else "R"
        joints = _hinges(model, chain)
        turned = [to_trunk @ data.xaxis[joint] for joint in joints]
        axes = tuple(_axis_name(axis) for axis in turned)
        sprawled = len(chains) == 4 and axes[0] == "yaw" and not any(abs(axis[1]) > _ACROSS for axis in turned)
        legs.append(Leg(end + side, tuple(chain), tuple(joints), axes, sprawled))
    order = ("L", "R") if len(chains) == 2 else ("FL", "FR", "RL", "RR")
    if sorted(leg.name for leg in legs) != sorted(order):
        raise BadInput(
            f"the four hips do not make two pairs: {', '.join(leg.name for leg in legs)}.",
            "Two have to lie in front (+x) and two behind.",
        )
    return tuple(sorted(legs, key=lambda leg: order.index(leg.name)))


def _axis_name(axis_b: NDArray[np.float64]) -> Axis:
    """Name a hinge by the trunk's axis it is nearest to; one that lies flat and oblique swings the leg: pitch."""
    if abs(axis_b[2]) > 0.8:
        return "yaw"
    return "roll" if abs(axis_b[0]) > 0.8 else "pitch"
