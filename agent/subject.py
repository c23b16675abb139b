"""What the command line says about the subject, as the record the tools take."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from video2reward.memory.errors import BadInput
from video2reward.memory.records import SubjectChoice

if TYPE_CHECKING:
    from video2reward.agent.look_options import Recall
    from video2reward.agent.work_options import Clip


def subject_of(command: Clip | Recall) -> SubjectChoice:
    """Read --subject, --box and --at-second. Raises BadInput for a box that is none and a moment before the clip."""
    # `recall` has none of these; its class is another one under `python -m`, so the fields are asked for.
    if not hasattr(command, "box"):
        return SubjectChoice()
    box = None
    if command.box is not None:
        try:
            x, y, width, height = (float(part) for part in command.box.split(","))
        except ValueError as error:
            raise BadInput(
                f"--box {command.box} is not four numbers.", "Give it as x,y,width,height in pixels."
            ) from error
        if not all(math.isfinite(value) for value in (x, y, width, height)) or width <= 0 or height <= 0:
            raise BadInput(f"--box {command.box} has no width or height above 0.", "Give x,y,width,height in pixels.")
        box = (x, y, width, height)
    if command.at_second is not None and not (math.isfinite(command.at_second) and command.at_second >= 0):
        raise BadInput(f"--at-second {command.at_second} is before the clip.", "Give seconds from its start.")
    return SubjectChoice(kind=command.subject, box_px=box, at_second=command.at_second, gait=command.gait)
