"""The vocabulary of the house: every record that crosses from one room to another, in the order in which they flow.

    Clip -> KeypointTrack -> QualityReport, GaitDescriptor -> MotionTarget -> RewardProgram -> TrainingRun -> Critique
         -> Attempt -> Decision -> RunResult

Records are frozen and validated. Large arrays lie in `.npz` files; the record keeps their path and sha256.
Limbs are named FL, FR, RL, RR (quadrupeds) and L, R (bipeds, people). Phases are in strides, [0, 1): how long after the
touchdown of the reference limb (FL, or L) a limb touches down.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Skeleton = Literal["person", "quadruped"]
RobotName = Literal["go1", "g1"]
GaitLabel = Literal[
    "stand", "walk", "amble", "trot", "pace", "canter", "gallop", "bound", "pronk",  # quadrupeds
    "run", "hop",  # bipeds: walk, run, hop
    "unknown",
]  # fmt: skip
Travel = Literal["forward", "backward", "on_the_spot"]

QUADRUPED_LIMBS = ("FL", "FR", "RL", "RR")
BIPED_LIMBS = ("L", "R")
PERSON_KEYPOINTS = ("nose", "neck") + tuple(
    f"{side}_{part}"
    for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle", "heel", "toe")
    for side in ("left", "right")
)
QUADRUPED_KEYPOINTS = ("nose", "neck", "withers", "tail_base") + tuple(
    f"{side}_{part}"
    for part in ("shoulder", "elbow", "wrist", "front_paw", "hip", "knee", "ankle", "hind_paw")
    for side in ("left", "right")
)

Unit = Annotated[float, Field(ge=0.0, le=1.0)]


class Record(BaseModel):
    """A frozen value. Unknown fields are refused, so that a mistyped name is found where it is written."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class StoredRecord(Record):
    """A record that lies in a file of its own; newer code reads older files by their version."""

    schema_version: int = 1


class ArrayFile(Record):
    """Arrays in an `.npz` file: the path is relative to the folder of the record's own file."""

    path: str
    sha256: str


# --- what the clip shows ---------------------------------------------------------------------------------------------


class Clip(StoredRecord):
    """A clip as decoded: sizes after the rotation tag was applied, times from the frames' own time stamps."""

    path: Path
    sha256: str
    fps: float = Field(gt=0, description="frames per second of the uniform grid")
    duration_s: float
    width_px: int
    height_px: int
    num_frames: int
    rotation_deg: int = 0
    slow_motion_factor: float = Field(1.0, gt=0, description="clip seconds per real second")
    notes: tuple[str, ...] = ()


class SubjectChoice(Record):
    """Which body in the clip is the subject, as far as the user says: the rest is found out."""

    kind: Literal["auto", "person", "animal"] = "auto"
    box_px: tuple[float, float, float, float] | None = Field(None, description="x, y, width, height around it")
    at_second: float | None = Field(None, description="when the box is meant, or when only the subject is in view")
    gait: GaitLabel | None = Field(None, description="what it does, where the clip does not show which foot falls when")


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
    sides_sure: float | None = Field(None, description="standard errors by which near and far legs were told apart")
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


# --- any robot -------------------------------------------------------------------------------------------------------


class Servo(Record):
    """One hinge as a person wants to see it: which way it turns, how it stands, its servo and whence its numbers."""

    joint: str
    leg: str
    axis: str
    range_rad: tuple[float, float] | None
    default_rad: float
    kp: float = Field(description="N m/rad")
    torque_limit_n_m: float
    source: str


class RobotInspection(StoredRecord):
    """A robot as it was found."""

    card: Path
    source: str
    kind: str
    trunk: str
    mass_kg: float
    leg_length_m: float
    standing_height_m: float
    stands: bool = Field(description="it stayed up for two seconds on its servos alone")
    servos: tuple[Servo, ...]
    notes: tuple[str, ...]


# --- what the robot shall do -----------------------------------------------------------------------------------------


