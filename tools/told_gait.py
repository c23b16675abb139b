"""A gait that the user names where the clip does not show which foot falls when.

The strides are measured all the same; the footfalls are then those of the named gait's template, and said to be.
"""

from __future__ import annotations

from typing import get_args

import numpy as np
from video2reward.memory.errors import BadInput
from video2reward.memory.records import BIPED_LIMBS, QUADRUPED_LIMBS, GaitDescriptor, GaitLabel, QualityReport
from video2reward.tools.gait_labels import TEMPLATES

GRAVITY_M_S2 = 9.81
# Share of the stride on the ground and Froude number, in the middle of what dogs and people do in each gait: dogs after
# Maes et al. (2008) and the clips with known truth, people after Alexander (1989).
_TYPICAL: dict[GaitLabel, tuple[float, float]] = {
    "walk": (0.62, 0.2), "amble": (0.52, 0.35), "trot": (0.43, 0.7), "pace": (0.46, 0.6), "canter": (0.3, 2.0),
    "gallop": (0.24, 3.5), "bound": (0.3, 1.5), "pronk": (0.35, 0.8),
}  # fmt: skip
_TYPICAL_PERSON: dict[GaitLabel, tuple[float, float]] = {"walk": (0.62, 0.2), "run": (0.35, 1.0), "hop": (0.4, 0.5)}
_SURE_SPEED = 0.5
_LEAST_STRIDES = 2.0


def gait_names() -> tuple[str, ...]:
    """Return the gaits that can be named."""
    return tuple(name for name in get_args(GaitLabel) if name in _TYPICAL or name in _TYPICAL_PERSON)


def with_told_gait(gait: GaitDescriptor, label: GaitLabel) -> GaitDescriptor:
    """Return the gait as the user names it. Raises BadInput where the subject has no such gait."""
    return with_footfalls_of(
        gait, label, f"the footfalls are those of a {label}, as was said; measured are the strides"
    )


def with_footfalls_of(gait: GaitDescriptor, label: GaitLabel, because: str) -> GaitDescriptor:
    """Return the gait with the footfalls of `label`; strides are kept, and the speed where it could be measured.

    Raises BadInput where the subject has no such gait.
    """
    person = gait.subject == "person"
    typical = _TYPICAL_PERSON if person else _TYPICAL
    if label not in typical:
        raise BadInput(f"a {gait.subject} does not {label}.", f"--gait may be {', '.join(typical)}.")
    duty, froude = typical[label]
    limbs = BIPED_LIMBS if person else QUADRUPED_LIMBS
    row = (0.0, 0.0 if label == "hop" else 0.5) if person else TEMPLATES["walk" if label == "amble" else label][0]
    notes = [because]
    speed = gait.speed_leg_lengths_s
    leg_m = gait.leg_length_m_assumed
    if gait.travel != "on_the_spot" and (gait.confidence.get("speed", 0.0) < _SURE_SPEED or speed <= 0.0):
        speed = float(np.sqrt(froude * GRAVITY_M_S2 / leg_m))
        notes.append(f"the speed could not be measured: that of a usual {label} is taken, Froude {froude:g}")
    return gait.model_copy(
        update={
            "gait": label,
            "duty_factor": dict.fromkeys(limbs, duty),
            "phase_offsets": dict(zip(limbs, row, strict=True)),
            "speed_leg_lengths_s": speed,
            "froude": speed**2 * leg_m / GRAVITY_M_S2,
            "travel": "on_the_spot" if gait.travel == "on_the_spot" else "forward",
            "limb_cycle": {},
            "confidence": gait.confidence | {"duty_factor": 0.0, "phase_offsets": 0.0, "gait": 0.0},
            "notes": (*gait.notes, *notes),
        }
    )


def quality_when_told(quality: QualityReport, gait: GaitDescriptor) -> QualityReport:
    """Return how far to trust a named gait: never without a warning, and not at all where no strides were seen."""
    if gait.num_strides < _LEAST_STRIDES:
        return quality
    reason = f"it was said to be a {gait.gait}: which foot falls when is taken from that, not from the clip."
    return quality.model_copy(update={"verdict": "warn", "reasons": (reason, *quality.reasons)})
