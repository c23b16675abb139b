"""Refuses a compiled model whose names or numbers nothing further on could work with: the one place that looks.

MuJoCo's reader lets infinite, enormous and non-UTF-8 values through. Every step of adoption relies on this check, so
none of them repeats it.
"""

from __future__ import annotations

import mujoco
import numpy as np
from video2reward.memory.errors import BadInput

_LARGEST = 1e10
"""m, rad, kg, N m: what MuJoCo's own steps call too large; squares and sums of such numbers stay finite."""
_READ = (
    "qpos0", "key_qpos", "body_pos", "body_quat", "body_mass", "body_subtreemass", "body_ipos", "body_iquat",
    "body_inertia", "jnt_pos", "jnt_axis", "jnt_range", "jnt_actfrcrange", "dof_armature", "dof_damping",
    "geom_pos", "geom_quat", "geom_size", "geom_aabb", "geom_rbound", "geom_rgba",
    "actuator_gear", "actuator_gainprm", "actuator_biasprm", "actuator_forcerange", "actuator_ctrlrange",
)  # fmt: skip
"""The fields of a model that adoption reads; those that MuJoCo derives (`dof_invweight0`) may be of any size."""


def refuse_unsound(model: mujoco.MjModel, source: object) -> None:
    """Raise BadInput where a name cannot be written or a number is not finite or beyond any robot's."""
    try:
        names = model.names.decode()
    except UnicodeDecodeError as error:
        begin = model.names.rfind(b"\0", 0, error.start) + 1
        name = model.names[begin:].split(b"\0", 1)[0].decode(errors="replace")[:40]
        raise BadInput(f"{source} holds the name {name!r}, which is not UTF-8.", "Save the file as UTF-8.") from None
    unwritable = next((name for name in names.split("\0") if not name.isprintable()), None)
    if unwritable is not None:
        raise BadInput(f"{source} holds the name {unwritable[:40]!r}.", "Name things by letters that can be printed.")
    for field in _READ:
        values = getattr(model, field).ravel()
        wrong = values[~(np.abs(values) <= _LARGEST)]  # NaN compares false, too
        if wrong.size:
            raise BadInput(
                f"{source} holds the number {wrong[0]:g} ({field}).",
                f"Lengths, angles, masses and torques have to be finite and under {_LARGEST:g}.",
            )
