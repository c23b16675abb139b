"""The arrays beside a KeypointTrack: written once, read by everything that looks at the subject."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from video2reward.memory.errors import BadInput
from video2reward.memory.records import KeypointTrack
from video2reward.memory.runs import load, save, sha256_of

TRACK_FILE = "track.json"
ARRAYS_FILE = "track.npz"


@dataclass(frozen=True)
class TrackArrays:
    """Points on the track's even time grid (clip seconds, from 0), in pixels of the upright clip, y down.

    `x_px`, `y_px`, `confidence` (T, K) in the order of `track.names`: NaN where nothing is known, confidence 0 where a
    short gap was filled in. `box_px` (T, 4) as x, y, width, height. `camera_x_px`, `camera_y_px` (T,): add them to a
    point to have it in the frame of the still background. `frame_ok` (T,): False for black frames and around cuts.
    """

    names: tuple[str, ...]
    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    confidence: NDArray[np.float64]
    box_px: NDArray[np.float64]
    camera_x_px: NDArray[np.float64]
    camera_y_px: NDArray[np.float64]
    frame_ok: NDArray[np.bool_]

    @cached_property
    def num_frames(self) -> int:
        return len(self.x_px)

    def has(self, name: str) -> bool:
        """Tell whether a point is named and was seen at least once."""
        return name in self.names and bool(np.isfinite(self.x_px[:, self.names.index(name)]).any())

    def point(self, name: str) -> NDArray[np.float64]:
        """Return one point in the picture, (T, 2) x and y in pixels; all NaN for a name that is not in the track."""
        if name not in self.names:
            return np.full((self.num_frames, 2), np.nan)
        column = self.names.index(name)
        return np.stack([self.x_px[:, column], self.y_px[:, column]], axis=1)

    def point_w(self, name: str) -> NDArray[np.float64]:
        """Return one point in the frame of the still background, (T, 2) in pixels, y down."""
        return self.point(name) + np.stack([self.camera_x_px, self.camera_y_px], axis=1)


def save_arrays(arrays: TrackArrays, folder: Path) -> str:
    """Write the arrays to `folder` and return their sha256."""
    folder.mkdir(parents=True, exist_ok=True)
    stored = {item.name: getattr(arrays, item.name) for item in fields(arrays) if item.name != "names"}
    stored = {name: a if a.dtype == bool else a.astype(np.float32) for name, a in stored.items()}
    np.savez_compressed(folder / ARRAYS_FILE, **stored)
    return sha256_of(folder / ARRAYS_FILE)


def load_track_arrays(track: KeypointTrack, folder: Path) -> TrackArrays:
    """Read the arrays of a track whose `track.json` lies in `folder`.

    Raises BadInput where they are not the ones the record was written with.
    """
    path = folder / track.arrays.path
    if not path.is_file() or sha256_of(path) != track.arrays.sha256:
        raise BadInput(
            f"{path} is not the file that {folder / TRACK_FILE} was written with.", "Describe the clip again."
        )
    with np.load(path, allow_pickle=False) as file:
        arrays = {
            name: file[name] if file[name].dtype == bool else file[name].astype(np.float64) for name in file.files
        }
    return TrackArrays(names=track.names, **arrays)


def save_track(track: KeypointTrack, folder: Path) -> Path:
    """Write the record beside its arrays."""
    return save(track, folder / TRACK_FILE)


def load_track(folder: Path) -> tuple[KeypointTrack, TrackArrays]:
    """Read a track and its arrays back from the folder they were written to."""
    track = load(KeypointTrack, folder / TRACK_FILE)
    return track, load_track_arrays(track, folder)
