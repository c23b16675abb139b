"""Any subject from a file of named points: COCO JSON, DeepLabCut CSV, plain CSV and plain npz."""

from __future__ import annotations

import csv
import tokenize
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from video2reward.memory.errors import BadKeypoints
from video2reward.memory.records import Clip, Skeleton
from video2reward.tools.pose.facing import facing_sign
from video2reward.tools.pose.keypoint_formats import PointTable, read_coco, read_csv, read_npz
from video2reward.tools.pose.names import EXAMPLES, canonical_names
from video2reward.tools.pose.points import KEYPOINTS_BY_SKELETON, PointSeries

MAX_BYTES = 512 << 20
FORMATS = (
    "Give a COCO .json, a DeepLabCut .csv, a .csv with the columns frame, NAME_x, NAME_y, NAME_confidence, or an .npz "
    "with names (K,), xy (T, K, 2) and confidence (T, K)."
)
# What the parsers of the standard library and numpy raise on bytes that are something else.
_UNREADABLE = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    OSError,
    EOFError,
    MemoryError,
    RecursionError,
    OverflowError,
    RuntimeError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)
_FEET: dict[Skeleton, tuple[str, ...]] = {
    "person": ("ankle", "heel", "toe"),
    "quadruped": ("front_paw", "hind_paw"),
}


def read_keypoints(path: Path | str, clip: Clip) -> PointSeries:
    """Read a keypoint file that belongs to `clip` and map its names to the canonical ones.

    Frame numbers count the clip's frames from 0. Raises BadKeypoints where the file cannot be read, holds nothing, or
    its names cannot be understood; the message lists the names found and examples of what is understood.
    """
    path = Path(path)
    table = _read_table(path, clip)
    if not len(table.frame_index):
        raise BadKeypoints(f"{path} holds no points.", FORMATS)
    skeleton, mapped = canonical_names(table.names)
    needed = _FEET[skeleton]
    feet = [name for name in mapped.values() if name.endswith(needed)]
    sides = {name.split("_")[0] for name in feet}
    if len(sides) < 2:
        raise BadKeypoints(
            f"{path} names no two feet that are understood; it names {_listed(table.names)}"
            + (f", of which {', '.join(f'{a} is {b}' for a, b in mapped.items() if a != b)}." if mapped else "."),
            f"Names that are understood: {EXAMPLES}.",
        )
    notes = list(table.notes)
    if table.frame_index.min() == 1 and table.frame_index.max() == clip.num_frames:
        table = replace(table, frame_index=table.frame_index - 1)
        notes.append("the keypoint file counts frames from 1")
    inside = (table.frame_index >= 0) & (table.frame_index < clip.num_frames)
    if not inside.all():
        notes.append(f"{int((~inside).sum())} rows of the keypoint file lie outside the clip and are left out")
    if inside.sum() < 4:
        raise BadKeypoints(
            f"{path} has points for {int(inside.sum())} of the clip's {clip.num_frames} frames.",
            "Count frames from 0 and give the file that belongs to this clip.",
        )
    order = np.argsort(table.frame_index[inside], kind="stable")
    frame_index, xy_px, confidence = (
        part[inside][order] for part in (table.frame_index, table.xy_px, table.confidence)
    )
    frame_index, first = np.unique(frame_index, return_index=True)
    xy_px, confidence = xy_px[first], confidence[first]

    columns = [table.names.index(source) for source in mapped]
    names = list(mapped.values())
    xy_px, confidence = xy_px[:, columns].astype(np.float64), _unit(confidence[:, columns])
    xy_px = np.where((confidence > 0)[..., None] & np.isfinite(xy_px), xy_px, np.nan)
    xy_px[~np.isfinite(xy_px).all(-1)] = np.nan
    confidence = np.where(np.isfinite(xy_px).all(-1), confidence, 0.0)
    names, near_note = _near_and_far_by_side(names, xy_px, skeleton)
    notes += near_note
    by_source = dict(zip(mapped, names, strict=True))
    order_by_name = [names.index(name) for name in KEYPOINTS_BY_SKELETON[skeleton] if name in names]
    left_out = [name for name in table.names if name not in mapped]
    if left_out:
        notes.append(f"points left out, for their names have no part here: {_listed(left_out)}")
    return PointSeries(
        skeleton=skeleton,
        names=tuple(names[column] for column in order_by_name),
        frame_index=frame_index,
        xy_px=xy_px[:, order_by_name],
        confidence=confidence[:, order_by_name],
        source=f"{table.kind} {path.name}",
        name_by_source_name=by_source,
        notes=tuple(notes),
    )


def _read_table(path: Path, clip: Clip) -> PointTable:
    if not path.is_file():
        raise BadKeypoints(f"there is no keypoint file {path}.", "Check the name and the folder.")
    size = path.stat().st_size
    if size == 0:
        raise BadKeypoints(f"{path} is empty (0 bytes).", FORMATS)
    if size > MAX_BYTES:
        raise BadKeypoints(f"{path} is {size >> 20} MiB, more than a keypoint file of one clip.", FORMATS)
    readers = {".json": read_coco, ".csv": read_csv, ".npz": read_npz}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise BadKeypoints(f"{path} is of no kind that is read ({path.suffix or 'no suffix'}).", FORMATS)
    try:
        return reader(path, clip)
    except BadKeypoints:
        raise
    except (*_UNREADABLE, csv.Error) as error:
        raise BadKeypoints(f"{path} cannot be read as keypoints: {_first_line(error)}.", FORMATS) from error


def _near_and_far_by_side(
    names: list[str], xy_px: NDArray[np.float64], skeleton: Skeleton
) -> tuple[list[str], list[str]]:
    """Rename near and far: the near side of a subject that faces right in the picture is its right side."""
    if not any(name.startswith(("near_", "far_")) for name in names):
        return names, []
    sign = facing_sign(names, xy_px, skeleton)
    if sign == 0:
        raise BadKeypoints(
            "the keypoint file names near and far limbs, but neither head, tail nor travel tells which way it faces.",
            "Name the limbs left and right, or add nose and tail_base.",
        )
    near, far = ("right", "left") if sign > 0 else ("left", "right")
    renamed = []
    for name in names:
        first, _, rest = name.partition("_")
        side = {"near": near, "far": far}.get(first)
        renamed.append(f"{side}_{rest}" if side and f"{side}_{rest}" not in names else name)
    facing = "right" if sign > 0 else "left"
    return renamed, [f"the subject faces {facing}, so its near side is its {near} side"]


def _unit(confidence: NDArray[np.floating]) -> NDArray[np.float64]:
    """Bring confidences to [0, 1]; COCO's visibility flags 0, 1, 2 become 0, 0.5, 1."""
    confidence = np.nan_to_num(confidence.astype(np.float64), nan=0.0)
    top = confidence.max(initial=0.0)
    if top > 1.5:
        confidence = confidence / (2.0 if top <= 2.0 else 100.0 if top <= 100.0 else top)
    return np.clip(confidence, 0.0, 1.0)


def _listed(names: list[str] | tuple[str, ...], most: int = 30) -> str:
    shown = ", ".join(str(name)[:40] for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "") if names else "(nothing)"


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__).rstrip(".")[:200]
