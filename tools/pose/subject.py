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


def follow_subject(
    sightings: Sequence[Sighting],
    num_frames: int,
    frame: int | None = None,
    box_px: NDArray[np.float64] | None = None,
) -> tuple[list[Sighting], str]:
    """Return the subject's sightings in order of time, and a sentence on why it was chosen ("" for a single body).

    Bodies are linked from frame to frame by place and size. The subject is the one that is seen long and surely and
    that travels, in its own heights, or swings its feet. Where the user gave a box (4,) it is the body that is in it,
    in `frame` if that is given too; where only a frame was given, the one that is largest then. Nobody is returned
    where nobody is there.
    """
    tracks = _link(sightings)
    if not tracks:
        return [], ""
    if box_px is not None or frame is not None:
        pointed_at = max(tracks, key=lambda track: _fits(track, frame, box_px))
        if _fits(pointed_at, frame, box_px) <= 0:
            return [], ""
        return pointed_at.sightings, "the subject is the body that was pointed at" if len(tracks) > 1 else ""
    scores = [_score(track, num_frames) for track in tracks]
    best = tracks[int(np.argmax(scores))]
    rivals = [track for track in tracks if len(track.sightings) > 0.2 * len(best.sightings)]
    note = ""
    if len(rivals) > 1:
        note = f"{len(rivals)} bodies were seen; the subject is the one that travels and strides most"
    return best.sightings, note


def _fits(track: _Track, frame: int | None, box_px: NDArray[np.float64] | None) -> float:
    """Return how well a track fits what the user pointed at, 0 where it does not."""
    then = track.sightings
    if frame is not None:
        nearest = min(track.sightings, key=lambda sighting: abs(sighting.frame - frame))
        then = [nearest] if abs(nearest.frame - frame) <= MAX_GAP_FRAMES else []
    if box_px is None:
        return then[0].height_px if then else 0.0
    corner, size = box_px[:2], np.maximum(box_px[2:], 1.0)
    shares = []
    for sighting in then:
        seen = sighting.xy_px[np.isfinite(sighting.xy_px).all(1)]
        inside = ((seen >= corner) & (seen <= corner + size)).all(1)
        shares.append(float(inside.mean()) * min(sighting.height_px / size.max(), 1.0) if len(seen) else 0.0)
    return max(shares, default=0.0)


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
