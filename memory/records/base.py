"""What every record is made of: frozen values, their names of limbs and gaits, and files of arrays."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Skeleton = Literal["person", "quadruped"]
GaitLabel = Literal[
    "stand", "walk", "amble", "trot", "pace", "canter", "gallop", "bound", "pronk",  # quadrupeds
    "run", "hop",  # bipeds: walk, run, hop
    "unknown",
]  # fmt: skip
Travel = Literal["forward", "backward", "on_the_spot"]

QUADRUPED_LIMBS = ("FL", "FR", "RL", "RR")
BIPED_LIMBS = ("L", "R")
PERSON_KEYPOINTS = ("nose", "neck") + tuple(
    f"{side}_{part}"
    for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle", "heel", "toe")
    for side in ("left", "right")
)
QUADRUPED_KEYPOINTS = ("nose", "neck", "withers", "tail_base") + tuple(
    f"{side}_{part}"
    for part in ("shoulder", "elbow", "wrist", "front_paw", "hip", "knee", "ankle", "hind_paw")
    for side in ("left", "right")
)

Unit = Annotated[float, Field(ge=0.0, le=1.0)]


class Record(BaseModel):
    """A frozen value. Unknown fields are refused, so that a mistyped name is found where it is written."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class StoredRecord(Record):
    """A record that lies in a file of its own; newer code reads older files by their version."""

    schema_version: int = 1


class ArrayFile(Record):
    """Arrays in an `.npz` file: the path is relative to the folder of the record's own file."""

    path: str
    sha256: str
