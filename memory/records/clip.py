"""What a clip shows: its frames, the points found in them, how far to trust those, and the gait."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field
from video2reward.memory.records.base import ArrayFile, GaitLabel, Record, Skeleton, StoredRecord, Travel, Unit


class Clip(StoredRecord):
    """A clip as decoded: sizes after the rotation tag was applied, times from the frames' own time stamps."""

    path: Path
    sha256: str
    fps: float = Field(gt=0, description="frames per second of the uniform grid")
    duration_s: float
    width_px: int
    height_px: int
    num_frames: int = Field(description="frames that are watched, from first_frame on")
    first_frame: int = 0
    rotation_deg: int = 0
    slow_motion_factor: float = Field(1.0, gt=0, description="clip seconds per real second")
    notes: tuple[str, ...] = ()


class SubjectChoice(Record):
    """Which body in the clip is the subject, as far as the user says: the rest is found out."""

    kind: Literal["auto", "person", "animal"] = "auto"
    box_px: tuple[float, float, float, float] | None = Field(None, description="x, y, width, height around it")
    at_second: float | None = Field(None, description="when the box is meant, or when only the subject is in view")
    gait: GaitLabel | None = Field(None, description="what it does, where the clip does not show which foot falls when")


class SwingReading(Record):
    """What the times at which an animal's legs swing say of its gait, whatever its points say."""

    gait: GaitLabel | None = Field(None, description="the symmetrical gait that they fit; None where none stands out")
    share: Unit = Field(0.0, description="share of resamples of the strides that fit it")


class KeypointTrack(StoredRecord):
    """Named points on a uniform time grid.

    The arrays file holds `x_px`, `y_px`, `confidence` (T, K) with y down and NaN where nothing was seen; `box_px`
    (T, 4) as x, y, width, height; `camera_x_px`, `camera_y_px` (T,): how far the camera has moved, so that
    `x_px + camera_x_px` lies in the frame of the still background; `frame_ok` (T,).
    """

    clip: Clip
    skeleton: Skeleton
    names: tuple[str, ...]
    fps: float
    arrays: ArrayFile
    source: str = Field(description="pose backend or keypoint file, by name")
    name_by_source_name: dict[str, str] = Field(default_factory=dict, description="how foreign names were mapped")
    camera: Literal["still", "moving", "unknown"] = "unknown"
    camera_inlier_ratio: Unit = 1.0
    rhythm_hz: float | None = Field(None, description="stride frequency from how the pictures repeat, in clip hertz")
    rhythm_strength: Unit = Field(0.0, description="how alike the strides look there")
    rhythm_halves: float | None = Field(None, description="how alike legs look half a stride apart; < 0: the opposite")
    sides_sure: float | None = Field(None, description="standard errors by which near and far legs were told apart")
    swings: SwingReading | None = None
    turned_s: float | None = Field(None, description="when the subject was seen to turn round, in clip seconds")
    notes: tuple[str, ...] = ()


class QualityReport(StoredRecord):
    """What could be trusted in the clip and what not, before any compute is spent."""

    verdict: Literal["ok", "warn", "refuse"]
    reasons: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    view: Literal["side", "oblique", "front_or_back", "unknown"] = "unknown"
    periodicity: Unit = 0.0
    mean_confidence: Unit = 0.0
    missing_share: Unit = Field(0.0, description="share of paw samples that had to be filled in")
    num_strides: float = 0.0


class GaitDescriptor(StoredRecord):
    """How the subject moves, in numbers that carry over to a body of another size."""

    subject: Skeleton
    gait: GaitLabel
    stride_frequency_hz: float
    duty_factor: dict[str, float]
    phase_offsets: dict[str, float]
    speed_leg_lengths_s: float = Field(description="forward speed; 0 on the spot, negative backwards")
    froude: float = Field(description="v²/(g L), Alexander & Jayes 1983")
    leg_length_m_assumed: float
    leg_length_px: float
    stride_frequency_dimensionless: float = Field(description="f sqrt(L/g)")
    travel: Travel = "forward"
    facing: Literal["left", "right", "unknown"] = "unknown"
    trunk_pitch_rad: float = 0.0
    trunk_bob_leg_lengths: float = 0.0
    limb_cycle: dict[str, tuple[tuple[float, float], ...]] = Field(
        default_factory=dict,
        description="'FL_foot', 'FL_mid', …: (forward, up) from the limb's root in leg lengths, over equal phase bins",
    )
    window_s: tuple[float, float] = (0.0, 0.0)
    num_strides: float = 0.0
    confidence: dict[str, Unit] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()


class ClipDescription(StoredRecord):
    """What `describe` prints: the track's story, the gait and how far to trust both."""

    clip: Clip
    subject: Skeleton
    pose_backend: str
    frames_used: int
    quality: QualityReport
    gait: GaitDescriptor | None = None
