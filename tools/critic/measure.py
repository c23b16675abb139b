"""From a rollout to numbers: how the robot moves, from true simulator state, by the formulas of the evaluation.

What a foot does is read at every physics step; what the trunk does at every control step. Everything is averaged over
environments and strides, after start-up and before a fall.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from video2reward.memory.records import GaitLabel, RobotGait, Travel
from video2reward.sim.config import GRAVITY_M_S2
from video2reward.tools.critic.evidence import Bools, Floats, Rollout
from video2reward.tools.critic.steps import Ints, Swings, find_swings
from video2reward.tools.gait_labels import gait_label

NUM_BINS = 32
MAX_CHATTER = 10.0
"""Published instead of infinity for a foot that touches down but takes no strict step."""
_STEPS_AND_LIMBS_AGREE = 0.15
_STRIDE_HZ = (0.3, 6.0)
_FIRST_PEAK = 0.85
_MIN_EXCURSION = 0.02
"""Below this forward excursion of the feet against the hips (standard deviation, leg lengths) nothing strides."""
_FALL_LEAD_S = 0.5
"""A fall ends with the body on the ground: what touches in its last moments is counted as a fall, not as posture."""


@dataclass(frozen=True)
class Posture:
    """What the trunk and the limbs did, over environments (N,); inf where it never happened."""

    lowest_trunk: Floats
    """Lowest height of the trunk, in standing heights."""
    lowest_at_s: Floats
    touching_share: Floats
    """Share of the counted time in which a part other than a foot is on the ground."""
    touched_at_s: Floats


@dataclass(frozen=True)
class Measurement:
    """Everything that gates, similarity and findings stand on."""

    robot: RobotGait
    rollout: Rollout
    swings: Swings
    posture: Posture
    limb_frequency_hz: float
    step_frequency_hz: float
    speed_by_env_m_s: Floats
    drift_m_per_m: float
    """Sideways way per way forward, in the direction the robot faces."""
    turn_rad_s: float
    slip_m_s: Floats
    """How fast each foot goes over the ground while it is on it (F,)."""


def measure(rollout: Rollout, travel: Travel = "forward") -> Measurement:
    """Measure a rollout against a target that travels so."""
    robot, counted = rollout.robot, rollout.counted
    swings = find_swings(rollout, travel)
    limb_hz, step_hz = _limb_frequency(rollout), _step_frequency(swings)
    frequency = _one_frequency(limb_hz, step_hz)
    lifted_hz, raw_hz = swings.mean_rate_hz(swings.strict), swings.mean_rate_hz(np.ones(len(swings.env), dtype=bool))
    duty = _duty(rollout)
    phases = _phases(swings, frequency)
    forward, sideways, turn, by_env = _travelled(rollout)
    num_counted_s = max(float(swings.counted_s.sum()), 1e-9)
    speed = float(forward.sum() / num_counted_s)
    chatter = np.where(lifted_hz > 0, raw_hz / np.maximum(lifted_hz, 1e-9) - 1.0, np.where(raw_hz > 0, MAX_CHATTER, 0))
    gait = RobotGait(
        gait=_label(rollout, swings, phases, duty),
        speed_m_s=speed,
        stride_frequency_hz=frequency,
        duty_factor=_tuple(duty),
        phase_offsets=_tuple(phases),
        froude=speed**2 / (GRAVITY_M_S2 * robot.leg_length_m),
        survival=float(np.isinf(rollout.fell_at_s).mean()),
        lifted_steps_hz=_tuple(lifted_hz),
        raw_touchdowns_hz=_tuple(raw_hz),
        chatter=_tuple(np.clip(chatter, 0.0, MAX_CHATTER)),
        limb_cycle=_limb_cycle(rollout, find_strides(swings, frequency)),
    )
    return Measurement(
        robot=gait,
        rollout=rollout,
        swings=swings,
        posture=_posture(rollout, counted),
        limb_frequency_hz=limb_hz,
        step_frequency_hz=step_hz,
        speed_by_env_m_s=by_env,
        drift_m_per_m=float(abs(sideways.sum()) / max(float(np.abs(forward).sum()), 1e-6)),
        turn_rad_s=float(turn.sum() / num_counted_s),
        slip_m_s=_slip(rollout),
    )


def _limb_frequency(rollout: Rollout) -> float:
    """Return the stride frequency of the feet against the hips; 0 where nothing strides.

    First peak of at least 0.85 of the highest in the summed unbiased autocorrelation, refined by a parabola.
    """
    forward = _relative(rollout, "foot")[..., 0] / rollout.robot.leg_length_m  # (T, N, F)
    mask = rollout.counted[..., None].astype(np.float64)
    samples = np.maximum(mask.sum(axis=0), 1.0)
    centred = (forward - (forward * mask).sum(axis=0) / samples) * mask
    if np.sqrt((centred**2).sum() / max(float(mask.sum()) * forward.shape[-1], 1.0)) < _MIN_EXCURSION:
        return 0.0
    size = 1 << (2 * len(forward) - 1).bit_length()

    def correlate(signal: Floats) -> Floats:
        return np.fft.irfft(np.abs(np.fft.rfft(signal, size, axis=0)) ** 2, size, axis=0)[: len(forward)]

    overlap = correlate(mask).sum(axis=(1, 2)) * forward.shape[-1]
    correlation = correlate(centred).sum(axis=(1, 2)) / np.maximum(overlap, 1e-9)
    low = max(2, int(1.0 / (_STRIDE_HZ[1] * rollout.control_dt_s)))
    # Lags on which little more than a third of the counted time overlaps rest on too few strides.
    high = min(int(1.0 / (_STRIDE_HZ[0] * rollout.control_dt_s)), int(0.67 * mask.sum(axis=0).max()), len(forward) - 2)
    lags = np.arange(low, high)
    peaks = lags[(correlation[lags] > correlation[lags - 1]) & (correlation[lags] >= correlation[lags + 1])]
    if not len(peaks) or correlation[peaks].max() < 0.2 * correlation[0]:
        return 0.0
    lag = int(peaks[correlation[peaks] >= _FIRST_PEAK * correlation[peaks].max()][0])
    left, top, right = correlation[lag - 1 : lag + 2]
    bend = left - 2.0 * top + right
    return float(1.0 / ((lag + (0.5 * (left - right) / bend if bend < 0 else 0.0)) * rollout.control_dt_s))


def _step_frequency(swings: Swings) -> float:
    """Return one over the median time between a foot's lifted touchdowns; 0 where no foot lifts twice."""
    row = swings.env[swings.lifted] * swings.num_feet + swings.foot[swings.lifted]
    gaps = np.diff(swings.land_s[swings.lifted])[np.diff(row) == 0]
    return float(1.0 / np.median(gaps)) if len(gaps) else 0.0


