"""What a language model is told: the brief in words and numbers, short enough for small models."""

from __future__ import annotations

from video2reward import prompts
from video2reward.agent.authors import AuthorBrief, PriorReward
from video2reward.memory.records import GaitDescriptor, MotionTarget
from video2reward.sim.config import robot_config

_DIRECTIONS = (
    "Write the reward you trust most to pass the gates and to match the clip.",
    "Go for the same motion by another way: other weights, another speed shaping, or one more term for what is hard.",
    "Be bolder: change what you believe limits the gait most, and keep the rest simple.",
    "Be simpler: as few terms as can work.",
)
_CYCLE_POINTS = 8


def system_prompt() -> str:
    """Return the standing part: the job, the answer's form, and the contract as the code states it."""
    from video2reward.tools.write_reward import contract_text

    return _fill("author", contract=contract_text())


def task_prompt(brief: AuthorBrief, index: int, before: list[str]) -> str:
    """Return one candidate's task; `before` are the rationales of the candidates that this one shall differ from."""
    return _fill(
        "author_task",
        robot=_robot(brief.target),
        motion=_motion(brief.target, brief.gait),
        history=_history(brief),
        task=_task(brief, index, before),
    )


def repair_prompt(problem: str) -> str:
    return _fill("author_repair", problem=problem)


def _fill(name: str, **values: str) -> str:
    text = prompts.load(name)
    for key, value in values.items():
        text = text.replace("{{ " + key + " }}", value)
    return text


def _robot(target: MotionTarget) -> str:
    robot = robot_config(target.robot)
    return (
        f"{robot.name}, a {robot.kind} with {robot.num_joints} driven joints.\n"
        f"Feet, in this order everywhere: {', '.join(robot.feet)}.\n"
        f"Joints, in this order everywhere: {', '.join(robot.joint_names)}.\n"
        f"Leg length {robot.leg_length_m} m, standing height {robot.standing_height_m} m."
    )


def _motion(target: MotionTarget, gait: GaitDescriptor | None) -> str:
    from video2reward.tools.write_reward import motion_text

    lines = [
        f"A {target.gait}, {target.travel.replace('_', ' ')}, carried over from the clip to this robot's size.",
        "",
        "```python",
        motion_text(target).rstrip(),
        "```",
        "",
        "phase_offsets: how long after the first foot's touchdown each foot touches down, in strides. "
        "duty_factor: share of the stride for which a foot stands.",
        f"Stride {1.0 / target.stride_frequency_hz:.2f} s, Froude number {target.froude:.2f}, "
        f"trunk pitch {target.trunk_pitch_rad:+.2f} rad (nose down is positive).",
    ]
    lines += [f"Note: {note}." for note in target.notes]
    if gait:
        sure = ", ".join(f"{name} {value:.2f}" for name, value in sorted(gait.confidence.items()))
        lines.append(f"Trust in the clip's numbers, 0 to 1: {sure or 'not said'}.")
        if gait.trunk_bob_leg_lengths:
            lines.append(f"The trunk bobs by {gait.trunk_bob_leg_lengths:.3f} leg lengths.")
    for name, path in target.limb_cycle.items():
        if name.endswith("_foot") and path:
            step = max(1, len(path) // _CYCLE_POINTS)
            points = " ".join(f"({x:+.2f}, {z:+.2f})" for x, z in path[::step][:_CYCLE_POINTS])
            lines.append(f"Path of {name} from its hip over one stride, (forward, up) in leg lengths: {points}")
    return "\n".join(lines)


def _history(brief: AuthorBrief) -> str:
    parts = []
    if brief.parents:
        parts.append("# What was tried in this run, the one to start from first")
        parts += [_prior(prior, whole=index == 0) for index, prior in enumerate(brief.parents)]
    if brief.remembered:
        parts.append("# Rewards of earlier runs for motions like this one, the nearest first")
        parts += [_prior(prior, whole=index == 0 and not brief.parents) for index, prior in enumerate(brief.remembered)]
    return "\n\n".join(parts) if parts else "# Nothing was tried yet, and nothing like it is remembered."


def _prior(prior: PriorReward, *, whole: bool) -> str:
    """Say what came of a reward, with its text where it is the one to start from, and its weights otherwise."""
    attempt = prior.attempt
    lines = [f"## {attempt.id}"]
    if prior.recollection:
        lines.append(prior.recollection.sentence)
    if critique := attempt.critique:
        parts = critique.similarity
        lines.append(f"Verdict: {critique.verdict}")
        lines += [f"- {gate.name}: {'passed' if gate.passed else 'FAILED'}. {gate.sentence}" for gate in critique.gates]
        lines.append(
            f"- GSI {parts.gsi_ungated:.2f} of 1; errors: cadence {parts.E_f:.3f}, duty {parts.E_beta:.3f}, "
            f"phases {parts.E_phi:.3f}, Froude number {parts.E_Fr:.3f}"
        )
        lines += [f"- seen: {finding.sentence}" for finding in critique.findings[:6]]
        lines += [f"- advice: {advice}" for advice in critique.advice[:6]]
    if attempt.training:
        run = attempt.training
        means = ", ".join(f"{name} {value:+.3f}" for name, value in run.term_means.items())
        lines.append(f"Trained {run.env_steps} steps ({run.status} {run.reason}); mean of each term then: {means}")
    if whole:
        lines.append(f"```python\n{prior.reward.strip()}\n```")
    else:
        lines.append("Weights: " + ", ".join(f"{name} {weight:g}" for name, weight in attempt.program.terms.items()))
    return "\n".join(lines)


def _task(brief: AuthorBrief, index: int, before: list[str]) -> str:
    lines = [f"This is lap {brief.lap}. {_DIRECTIONS[min(index, len(_DIRECTIONS) - 1)]}"]
    if brief.decision:
        lines.append(f"Decided after the lap before: {brief.decision.action}, because: {brief.decision.reason}")
    if brief.parents or brief.remembered:
        lines.append(
            "Set start_from_parent_policy to true where the first reward above already walks: training then goes on "
            "from its policy and is much shorter."
        )
    if before:
        lines.append("Other candidates of this lap; differ from them on purpose:")
        lines += [f"- {rationale}" for rationale in before]
    return "\n".join(lines)
