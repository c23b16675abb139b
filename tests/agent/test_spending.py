"""What is paid for is paid once and counted: answers are kept, embeddings are charged, all candidates have a limit."""

import json

import numpy as np
import pytest
from fake_tools import FakeAuthor, FakeTools, request
from video2reward.agent.budget import spending_of
from video2reward.agent.embeddings import ModelSpace
from video2reward.agent.llm import LlmAuthor
from video2reward.agent.session import resume, start
from video2reward.agent.settings import Settings
from video2reward.evals.scripted_openai import Reply, serve
from video2reward.memory import runs
from video2reward.memory.errors import MissingPart
from video2reward.memory.recall import Memory
from video2reward.memory.records import RunResult

TERM = {"name": "a", "weight": 1.0, "serves": "x", "doc": "d", "body": "return s.base_height_m"}
ANSWER = Reply(json.dumps({"rationale": "Feet first.", "terms": [TERM]}))


class Cut(BaseException):
    """The power that goes."""


class CutAfterTheAnswers(LlmAuthor):
    """An author whose process dies when all its answers have come and none was written down as a draft."""

    def propose(self, *args):
        super().propose(*args)
        raise Cut


def an_author(server, kind=LlmAuthor):
    settings = Settings(base_url=server.url, api_key="key", vision=False)
    return kind("gpt-4o-mini", settings, examine=lambda draft, target: "")


def test_answers_that_were_paid_for_before_a_crash_are_read_again_and_not_asked_for(tmp_path):
    with serve() as server:
        server.script(ANSWER)
        with pytest.raises(Cut):
            start(request(tmp_path / "run"), tools=FakeTools(), author=an_author(server, CutAfterTheAnswers))
        assert (len(server.requests), spending_of(tmp_path / "run").tokens) == (2, 2200)
        result = resume(tmp_path / "run", tools=FakeTools(), author=an_author(server))
        assert len(server.requests) == 2
    assert result.status == "passed" and result.tokens == 2200
    kept = [json.loads(path.read_text()) for path in (tmp_path / "run" / "answers").glob("*.json")]
    assert len(kept) == 2 and all("You write reward functions" in answer["asked"][0] for answer in kept)


def test_an_answer_that_broke_the_protocol_is_not_kept(tmp_path):
    with serve() as server:
        server.script(Reply(raw="{"), ANSWER)
        start(request(tmp_path / "run", candidates=1), tools=FakeTools(), author=an_author(server))
    assert len(list((tmp_path / "run" / "answers").glob("*.json"))) == 1


def test_a_run_ends_when_all_its_candidates_were_tried(tmp_path):
    tools = FakeTools(gsi=lambda attempt, seed: 0.3, passes=lambda attempt, seed: False)
    result = start(request(tmp_path / "run", laps=9, candidates=2, most_candidates=3), tools=tools, author=FakeAuthor())
    assert (result.laps, result.candidates, result.status) == (2, 3, "budget")
    assert "all 3 candidates were tried" in result.stop_reason


def test_laps_that_end_with_nothing_judged_say_why(tmp_path):
    result = start(request(tmp_path / "run", laps=1), tools=FakeTools(), author=FakeAuthor(("refuse a", "refuse b")))
    assert "all 1 laps are done" in result.stop_reason and "the guard refuses it" in result.stop_reason


def test_embeddings_are_charged_to_the_run_that_asked_for_them(tmp_path):
    with serve() as server:
        settings = Settings(base_url=server.url, api_key="key")
        space = ModelSpace("text-embedding-3-small", settings)
        memory = Memory(tmp_path / "memory", space=space)
        assert space.size == 8
        asked = request(tmp_path / "run", candidates=1, memory=tmp_path / "memory")
        result = start(asked, tools=FakeTools(), author=FakeAuthor(), memory=memory)
        assert result.tokens == server.tokens > 0
    assert result.usd == pytest.approx(0.02e-6 * server.tokens, abs=1e-6)
    assert not memory.trouble


def test_embeddings_end_with_the_budget_and_the_run_goes_on(tmp_path):
    with serve() as server:
        memory = Memory(tmp_path / "memory", space=ModelSpace("text-embedding-3-small", Settings(base_url=server.url)))
        asked = request(tmp_path / "run", candidates=2, memory=tmp_path / "memory", tokens=2)
        result: RunResult = start(asked, tools=FakeTools(), author=FakeAuthor(), memory=memory)
    assert result.status == "passed" and result.tokens < server.tokens + 1
    trouble = [event["trouble"] for event in runs.rows(tmp_path / "run" / "events.jsonl") if event["kind"] == "memory"]
    assert any("2 tokens are used up" in said for said in trouble)


def test_a_models_embeddings_are_unit_vectors_in_the_texts_order():
    with serve() as server:
        space = ModelSpace("some-embedder", Settings(base_url=server.url))
        vectors = space.embed(["aaa", "eee", "aaa"])
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0)
    assert np.array_equal(vectors[0], vectors[2]) and not np.array_equal(vectors[0], vectors[1])


def test_an_embeddings_server_that_answers_nonsense_is_named():
    with serve() as server:
        server.embedded = lambda request: {"data": 3}
        with pytest.raises(MissingPart, match="the embeddings some-embedder at .* failed"):
            ModelSpace("some-embedder", Settings(base_url=server.url)).embed(["text"])
