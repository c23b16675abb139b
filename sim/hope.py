"""When a training is given up before its steps are used: nothing that the judge asks for is near, or comes nearer.

Most rewards that go wrong show it early: the robot stands, falls at once, or goes the other way, and no rung of the
ladder helps. What they would still cost goes to the next candidate. Like the ladder, this looks at what the robot does
and never at what it is paid for; what was learned so far is kept and judged as ever.
"""

from __future__ import annotations

from collections.abc import Sequence

from video2reward.sim.ladder import PATIENCE_ENV_STEPS, WINDOW, Sign, read_sign

LEAST_SHARE = 0.5
"""Of the steps up to the polish: nothing is given up sooner."""
_SLOW_SHARE, _WALKS_SHARE = 0.2, 0.5
_FALLS_PER_MIN, _SHORT_EPISODE_S = 20.0, 2.5


def given_up(
    rows: Sequence[dict], target_speed_m_s: float, polish_at: int, rungs: Sequence[str], last_rung_at: int
) -> str:
    """Return why a training is not worth the rest of its steps, or "" where it is.

    `rows` are those of the curve so far, `rungs` those of the ladder that were taken; `polish_at` and `last_rung_at`
    are environment steps. What the ladder has a rung for has had it, and time for it to help; and what shows no hope
    has to show it twice, a window of batches apart.
    """
    if len(rows) < 3 * WINDOW:
        return ""
    done = rows[-1]["env_steps"]
    if done < LEAST_SHARE * polish_at or done - last_rung_at < PATIENCE_ENV_STEPS:
        return ""
    windows_left = max(polish_at - done, 0) / max(done - rows[-1 - WINDOW]["env_steps"], 1)
    now, before = (read_sign(part, target_speed_m_s) for part in (rows, rows[:-WINDOW]))
    if not (_hopeless(before, windows_left + 1.0, rungs) and _hopeless(now, windows_left, rungs)):
        return ""
    return f"given up at {done:,} steps: {_hopeless(now, windows_left, rungs)}"


def _hopeless(sign: Sign, windows_left: float, rungs: Sequence[str]) -> str:
    """Return what is far from what the gates ask for and, as it goes, stays so until the polish, or ""."""
    longer_s = max(sign.episode_length_s - sign.earlier_episode_length_s, 0.0)
    if (
        "costs" in rungs
        and sign.falls_per_min > _FALLS_PER_MIN
        and sign.episode_length_s + windows_left * longer_s < _SHORT_EPISODE_S
    ):
        return f"it fell after {sign.episode_length_s:.1f} s, again and again, and hardly got better"
    faster = max(sign.speed_share - sign.earlier_speed_share, 0.0)
    helped = "command" in rungs or sign.speed_share < -_SLOW_SHARE
    if helped and sign.speed_share < _SLOW_SHARE and sign.speed_share + windows_left * faster < _WALKS_SHARE:
        return f"it went {sign.speed_share:.0%} of the speed asked for and hardly got faster"
    return ""
