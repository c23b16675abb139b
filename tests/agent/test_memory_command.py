"""`video2reward memory` and `recall --words` from the command line."""

import json

import pytest
from fake_tools import FakeAuthor, FakeTools, request
from video2reward.agent import cli
from video2reward.agent.embeddings import ModelSpace, text_space
from video2reward.agent.session import start
from video2reward.agent.settings import Settings
from video2reward.memory.errors import MissingPart
from video2reward.memory.recall import Memory
from video2reward.memory.words import HashingSpace


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Return the home of a memory that holds one run of two attempts."""
    monkeypatch.setenv("V2R_HOME", str(tmp_path / "home"))
    start(request(tmp_path / "run"), tools=FakeTools(), author=FakeAuthor(), memory=Memory())
    return tmp_path / "home"


def test_the_memory_is_counted_rebuilt_sent_and_received(home, tmp_path, monkeypatch, capsys):
    def ask(*argv: str) -> str:
        assert cli.main(["memory", *argv]) == 0
        return capsys.readouterr().out

    counts = json.loads(ask("stats", "--json"))
    assert counts["entries"] == {"motions-quadruped-v1.2": 2, "words-hashing-512": 2} and counts["runs"] == 1
    assert "2 attempts of 1 runs" in ask("rebuild")
    assert "1 judged attempts" in ask("export", str(tmp_path / "memory.zip"))
    monkeypatch.setenv("V2R_HOME", str(tmp_path / "there"))
    assert "1 attempts" in ask("import", str(tmp_path / "memory.zip"))
    assert cli.main(["recall", "--words", "a go1 that trots"]) == 0
    assert "L1-C1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["memory", "burn"], "there is no memory 'burn'"),
        (["memory", "export"], "needs a file"),
        (["memory", "import", "nowhere.zip"], "there is no file"),
        (["recall"], "recall looks for one thing"),
    ],
    ids=["no such action", "no file", "file not there", "nothing asked"],
)
def test_what_cannot_be_done_is_said(home, capsys, argv, said):
    assert cli.main(argv) == 2
    assert said in capsys.readouterr().err


def test_a_models_embeddings_are_used_where_they_are_named(monkeypatch):
    for name in ("OPENAI_API_KEY", "V2R_API_KEY", "V2R_BASE_URL", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    assert isinstance(text_space(), HashingSpace)
    monkeypatch.setenv("V2R_EMBEDDINGS_MODEL", "some-embedder")
    assert text_space().name == "some-embedder"


def test_embeddings_that_cannot_be_had_are_named_without_the_key():
    space = ModelSpace("some-embedder", Settings(base_url="http://127.0.0.1:9/v1", api_key="secret-key"))
    with pytest.raises(MissingPart, match="the embeddings some-embedder at .* failed") as caught:
        space.embed(["text"])
    assert "secret-key" not in str(caught.value)
