"""Inputs that are nearly right: seeds that were cut, spliced, repeated, or given numbers and marks that hurt."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_HURTFUL = (
    b"NaN", b"nan", b"inf", b"-Infinity", b"1e308", b"1e999", b"-1", b"0", b"-0.0", b"9" * 25, b"9" * 5000, b"1e-320",
    b"null", b"true", b'""', b"[]", b"{}", b"[[]]", b'"x"', b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\\ud800",
    b"\xe2\x80\xae", b"\n", b"\r", b",", b";", b'"', b"'", b"(", b")", b"{", b"}", b"[", b"]", b":", b"\\", b"`" * 3,
    b"[" * 3000, b"{" * 3000, b"(" * 300, b'{"a":' * 2000, b"-" * 3000, b" " * 5000, b"a" * 70_000, b"1," * 3000,
    b"<think>", b"__class__", b"\x1b[2J", b"0x10", b"1_0", b"\xc2\xb2",
)  # fmt: skip
_INTEGERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF)
_MOST_BYTES = 200_000


def mutate(seeds: Sequence[bytes], draw: random.Random) -> bytes:
    """Return a seed after one to eight changes."""
    data = bytearray(draw.choice(seeds))
    for _ in range(min(8, 1 + int(draw.expovariate(0.6)))):
        data = draw.choice(_CHANGES)(data, seeds, draw)
    return bytes(data[:_MOST_BYTES])


def _spot(data: bytearray, draw: random.Random) -> tuple[int, int]:
    begin = draw.randrange(len(data) + 1)
    return begin, min(len(data), begin + 1 + int(draw.expovariate(0.05)))


def _flip(data: bytearray, seeds: Sequence[bytes], draw: random.Random) -> bytearray:
    for _ in range(draw.choice((1, 1, 4, 32)) if data else 0):
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return data


def _delete(data: bytearray, seeds: Sequence[bytes], draw: random.Random) -> bytearray:
    begin, end = _spot(data, draw)
    del data[begin:end]
    return data


def _cut(data: bytearray, seeds: Sequence[bytes], draw: random.Random) -> bytearray:
    return data[: draw.randrange(len(data) + 1)]


def _repeat(data: bytearray, seeds: Sequence[bytes], draw: random.Random) -> bytearray:
    begin, end = _spot(data, draw)
    data[begin:begin] = data[begin:end] * draw.choice((1, 2, 50))
    return data


def _insert(data: bytearray, seeds: Sequence[bytes], draw: random.Random) -> bytearray:
    begin, _ = _spot(data, draw)
    data[begin:begin] = draw.choice(_HURTFUL)
    return data


def _renumber(data: bytearray, seeds: Sequence[bytes], draw: random.Random) -> bytearray:
    found = list(_NUMBER.finditer(bytes(data[:20_000])))
    if found:
        chosen = draw.choice(found)
        data[chosen.start() : chosen.end()] = draw.choice(_HURTFUL)
    return data


def _integer(data: bytearray, seeds: Sequence[bytes], draw: random.Random) -> bytearray:
    begin, size = draw.randrange(len(data) + 1), draw.choice((1, 2, 4, 8))
    data[begin : begin + size] = (draw.choice(_INTEGERS) % 256**size).to_bytes(size, draw.choice(("little", "big")))
    return data


def _splice(data: bytearray, seeds: Sequence[bytes], draw: random.Random) -> bytearray:
    other = draw.choice(seeds)
    return data[: draw.randrange(len(data) + 1)] + other[draw.randrange(len(other) + 1) :]


def _move(data: bytearray, seeds: Sequence[bytes], draw: random.Random) -> bytearray:
    begin, end = _spot(data, draw)
    part = bytes(data[begin:end])
    del data[begin:end]
    at = draw.randrange(len(data) + 1)
    data[at:at] = part
    return data


_CHANGES = (_flip, _delete, _cut, _repeat, _insert, _insert, _renumber, _renumber, _integer, _splice, _move)
