"""The fourth tool: judge a frozen policy. Gates first, then similarity, then what to do about it, then pictures.

The rollout is made by another process, which runs no reward code either; what it writes is checked before it is
believed. Pictures are for people: none of them changes a verdict, and one that fails is a note.
"""

from __future__ import annotations

from pathlib import Path

from video2reward.memory import runs
from video2reward.memory.errors import BadInput
from video2reward.memory.records import (
    Attempt,
    ClipDescription,
    Critique,
    Finding,
    GaitDescriptor,
    Gate,
    MotionTarget,
    RobotGait,
    Similarity,
    TrainingSpec,
)
from video2reward.tools.critic import findings
from video2reward.tools.critic.evidence import BadRollout, read_rollout
from video2reward.tools.critic.filming import ROLLOUT_MODULE, made_already, roll_out, rolled_out_pushed, take_pictures
from video2reward.tools.critic.gates import judge_gates
from video2reward.tools.critic.measure import measure
from video2reward.tools.critic.similarity import MAX_ERROR, asked_errors, compare, wanted_gait

FRESH_SEED = 9000
"""Where the command line's `judge` begins: the loop uses lower ones, training none of them."""
PUSH_M_S = 0.5
"""What a policy is pushed with unless told otherwise: a shove that changes its velocity by half a metre a second."""
_GATES = ("survives", "strict_steps", "speed", "posture")


def render_and_critique(
    attempt_dir: Path,
    target: MotionTarget,
    *,
    gait: GaitDescriptor | None = None,
    seed: int = 1000,
    num_envs: int = 64,
    seconds: float = 10.0,
    track_dir: Path | None = None,
    video: bool = False,
    attempt: str | None = None,
    push_m_s: float = 0.0,
    rollout_module: str = ROLLOUT_MODULE,
) -> Critique:
    """Judge `attempt_dir/policy.pt` against a target and write `critique.json` beside it, whole or not at all.

    `gait` is the subject's own descriptor, `track_dir` where its track.json lies, for pictures beside the clip. A
    rollout of the same policy, seed and size that is already there is used again. A rollout that cannot be believed is
    a verdict with all gates shut; one that cannot be made raises V2RError. With `push_m_s` the policy is rolled out
    once more and pushed: that is reported beside the verdict and changes nothing of it.
    """
    policy, rollout = attempt_dir / "policy.pt", attempt_dir / "rollout.npz"
    if not policy.is_file():
        raise BadInput(f"{policy} is not there.", "Train first: a judge needs a policy.")
    runs.save(target, attempt_dir / "target.json")
    if not made_already(rollout, policy, seed, num_envs, seconds):
        roll_out(rollout_module, attempt_dir, rollout, seed=seed, num_envs=num_envs, seconds=seconds)
    critique = judge_rollout(
        rollout, target, gait=gait, attempt=attempt or _name(attempt_dir), num_envs=num_envs, seconds=seconds, seed=seed
    )
    artifacts = {"rollout": rollout.name}
    notes: list[str] = []
    pushed = None
    if push_m_s > 0:
        pushed = rolled_out_pushed(rollout_module, attempt_dir, notes, seed=seed, num_envs=num_envs, push_m_s=push_m_s)
    if video:
        artifacts |= take_pictures(attempt_dir, target, track_dir, notes)
    critique = critique.model_copy(
        update={
            "artifacts": artifacts,
            "pushed": pushed,
            "findings": critique.findings + tuple(_note(text) for text in notes),
        }
    )
    runs.save(critique, attempt_dir / "critique.json")
    return critique


def judge_rollout(
    path: Path,
    target: MotionTarget,
    *,
    gait: GaitDescriptor | None = None,
    attempt: str = "",
    num_envs: int | None = None,
    seconds: float | None = None,
    seed: int | None = None,
) -> Critique:
    """Judge a rollout's file; one that cannot be believed, or is not the one asked for, fails every gate."""
    try:
        rollout = read_rollout(path)
        asked = ((num_envs, rollout.num_envs), (seed, rollout.seed), (target.robot, rollout.robot.name))
        if any(wanted is not None and wanted != got for wanted, got in asked):
            raise BadRollout(f"{path.name} is of another robot, seed or number of environments than was asked for.")
        if seconds is not None and abs(rollout.seconds - seconds) > 2 * rollout.control_dt_s:
            raise BadRollout(f"{path.name} lasts {rollout.seconds:.2f} s and not {seconds:g} s.")
    except BadRollout as error:
        return _unjudged(target, str(error), attempt, num_envs or 0, seconds or 0.0, seed or 0)
    measured = measure(rollout, target.travel)
    gates = judge_gates(measured, target)
    passed = all(gate.passed for gate in gates)
    wanted = wanted_gait(target, gait)
    similarity = compare(measured.robot, wanted, target.leg_length_m, passed=passed)
    if target.feasibility == "adjusted":
        similarity = similarity.model_copy(update={"asked": asked_errors(target, wanted)})
    found = findings.find(measured, target, gates)
    return Critique(
        attempt=attempt,
        passed=passed,
        gates=gates,
        similarity=similarity,
        robot=measured.robot,
        findings=found,
        advice=findings.advise(found),
        verdict=findings.verdict(gates, similarity, measured, target),
        num_envs=rollout.num_envs,
        seconds=rollout.seconds,
        seed=rollout.seed,
    )


