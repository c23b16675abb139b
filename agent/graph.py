"""The loop as a LangGraph.

    watch -> describe -> recall -> propose -> train -> judge -> remember -> decide -> (propose | END)

Checkpoints lie in the run folder and are written before a node ends (`durability="sync"`): after a kill the next
invocation re-enters the one node that was at work, which finds on disk what it had already done.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import RetryPolicy
from video2reward.agent.budget import reached
from video2reward.agent.nodes import Nodes
from video2reward.agent.state import RECORDS, RunState
from video2reward.memory import records
from video2reward.memory.errors import BadInput, MissingPart, RunExists
from video2reward.memory.records import Decision, RunRequest

ORDER = ("watch", "describe", "recall", "propose", "train", "judge", "remember", "decide")
CHECKPOINTS = "checkpoints.sqlite"
LOCKED_S = 30.0
_DAMAGED = ("malformed", "not a database", "disk image", "no such table", "no such column")
_NODES_PER_LAP = 5
# A disk or a database that stumbles once; nodes are idempotent, so that a second entry does nothing twice.
_RETRY = RetryPolicy(
    max_attempts=3,
    initial_interval=0.5,
    retry_on=(BlockingIOError, InterruptedError, TimeoutError, sqlite3.OperationalError),
)


def build_graph(nodes: Nodes, checkpointer: BaseCheckpointSaver | None = None) -> CompiledStateGraph:
    """Return the compiled loop."""
    graph = StateGraph(RunState)
    add_loop(graph, lambda name: nodes.stopwatch.node(name, getattr(nodes, name), nodes.tell))
    graph.add_edge(START, ORDER[0])
    return graph.compile(checkpointer=checkpointer)


def add_loop(graph: StateGraph, node: Callable[[str], Callable[[RunState], RunState]], end: str = END) -> None:
    """Add the loop's nodes and the edges between them; `node` makes each by its name."""
    for name in ORDER:
        graph.add_node(name, node(name), retry_policy=_RETRY)
    for before, after in pairwise(ORDER):
        graph.add_edge(before, after)
    graph.add_conditional_edges("decide", _after_decide, {"propose": "propose", "end": end})


def run_graph(nodes: Nodes, request: RunRequest) -> RunState:
    """Run the loop to its end, or go on where its checkpoints say it was.

    A checkpoint file that is damaged is put aside, and the loop begins anew: its nodes find on disk what they had done.
    """
    run = nodes.disk.path
    try:
        return _run_graph(nodes, request)
    except sqlite3.DatabaseError as error:
        if "locked" in str(error):
            raise RunExists(
                f"another program holds {run / CHECKPOINTS}.", "Close it, then go on with --resume."
            ) from error
        if not any(sign in str(error) for sign in _DAMAGED):
            raise
        nodes.tell("checkpoints_lost", error=str(error))
    for path in list(run.glob(f"{CHECKPOINTS}*")):
        os.replace(path, path.with_name(f"damaged-{path.name}"))
    return _run_graph(nodes, request)


def _run_graph(nodes: Nodes, request: RunRequest) -> RunState:
    with checkpoints(nodes.disk.path) as saver:
        graph = build_graph(nodes, saver)
        # A run's own file holds one thread; a database holds those of many runs.
        thread = "run" if isinstance(saver, SqliteSaver) else str(nodes.disk.path.resolve())
        config = {
            "configurable": {"thread_id": thread},
            "recursion_limit": len(ORDER) + _NODES_PER_LAP * (nodes.limits.laps + 1),
        }
        begun = graph.get_state(config)
        given = None if begun.values or begun.next else {"request": request}
        if given is None and not begun.next:
            decision = begun.values.get("decision")
            if decision is None or decision.action != "stop":
                # Nothing is next and there is no end: a full disk cut a checkpoint short.
                nodes.tell("checkpoints_lost", error="a checkpoint was cut short")
                saver.delete_thread(thread)
                given = {"request": request}
            elif decision.ending != "stopped" and not _has_room_again(nodes, decision):
                return begun.values
            else:
                # Somebody had stopped it and wants it to go on, or has granted it more: it decides anew.
                graph.update_state(config, {"lap": begun.values["lap"]}, as_node="remember")
        return graph.invoke(given, config, durability="sync")


@contextmanager
def checkpoints(run: Path) -> Iterator[BaseCheckpointSaver]:
    """Open the checkpoints: the run folder's, or those in the database that V2R_CHECKPOINTS names.

    Only the vocabulary's records may come back out of them.
    """
    # Checkpoints name a record by its file; older ones by the package.
    allowed = [(module, record.__name__) for record in RECORDS for module in (record.__module__, records.__name__)]
    serde = JsonPlusSerializer(allowed_msgpack_modules=allowed)
    if url := os.environ.get("V2R_CHECKPOINTS", "").strip():
        with _in_postgres(url, serde) as saver:
            yield saver
        return
    connection = sqlite3.connect(run / CHECKPOINTS, check_same_thread=False, timeout=LOCKED_S)
    try:
        yield SqliteSaver(connection, serde=serde)
    finally:
        connection.close()


@contextmanager
def _in_postgres(url: str, serde: JsonPlusSerializer) -> Iterator[BaseCheckpointSaver]:
    if not url.startswith(("postgresql://", "postgres://")):
        raise BadInput(
            "V2R_CHECKPOINTS is no database that is known.", "Write postgresql://user@host/name, or unset it."
        )
    try:
        import psycopg
        from langgraph.checkpoint.postgres import PostgresSaver
        from psycopg.rows import dict_row
    except ImportError:
        raise MissingPart(
            "checkpoints in Postgres need a package that is not here.", "pip install 'video2reward[postgres]'"
        ) from None
    try:
        connection = psycopg.connect(url, autocommit=True, prepare_threshold=0, row_factory=dict_row)
    except psycopg.OperationalError as error:
        said = " ".join(str(error).split())[:200]  # psycopg never shows the password
        raise MissingPart(
            f"the database of V2R_CHECKPOINTS cannot be reached: {said}", "Start it, or unset it."
        ) from None
    with connection:
        saver = PostgresSaver(connection, serde=serde)
        saver.setup()
        yield saver


def _has_room_again(nodes: Nodes, decision: Decision) -> bool:
    """Tell whether the limit that ended a run is one no more."""
    return bool(decision.limit) and not reached(nodes.limits, nodes.purse.now())


def _after_decide(state: RunState) -> str:
    return "end" if state["decision"].action == "stop" else "propose"
