"""Open an ONNX file so that it keeps to the threads it is given and says clearly when it is not what it should be."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from video2reward.memory.errors import MissingPart

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

NUM_THREADS = 2


class Network:
    """An ONNX network with one picture as its input."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._session = _session(file)
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or len(inputs[0].shape) != 4:
            raise MissingPart(
                f"{file} is no network of the right kind: it takes {len(inputs)} inputs, not one picture."
            )
        self._input = inputs[0].name
        self._shape = inputs[0].shape
        self.output_names = tuple(output.name for output in self._session.get_outputs())

    @property
    def input_size(self) -> tuple[int, int] | None:
        """The width and height the network asks for, None where it takes any."""
        height, width = self._shape[2:]
        return (width, height) if isinstance(width, int) and isinstance(height, int) else None

    @property
    def batches(self) -> bool:
        """Whether several pictures may be given at once."""
        return self._shape[0] != 1

    def run(self, pictures: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Return the outputs for pictures (N, 3, H, W), in the order of the file."""
        if self.batches or len(pictures) <= 1:
            return list(self._session.run(None, {self._input: pictures}))
        each = [self._session.run(None, {self._input: picture[None]}) for picture in pictures]
        return [np.concatenate(parts) for parts in zip(*each, strict=True)]


def _session(file: Path) -> InferenceSession:
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingPart(f"onnxruntime cannot be loaded ({error}).", "Install it: pip install onnxruntime.") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = NUM_THREADS
    options.inter_op_num_threads = 1
    # Idle threads that spin would take the second core away from decoding.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own exceptions share no base but Exception
        raise MissingPart(
            f"{file} is no ONNX network that can be loaded.", "Get it again: video2reward models pull"
        ) from error
