"""Give a TFLite model the metadata that mediapipe's Tasks API asks for, without any other library.

A TFLite file is a flatbuffer in which every offset points forwards and is relative. So a new root table can be put in
front of everything else: the old content moves as one block and stays as it is, byte for byte. Layouts: TensorFlow's
schema.fbs (Model, Metadata, Buffer) and metadata_schema.fbs (ModelMetadata); fields are named by their place there.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

_HEADER = 8
_ALIGN = 64
_NAME = b"TFLITE_METADATA"
_VERSION, _BUFFERS, _METADATA = 0, 4, 6


class NotTFLite(ValueError):
    """The bytes are no TFLite model of the kind that can be extended."""


def has_metadata(model: bytes) -> bool:
    """Tell whether a model carries TFLITE_METADATA."""
    return _NAME in model


def with_normalisation(model: bytes, mean: float, std: float, num_outputs: int) -> bytes:
    """Return the model with metadata that says: the input is an RGB image, of which (value - mean) / std is taken.

    The result depends on nothing but the arguments. Raises NotTFLite for anything else than a plain TFLite model.
    """
    if model[4:8] != b"TFL3":
        raise NotTFLite("the file does not begin like a TFLite model")
    try:
        old = _model_fields(model)
        version = struct.unpack_from("<I", model, old[_VERSION])[0]
        buffers, metadata = _targets(model, old[_BUFFERS]), _targets(model, old[_METADATA])
    except (struct.error, KeyError, IndexError) as error:
        raise NotTFLite("the model's tables cannot be read") from error

    block = _Block()
    root = block.table({index: version if index == _VERSION else None for index in old})
    all_buffers, all_metadata = block.references(len(buffers) + 1), block.references(len(metadata) + 1)
    entry = block.table({0: None, 1: len(buffers)})
    name = block.string(_NAME)
    buffer = block.table({0: None})
    data = block.raw(_image_metadata(mean, std, num_outputs), align=16)
    shift = -(-len(block.data) // _ALIGN) * _ALIGN

    for index, place in old.items():
        if index not in (_VERSION, _BUFFERS, _METADATA):
            block.point(root, index, _target(model, place) + shift)
    block.point(root, _BUFFERS, all_buffers.start)
    block.point(root, _METADATA, all_metadata.start)
    for vector, places, added in ((all_buffers, buffers, buffer), (all_metadata, metadata, entry)):
        for index, place in enumerate([*(place + shift for place in places), added.start]):
            block.point(vector, index, place)
    block.point(entry, 0, name.start)
    block.point(buffer, 0, data.start)
    return struct.pack("<I", root.start) + b"TFL3" + bytes(block.data).ljust(shift, b"\0") + model[_HEADER:]


def _image_metadata(mean: float, std: float, num_outputs: int) -> bytes:
    """Return a ModelMetadata flatbuffer for one RGB image with NormalizationOptions, and plain outputs."""
    normalization_options, image_properties, rgb = 1, 2, 1
    block = _Block()
    root = block.table({3: None, 7: None})  # subgraph_metadata, min_parser_version
    block.point(root, 7, block.string(b"1.0.0").start)
    subgraphs = block.references(1)
    block.point(root, 3, subgraphs.start)
    subgraph = block.table({2: None, 3: None})  # input_tensor_metadata, output_tensor_metadata
    block.point(subgraphs, 0, subgraph.start)
    inputs, outputs = block.references(1), block.references(num_outputs)
    block.point(subgraph, 2, inputs.start)
    block.point(subgraph, 3, outputs.start)
    image = block.table({0: None, 3: None, 4: None})  # name, content, process_units
    block.point(inputs, 0, image.start)
    block.point(image, 0, block.string(b"image").start)
    content = block.table({0: image_properties, 1: None})
    block.point(image, 3, content.start)
    block.point(content, 1, block.table({0: rgb}).start)
    units = block.references(1)
    block.point(image, 4, units.start)
    unit = block.table({0: normalization_options, 1: None})
    block.point(units, 0, unit.start)
    options = block.table({0: None, 1: None})  # mean, std
    block.point(unit, 1, options.start)
    block.point(options, 0, block.floats(mean).start)
    block.point(options, 1, block.floats(std).start)
    for index in range(num_outputs):
        output = block.table({0: None})
        block.point(outputs, index, output.start)
        block.point(output, 0, block.string(b"Identity").start)
    return struct.pack("<I", root.start) + b"M001" + bytes(block.data)


@dataclass(frozen=True)
class _Placed:
    """Something written: where it starts, and where its references are to be filled in."""

    start: int
    slots: Mapping[int, int] = field(default_factory=dict)


class _Block:
    """Write tables and vectors one after the other; what refers comes before what it refers to."""

    def __init__(self) -> None:
        self.data = bytearray()

    def table(self, fields: Mapping[int, int | None]) -> _Placed:
        """Write a table of four-byte fields, by place in the schema: a value, or None for a reference to come."""
        count = max(fields) + 1
        order = sorted(fields)
        offsets = [4 + 4 * order.index(index) if index in fields else 0 for index in range(count)]
        self._pad(4, ahead=4 + 2 * count)
        vtable = self._here
        self.data += struct.pack(f"<HH{count}H", 4 + 2 * count, 4 + 4 * len(fields), *offsets)
        start = self._here
        self.data += struct.pack(f"<i{len(order)}I", start - vtable, *(fields[index] or 0 for index in order))
        return _Placed(start, {index: start + offsets[index] for index in order})

    def references(self, count: int) -> _Placed:
        """Write a vector of references to come."""
        start = self._start_vector()
        self.data += struct.pack("<I", count) + b"\0" * (4 * count)
        return _Placed(start, {index: start + 4 + 4 * index for index in range(count)})

    def string(self, text: bytes) -> _Placed:
        start = self._start_vector()
        self.data += struct.pack("<I", len(text)) + text + b"\0"
        return _Placed(start)

    def raw(self, content: bytes, align: int) -> _Placed:
        """Write a vector of bytes whose content is aligned."""
        self._pad(align, ahead=4)
        start = self._here
        self.data += struct.pack("<I", len(content)) + content
        return _Placed(start)

    def floats(self, *values: float) -> _Placed:
        start = self._start_vector()
        self.data += struct.pack(f"<I{len(values)}f", len(values), *values)
        return _Placed(start)

    def point(self, owner: _Placed, index: int, target: int) -> None:
        """Fill in a reference: the distance from the slot to what it names, which must lie after it."""
        slot = owner.slots[index]
        if target <= slot:
            raise NotTFLite("a reference would point backwards")
        struct.pack_into("<I", self.data, slot - _HEADER, target - slot)

    @property
    def _here(self) -> int:
        return _HEADER + len(self.data)

    def _pad(self, align: int, ahead: int = 0) -> None:
        self.data += b"\0" * (-(self._here + ahead) % align)

    def _start_vector(self) -> int:
        self._pad(4)
        return self._here


def _model_fields(model: bytes) -> dict[int, int]:
    """Return where each field of the root table lies, by its place in the schema."""
    root = struct.unpack_from("<I", model, 0)[0]
    vtable = root - struct.unpack_from("<i", model, root)[0]
    size = struct.unpack_from("<H", model, vtable)[0]
    offsets = struct.unpack_from(f"<{(size - 4) // 2}H", model, vtable + 4)
    return {index: root + offset for index, offset in enumerate(offsets) if offset}


def _target(model: bytes, slot: int) -> int:
    return slot + struct.unpack_from("<I", model, slot)[0]


def _targets(model: bytes, slot: int) -> list[int]:
    """Return what the elements of the vector behind a slot refer to."""
    vector = _target(model, slot)
    count = struct.unpack_from("<I", model, vector)[0]
    return [_target(model, vector + 4 + 4 * index) for index in range(count)]
