"""The loop as `langgraph dev` serves it, and its checkpoints in a real Postgres."""

import importlib
import json
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from fake_tools import FakeAuthor, FakeTools, request
from langgraph.checkpoint.memory import InMemorySaver
from video2reward.agent.graph import ORDER
from video2reward.agent.served import graph_with
from video2reward.agent.session import resume, start
from video2reward.memory import runs
from video2reward.memory.errors import BadInput, MissingPart
from video2reward.memory.records import RunResult

ROOT = Path(__file__).resolve().parents[2]


def test_langgraph_json_names_a_graph_of_all_nodes():
    (named,) = json.loads((ROOT / "langgraph.json").read_text())["graphs"].values()
    module, _, function = named.partition(":")
    graph = getattr(importlib.import_module(module), function)()
    assert set(ORDER) | {"begin", "finish"} <= set(graph.get_graph().nodes)


def test_a_request_over_the_wire_runs_to_its_report_and_streams_its_events(tmp_path):
    graph = graph_with(FakeTools())
    graph.checkpointer = InMemorySaver()
    asked = request(tmp_path / "run").model_dump(mode="json")
    config = {"configurable": {"thread_id": "1"}, "recursion_limit": 60}
    kinds = [event["kind"] for event in graph.stream({"request": asked}, config, stream_mode="custom")]
    assert {"watched", "proposed", "trained", "judged", "decided", "finished"} <= set(kinds)
    assert runs.load(RunResult, tmp_path / "run" / "result.json").status == "passed"
    written = [json.loads(line)["kind"] for line in (tmp_path / "run" / "events.jsonl").read_text().splitlines()]
    assert written == kinds


@pytest.mark.parametrize(
    ("changed", "said"), [({"clip": None}, "cannot be used at 'clip'"), ({"clip": "nowhere.mp4"}, "there is no clip")]
)  # fmt: skip
def test_a_request_that_cannot_work_is_refused_in_a_sentence(tmp_path, changed, said):
    asked = {**request(tmp_path / "run").model_dump(mode="json"), **changed}
    with pytest.raises(BadInput, match=said):
        graph_with(FakeTools()).invoke({"request": asked})
    assert not (tmp_path / "run").exists()


@pytest.fixture
def postgres(tmp_path):
    """Run a real Postgres of its own, where there is one; return its URL."""
    server = shutil.which("postgres") or next(iter(Path("/usr/lib/postgresql").glob("*/bin/postgres")), None)
    pytest.importorskip("psycopg")
    if server is None:
        pytest.skip("no Postgres is installed here")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    binaries, data = Path(server).resolve().parent, tmp_path / "pg"
    # Postgres refuses to run as the superuser of a container.
    user = ["runuser", "-u", "nobody", "--"] if os.geteuid() == 0 else []
    data.mkdir()
    if user:
        shutil.chown(data, "nobody")
        for folder in (tmp_path, *list(tmp_path.parents)[:2]):
            folder.chmod(0o755)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/"}
    subprocess.run([*user, str(binaries / "initdb"), "-D", str(data), "-A", "trust", "-U", "v2r"], check=True, **quiet)
    control = [*user, str(binaries / "pg_ctl"), "-D", str(data), "-w"]
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={data}"
    subprocess.run([*control, "-o", options, "start"], check=True, **quiet)
    yield f"postgresql://v2r@127.0.0.1:{port}/postgres"
    subprocess.run([*control, "-m", "immediate", "stop"], check=True, **quiet)


@pytest.mark.slow
def test_checkpoints_lie_in_postgres_and_a_run_goes_on_from_there(tmp_path, monkeypatch, postgres):
    monkeypatch.setenv("V2R_CHECKPOINTS", postgres)

    class Interrupted(FakeTools):
        def judge(self, *arguments):
            raise KeyboardInterrupt

    author = FakeAuthor()
    assert start(request(tmp_path / "run"), tools=Interrupted(), author=author).status == "stopped"
    other = start(request(tmp_path / "other"), tools=FakeTools(), author=FakeAuthor())
    result = resume(tmp_path / "run", tools=FakeTools(), author=author)
    assert result.status == other.status == "passed" and len(author.briefs) == 1
    assert not (tmp_path / "run" / "checkpoints.sqlite").exists()


@pytest.mark.parametrize(
    ("url", "error", "said"),
    [
        ("mysql://somewhere", BadInput, "no database that is known"),
        ("postgresql://v2r:secret@127.0.0.1:9/none", MissingPart, "cannot be reached"),
    ],
    ids=["another database", "not there"],
)
def test_checkpoints_that_cannot_be_kept_are_said(tmp_path, monkeypatch, url, error, said):
    monkeypatch.setenv("V2R_CHECKPOINTS", url)
    pytest.importorskip("psycopg")
    with pytest.raises(error, match=said) as caught:
        start(request(tmp_path / "run"), tools=FakeTools(), author=FakeAuthor())
    assert "secret" not in str(caught.value)
