"""The gates: what must hold before similarity counts. No judge can pass what they fail.

| gate | what must hold |
|---|---|
| survives | at least 95 % of environments never fall |
| strict_steps | each foot takes strict steps at half the target's stride frequency or more |
| speed | the mean forward speed lies within 50 to 150 % of the target's |
| posture | the trunk stays above 60 % of its standing height, and nothing but feet touches the ground |
"""

from __future__ import annotations

import numpy as np
from video2reward.memory.records import Gate, MotionTarget
from video2reward.sim.config import GRAVITY_M_S2
from video2reward.tools.critic.evidence import Floats
from video2reward.tools.critic.measure import Measurement
from video2reward.tools.critic.similarity import SPOT_FROUDE
from video2reward.tools.critic.steps import MIN_AHEAD, MIN_LIFT

MIN_SURVIVAL = 0.95
MIN_STEP_SHARE = 0.5
SPEED_RANGE = (0.5, 1.5)
MIN_TRUNK_HEIGHT = 0.6
_MIN_COUNTED_S = 2.0
"""An environment that fell sooner tells little about its steps; `survives` has counted it."""


def judge_gates(measured: Measurement, target: MotionTarget) -> tuple[Gate, ...]:
    """Return the four gates in the order in which they are read."""
    return (_survives(measured), _strict_steps(measured, target), _speed(measured, target), _posture(measured))


def step_rates_hz(measured: Measurement) -> Floats:
    """Return the strict steps per second that 95 % of the environments reach with each foot (F,).

    A pooled mean would let half of the robots stand still while the others step.
    """
    rates = measured.swings.rate_hz(measured.swings.strict)
    long_enough = measured.swings.counted_s >= _MIN_COUNTED_S
    if not long_enough.any():
        return np.zeros(rates.shape[1])
    return np.quantile(rates[long_enough], 1.0 - MIN_SURVIVAL, axis=0, method="lower")


def _survives(measured: Measurement) -> Gate:
    fell = measured.rollout.fell_at_s
    num_fell, num_envs = int(np.isfinite(fell).sum()), len(fell)
    return Gate(
        name="survives",
        passed=measured.robot.survival >= MIN_SURVIVAL,
        value=measured.robot.survival,
        needed=f">= {MIN_SURVIVAL:g} of the environments never fall",
        sentence=(
            f"None of {num_envs} robots fell."
            if not num_fell
            else f"{num_fell} of {num_envs} robots fell, the first after {fell.min():.1f} s."
        ),
    )


def _strict_steps(measured: Measurement, target: MotionTarget) -> Gate:
    rates = step_rates_hz(measured)
    slowest = int(rates.argmin())
    needed_hz = MIN_STEP_SHARE * target.stride_frequency_hz
    foot, value = measured.rollout.robot.feet[slowest], float(rates[slowest])
    ahead = {
        "forward": f", landing {MIN_AHEAD:g} ahead",
        "backward": f", landing {MIN_AHEAD:g} behind",
        "on_the_spot": "",
    }[target.travel]
    what = f"strict steps a second (lifted {MIN_LIFT:g} leg lengths{ahead})"
    return Gate(
        name="strict_steps",
        passed=value >= needed_hz,
        value=value,
        needed=f">= {needed_hz:.3g} {what} by each foot",
        sentence=(
            f"Every foot steps: {foot}, the slowest, {value:.2f} times a second."
            if value >= needed_hz
            else f"{foot} takes {value:.2f} strict steps a second and should take {target.stride_frequency_hz:.2f}."
        ),
    )


def _speed(measured: Measurement, target: MotionTarget) -> Gate:
    value = measured.robot.speed_m_s
    if target.travel == "on_the_spot":
        limit = (SPOT_FROUDE * GRAVITY_M_S2 * target.leg_length_m) ** 0.5
        return Gate(
            name="speed",
            passed=abs(value) <= limit,
            value=value,
            needed=f"on the spot: at most {limit:.2f} m/s either way",
            sentence=f"It drifts at {value:.2f} m/s where the subject stays on the spot.",
        )
    wanted = abs(target.speed_m_s) * (-1.0 if target.travel == "backward" else 1.0)
    ends = sorted(share * wanted for share in SPEED_RANGE)
    share = value / wanted if wanted else 0.0
    return Gate(
        name="speed",
        passed=wanted != 0.0 and ends[0] <= value <= ends[1],
        value=value,
        needed=f"{ends[0]:.2f} to {ends[1]:.2f} m/s, 50 to 150 % of the subject's {wanted:.2f} m/s at this size",
        sentence=f"It goes {value:.2f} m/s, {share:.0%} of the wanted {wanted:.2f} m/s.",
    )


def _posture(measured: Measurement) -> Gate:
    posture = measured.posture
    # Robots that fell are `survives`' business, unless there are no others.
    stayed = np.isinf(measured.rollout.fell_at_s)
    chosen = stayed if stayed.any() else np.ones_like(stayed)
    lowest = float(posture.lowest_trunk[chosen].min())
    lowest = lowest if np.isfinite(lowest) else 0.0
    touching = np.isfinite(posture.touched_at_s) & chosen
    if lowest <= MIN_TRUNK_HEIGHT:
        sentence = f"The trunk sank to {lowest:.0%} of its standing height."
    elif touching.any():
        share = float(posture.touching_share[chosen].mean())
        sentence = (
            f"A part other than a foot touches the ground in {touching.sum()} of {chosen.sum()} robots, "
            f"{share:.1%} of the time."
        )
    else:
        sentence = f"The trunk stays above {lowest:.0%} of its standing height and only feet touch the ground."
    return Gate(
        name="posture",
        passed=lowest > MIN_TRUNK_HEIGHT and not touching.any(),
        value=lowest,
        needed=f"trunk > {MIN_TRUNK_HEIGHT:g} of its standing height, and nothing but feet on the ground",
        sentence=sentence,
    )
