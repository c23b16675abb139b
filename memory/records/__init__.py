"""The vocabulary of the house: every record that crosses from one room to another, in the order in which they flow.

    Clip -> KeypointTrack -> QualityReport, GaitDescriptor -> MotionTarget -> RewardProgram -> TrainingRun -> Critique
         -> Attempt -> Decision -> RunResult

Records are frozen and validated. Large arrays lie in `.npz` files; the record keeps their path and sha256.
Limbs are named FL, FR, RL, RR (quadrupeds) and L, R (bipeds, people). Phases are in strides, [0, 1): how long after the
touchdown of the reference limb (FL, or L) a limb touches down.
"""

from video2reward.memory.records.base import (
    BIPED_LIMBS,
    PERSON_KEYPOINTS,
    QUADRUPED_KEYPOINTS,
    QUADRUPED_LIMBS,
    ArrayFile,
    GaitLabel,
    Record,
    Skeleton,
    StoredRecord,
    Travel,
    Unit,
)
from video2reward.memory.records.clip import (
    Clip,
    ClipDescription,
    GaitDescriptor,
    KeypointTrack,
    QualityReport,
    SubjectChoice,
    SwingReading,
)
from video2reward.memory.records.loop import Attempt, Decision, Recollection, Steering
from video2reward.memory.records.reward import RewardDraft, RewardProgram, RewardTerm, TrialReport
from video2reward.memory.records.robot import MotionTarget, ObservationPart, PolicyContract, RobotInspection, Servo
from video2reward.memory.records.run import Artifacts, Best, RunRequest, RunResult
from video2reward.memory.records.training import TrainingRun, TrainingSpec
from video2reward.memory.records.verdict import Critique, Finding, Gate, PushTest, RobotGait, Similarity

__all__ = [
    "ArrayFile",
    "Artifacts",
    "Attempt",
    "BIPED_LIMBS",
    "Best",
    "Clip",
    "ClipDescription",
    "Critique",
    "Decision",
    "Finding",
    "GaitDescriptor",
    "GaitLabel",
    "Gate",
    "KeypointTrack",
    "MotionTarget",
    "ObservationPart",
    "PERSON_KEYPOINTS",
    "PolicyContract",
    "PushTest",
    "QUADRUPED_KEYPOINTS",
    "QUADRUPED_LIMBS",
    "QualityReport",
    "Recollection",
    "Record",
    "RewardDraft",
    "RewardProgram",
    "RewardTerm",
    "RobotGait",
    "RobotInspection",
    "RunRequest",
    "RunResult",
    "Servo",
    "Similarity",
    "Skeleton",
    "Steering",
    "StoredRecord",
    "SubjectChoice",
    "SwingReading",
    "TrainingRun",
    "TrainingSpec",
    "Travel",
    "TrialReport",
    "Unit",
]