def judge_run(
    run_or_attempt: Path,
    *,
    seed: int = FRESH_SEED,
    num_envs: int = 64,
    seconds: float = 10.0,
    push_m_s: float = PUSH_M_S,
    rollout_module: str = ROLLOUT_MODULE,
) -> Critique:
    """Judge a run's best policy (or one attempt's) again on fresh seeds.

    Everything is written into `judged-SEED/` inside the policy's folder; the first verdict stays as it was.
    """
    folder = policy_folder(run_or_attempt)
    run = next((up for up in (folder, *folder.parents[:2]) if (up / "description.json").is_file()), None)
    again = folder / f"judged-{seed}"
    again.mkdir(exist_ok=True)
    copy = again / "policy.pt"
    copy.unlink(missing_ok=True)
    copy.symlink_to(Path("..") / "policy.pt")
    gait = runs.load(ClipDescription, run / "description.json").gait if run else None
    return render_and_critique(
        again,
        _target_of(folder),
        gait=gait,
        seed=seed,
        num_envs=num_envs,
        seconds=seconds,
        attempt=_name(folder),
        push_m_s=push_m_s,
        rollout_module=rollout_module,
    )


def policy_folder(run_or_attempt: Path) -> Path:
    """Return the folder that holds the policy to judge: this one, the run's `best`, or its best attempt's."""
    if not run_or_attempt.is_dir():
        raise BadInput(f"{run_or_attempt} is not a run folder.", "`video2reward runs` lists those there are.")
    for folder in (run_or_attempt, run_or_attempt / "best"):
        if (folder / "policy.pt").is_file():
            return folder
    ranked = sorted(runs.attempts(run_or_attempt), key=lambda attempt: attempt.rank, reverse=True)
    for attempt in ranked:
        if (run_or_attempt / "attempts" / attempt.id / "policy.pt").is_file():
            return run_or_attempt / "attempts" / attempt.id
    raise BadInput(f"{run_or_attempt} holds no trained policy.", "Its report says how far the run came.")


def _target_of(folder: Path) -> MotionTarget:
    if (folder / "target.json").is_file():
        return runs.load(MotionTarget, folder / "target.json")
    if (folder / "spec.json").is_file():
        return runs.load(TrainingSpec, folder / "spec.json").target
    raise BadInput(f"{folder} has no target.json to be judged against.")


def _name(folder: Path) -> str:
    """Return the attempt's name: a copy in `best/` keeps the one it had."""
    if (folder / "attempt.json").is_file():
        try:
            return runs.load(Attempt, folder / "attempt.json").id
        except BadInput:
            pass
    return folder.name


def _note(text: str) -> Finding:
    return Finding(time_s=None, quantity="pictures", value=0.0, sentence=text)


def _unjudged(target: MotionTarget, reason: str, attempt: str, num_envs: int, seconds: float, seed: int) -> Critique:
    """Return the verdict on a rollout that cannot be believed."""
    nothing = (0.0,) * len(target.feet)
    robot = RobotGait(
        gait="unknown",
        speed_m_s=0.0,
        stride_frequency_hz=0.0,
        duty_factor=nothing,
        phase_offsets=nothing,
        froude=0.0,
        survival=0.0,
        lifted_steps_hz=nothing,
        raw_touchdowns_hz=nothing,
        chatter=nothing,
    )
    worst = Similarity(gsi=0.0, gsi_ungated=0.0, E_f=MAX_ERROR, E_beta=1.0, E_phi=0.5, E_Fr=MAX_ERROR)
    gates = tuple(
        Gate(name=name, passed=False, value=0.0, needed="a rollout that can be believed", sentence=reason)
        for name in _GATES
    )
    return Critique(
        attempt=attempt,
        passed=False,
        gates=gates,
        similarity=worst,
        robot=robot,
        findings=(Finding(time_s=None, quantity="rollout", value=0.0, sentence=reason),),
        verdict=f"Not judged: {reason}",
        num_envs=num_envs,
        seconds=seconds,
        seed=seed,
    )
