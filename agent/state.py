"""What the graph carries from node to node: ids and records, no tensors, nothing that lies on disk already."""

from __future__ import annotations

from typing import TypedDict

from video2reward.memory.records import Decision, GaitDescriptor, MotionTarget, Recollection, RunRequest


class RunState(TypedDict, total=False):
    """The state of one run. Attempts, curves and pictures lie in the run folder; here stand only their ids."""

    request: RunRequest
    gait: GaitDescriptor
    target: MotionTarget
    remembered: list[Recollection]
    lap: int
    candidates: list[str]
    decision: Decision


RECORDS = (RunRequest, GaitDescriptor, MotionTarget, Recollection, Decision)
"""The only types that may come back out of a checkpoint."""
