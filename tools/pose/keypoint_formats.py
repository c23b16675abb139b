"""Parsers of keypoint files, each to one table of points under the file's own names."""

from __future__ import annotations

import csv
import json
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from video2reward.memory.errors import BadKeypoints
from video2reward.memory.records import Clip
from video2reward.tools.pose.subject import Sighting, follow_subject

_BODY = (
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow left_wrist "
    "right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle"
)
COCO_PERSON = tuple(_BODY.split())
HALPE26 = tuple(
    f"{_BODY} head neck pelvis left_big_toe right_big_toe left_small_toe right_small_toe left_heel right_heel".split()
)
AP10K = tuple(
    "left_eye right_eye nose neck root_of_tail left_shoulder left_elbow left_front_paw right_shoulder right_elbow "
    "right_front_paw left_hip left_knee left_back_paw right_hip right_knee right_back_paw".split()
)
_CONFIDENCE_WORDS = ("confidence", "likelihood", "score", "conf", "visibility", "c", "v")


@dataclass(frozen=True)
class PointTable:
    """Points as the file names them: `frame_index` (N,), `xy_px` (N, K, 2), `confidence` (N, K)."""

    kind: str
    names: list[str]
    frame_index: NDArray[np.int64]
    xy_px: NDArray[np.float64]
    confidence: NDArray[np.float64]
    notes: list[str] = field(default_factory=list)


def read_npz(path: Path, clip: Clip) -> PointTable:
    """Read `names` (K,), `xy` (T, K, 2), and where they are there `confidence` (T, K) and `frame` (T,); or one (T, 2)
    or (T, 3) array a point, under the point's name."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise BadKeypoints(f"{path} is not a readable .npz of plain arrays.", "Save it with numpy.savez.") from error
    if "names" in arrays and "xy" in arrays:
        names = [str(name) for name in np.asarray(arrays["names"]).ravel()]
        xy = np.asarray(arrays["xy"], float)
        confidence = np.asarray(arrays["confidence"], float) if "confidence" in arrays else np.ones(xy.shape[:2])
    else:
        points = {name: a for name, a in arrays.items() if a.ndim == 2 and a.shape[1] in (2, 3)}
        if not points:
            raise BadKeypoints(
                f"{path} holds the arrays {', '.join(arrays) or '(none)'} and no points.",
                "Name them names (K,), xy (T, K, 2) and confidence (T, K).",
            )
        names = list(points)
        xy = np.stack([a[:, :2] for a in points.values()], axis=1).astype(float)
        sure = [a[:, 2] if a.shape[1] == 3 else np.ones(len(a)) for a in points.values()]
        confidence = np.stack(sure, axis=1).astype(float)
    frame = np.asarray(arrays["frame"]).astype(np.int64) if "frame" in arrays else np.arange(len(xy))
    fits = xy.ndim == 3 and xy.shape[1:] == (len(names), 2)
    if not fits or confidence.shape != xy.shape[:2] or frame.shape != xy.shape[:1]:
        raise BadKeypoints(
            f"the arrays in {path} do not fit together: {len(names)} names, xy {xy.shape}, confidence "
            f"{confidence.shape}, frame {frame.shape}.",
            "They are names (K,), xy (T, K, 2), confidence (T, K), frame (T,).",
        )
    return PointTable("npz", names, frame, xy, confidence)


def read_csv(path: Path, clip: Clip) -> PointTable:
    """Read DeepLabCut's CSV (told by its header rows) or the plain one."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        sample = file.readline()
        delimiter = max(",;\t", key=sample.count)
        file.seek(0)
        rows = [row for row in csv.reader(file, delimiter=delimiter) if any(cell.strip() for cell in row)]
    if len(rows) < 2:
        raise BadKeypoints(f"{path} has no rows of points.", "The first line names the columns: frame, NAME_x, NAME_y.")
    heads = [row[0].strip().lower() for row in rows[:4]]
    if "bodyparts" in heads and "coords" in heads:
        return _deeplabcut(rows, heads, clip)
    return _plain(path, rows)


