"""A real language model behind V2R_LIVE_BASE_URL (and V2R_LIVE_MODEL): does it understand the prompts?"""

import os

import pytest
from video2reward.agent.settings import Settings
from video2reward.evals.scripted_openai import Reply, serve
from video2reward.evals.try_model import main, try_model


@pytest.mark.live
def test_a_real_models_first_answers_can_be_trained_with():
    settings = Settings(base_url=os.environ["V2R_LIVE_BASE_URL"], api_key=os.environ.get("V2R_LIVE_KEY"))
    tried = list(try_model(os.environ["V2R_LIVE_MODEL"], settings))
    assert all(one.usable and one.answers == 1 for one in tried), tried


def test_a_model_is_tried_and_its_answers_are_counted(monkeypatch, capsys):
    with serve() as server:
        server.script(Reply("no"), Reply('{"terms": [1, 2]}'))
        monkeypatch.setenv("V2R_AUTHOR_BASE_URL", server.url)
        assert main(["--model", "m", "--modes", "menu"]) == 1
    printed = capsys.readouterr().out
    assert "go1   menu    yes            2       2000" in printed and "first answer: 1 of 2" in printed


def test_the_prompts_can_be_read(capsys):
    assert main(["--show"]) == 0
    assert capsys.readouterr().out.count("##### ") == 12  # 2 robots x 3 prompts x system and user