class MotionTarget(StoredRecord):
    """The gait carried over to one robot. Tuples follow the robot's own order of feet."""

    robot: str
    feet: tuple[str, ...]
    gait: GaitLabel
    speed_m_s: float
    stride_frequency_hz: float = Field(gt=0)
    duty_factor: tuple[float, ...]
    phase_offsets: tuple[float, ...]
    leg_length_m: float
    froude: float
    travel: Travel = "forward"
    trunk_pitch_rad: float = 0.0
    limb_cycle: dict[str, tuple[tuple[float, float], ...]] = Field(default_factory=dict)
    feasibility: Literal["ok", "adjusted", "infeasible"] = "ok"
    notes: tuple[str, ...] = Field((), description="what was changed on the way from the subject to the robot, and why")


# --- the reward ------------------------------------------------------------------------------------------------------


class RewardTerm(Record):
    """One term as an author proposes it: the body is Python of the reward contract."""

    name: str
    weight: float
    serves: str = Field(description="the clip feature or the need this term serves")
    doc: str
    body: str = Field(description="the function's statements, ending in `return <tensor of shape (num_envs,)>`")


class RewardDraft(Record):
    """What an author hands over; `write_reward` turns it into a file and guards it."""

    terms: tuple[RewardTerm, ...] = Field(min_length=1)
    rationale: str
    author: str
    parent: str | None = None
    edits: tuple[str, ...] = Field((), description="what was changed against the parent, one sentence each")
    max_env_steps: int | None = Field(None, description="what the author would spend on it")
    warm_start: str | None = Field(None, description="attempt whose policy to start from")


class RewardProgram(StoredRecord):
    """A reward as a file a person can read, edit and train with."""

    id: str
    path: str
    sha256: str
    terms: dict[str, float] = Field(description="weight by term")
    serves: dict[str, str]
    author: str
    rationale: str
    parent: str | None = None
    edits: tuple[str, ...] = ()
    status: Literal["ok", "rejected"] = "ok"
    reason: str = ""
    remarks: tuple[str, ...] = Field((), description="what may be trained with but looks like a mistake")


class TrialReport(Record):
    """What a reward earns per step on scripted states; `problem` is empty where it may be trained with."""

    problem: str = ""
    remarks: tuple[str, ...] = Field((), description="what may be trained with but looks like a mistake")
    gait: float = 0.0
    standing: float = 0.0
    lying: float = 0.0
    vibrating: float = 0.0
    by_term: dict[str, float] = Field({}, description="weight x term, mean over the scripted gait")
    seconds_per_call: float = Field(0.0, description="all terms, 4096 environments")


# --- training --------------------------------------------------------------------------------------------------------


class TrainingSpec(StoredRecord):
    """Everything a worker needs; `python -m video2reward.sim.train spec.json` fills the folder the spec lies in."""

    attempt: str
    reward: str = Field(description="path of the reward file, relative to the spec")
    target: MotionTarget
    backend: Literal["mujoco"] = "mujoco"
    seed: int = 0
    num_envs: int = 128
    num_threads: int = 1
    max_env_steps: int = 450_000
    max_wall_s: float = 600.0
    checkpoint_every_s: float = 10.0
    stop_when_ready: bool = Field(True, description="end early once the robot keeps the footfalls, the speed, its feet")
    keep_every_steps: int | None = Field(None, gt=0, description="also keep `policy-<steps>.pt` this often")
    warm_start: str | None = None
    weights: dict[str, float] = Field(default_factory=dict, description="weights that override the file's")
    robust: bool = Field(False, description="with pushes, other floors and loads, sensor noise and late commands")


class TrainingRun(StoredRecord):
    """What came of a training. A reward that fails is a status with a reason, never an exception."""

    attempt: str
    status: Literal["ok", "rejected", "diverged", "timeout", "killed"]
    reason: str = ""
    env_steps: int = 0
    wall_s: float = 0.0
    env_steps_per_s: float = 0.0
    checkpoint: str | None = None
    progress: str = "progress.jsonl"
    metrics: dict[str, float] = Field(default_factory=dict)
    term_means: dict[str, float] = Field(default_factory=dict)
    rungs: tuple[str, ...] = Field((), description="what the worker changed on its own, when, and why")


# --- a policy that leaves the house ----------------------------------------------------------------------------------


class ObservationPart(Record):
    """One stretch of the observation vector."""

    name: str
    size: int
    scale: float = Field(description="what the quantity is multiplied by")
    what: str = Field(description="the quantity, its frame and its unit")


