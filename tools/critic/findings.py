"""What the critic saw, each tied to a number and where there is one to a moment, and what an author can do about it.

Findings come in the order of their weight: what keeps a gate shut first, then what costs similarity.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from video2reward.memory.records import Finding, Gate, MotionTarget, Similarity
from video2reward.tools.critic.gates import MIN_TRUNK_HEIGHT, step_rates_hz
from video2reward.tools.critic.measure import Measurement
from video2reward.tools.critic.steps import MIN_AHEAD, MIN_LIFT

Quantity = Literal[
    "survival",
    "body_contact",
    "trunk_height",
    "strict_steps",
    "clearance",
    "step_length",
    "speed",
    "stride_frequency",
    "duty_factor",
    "phase_offset",
    "chatter",
    "slip",
    "drift",
    "rollout",
    "pictures",
]
"""The vocabulary. Those of a foot are written with its name: `duty_factor.FL`."""

_TOO_FAR = {
    "speed": 0.15,  # of the wanted
    "stride_frequency": 0.05,  # of the wanted
    "duty_factor": 0.05,
    "phase_offset": 0.05,
    "chatter": 0.25,
    "slip": 0.35,  # of the robot's speed
    "drift": 0.1,
    "turn_rad_s": 0.1,
}


def find(measured: Measurement, target: MotionTarget, gates: tuple[Gate, ...]) -> tuple[Finding, ...]:
    """Return what is wrong with a rollout; nothing where nothing is."""
    return (
        *_falls(measured),
        *_posture(measured, {gate.name: gate for gate in gates}["posture"]),
        *_steps(measured, target),
        *_speed(measured, target),
        *_cadence(measured, target),
        *_stance(measured, target),
        *_chatter(measured),
        *_slip(measured),
        *_drift(measured, target),
    )


def advise(findings: tuple[Finding, ...]) -> tuple[str, ...]:
    """Return one instruction per kind of finding, in their order: what a reward could ask for more or less of."""
    said: dict[str, str] = {}
    for finding in findings:
        kind, _, foot = finding.quantity.partition(".")
        said.setdefault(kind, _advice(finding, kind, foot))
    return tuple(text for text in said.values() if text)


def _advice(finding: Finding, kind: str, foot: str) -> str:
    short = finding.wanted is not None and abs(finding.value) < abs(finding.wanted)
    numbers = f" ({finding.value:.2f}, wanted {finding.wanted:.2f})" if finding.wanted is not None else ""
    if kind == "stride_frequency":
        if finding.wanted and finding.value > 1.7 * finding.wanted:
            return f"Take one stride where it takes two: let speed count only while the footfalls match{numbers}."
        return f"Take {'quicker' if short else 'slower, longer'} strides{numbers}."
    return {
        "survival": "Reward staying upright more: trunk tilt, roll and pitch rates.",
        "body_contact": "Carry the trunk higher: a part other than a foot touches the ground.",
        "trunk_height": f"Carry the trunk higher{numbers}.",
        "strict_steps": f"Make {foot} step with the clock{numbers}.",
        "clearance": f"Lift {foot} higher in swing: it drags{numbers}.",
        "step_length": f"Make {foot} land further along the way{numbers}.",
        "speed": f"{'Reward forward speed more' if short else 'Hold the speed down'}{numbers}.",
        "duty_factor": f"Aim the stance of {foot} {'longer' if short else 'shorter'}{numbers}.",
        "phase_offset": f"Make {foot} touch down at its time: reward the footfall order more{numbers}.",
        "chatter": f"Punish touchdowns in swing: {foot} lands more than once a stride.",
        "slip": f"Keep {foot} still while it stands: it skates.",
        "drift": "Hold the heading: it does not go straight.",
    }.get(kind, "")


def _falls(measured: Measurement) -> list[Finding]:
    fell = measured.rollout.fell_at_s
    if not np.isfinite(fell).any():
        return []
    first, count = float(fell.min()), int(np.isfinite(fell).sum())
    sentence = f"{count} of {len(fell)} robots fall, the first after {first:.1f} s."
    return [_finding(first, "survival", measured.robot.survival, 1.0, sentence)]


def _posture(measured: Measurement, gate: Gate) -> list[Finding]:
    posture, found = measured.posture, []
    if np.isfinite(posture.touched_at_s).any():
        first, share = float(posture.touched_at_s.min()), float(posture.touching_share.mean())
        sentence = f"A part other than a foot is on the ground {share:.1%} of the time, first at {first:.1f} s."
        found.append(_finding(first, "body_contact", share, 0.0, sentence))
    lowest = int(posture.lowest_trunk.argmin())
    height = float(posture.lowest_trunk[lowest])
    if not gate.passed and height <= MIN_TRUNK_HEIGHT:
        sentence = f"The trunk sinks to {height:.0%} of its standing height."
        found.append(_finding(float(posture.lowest_at_s[lowest]), "trunk_height", height, 1.0, sentence))
    return found


def _steps(measured: Measurement, target: MotionTarget) -> list[Finding]:
    """Say of a foot that steps too little why its touchdowns do not count: not lifted, not ahead, or not there."""
    found, swings = [], measured.swings
    for foot, rate in enumerate(step_rates_hz(measured)):
        if rate >= 0.5 * target.stride_frequency_hz:
            continue
        name = measured.rollout.robot.feet[foot]
        mine = swings.foot == foot
        wanted = target.stride_frequency_hz
        if mine.sum() <= 0.1 * wanted * swings.counted_s.sum():
            sentence = f"{name} hardly ever leaves the ground and lands again."
            found.append(_finding(None, f"strict_steps.{name}", float(rate), wanted, sentence))
            continue
        high = float(np.quantile(swings.clearance[mine], 0.75))
        moment = float(swings.land_s[mine][0])
        if high < 1.2 * MIN_LIFT:
            sentence = f"{name} drags: it is lifted {high:.3f} leg lengths and a step needs {MIN_LIFT:g}."
            found.append(_finding(moment, f"clearance.{name}", high, 2 * MIN_LIFT, sentence))
            continue
        backward = target.travel == "backward"
        ahead = float(np.median(swings.ahead[mine & swings.lifted])) if (mine & swings.lifted).any() else 0.0
        if target.travel != "on_the_spot" and (-ahead if backward else ahead) < MIN_AHEAD:
            sentence = f"{name} lands {ahead:.2f} leg lengths ahead of where it left, too little for a step."
            wanted_ahead = -2 * MIN_AHEAD if backward else 2 * MIN_AHEAD
            found.append(_finding(moment, f"step_length.{name}", ahead, wanted_ahead, sentence))
            continue
        sentence = f"{name} takes {rate:.2f} strict steps a second, wanted {wanted:.2f}."
        found.append(_finding(moment, f"strict_steps.{name}", float(rate), wanted, sentence))
    return found


def _speed(measured: Measurement, target: MotionTarget) -> list[Finding]:
    value = measured.robot.speed_m_s
    wanted = {"forward": 1.0, "backward": -1.0, "on_the_spot": 0.0}[target.travel] * abs(target.speed_m_s)
    if abs(value - wanted) <= max(_TOO_FAR["speed"] * abs(wanted), 0.05):
        return []
    kind = "too slow" if abs(value) < abs(wanted) and value * wanted >= 0 else "too fast"
    if value * wanted < 0:
        kind = "the wrong way"
    return [_finding(None, "speed", value, wanted, f"It goes {kind}: {value:.2f} m/s, wanted {wanted:.2f} m/s.")]


def _cadence(measured: Measurement, target: MotionTarget) -> list[Finding]:
    value, wanted = measured.robot.stride_frequency_hz, target.stride_frequency_hz
    if abs(value / wanted - 1.0) <= _TOO_FAR["stride_frequency"]:
        return []
    how = {2: "twice the frequency", 0.5: "half the frequency"}
    multiple = next((words for factor, words in how.items() if abs(value / wanted / factor - 1.0) < 0.12), None)
    sentence = f"Strides come at {multiple or f'{value:.2f} Hz'}: {value:.2f} Hz, wanted {wanted:.2f} Hz."
    if not multiple:
        sentence = f"It takes {value:.2f} strides a second, wanted {wanted:.2f}."
    if not value:
        sentence = f"It takes no strides, wanted {wanted:.2f} a second."
    return [_finding(None, "stride_frequency", value, wanted, sentence)]


def _stance(measured: Measurement, target: MotionTarget) -> list[Finding]:
    robot, found = measured.robot, []
    for foot, name in enumerate(measured.rollout.robot.feet):
        value, wanted = robot.duty_factor[foot], target.duty_factor[foot]
        if abs(value - wanted) > _TOO_FAR["duty_factor"]:
            kind = "short" if value < wanted else "long"
            sentence = f"The stance of {name} is too {kind}: {value:.2f} of a stride, wanted {wanted:.2f}."
            found.append(_finding(None, f"duty_factor.{name}", value, wanted, sentence))
    for foot, name in enumerate(measured.rollout.robot.feet):
        if foot == 0 or not robot.lifted_steps_hz[0] or not robot.lifted_steps_hz[foot]:
            continue
        value, wanted = robot.phase_offsets[foot], target.phase_offsets[foot]
        late = (value - wanted + 0.5) % 1.0 - 0.5
        if abs(late) > _TOO_FAR["phase_offset"]:
            kind = "late" if late > 0 else "early"
            sentence = f"{name} touches down {abs(late):.2f} of a stride {kind}: at {value:.2f}, wanted {wanted:.2f}."
            found.append(_finding(None, f"phase_offset.{name}", value, wanted, sentence))
    # The worst first: advice is given once per kind.
    return sorted(found, key=lambda finding: (finding.quantity.partition(".")[0], -_apart(finding)))


def _apart(finding: Finding) -> float:
    difference = finding.value - (finding.wanted or 0.0)
    if finding.quantity.startswith("phase_offset"):
        difference = (difference + 0.5) % 1.0 - 0.5
    return abs(difference)


def _chatter(measured: Measurement) -> list[Finding]:
    found, swings = [], measured.swings
    for foot, name in enumerate(measured.rollout.robot.feet):
        value = measured.robot.chatter[foot]
        bounces = (swings.foot == foot) & ~swings.strict
        if value <= _TOO_FAR["chatter"] or not measured.robot.lifted_steps_hz[foot] or not bounces.any():
            continue
        first = int(np.flatnonzero(bounces)[0])
        sentence = (
            f"{name} touches down {measured.robot.raw_touchdowns_hz[foot]:.1f} times a second for "
            f"{measured.robot.lifted_steps_hz[foot]:.1f} steps."
        )
        found.append(_finding(float(swings.land_s[first]), f"chatter.{name}", value, 0.0, sentence))
    return sorted(found, key=lambda finding: -finding.value)


def _slip(measured: Measurement) -> list[Finding]:
    body = abs(measured.robot.speed_m_s)
    worst = int(measured.slip_m_s.argmax())
    slip, name = float(measured.slip_m_s[worst]), measured.rollout.robot.feet[worst]
    if slip <= max(_TOO_FAR["slip"] * body, 0.1):
        return []
    sentence = f"{name} slides at {slip:.2f} m/s while it is on the ground; the body goes {body:.2f} m/s."
    return [_finding(None, f"slip.{name}", slip, 0.0, sentence)]


def _drift(measured: Measurement, target: MotionTarget) -> list[Finding]:
    if target.travel != "on_the_spot" and measured.drift_m_per_m > _TOO_FAR["drift"]:
        sentence = f"It goes {measured.drift_m_per_m:.2f} m sideways for every metre ahead."
        return [_finding(None, "drift", measured.drift_m_per_m, 0.0, sentence)]
    if abs(measured.turn_rad_s) > _TOO_FAR["turn_rad_s"]:
        side = "left" if measured.turn_rad_s > 0 else "right"
        sentence = f"It turns {side} at {abs(measured.turn_rad_s):.2f} rad/s."
        return [_finding(None, "drift", measured.turn_rad_s, 0.0, sentence)]
    return []


def _finding(time_s: float | None, quantity: str, value: float, wanted: float | None, sentence: str) -> Finding:
    moment = round(time_s, 3) if time_s is not None and np.isfinite(time_s) else None
    return Finding(time_s=moment, quantity=quantity, value=round(float(value), 5), wanted=wanted, sentence=sentence)


def verdict(gates: tuple[Gate, ...], similarity: Similarity, measured: Measurement, target: MotionTarget) -> str:
    """Say in one breath what came out."""
    robot = measured.robot
    moves = f"{robot.gait} at {robot.speed_m_s:.2f} m/s and {robot.stride_frequency_hz:.2f} strides a second"
    if failed := [gate for gate in gates if not gate.passed]:
        return f"Not passed: {' '.join(gate.sentence for gate in failed)}"
    named = "" if robot.gait == target.gait else f" (wanted: {target.gait})"
    return f"Passed: {moves}{named}, similarity {similarity.gsi:.2f}."