def _one_frequency(limb_hz: float, step_hz: float) -> float:
    """Return the limbs' frequency where the steps bear it out or there are none, else the steps'."""
    if step_hz and abs(limb_hz / step_hz - 1.0) > _STEPS_AND_LIMBS_AGREE:
        return step_hz
    return limb_hz


def _duty(rollout: Rollout) -> Floats:
    """Return each foot's stance over stride time (F,): the share of time in contact, bounces included."""
    counted = np.repeat(rollout.counted, rollout.decimation, axis=0)
    if not counted.any():
        return np.zeros(rollout.robot.num_feet)
    return rollout.foot_contact[counted].mean(axis=0)


def _slip(rollout: Rollout) -> Floats:
    counted = np.repeat(rollout.counted, rollout.decimation, axis=0)[1:, :, None]
    stands = rollout.foot_contact[1:] & rollout.foot_contact[:-1] & counted
    way = np.linalg.norm(np.diff(rollout.foot_pos_w[..., :2], axis=0), axis=-1)
    return (way * stands).sum(axis=(0, 1)) / np.maximum(stands.sum(axis=(0, 1)) * rollout.physics_dt_s, 1e-9)


def _phases(swings: Swings, frequency: float) -> Floats:
    """Return when each foot touches down after the first one, in strides (F,): circular means; 0 where none does."""
    sums = np.zeros(swings.num_feet, dtype=complex)
    for feet in swings.touchdowns_s:
        start, period = _strides(feet[0], frequency)
        if not len(start):
            continue
        for foot, times in enumerate(feet[1:], start=1):
            index = np.searchsorted(start, times, side="right") - 1
            phase = (times - start[np.maximum(index, 0)]) / period[np.maximum(index, 0)]
            sums[foot] += np.exp(2j * np.pi * phase[(index >= 0) & (phase < 1.0)]).sum()
    return np.where(np.abs(sums) > 1e-9, (np.angle(sums) / (2 * np.pi)) % 1.0, 0.0) % 1.0


def _strides(touchdowns_s: Floats, frequency: float) -> tuple[Floats, Floats]:
    """Return start and length of the strides between a foot's touchdowns, without those far from the usual length."""
    period = np.diff(touchdowns_s)
    usual = (period * frequency > 0.6) & (period * frequency < 1.6)
    return touchdowns_s[:-1][usual], period[usual]


@dataclass(frozen=True)
class Strides:
    """Strides of all environments, each from one touchdown of the reference foot to its next; arrays (M,)."""

    env: Ints
    start_s: Floats
    period_s: Floats

    def times_s(self, phases: Floats) -> Floats:
        """Return when in each stride the phases come (M, P)."""
        return self.start_s[:, None] + self.period_s[:, None] * phases


def find_strides(swings: Swings, frequency: float) -> Strides:
    """Return the strides of the first foot; where it hardly lifts it cannot mark them, and the busiest foot does."""
    counts = np.bincount(swings.foot[swings.lifted], minlength=swings.num_feet)
    reference = 0 if counts[0] >= 0.5 * counts.max() else int(counts.argmax())
    found = [_strides(feet[reference], frequency) for feet in swings.touchdowns_s]
    return Strides(
        env=np.repeat(np.arange(len(found)), [len(start) for start, _ in found]),
        start_s=np.concatenate([start for start, _ in found]),
        period_s=np.concatenate([period for _, period in found]),
    )