class PolicyContract(StoredRecord):
    """All that running an exported policy takes: what goes in, in which order, and what its actions mean."""

    robot: str
    control_hz: float
    physics_step_s: float = Field(description="of the model.xml beside it")
    observation: tuple[ObservationPart, ...]
    joint_names: tuple[str, ...]
    default_joint_pos: tuple[float, ...] = Field(description="rad")
    action_scale: tuple[float, ...] = Field(description="rad: joint target = default + scale x action")
    action_limit: float
    command_speed_m_s: float
    stride_frequency_hz: float = Field(description="the gait clock runs through [0, 1) at this rate")
    feet: tuple[str, ...]
    phase_offsets: tuple[float, ...]
    stance_table: tuple[tuple[float, ...], ...] = Field(
        description="per foot, the expected stance over its own phase (clock - offset) mod 1, in equal bins"
    )
    policy_sha256: str
    notes: tuple[str, ...] = ()


# --- judgement -------------------------------------------------------------------------------------------------------


class Gate(Record):
    """One thing that must hold before similarity counts."""

    name: Literal["survives", "strict_steps", "speed", "posture"]
    passed: bool
    value: float
    needed: str
    sentence: str


class RobotGait(Record):
    """How the robot moves, from true simulator state; tuples follow the robot's order of feet."""

    gait: GaitLabel
    speed_m_s: float
    stride_frequency_hz: float
    duty_factor: tuple[float, ...]
    phase_offsets: tuple[float, ...]
    froude: float
    survival: Unit
    lifted_steps_hz: tuple[float, ...]
    raw_touchdowns_hz: tuple[float, ...]
    chatter: tuple[float, ...]
    limb_cycle: dict[str, tuple[tuple[float, float], ...]] = Field(default_factory=dict)


class Similarity(Record):
    """The errors of evaluation, and GSI = gate · exp(-(E_f/0.1 + E_beta/0.1 + E_phi/0.1 + E_Fr/0.25)/4)."""

    gsi: float
    gsi_ungated: float
    E_f: float
    E_beta: float
    E_phi: float
    E_Fr: float
    dtw: float | None = Field(None, description="mean path-normalised DTW over joints, leg lengths")
    fastdtw: float | None = Field(None, description="un-normalised, as Video2Reward reports it")


class Finding(Record):
    """One thing the critic saw, tied to a moment and a number."""

    time_s: float | None
    quantity: str
    value: float
    wanted: float | None = None
    sentence: str
    source: str = Field("physics", description="who saw it: physics, or the model that looked at the pictures")


class PushTest(Record):
    """How a policy takes being pushed: what the gates do not ask, and hardware will."""

    push_m_s: float = Field(description="each push changes the trunk's horizontal velocity by up to this much")
    every_s: float
    survival: Unit
    num_envs: int
    seconds: float


class Critique(StoredRecord):
    """The verdict on a frozen policy. The gates rule: no judge can pass what they fail."""

    attempt: str
    passed: bool
    gates: tuple[Gate, ...]
    similarity: Similarity
    robot: RobotGait
    findings: tuple[Finding, ...] = ()
    advice: tuple[str, ...] = ()
    verdict: str
    num_envs: int
    seconds: float
    seed: int
    artifacts: dict[str, str] = Field(default_factory=dict, description="rollout, video, footfalls: paths by name")
    pushed: PushTest | None = None


# --- the loop --------------------------------------------------------------------------------------------------------


class Attempt(StoredRecord):
    """One candidate of one lap, from the reward to the verdict: the unit of memory."""

    id: str
    lap: int
    candidate: int
    target: MotionTarget
    program: RewardProgram
    training: TrainingRun | None = None
    critique: Critique | None = None
    recalled_from: str | None = Field(None, description="the remembered attempt this one started from")

    @property
    def gsi(self) -> float:
        """Return the gated similarity; 0 for what was not judged or did not pass."""
        return self.critique.similarity.gsi if self.critique else 0.0

    @property
    def passed(self) -> bool:
        return bool(self.critique and self.critique.passed)

    @property
    def rank(self) -> tuple[bool, float, float]:
        """Order attempts: passed first, then similarity, then how close the gated-out ones came."""
        if not self.critique:
            return (False, 0.0, -1.0)
        share = sum(gate.passed for gate in self.critique.gates) / max(len(self.critique.gates), 1)
        return (self.passed, self.gsi, share + self.critique.similarity.gsi_ungated)


