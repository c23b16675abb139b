"""Who is the subject, where several are seen: link sightings over time, then choose who travels and strides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

MAX_GAP_FRAMES = 20
MAX_TRACKS = 200


@dataclass(frozen=True)
class Sighting:
    """One body in one frame: `xy_px` (K, 2), NaN where a point was not seen, `confidence` (K,)."""

    frame: int
    xy_px: NDArray[np.float64]
    confidence: NDArray[np.float64]

    @property
    def centre_px(self) -> NDArray[np.float64]:
        seen = self.xy_px[np.isfinite(self.xy_px).all(1)]
        return np.median(seen, axis=0) if len(seen) else np.full(2, np.nan)

    @property
    def height_px(self) -> float:
        seen = self.xy_px[np.isfinite(self.xy_px).all(1)]
        return float(np.ptp(seen, axis=0).max()) if len(seen) else 0.0


@dataclass
class _Track:
    sightings: list[Sighting] = field(default_factory=list)
    velocity_px: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))

    def predicted(self, frame: int) -> NDArray[np.float64]:
        last = self.sightings[-1]
        return last.centre_px + self.velocity_px * min(frame - last.frame, 5)

    def add(self, sighting: Sighting) -> None:
        if self.sightings:
            last = self.sightings[-1]
            step = (sighting.centre_px - last.centre_px) / max(sighting.frame - last.frame, 1)
            self.velocity_px = 0.7 * self.velocity_px + 0.3 * step
        self.sightings.append(sighting)


def follow_subject(sightings: Sequence[Sighting], num_frames: int) -> tuple[list[Sighting], str]:
    """Return the subject's sightings in order of time, and a sentence on why it was chosen ("" for a single body).

    Bodies are linked from frame to frame by place and size. The subject is the one that is seen long and surely and
    that travels, in its own heights, or swings its feet.
    """
    tracks = _link(sightings)
    if not tracks:
        return [], ""
    scores = [_score(track, num_frames) for track in tracks]
    best = tracks[int(np.argmax(scores))]
    rivals = [track for track in tracks if len(track.sightings) > 0.2 * len(best.sightings)]
    note = ""
    if len(rivals) > 1:
        note = f"{len(rivals)} bodies were seen; the subject is the one that travels and strides most"
    return best.sightings, note


def _link(sightings: Sequence[Sighting]) -> list[_Track]:
    tracks: list[_Track] = []
    by_frame: dict[int, list[Sighting]] = {}
    for sighting in sightings:
        if sighting.height_px > 0:
            by_frame.setdefault(sighting.frame, []).append(sighting)
    for frame in sorted(by_frame):
        open_tracks = [track for track in tracks if frame - track.sightings[-1].frame <= MAX_GAP_FRAMES]
        pairs = sorted(
            (cost, row, column)
            for row, track in enumerate(open_tracks)
            for column, sighting in enumerate(by_frame[frame])
            if (cost := _cost(track, sighting)) < 1.0
        )
        taken_rows: set[int] = set()
        taken: set[int] = set()
        for _, row, column in pairs:
            if row not in taken_rows and column not in taken:
                open_tracks[row].add(by_frame[frame][column])
                taken_rows.add(row)
                taken.add(column)
        for column, sighting in enumerate(by_frame[frame]):
            if column not in taken and len(tracks) < MAX_TRACKS:
                tracks.append(_Track([sighting]))
    return tracks


def _cost(track: _Track, sighting: Sighting) -> float:
    """Return the distance from where the track should be, in body heights, plus the change of size; 1 is too far."""
    last = track.sightings[-1]
    gap = sighting.frame - last.frame
    size = max(last.height_px, sighting.height_px)
    distance = float(np.hypot(*(sighting.centre_px - track.predicted(sighting.frame)))) / size
    growth = abs(np.log(sighting.height_px / last.height_px))
    return distance / (0.35 + 0.03 * gap) + growth / 1.5


def _score(track: _Track, num_frames: int) -> float:
    xy = np.stack([sighting.xy_px for sighting in track.sightings])
    confidence = float(np.mean([sighting.confidence.mean() for sighting in track.sightings]))
    height = float(np.median([sighting.height_px for sighting in track.sightings]))
    centres = np.stack([sighting.centre_px for sighting in track.sightings])
    travel = float(np.ptp(centres[:, 0])) / height
    relative = (xy - centres[:, None]) / height
    often = np.isfinite(relative[..., 0]).sum(0) > 4
    swing = float(np.nanstd(relative[:, often, 0], axis=0).max(initial=0.0))
    share = len(track.sightings) / max(num_frames, 1)
    return share * confidence * (0.2 + min(travel, 3.0) + 5.0 * min(swing, 0.3))
