"""The end of a run: the best judged once more on a seed that chose nothing, the result, the report."""

from __future__ import annotations

import shutil
import traceback
from collections.abc import Callable
from pathlib import Path

from video2reward.agent import steering as steer
from video2reward.agent.budget import Purse, spending_of
from video2reward.agent.folder import RunFolder
from video2reward.agent.toolbox import Toolbox
from video2reward.memory import runs
from video2reward.memory.errors import BadInput
from video2reward.memory.records import (
    Artifacts,
    Attempt,
    Best,
    ClipDescription,
    Critique,
    Decision,
    MotionTarget,
    RunRequest,
    RunResult,
)

VERDICT_SEED = 5000
_NO_REPORT = "The report could not be written"
_KEPT = ("reward.py", "policy.pt", "program.json", "draft.json", "target.json", "progress.jsonl", "attempt.json")


def finish(
    run: Path,
    request: RunRequest,
    decision: Decision,
    tools: Toolbox,
    purse: Purse,
    tell: Callable[..., None],
    missing: str = "",
) -> RunResult:
    """Judge the best once more on a seed that chose nothing, keep it in `best/`, write result and report."""
    disk = RunFolder(run)
    attempts = disk.attempts()
    wanted = [attempt for attempt in steer.with_current_target(attempts) if attempt.critique]
    confirmed, notes = _confirm(disk, wanted or attempts, tools, tell)
    if missing:
        notes.append(f"Rewards ran without all of the operating system's protection: {missing}.")
    ending = decision.ending or "failed"
    if ending == "passed" and not (confirmed and confirmed[1].passed):
        ending = "budget"
        notes.append("What passed in its lap did not pass again on fresh seeds.")
    spent = purse.note(candidates=len(attempts))
    result = RunResult(
        schema="video2reward.result/1",
        status=ending,
        robot=request.robot,
        clip=str(request.clip),
        author=request.author,
        laps=max((attempt.lap for attempt in attempts), default=0),
        candidates=len(attempts),
        env_steps=sum(attempt.training.env_steps for attempt in attempts if attempt.training),
        tokens=spent.tokens,
        usd=round(spent.usd, 6),
        wall_s=round(spent.wall_s, 1),
        first_pass_s=_first_pass_s(run),
        stop_reason=_reason(decision, confirmed),
        best=_best(confirmed[0], confirmed[1]) if confirmed else None,
        artifacts=_artifacts(run, confirmed[1] if confirmed else None),
        notes=tuple(notes),
    )
    runs.save(result, run / "result.json")
    result = with_report(run, result, tools, tell)
    tell("finished", status=result.status, stop_reason=result.stop_reason, wall_s=result.wall_s)
    return result


def fails_again(disk: RunFolder, name: str, tools: Toolbox, tell: Callable[..., None]) -> Attempt | None:
    """Judge an attempt that passed on the seed that chose nothing; return it with that verdict where it fails there.

    The verdict of its lap gives way to that one. None where it holds, or cannot be judged now: `finish` says so.
    """
    attempt = runs.load(Attempt, disk.attempt(name) / "attempt.json")
    best = _copy_best(disk, attempt)
    tell("judging", attempt=name)
    try:
        target = runs.load(MotionTarget, best / "target.json")
        critique = tools.judge(best, target, _gait(disk.path), disk.path, VERDICT_SEED, False)
    except Exception as error:
        tell("judge_failed", attempt=name, error=str(error), traceback=traceback.format_exc())
        return None
    if critique.passed:
        return None
    tell("confirmed", attempt=name, passed=critique.passed, gsi=critique.similarity.gsi)
    verdict = f"It passed in its lap, with GSI {attempt.gsi:.2f}, and not on fresh seeds. {critique.verdict}"
    critique = critique.model_copy(update={"attempt": name, "verdict": verdict})
    attempt = attempt.model_copy(update={"critique": critique})
    runs.save(critique, disk.attempt(name) / "critique.json")
    runs.save(attempt, disk.attempt(name) / "attempt.json")
    return attempt


def is_complete(result: RunResult) -> bool:
    """Say whether nothing is left to do for a run that has a result: its report is written or was given up."""
    return bool(
        result.status in ("failed", "stopped") or result.artifacts.report or any(_NO_REPORT in n for n in result.notes)
    )


def record_failure(run: Path, request: RunRequest, reason: str) -> RunResult:
    """Write down that a run could not be worked on to its end, so that nobody tries it again without being asked."""
    attempts, spent = RunFolder(run).attempts(), spending_of(run)
    result = RunResult(
        schema="video2reward.result/1",
        status="failed",
        robot=request.robot,
        clip=str(request.clip),
        author=request.author,
        laps=max((attempt.lap for attempt in attempts), default=0),
        candidates=len(attempts),
        env_steps=sum(attempt.training.env_steps for attempt in attempts if attempt.training),
        tokens=spent.tokens,
        usd=round(spent.usd, 6),
        wall_s=round(spent.wall_s, 1),
        stop_reason=reason,
    )
    runs.save(result, run / "result.json")
    runs.append_event(run, "finished", status="failed", stop_reason=reason)
    return result


