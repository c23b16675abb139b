"""The commands of long work: `overnight`, `resume`, `status`."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from video2reward.agent.listings import plain_table
from video2reward.memory import runs
from video2reward.memory.errors import BadInput, V2RError

if TYPE_CHECKING:
    from video2reward.agent import cli
    from video2reward.agent.alive import QueueStatus, RunStatus
    from video2reward.agent.queue import Queue


def overnight(command: cli.Overnight) -> int:
    """Queue clips on robots, work until the time or the money ends, report."""
    from video2reward.agent.overnight import begin
    from video2reward.agent.queue import Queue, items_of, until_time
    from video2reward.memory.recall import memory_home
    from video2reward.tools.robots import resolve_robot

    now = time.time()
    items = items_of(command.clips, [resolve_robot(robot, memory_home()) for robot in command.robot])
    queue = Queue(
        items=items,
        until=until_time(command.until, now),
        begun=now,
        author=command.author,
        critic=command.critic,
        usd=command.usd,
        tokens=command.tokens,
        minutes_each=command.minutes_each,
        laps=command.laps,
        candidates=command.candidates,
        seed=command.seed,
        memory=memory_home() if command.memory else None,
        unsafe=command.unsafe,
    )
    _check(queue)
    root = (command.out or Path("runs") / f"overnight-{time.strftime('%Y%m%d-%H%M%S')}").absolute()
    begin(root, queue)
    until = time.strftime("%a %H:%M", time.localtime(queue.until))
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"queue     {len(items)} runs until {until} in {root}", markup=False)
    for item in items:
        beside = f" with {item.keypoints.name}" if item.keypoints else ""
        console.print(f"          {item.name}: {item.clip.name}{beside}", markup=False)
    console.print(f"          to stop: touch {root / 'STOP'}", markup=False)
    return _work(root)


def resume(command: cli.Resume) -> int:
    """Take up every queue and run under a folder that ended in the middle; attach to what is still alive."""
    from video2reward.agent.alive import left_over, queues, run_folders
    from video2reward.agent.lease import holder
    from video2reward.agent.overnight import ended, is_queue, more_time
    from video2reward.agent.queue import until_time

    root = command.root.absolute()
    if not root.is_dir():
        raise BadInput(f"there is no folder {command.root}.", "Name the folder of your runs, or one run.")
    named = is_queue(root) or (root / "request.json").is_file()
    if command.minutes or command.laps:
        _grant(root, command)
    codes = []
    for queue in queues(root):
        end = ended(queue)
        if (pid := holder(queue)) is not None:
            print(f"{queue}: process {pid} is working on it.")
        elif end and not _anything_left(queue, more_time=bool(command.until)):
            continue
        elif end and not is_queue(root):
            print(f"{queue}: {end.reason} To go on: video2reward resume {queue} --until TIME")
        else:
            (queue / "STOP").unlink(missing_ok=True)
            if command.until:
                more_time(queue, until_time(command.until, time.time()))
            codes.append(_work(queue))
    runs_left = [root] if (root / "request.json").is_file() else list(left_over(root))
    for run in run_folders(root):
        if run not in runs_left and (pid := holder(run)) is not None:
            print(f"{run}: process {pid} is working on it.")
    for run in runs_left:
        codes.append(_resume_run(run, named))
    if not codes:
        print(f"Nothing under {command.root} is left to do.")
    return max(codes, default=0)


def status(command: cli.Status) -> int:
    """Show what lives under a folder."""
    from video2reward.agent.alive import look

    if not command.root.is_dir():
        raise BadInput(f"there is no folder {command.root}.", "Name the folder of your runs, or one run.")
    found_queues, found_runs = look(command.root)
    if command.json:
        whole = {"queues": found_queues, "runs": found_runs}
        print(json.dumps({k: [item.model_dump(mode="json") for item in v] for k, v in whole.items()}, indent=2))
        return 0
    console = Console(highlight=False, soft_wrap=True)
    for queue in found_queues:
        _show_queue(console, queue)
    shown = found_runs if command.all else [run for run in found_runs if run.state in ("working", "left")]
    if shown:
        _show_runs(shown, command.root)
    else:
        print(f"Nothing is being worked on under {command.root}, and nothing was left in the middle.")
    if any(run.state == "left" for run in found_runs) or any(not (q.pid or q.ended) and q.left for q in found_queues):
        print(f"To go on with what was left: video2reward resume {command.root}")
    return 0


def _work(root: Path) -> int:
    from video2reward.agent.overnight import work
    from video2reward.agent.queue import QUEUE, Queue, result_of
    from video2reward.agent.screen import Screen

    with Screen() as screen:
        try:
            end = work(root, screen)
        except KeyboardInterrupt:
            screen.say(
                f"The run goes on in its own process. Queue: video2reward resume {root}; stop: touch {root}/STOP"
            )
            raise
    queue = runs.load(Queue, root / QUEUE)
    print(end.reason)
    results = [result_of(root / item.name) for item in queue.items]
    for item, result in zip(queue.items, results, strict=True):
        said = f"{result.status}: {result.stop_reason}" if result else "not begun or not finished"
        print(f"{item.name}: {said}")
    print(f"        {root / 'report.md'}")
    print(f"report  {root / 'report.html'}")
    return 0 if all(result and result.status == "passed" for result in results) else 3


def _resume_run(run: Path, named: bool) -> int:
    from video2reward.agent.commands import EXIT_BY_STATUS, show_result
    from video2reward.agent.embeddings import open_memory
    from video2reward.agent.screen import Screen
    from video2reward.agent.session import resume as go_on
    from video2reward.memory.records import RunRequest

    print(f"going on with {run}", flush=True)
    try:
        request = runs.load(RunRequest, run / "request.json")
        with Screen() as screen:
            result = go_on(run, watcher=screen, memory=open_memory(request.memory) if request.memory else None)
    except V2RError as error:
        if named:
            raise
        # One run that cannot go on does not keep the others from it.
        print(f"{run}: {error}")
        return error.exit_code
    show_result(result, run)
    return EXIT_BY_STATUS[result.status]


def _grant(run: Path, command: cli.Resume) -> None:
    """Give a run what was asked for, before it is gone on with."""
    from video2reward.agent.lease import holder
    from video2reward.agent.rounds import grant
    from video2reward.memory.records import RunRequest

    if not (run / "request.json").is_file():
        raise BadInput("--minutes and --laps are for one run.", "Name its folder; a queue takes --until.")
    if (pid := holder(run)) is not None:
        raise BadInput(f"process {pid} is working on {run.name}.", "Wait until it ends.")
    request = runs.load(RunRequest, run / "request.json")
    minutes = command.minutes or request.minutes
    if too_little := grant(run, minutes, command.laps or request.laps, time.time()):
        raise BadInput(
            f"{run.name} cannot go on with that: {too_little}", "Give it more --minutes, or begin a new run."
        )


def _anything_left(root: Path, *, more_time: bool = False) -> bool:
    from video2reward.agent.queue import QUEUE, Queue, unfinished
    from video2reward.agent.rounds import worth_more

    queue = runs.load(Queue, root / QUEUE)
    return bool(unfinished(root, queue)) or (more_time and bool(worth_more(root, queue)))


def _check(queue: Queue) -> None:
    """Refuse what cannot work now rather than at midnight, and say where a dollar limit cannot hold."""
    from video2reward.agent.authors import make_author
    from video2reward.agent.looking import make_critic
    from video2reward.agent.prices import price_of
    from video2reward.tools.confine import require_layers

    make_author(queue.author)
    make_critic(queue.critic)
    require_layers(queue.author, unsafe=queue.unsafe)
    if (queue.author, queue.critic) != ("offline", "offline") and queue.usd is None and queue.tokens is None:
        print("No limit holds what language models may cost this night: --usd or --tokens would.")
    for name in dict.fromkeys((queue.author, queue.critic)):
        if name != "offline" and queue.usd is not None and price_of(name.removeprefix("openai:")) is None:
            print(f"{name} has no price, so that ${queue.usd:g} cannot hold it: name one in video2reward.toml.")


def _show_queue(console: Console, queue: QueueStatus) -> None:
    until = time.strftime("%a %H:%M", time.localtime(queue.until))
    who = f"process {queue.pid}" if queue.pid else (queue.ended or "nobody works on it")
    money = f", ${queue.usd:.2f} of ${queue.usd_limit:.2f}" if queue.usd_limit is not None else ""
    done = queue.items - queue.left
    console.print(f"queue {queue.queue.name}: {done} of {queue.items} done, until {until}{money}; {who}", markup=False)


def _show_runs(found: list[RunStatus], root: Path) -> None:
    table = plain_table("run", "state", "lap", "best GSI", "time", "steps", "cost", "now")
    for run in found:
        name = run.run.name if run.run == root else str(run.run.relative_to(root))
        table.add_row(
            name, f"{run.state}{f' ({run.pid})' if run.pid else ''}", str(run.lap), f"{run.best_gsi:.2f}",
            f"{run.wall_s / 60:.1f}/{run.limit_s / 60:.3g} min", f"{run.env_steps:,}",
            f"${run.usd:.2f}" if run.tokens else "-", run.doing,
        )  # fmt: skip
        for worker in run.workers:
            speed = f"{worker.row.get('speed_m_s', 0.0):+.2f} m/s"
            steps = f"{worker.row.get('env_steps', 0.0):,.0f}"
            table.add_row(f"  {worker.attempt}", f"training ({worker.pid})", "", "", "", steps, "", speed)
    Console(highlight=False).print(table)