def stance_share(measured: Measurement, num_bins: int = 64) -> Floats:
    """Return how often each foot was on the ground in each bin of the stride (F, bins), from a touchdown on."""
    rollout, strides = measured.rollout, find_strides(measured.swings, measured.robot.stride_frequency_hz)
    if not len(strides.env):
        return np.zeros((rollout.robot.num_feet, 0))
    times = strides.times_s((np.arange(num_bins) + 0.5) / num_bins)
    row = np.clip(np.ceil(times / rollout.physics_dt_s).astype(int) - 1, 0, len(rollout.foot_contact) - 1)
    return rollout.foot_contact[row, strides.env[:, None]].mean(axis=0).T


def _limb_cycle(rollout: Rollout, strides: Strides) -> dict[str, tuple[tuple[float, float], ...]]:
    """Return the mean path of foot and knee from the hip, (forward, up) in leg lengths, from a touchdown on."""
    if not len(strides.env):
        return {}
    time_s = strides.times_s(np.arange(NUM_BINS) / NUM_BINS)
    row = np.clip(time_s / rollout.control_dt_s - 1.0, 0.0, len(rollout.base_pos_w) - 1.001)
    low, part = row.astype(int), (row - row.astype(int))[..., None, None]
    cycle = {}
    for name in ("foot", "mid"):
        path = _relative(rollout, name) / rollout.robot.leg_length_m
        env = strides.env[:, None]
        mean = ((1 - part) * path[low, env] + part * path[low + 1, env]).mean(axis=0)
        for foot, points in zip(rollout.robot.feet, np.moveaxis(mean, 1, 0), strict=True):
            cycle[f"{foot}_{name}"] = tuple((round(float(x), 5), round(float(z), 5)) for x, z in points)
    return cycle


def _relative(rollout: Rollout, part: str) -> Floats:
    """Return foot or knee seen from its hip, (forward along the heading, up), metres (T, N, F, 2)."""
    points = rollout.foot_pos_w[rollout.decimation - 1 :: rollout.decimation] if part == "foot" else rollout.mid_pos_w
    away = points - rollout.root_pos_w
    forward = (away[..., :2] * rollout.heading_w[:, :, None]).sum(-1)
    return np.stack([forward, away[..., 2]], axis=-1)


def _travelled(rollout: Rollout) -> tuple[Floats, Floats, Floats, Floats]:
    """Return way forward, way to the left (m) and turn (rad) per environment, and its mean forward speed (N,).

    Ways are taken from positions, which cannot disagree with where the robot ends up, along the heading at the time.
    """
    step = np.diff(rollout.base_pos_w[..., :2].astype(np.float64), axis=0)
    heading = rollout.heading_w[:-1] + rollout.heading_w[1:]
    heading /= np.maximum(np.linalg.norm(heading, axis=-1, keepdims=True), 1e-9)
    counted = rollout.counted[1:]
    forward = ((step * heading).sum(-1) * counted).sum(axis=0)
    sideways = ((step[..., 1] * heading[..., 0] - step[..., 0] * heading[..., 1]) * counted).sum(axis=0)
    yaw = np.arctan2(rollout.heading_w[..., 1], rollout.heading_w[..., 0])
    turn = (((np.diff(yaw, axis=0) + np.pi) % (2 * np.pi) - np.pi) * counted).sum(axis=0)
    seconds = counted.sum(axis=0) * rollout.control_dt_s
    return forward, sideways, turn, forward / np.maximum(seconds, 1e-9)


def _posture(rollout: Rollout, counted: Bools) -> Posture:
    time_s = (np.arange(len(counted)) + 1) * rollout.control_dt_s
    steady = counted & (time_s[:, None] < rollout.fell_at_s - _FALL_LEAD_S)
    height = np.where(counted, rollout.base_pos_w[..., 2] / rollout.robot.standing_height_m, np.inf)
    touching = rollout.body_contact & steady
    first = time_s[touching.argmax(axis=0)]
    return Posture(
        lowest_trunk=height.min(axis=0),
        lowest_at_s=time_s[height.argmin(axis=0)],
        touching_share=touching.sum(axis=0) / np.maximum(steady.sum(axis=0), 1),
        touched_at_s=np.where(touching.any(axis=0), first, np.inf),
    )


def _label(rollout: Rollout, swings: Swings, phases: Floats, duty: Floats) -> GaitLabel:
    """Name the gait by the nearest template; a robot that lifts nothing stands, one that limps has no name."""
    lifted_hz = swings.mean_rate_hz(swings.lifted)
    if lifted_hz.max(initial=0.0) < 0.1:
        return "stand"
    if lifted_hz.min() < 0.25 * lifted_hz.max():
        return "unknown"
    feet = rollout.robot.feet
    subject = "quadruped" if rollout.robot.kind == "quadruped" else "person"
    return gait_label(subject, dict(zip(feet, phases, strict=True)), dict(zip(feet, duty, strict=True)))[0]


def _tuple(values: Floats) -> tuple[float, ...]:
    return tuple(round(float(value), 5) for value in values)
