"""The loop as a LangGraph.

    watch -> describe -> recall -> propose -> train -> judge -> remember -> decide -> (propose | END)

Checkpoints lie in the run folder and are written before a node ends (`durability="sync"`): after a kill the next
invocation re-enters the one node that was at work, which finds on disk what it had already done.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import RetryPolicy
from video2reward.agent.nodes import Nodes
from video2reward.agent.state import RECORDS, RunState
from video2reward.memory.records import RunRequest

_ORDER = ("watch", "describe", "recall", "propose", "train", "judge", "remember", "decide")
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
    for name in _ORDER:
        graph.add_node(name, nodes.stopwatch.node(name, getattr(nodes, name), nodes.tell), retry_policy=_RETRY)
    for before, after in zip((START, *_ORDER), _ORDER, strict=False):
        graph.add_edge(before, after)
    graph.add_conditional_edges("decide", _after_decide, {"propose": "propose", END: END})
    return graph.compile(checkpointer=checkpointer)


def run_graph(nodes: Nodes, request: RunRequest) -> RunState:
    """Run the loop to its end, or go on where the run folder's checkpoints say it was."""
    with checkpoints(nodes.disk.path) as saver:
        graph = build_graph(nodes, saver)
        config = {
            "configurable": {"thread_id": "run"},
            "recursion_limit": len(_ORDER) + _NODES_PER_LAP * (nodes.limits.laps + 1),
        }
        begun = graph.get_state(config)
        given = None if begun.values or begun.next else {"request": request}
        if given is None and not begun.next:
            if begun.values["decision"].ending != "stopped":
                return begun.values
            # Somebody had stopped it and wants it to go on: it decides anew.
            graph.update_state(config, {"lap": begun.values["lap"]}, as_node="remember")
        return graph.invoke(given, config, durability="sync")


@contextmanager
def checkpoints(run: Path) -> Iterator[SqliteSaver]:
    """Open the run folder's checkpoints; only the vocabulary's records may come back out of them."""
    allowed = [(record.__module__, record.__name__) for record in RECORDS]
    connection = sqlite3.connect(run / "checkpoints.sqlite", check_same_thread=False, timeout=30)
    try:
        yield SqliteSaver(connection, serde=JsonPlusSerializer(allowed_msgpack_modules=allowed))
    finally:
        connection.close()


def _after_decide(state: RunState) -> str:
    return END if state["decision"].action == "stop" else "propose"
