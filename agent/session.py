"""One run from the request to `result.json`: the folder, the lease, the loop, the last verdict, the report."""

from __future__ import annotations

import shutil
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from video2reward.agent import steering as steer
from video2reward.agent.authors import Author, Billed, make_author
from video2reward.agent.budget import Bill, Purse, limits_for, spending_of
from video2reward.agent.decide import best_of
from video2reward.agent.folder import RunFolder
from video2reward.agent.lease import lease
from video2reward.agent.looking import Critic, make_critic
from video2reward.agent.nodes import Nodes, Remembering
from video2reward.agent.stopwatch import Stopwatch
from video2reward.agent.toolbox import Toolbox, Tools
from video2reward.memory import runs
from video2reward.memory.errors import BadInput, MissingPart, V2RError
from video2reward.memory.records import (
    Artifacts,
    Attempt,
    Best,
    Critique,
    Decision,
    MotionTarget,
    RunRequest,
    RunResult,
)
from video2reward.sim.config import robot_config, robot_title
from video2reward.tools import confine

VERDICT_SEED = 5000
_LEAST_FREE_BYTES = 100_000_000
_NO_REPORT = "The report could not be written"
_KEPT = ("reward.py", "policy.pt", "program.json", "draft.json", "target.json", "progress.jsonl", "attempt.json")


class Watcher(Protocol):
    """Whoever wants to see what a run does while it does it: the command line, a page, a test."""

    def event(self, kind: str, fields: dict[str, object]) -> None: ...

    def share(self, task: str, share: float) -> None: ...

    def row(self, attempt: str, row: dict[str, object]) -> None: ...


class Silent:
    """A watcher that does not look."""

    def event(self, kind: str, fields: dict[str, object]) -> None: ...

    def share(self, task: str, share: float) -> None: ...

    def row(self, attempt: str, row: dict[str, object]) -> None: ...


def start(
    request: RunRequest,
    *,
    watcher: Watcher | None = None,
    tools: Toolbox | None = None,
    author: Author | None = None,
    critic: Critic | None = None,
    memory: Remembering | None = None,
) -> RunResult:
    """Run a request to its end in a new folder. Raises V2RError; a clip that cannot be used leaves no folder behind."""
    check(request)
    if tools is None:
        confine.require_layers(request.author, unsafe=request.unsafe)
    author = author or make_author(request.author)
    critic = critic or make_critic(request.critic)
    runs.create(request.out)
    runs.save(request, request.out / "request.json")
    for steering in request.steering:
        steer.ask(request.out, steering)
    try:
        return resume(request.out, watcher=watcher, tools=tools, author=author, critic=critic, memory=memory)
    except (BadInput, MissingPart):
        # Nothing was trained yet: the same command must work once the input is mended.
        if not (request.out / "attempts").exists():
            shutil.rmtree(request.out, ignore_errors=True)
        raise


def resume(
    run: Path,
    *,
    watcher: Watcher | None = None,
    tools: Toolbox | None = None,
    author: Author | None = None,
    critic: Critic | None = None,
    memory: Remembering | None = None,
) -> RunResult:
    """Go on with a run where it was left; one that is finished gives its result again."""
    from video2reward.agent.graph import run_graph

    request = runs.load(RunRequest, run / "request.json")
    watcher, given, tools = watcher or Silent(), tools is not None, tools or Tools()

    def tell(kind: str, **fields: object) -> None:
        runs.append_event(run, kind, **fields)
        watcher.event(kind, fields)

    with lease(run):
        if result := _result(run):
            if result.status != "stopped":
                # Without its report it was killed between the two.
                return result if is_complete(result) else _reported(run, result, tools, tell)
        (run / "result.json").unlink(missing_ok=True)
        (run / "STOP").unlink(missing_ok=True)
        # Tools that were given answer for themselves; ours run what the author writes.
        missing = "" if given else confine.require_layers(request.author, unsafe=request.unsafe).missing
        nodes = make_nodes(run, request, tell, watcher, tools=tools, author=author, critic=critic, memory=memory)
        tell("started", robot=request.robot, clip=str(request.clip), author=request.author)
        if missing:
            tell("unprotected", missing=missing)
        try:
            decision = run_graph(nodes, request)["decision"]
        except KeyboardInterrupt:
            stop_workers(run)
            decision = _stopped(nodes, "It was interrupted from the keyboard.")
        except V2RError:
            raise
        except Exception as error:
            stop_workers(run)
            tell("failed", error=f"{type(error).__name__}: {error}", traceback=traceback.format_exc())
            raise
        return finish(run, request, decision, tools, nodes.purse, tell, missing=missing)


