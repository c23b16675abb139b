"""One run from the request to its end: the folder, the lease, the loop."""

from __future__ import annotations

import shutil
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from video2reward.agent import steering as steer
from video2reward.agent.authors import Author, Billed, make_author
from video2reward.agent.budget import Bill, Purse, limits_for
from video2reward.agent.decide import best_of
from video2reward.agent.finish import finish, is_complete, with_report
from video2reward.agent.folder import RunFolder
from video2reward.agent.interrupt import INTERRUPTED, heard
from video2reward.agent.kept import KeptAnswers
from video2reward.agent.lease import lease
from video2reward.agent.looking import Critic, make_critic
from video2reward.agent.nodes import Nodes, Remembering
from video2reward.agent.stopwatch import Stopwatch
from video2reward.agent.toolbox import Toolbox, Tools
from video2reward.memory import runs
from video2reward.memory.errors import BadInput, MissingPart, V2RError
from video2reward.memory.records import (
    Decision,
    RunRequest,
    RunResult,
)
from video2reward.sim.config import robot_config, robot_title
from video2reward.tools import confine

_LEAST_FREE_BYTES = 100_000_000


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
    request = runs.load(RunRequest, run / "request.json")
    watcher, given, tools = watcher or Silent(), tools is not None, tools or Tools()

    def tell(kind: str, **fields: object) -> None:
        runs.append_event(run, kind, **fields)
        watcher.event(kind, fields)

    with lease(run):
        if result := _result(run):
            if result.status != "stopped":
                # Without its report it was killed between the two.
                return result if is_complete(result) else with_report(run, result, tools, tell)
        (run / "result.json").unlink(missing_ok=True)
        (run / "STOP").unlink(missing_ok=True)
        # Tools that were given answer for themselves; ours run what the author writes.
        missing = "" if given else confine.require_layers(request.author, unsafe=request.unsafe).missing
        # What tries rewards takes seconds to start: it does so while the rest is imported and the clip is looked at.
        tools.get_ready()
        from video2reward.agent.graph import run_graph

        nodes = make_nodes(run, request, tell, watcher, tools=tools, author=author, critic=critic, memory=memory)
        tell("started", robot=request.robot, clip=str(request.clip), author=request.author)
        if missing:
            tell("unprotected", missing=missing)
        try:
            with heard(run):
                decision = run_graph(nodes, request)["decision"]
        except KeyboardInterrupt:
            stop_workers(run)
            decision = _stopped(nodes, INTERRUPTED)
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
    bill = Bill(purse, limits, KeptAnswers(run))
    for asked in (author, critic, getattr(memory, "space", None)):
        if isinstance(asked, Billed):
            asked.bill_to(bill)
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


def default_out(clip: Path, robot: str, root: Path = Path("runs")) -> Path:
    """Return a new run folder's name: clip, robot, time."""
    return root / f"{clip.stem}-{robot_title(robot)}-{time.strftime('%Y%m%d-%H%M%S')}"
