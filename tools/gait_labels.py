"""Names of gaits: the nearest template of touchdown phases, with duty to tell running from walking."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from video2reward.memory.records import QUADRUPED_LIMBS, GaitLabel, Skeleton

# Touchdown phases in the order FL FR RL RR. The symmetric ones are Hildebrand's (1989); canter and gallop are dogs'
# (rotary), each for both leads.
TEMPLATES: Mapping[GaitLabel, tuple[tuple[float, float, float, float], ...]] = {
    "walk": ((0.0, 0.5, 0.75, 0.25), (0.0, 0.5, 0.25, 0.75)),
    "trot": ((0.0, 0.5, 0.5, 0.0),),
    "pace": ((0.0, 0.5, 0.0, 0.5),),
    "bound": ((0.0, 0.0, 0.5, 0.5),),
    "pronk": ((0.0, 0.0, 0.0, 0.0),),
    "canter": ((0.0, 0.82, 0.46, 0.63), (0.0, 0.18, 0.81, 0.64)),
    "gallop": ((0.0, 0.82, 0.46, 0.53), (0.0, 0.18, 0.71, 0.64)),
}
_TOO_FAR = 0.15


def gait_label(
    subject: Skeleton, phase_offsets: Mapping[str, float], duty_factor: Mapping[str, float]
) -> tuple[GaitLabel, float]:
    """Return the gait's name and how clearly it is nearer to that template than to the next, in [0, 1]."""
    duty = float(np.mean(list(duty_factor.values())))
    if subject == "person":
        apart = abs((phase_offsets.get("R", 0.5) + 0.5) % 1.0 - 0.5)
        if apart < 0.18:
            return "hop", float(np.clip(1 - apart / 0.18, 0, 1))
        return ("walk" if duty >= 0.5 else "run"), float(np.clip(abs(duty - 0.5) / 0.08, 0.1, 1))
    known = [index for index, limb in enumerate(QUADRUPED_LIMBS) if limb in phase_offsets]
    if len(known) < 3:
        return "unknown", 0.0
    phases = np.array([phase_offsets[QUADRUPED_LIMBS[index]] for index in known])
    distance = {name: min(_distance(phases, np.array(row)[known]) for row in rows) for name, rows in TEMPLATES.items()}
    (label, nearest), (_, second) = sorted(distance.items(), key=lambda item: item[1])[:2]
    clear = float(np.clip((second - nearest) / 0.08, 0.05, 1.0))
    if nearest > _TOO_FAR:
        return "unknown", clear
    if label == "walk" and duty < 0.5:
        return "amble", clear
    return label, clear


def _distance(phases: np.ndarray, template: np.ndarray) -> float:
    """Return the mean distance over the limbs, in strides, after the best common shift: no limb is special."""
    difference = phases - template
    shift = np.angle(np.exp(2j * np.pi * difference).mean()) / (2 * np.pi)
    return float(np.abs((difference - shift + 0.5) % 1.0 - 0.5).mean())