def make_nodes(
    run: Path,
    request: RunRequest,
    tell: Callable[..., None],
    watcher: Watcher,
    *,
    tools: Toolbox,
    author: Author | None = None,
    critic: Critic | None = None,
    memory: Remembering | None = None,
) -> Nodes:
    """Return the nodes of a run: its budget counts on from what was spent, and what models cost is charged to it."""
    purse, watch = Purse(run), Stopwatch()
    limits = limits_for(request, purse.now(), time.time())
    author, critic = author or make_author(request.author), critic or make_critic(request.critic)
    for asked in (author, critic):
        if isinstance(asked, Billed):
            asked.bill_to(Bill(purse, limits))
    return Nodes(
        disk=RunFolder(run),
        tools=watch.watching(tools),
        author=watch.watching(author),
        memory=memory,
        limits=limits,
        purse=purse,
        tell=tell,
        on_row=watcher.row,
        on_share=lambda share: watcher.share("watching the clip", share),
        critic=watch.watching(critic),
        stopwatch=watch,
    )


def is_complete(result: RunResult) -> bool:
    """Say whether nothing is left to do for a run that has a result: its report is written or was given up."""
    return bool(
        result.status in ("failed", "stopped") or result.artifacts.report or any(_NO_REPORT in n for n in result.notes)
    )


def _result(run: Path) -> RunResult | None:
    """Return a run's result; None where there is none, or one that cannot be read: it is then made again."""
    try:
        return runs.load(RunResult, run / "result.json")
    except BadInput:
        return None


def check(request: RunRequest) -> None:
    """Refuse what cannot work before anything is made. Raises BadInput."""
    robot_config(request.robot)
    for path, what in ((request.clip, "clip"), (request.keypoints, "keypoint file")):
        if path is not None and not path.exists():
            raise BadInput(f"there is no {what} {path}.", "Check the path.")
    there = next(path for path in (request.out, *request.out.absolute().parents) if path.exists())
    if (free := shutil.disk_usage(there).free) < _LEAST_FREE_BYTES:
        raise BadInput(
            f"only {free / 1e6:.0f} MB are free at {there}; a run takes up to {_LEAST_FREE_BYTES / 1e6:.0f} MB.",
            "Free some space, or name another folder with --out.",
        )
    for name in ("minutes", "laps", "candidates", "slow_motion_factor"):
        if not getattr(request, name) > 0:
            raise BadInput(f"--{name.replace('_', '-')} is {getattr(request, name)}; it must be above 0.")


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
        stop_reason=decision.reason,
        best=_best(confirmed[0], confirmed[1]) if confirmed else None,
        artifacts=_artifacts(run, confirmed[1] if confirmed else None),
        notes=tuple(notes),
    )
    runs.save(result, run / "result.json")
    result = _reported(run, result, tools, tell)
    tell("finished", status=result.status, stop_reason=result.stop_reason, wall_s=result.wall_s)
    return result


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


def stop_workers(run: Path) -> None:
    """End every worker of a run that is still alive."""
    from video2reward.tools.train_policy import WORKER_MODULE
    from video2reward.tools.workers import Worker

    for folder in sorted((run / "attempts").glob("*")):
        Worker(folder, WORKER_MODULE).cancel()


def _stopped(nodes: Nodes, reason: str) -> Decision:
    """End a run between its laps: what was judged counts, and the best of it is kept."""
    best = best_of(nodes.disk.attempts())
    decision = Decision(
        lap=best.lap if best else 0, action="stop", reason=reason, parent=best.id if best else None, ending="stopped"
    )
    nodes.disk.add_decision(decision)
    nodes.tell("decided", **decision.model_dump())
    return decision


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


def _reported(run: Path, result: RunResult, tools: Toolbox, tell: Callable[..., None]) -> RunResult:
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


def _copy_best(disk: RunFolder, attempt: Attempt) -> Path:
    best = disk.path / "best"
    shutil.rmtree(best, ignore_errors=True)
    best.mkdir()
    for name in _KEPT:
        if (disk.attempt(attempt.id) / name).exists():
            shutil.copy2(disk.attempt(attempt.id) / name, best / name)
    return best


def _gait(run: Path):
    from video2reward.memory.records import ClipDescription

    path = run / "description.json"
    return runs.load(ClipDescription, path).gait if path.exists() else None


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


def default_out(clip: Path, robot: str, root: Path = Path("runs")) -> Path:
    """Return a new run folder's name: clip, robot, time."""
    return root / f"{clip.stem}-{robot_title(robot)}-{time.strftime('%Y%m%d-%H%M%S')}"