def read_coco(path: Path, clip: Clip) -> PointTable:
    """Read a COCO dataset, a list of COCO results, or one dict a frame, of people (17, Halpe 26) or AP-10K animals."""
    data = json.loads(path.read_text(encoding="utf-8"))
    notes: list[str] = []
    names: Sequence[str] = ()
    images: list[dict[str, Any]] = []
    found = data
    if isinstance(data, dict):
        found = data.get("annotations", [])
        images = data.get("images", [])
        used = {entry.get("category_id") for entry in found}
        for category in data.get("categories", []):
            if category.get("keypoints") and (category.get("id") in used or not names):
                names = [str(name) for name in category["keypoints"]]
    found = [entry for entry in found if entry.get("keypoints")]
    if not found:
        raise BadKeypoints(
            f"{path} holds no annotation with keypoints.", "Give COCO keypoints, x, y, v for each point."
        )
    flat = np.asarray([np.asarray(entry["keypoints"], float).ravel() for entry in found])
    points = flat.reshape(len(found), -1, 3)
    points[(points == 0).all(-1)] = np.nan
    if not names:
        names, note = _guess_names(points)
        notes.append(note)
    if len(names) != points.shape[1]:
        raise BadKeypoints(f"{path} names {len(names)} points and holds {points.shape[1]} of each subject.")
    frame_by_image = _frames_by_image([entry.get("image_id") for entry in found], images, clip)
    scale = 1.0 if np.nanmax(points[..., 2]) <= 1.5 else 0.5
    sightings = []
    for entry, body in zip(found, points, strict=True):
        sure = np.nan_to_num(body[:, 2]) * scale
        if entry.get("score") is not None and np.ptp(sure) == 0:
            sure = sure * min(max(float(entry["score"]), 0.0), 1.0)
        seen = np.where((sure > 0)[:, None], body[:, :2], np.nan)
        sightings.append(Sighting(frame_by_image[_key(entry.get("image_id"))], seen, sure))
    subject, note = follow_subject(sightings, clip.num_frames)
    notes += [note] if note else []
    if not subject:
        raise BadKeypoints(f"{path} holds no body with points.")
    return PointTable(
        "COCO",
        list(names),
        np.array([sighting.frame for sighting in subject]),
        np.stack([sighting.xy_px for sighting in subject]),
        np.stack([sighting.confidence for sighting in subject]),
        notes,
    )


def _deeplabcut(rows: list[list[str]], heads: list[str], clip: Clip) -> PointTable:
    parts = [cell.strip() for cell in rows[heads.index("bodyparts")]]
    coords = [cell.strip().lower() for cell in rows[heads.index("coords")]]
    individuals = [cell.strip() for cell in rows[heads.index("individuals")]] if "individuals" in heads else None
    body = rows[heads.index("coords") + 1 :]
    values = _numbers(body, len(parts))
    frame = _row_numbers([row[0] for row in body])
    who = individuals or [""] * len(parts)
    best: PointTable | None = None
    most = -1.0
    for individual in dict.fromkeys(who[1:]):
        columns: dict[str, dict[str, int]] = {}
        for index in range(1, len(parts)):
            if who[index] == individual:
                columns.setdefault(parts[index], {})[coords[index]] = index
        names = [part for part, column in columns.items() if {"x", "y"} <= column.keys()]
        if not names:
            continue
        xy = np.stack([values[:, [columns[name]["x"], columns[name]["y"]]] for name in names], axis=1)
        sure = np.stack(
            [
                values[:, columns[name]["likelihood"]] if "likelihood" in columns[name] else np.ones(len(values))
                for name in names
            ],
            axis=1,
        )
        total = float(np.nansum(np.where(np.isfinite(xy).all(-1), sure, 0.0)))
        if total > most:
            note = [f"of the individuals, {individual} is followed: it has the most confidence"] if individual else []
            best, most = PointTable("DeepLabCut", names, frame, xy, sure, note), total
    if best is None:
        raise BadKeypoints(
            "the DeepLabCut file has no x and y columns.", "Its third header row holds x, y, likelihood."
        )
    return best