def with_report(run: Path, result: RunResult, tools: Toolbox, tell: Callable[..., None]) -> RunResult:
    """Write the report of a run that has its result; return the result that knows of it."""
    try:
        report = tools.report(run)
    except Exception as error:  # a report that fails takes nothing away from what was reached
        tell("report_failed", error=str(error), traceback=traceback.format_exc())
        result = result.model_copy(update={"notes": (*result.notes, f"{_NO_REPORT}: {error}")})
    else:
        artifacts = result.artifacts.model_copy(update={"report": str(report.relative_to(run))})
        result = result.model_copy(update={"artifacts": artifacts})
    runs.save(result, run / "result.json")
    return result


def _confirm(
    disk: RunFolder, attempts: list[Attempt], tools: Toolbox, tell: Callable[..., None]
) -> tuple[tuple[Attempt, Critique] | None, list[str]]:
    """Return the best attempt that holds on fresh seeds, else the best there is, with that verdict."""
    ranked = sorted((attempt for attempt in attempts if attempt.critique), key=lambda a: a.rank, reverse=True)
    notes: list[str] = []
    for attempt in ranked[:3]:
        best = _copy_best(disk, attempt)
        tell("judging", attempt=attempt.id)
        try:
            target = runs.load(MotionTarget, best / "target.json")
            critique = tools.judge(best, target, _gait(disk.path), disk.path, VERDICT_SEED, True)
        except Exception as error:  # the lap's own verdict stands where a second cannot be had
            tell("judge_failed", attempt=attempt.id, error=str(error), traceback=traceback.format_exc())
            notes.append(f"{attempt.id} could not be judged again: {error}")
            assert attempt.critique is not None
            return (attempt, attempt.critique), notes
        tell("confirmed", attempt=attempt.id, passed=critique.passed, gsi=critique.similarity.gsi)
        if critique.passed or not attempt.passed:
            return (attempt, critique), notes
        notes.append(f"{attempt.id} passed in its lap and failed on fresh seeds: {critique.verdict}")
    if not ranked:
        return None, notes
    return (attempt, critique), notes


def _copy_best(disk: RunFolder, attempt: Attempt) -> Path:
    best = disk.path / "best"
    if _holds(best, attempt, disk.attempt(attempt.id) / "policy.pt"):
        # What was rolled out there already is used again.
        shutil.copy2(disk.attempt(attempt.id) / "attempt.json", best / "attempt.json")
        return best
    shutil.rmtree(best, ignore_errors=True)
    best.mkdir()
    for name in _KEPT:
        if (disk.attempt(attempt.id) / name).exists():
            shutil.copy2(disk.attempt(attempt.id) / name, best / name)
    return best


def _holds(best: Path, attempt: Attempt, policy: Path) -> bool:
    """Tell whether a folder is the copy of an attempt and its policy."""
    try:
        same = runs.load(Attempt, best / "attempt.json").id == attempt.id
        return same and runs.sha256_of(best / "policy.pt") == runs.sha256_of(policy)
    except (OSError, BadInput):
        return False


def _gait(run: Path):

    path = run / "description.json"
    return runs.load(ClipDescription, path).gait if path.exists() else None


def _reason(decision: Decision, confirmed: tuple[Attempt, Critique] | None) -> str:
    """Return why the loop stopped; where fresh seeds chose another attempt than it had in mind, that too."""
    if not confirmed or decision.ending != "passed" or confirmed[0].id == decision.parent or not confirmed[1].passed:
        return decision.reason
    attempt, critique = confirmed
    return (
        f"{decision.reason} On fresh seeds {decision.parent} failed; "
        f"{attempt.id} passes on them with GSI {critique.similarity.gsi:.2f}."
    )


def _best(attempt: Attempt, critique: Critique) -> Best:
    parts, robot = critique.similarity, critique.robot
    return Best(
        attempt=attempt.id,
        gates={gate.name: gate.passed for gate in critique.gates},
        gsi=parts.gsi,
        E_f=parts.E_f,
        E_beta=parts.E_beta,
        E_phi=parts.E_phi,
        E_Fr=parts.E_Fr,
        dtw=parts.dtw,
        gait=robot.gait,
        speed_m_s=robot.speed_m_s,
        stride_frequency_hz=robot.stride_frequency_hz,
    )


def _artifacts(run: Path, critique: Critique | None) -> Artifacts:
    best = run / "best"

    def within(name: str | None) -> str | None:
        return f"best/{name}" if name and (best / name).is_file() else None

    video = critique.artifacts.get("video") if critique else None
    return Artifacts(reward=within("reward.py"), policy=within("policy.pt"), video=within(video or "video.mp4"))


def _first_pass_s(run: Path) -> float | None:
    """Return the seconds that were spent when a verdict first passed."""
    for event in runs.rows(run / "events.jsonl"):
        if event.get("kind") == "judged" and event.get("passed"):
            return float(event["spent_s"])
    return None
