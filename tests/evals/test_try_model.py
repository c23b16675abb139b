"""Trying a model in every role, over real HTTP: the table says what was of use, and what was wrong."""

import json

import pytest
from video2reward.agent.recipe import compose, first_recipe
from video2reward.evals import try_model
from video2reward.evals.scripted_openai import Reply, ToolCall, serve
from video2reward.evals.try_chat import SENTENCES

CALLS = (
    ToolCall("start_run", '{"clip": "clips/dog.mp4", "robot": "go1"}'),
    ToolCall("steer_run", '{"said": "slower", "speed_factor": 0.85, "weight_factors": {"bounce": 2.0}}'),
    ToolCall("explain"),
    ToolCall("show_try", '{"which": "2"}'),
    ToolCall("recall_rewards", '{"clip": "clips/new.mp4"}'),
    ToolCall("steer_run", '{"said": "no slip", "remove_terms": ["foot_slip"]}'),
    ToolCall("run_overnight", '{"folder": "clips", "usd": 5}'),
)


def capable(request: dict) -> Reply:
    """Answer as a model that understands each of its roles."""
    messages = request["messages"]
    if request.get("tools"):
        if messages[-1]["role"] == "tool":
            return Reply("It is done.")
        said = [sentence for sentence, _ in SENTENCES].index(messages[-1]["content"])
        return Reply("", tool_calls=(CALLS[said],))
    system = messages[0]["content"]
    if system.startswith("You are shown"):
        return Reply(json.dumps({"findings": [], "advice": ["Nothing."]}))
    if system.startswith("You choose"):
        return Reply(system[system.rindex('{"rationale"') :])
    target = try_model.motions()["g1" in messages[1]["content"][:30]]
    terms = [term.model_dump() for term in compose(target, first_recipe(target))]
    return Reply(json.dumps({"rationale": "r", "edits": [], "start_from_parent_policy": False, "terms": terms}))


@pytest.fixture
def server(monkeypatch, tmp_path):
    for name in ("V2R_BASE_URL", "OPENAI_BASE_URL", "V2R_MODEL", "V2R_AUTHOR_MODEL", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with serve() as server:
        server.models = [{"id": "capable", "max_model_len": 32000}]
        yield server


@pytest.mark.slow
def test_a_capable_model_is_of_use_in_every_role_at_its_first_answer(server, tmp_path, capsys):
    server.script(capable)
    code = try_model.main(["--base-url", server.url, "--answers", str(tmp_path / "kept")])
    said = capsys.readouterr().out
    assert code == 0, said
    assert said.startswith("capable at http://127.0.0.1") and "of use at the first answer: 8 of 8" in said
    assert "7 of 7 sentences" in said and len(list((tmp_path / "kept" / "answers").iterdir())) == 7


def test_what_a_model_does_wrong_is_in_the_table(server, capsys):
    server.script(Reply("I would rather not."))
    assert try_model.main(["--base-url", server.url, "--model", "lazy", "--roles", "menu", "chat"]) == 1
    said = capsys.readouterr().out
    assert "chooses no term" in said and "0 of 7 sentences" in said and "of use at the first answer: 0 of 3" in said


def test_a_server_without_a_list_of_models_asks_for_a_name(server, capsys):
    server.models = []
    assert try_model.main(["--base-url", server.url]) == 2
    assert "--model" in capsys.readouterr().err