def _plain(path: Path, rows: list[list[str]]) -> PointTable:
    header = [cell.strip() for cell in rows[0]]
    columns: dict[str, dict[str, int]] = {}
    for index, cell in enumerate(header):
        name, _, what = cell.rpartition("_")
        what = what.lower()
        if name and what in ("x", "y"):
            columns.setdefault(name, {})[what] = index
        elif name and what in _CONFIDENCE_WORDS:
            columns.setdefault(name, {}).setdefault("confidence", index)
    names = [name for name, column in columns.items() if {"x", "y"} <= column.keys()]
    if not names:
        raise BadKeypoints(
            f"{path} has the columns {', '.join(header[:20])} and no points.",
            "The columns are frame, NAME_x, NAME_y, NAME_confidence.",
        )
    values = _numbers(rows[1:], len(header))
    low = [cell.lower() for cell in header]
    if "frame" in low:
        frame = _row_numbers([row[low.index("frame")] for row in rows[1:]])
    else:
        frame = np.arange(len(values))
    xy = np.stack([values[:, [columns[name]["x"], columns[name]["y"]]] for name in names], axis=1)
    sure = np.stack(
        [
            values[:, columns[name]["confidence"]] if "confidence" in columns[name] else np.ones(len(values))
            for name in names
        ],
        axis=1,
    )
    return PointTable("CSV", names, frame, xy, sure)


def _numbers(rows: list[list[str]], width: int) -> NDArray[np.float64]:
    """Read cells as numbers; an empty or foreign cell is a point that was not seen."""
    values = np.full((len(rows), width), np.nan)
    for index, row in enumerate(rows):
        for column, cell in enumerate(row[:width]):
            try:
                values[index, column] = float(cell)
            except ValueError:
                continue
    return values


def _row_numbers(cells: list[str]) -> NDArray[np.int64]:
    """Read frame numbers; a cell like labeled-data/x/img0012.png holds one too."""
    numbers = []
    for index, cell in enumerate(cells):
        digits = re.findall(r"\d+", cell.rpartition("/")[2].split(".")[0])
        numbers.append(int(digits[-1]) if digits else index)
    return np.array(numbers, dtype=np.int64)


def _key(image_id: object) -> object:
    return image_id if isinstance(image_id, (int, str)) else str(image_id)


def _frames_by_image(image_ids: list[object], images: list[dict[str, Any]], clip: Clip) -> dict[object, int]:
    """Map image ids to frames: by the order of the dataset's images, else by the numbers in the ids."""
    ids = list(dict.fromkeys(_key(image_id) for image_id in image_ids))
    if len(images) >= len(ids) and len(images) >= clip.num_frames:
        ordered = sorted(images, key=lambda image: (_number(image.get("id")), str(image.get("id"))))
        return {_key(image.get("id")): index for index, image in enumerate(ordered)}
    numbers = {image_id: _number(image_id) for image_id in ids}
    if len(set(numbers.values())) < len(ids):
        return {image_id: index for index, image_id in enumerate(ids)}
    first, last = min(numbers.values()), max(numbers.values())
    if last < clip.num_frames:
        return numbers
    if first >= 1 and last - 1 < clip.num_frames:  # counted from 1
        return {image_id: number - 1 for image_id, number in numbers.items()}
    if last - first < clip.num_frames:
        return {image_id: number - first for image_id, number in numbers.items()}
    ranks = {number: rank for rank, number in enumerate(sorted(numbers.values()))}
    return {image_id: ranks[number] for image_id, number in numbers.items()}


def _number(image_id: object) -> int:
    digits = re.findall(r"\d+", str(image_id).rpartition("/")[2].split(".")[0])
    return int(digits[-1]) if digits else 0


def _guess_names(points: NDArray[np.float64]) -> tuple[Sequence[str], str]:
    """Tell people from AP-10K animals, both of 17 points, by which order of limbs runs from the body down."""
    count = points.shape[1]
    if count == len(HALPE26):
        return HALPE26, "the file names no points: 26 are read as Halpe 26"
    if count != len(COCO_PERSON):
        raise BadKeypoints(
            f"the COCO file names no points and holds {count} of each subject.",
            "Add its categories, which hold the names of the keypoints.",
        )
    person = _downward(points, ((5, 11), (6, 12), (11, 13), (12, 14), (13, 15), (14, 16), (0, 5), (0, 6)))
    animal = _downward(points, ((5, 7), (8, 10), (6, 7), (9, 10), (11, 13), (14, 16), (12, 13), (15, 16)))
    if animal > person:
        return AP10K, "the file names no points: 17 that fit an animal are read as AP-10K"
    return COCO_PERSON, "the file names no points: 17 that fit a person are read as COCO"


def _downward(points: NDArray[np.float64], pairs: tuple[tuple[int, int], ...]) -> float:
    below = np.stack([points[:, lower, 1] - points[:, upper, 1] for upper, lower in pairs], axis=1)
    seen = np.isfinite(below)
    return float((below[seen] > 0).mean()) if seen.any() else 0.0
