"""The loop for `langgraph dev`: the same nodes and folders, steered from a LangGraph server or Studio.

`langgraph.json` names `make_graph`. A thread begins with `{"request": {"clip": ..., "robot": ..., "out": ...}}`, the
fields of a RunRequest; the server keeps the checkpoints. What the command line writes into `events.jsonl` is streamed
as custom events too. Each node holds the run's lease while it works, so that no second process works on the run.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from pydantic import ValidationError
from video2reward.agent.finish import finish
from video2reward.agent.graph import add_loop
from video2reward.agent.lease import lease
from video2reward.agent.session import Silent, check, make_nodes
from video2reward.agent.state import RunState
from video2reward.agent.toolbox import Toolbox, Tools
from video2reward.memory import runs
from video2reward.memory.errors import BadInput
from video2reward.memory.recall import Memory
from video2reward.memory.records import RunRequest
from video2reward.tools.confine import require_layers


def make_graph() -> CompiledStateGraph:
    """Return the loop with a node before it that makes the run folder and one after it that confirms and reports."""
    return graph_with(Tools())


def graph_with(tools: Toolbox) -> CompiledStateGraph:
    graph = StateGraph(RunState)
    graph.add_node("begin", _begin)
    graph.add_node("finish", _finisher(tools))
    add_loop(graph, lambda name: _node(name, tools), end="finish")
    graph.add_edge(START, "begin")
    graph.add_edge("begin", "watch")
    graph.add_edge("finish", END)
    return graph.compile()


def _begin(state: RunState) -> RunState:
    """Take the request as it comes over the wire, refuse what cannot work, and make the run folder."""
    given = state.get("request")
    try:
        request = given if isinstance(given, RunRequest) else RunRequest.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"the request cannot be used at {where!r}: {first['msg']}.", "It needs clip and out.") from None
    check(request)
    require_layers(request.author, unsafe=request.unsafe)
    runs.create(request.out)
    runs.save(request, request.out / "request.json")
    return {"request": request}


def _node(name: str, tools: Toolbox) -> Callable[[RunState], RunState]:
    def work(state: RunState) -> RunState:
        request = state["request"]
        tell = _teller(request.out)
        with lease(request.out):
            memory = Memory(request.memory) if request.memory else None
            nodes = make_nodes(request.out, request, tell, Silent(), tools=tools, memory=memory)
            return nodes.stopwatch.node(name, getattr(nodes, name), tell)(state)

    return work


def _finisher(tools: Toolbox) -> Callable[[RunState], RunState]:
    def work(state: RunState) -> RunState:
        request = state["request"]
        tell = _teller(request.out)
        with lease(request.out):
            nodes = make_nodes(request.out, request, tell, Silent(), tools=tools)
            finish(request.out, request, state["decision"], tools, nodes.purse, tell)
        return {}

    return work


def _teller(run: Path) -> Callable[..., None]:
    stream = get_stream_writer()

    def tell(kind: str, **fields: object) -> None:
        runs.append_event(run, kind, **fields)
        stream({"kind": kind, **fields})

    return tell