class Recollection(Record):
    """A remembered attempt that moved, or was meant to move, much like what is wanted now."""

    attempt: str
    robot: str
    gait: GaitLabel
    distance: float = Field(description="in the scaled motion space: below 0.5 near, above 1.5 another motion")
    near: bool
    passed: bool
    gsi: float
    folder: Path = Field(description="the attempt's folder: reward.py, draft.json, policy.pt, attempt.json")
    sentence: str


class Decision(Record):
    """What the agent does next, why, and the numbers it stands on."""

    lap: int
    action: Literal["refine", "explore", "train_longer", "warm_start", "stop"]
    reason: str
    numbers: dict[str, float] = Field(default_factory=dict)
    parent: str | None = Field(None, description="the attempt the next lap starts from")
    ending: Literal["passed", "budget", "stopped", "failed"] | None = Field(
        None, description="set when the action is stop"
    )
    allowed: tuple[str, ...] = Field((), description="the actions that the rules left to choose from")
    wished: str = Field("", description="what the author wished for, and why, where it was asked")
    overruled: str = Field("", description="why a wish was not followed, or not all of it")
    steering: tuple[str, ...] = Field((), description="what was asked of the run while it ran, in the asker's words")


class Steering(Record):
    """A change that someone asks of a running loop; it is read from `steer.jsonl` when the next lap begins.

    Terms are named as in the reward, or by their kind (`slip`, `bounce`, `speed`, …).
    """

    said: str = Field(description="the words it was asked in")
    weights: dict[str, float] = Field(default_factory=dict, description="new weight by term")
    weight_factors: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    remove_terms: tuple[str, ...] = ()
    speed_factor: float = Field(1.0, ge=0.2, le=3.0)
    cadence_factor: float = Field(1.0, ge=0.3, le=3.0)
    swing_height_factor: float = Field(1.0, ge=0.3, le=3.0)
    wish: str = Field("", description="what only an author that reads can follow")


class RunRequest(StoredRecord):
    """What was asked, resolved: written into the run folder before anything else happens."""

    clip: Path
    keypoints: Path | None = None
    robot: str = "go1"
    author: str = "offline"
    critic: str = Field("offline", description="who looks at the pictures beside the physics; it changes no gate")
    steering: tuple[Steering, ...] = Field((), description="what is asked for beyond the clip, from the first lap on")
    minutes: float = 10.0
    until: float | None = Field(None, description="when it shall have ended, in seconds since the epoch")
    laps: int = 3
    candidates: int = 2
    env_steps: int | None = Field(None, gt=0, description="the most environment steps, of all trainings together")
    tokens: int | None = Field(None, gt=0, description="the most tokens of language models")
    usd: float | None = Field(None, gt=0, description="the most dollars, by the price table")
    seed: int = 0
    out: Path
    memory: Path | None = None
    slow_motion_factor: float = 1.0
    unsafe: bool = Field(False, description="run foreign code even without the operating system's layer")
    robust: bool = Field(False, description="train with pushes, other floors and loads, sensor noise, late commands")
    subject: SubjectChoice = SubjectChoice()


class Best(Record):
    """The best attempt of a run, as the verdict on fresh seeds found it."""

    attempt: str
    gates: dict[str, bool]
    gsi: float
    E_f: float
    E_beta: float
    E_phi: float
    E_Fr: float
    dtw: float | None
    gait: GaitLabel
    speed_m_s: float
    stride_frequency_hz: float


class Artifacts(Record):
    """Paths within the run folder; None for what does not exist."""

    reward: str | None = None
    policy: str | None = None
    video: str | None = None
    report: str | None = None


class RunResult(BaseModel):
    """The run folder's `result.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True)

    schema_: Literal["video2reward.result/1"] = Field("video2reward.result/1", alias="schema")
    status: Literal["passed", "budget", "stopped", "failed"]
    robot: str
    clip: str
    author: str
    laps: int
    candidates: int
    env_steps: int
    tokens: int = Field(0, description="of language models")
    usd: float = Field(0.0, description="what the tokens cost by the price table")
    wall_s: float
    first_pass_s: float | None = Field(None, description="seconds from the command to the first verdict that passed")
    stop_reason: str
    best: Best | None = None
    artifacts: Artifacts = Artifacts()
    notes: tuple[str, ...] = ()
