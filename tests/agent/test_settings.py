"""Where the models are: environment, file, and what counts before what. Keys never show."""

import pytest
from video2reward.agent.settings import default_model, model_settings, settings_file
from video2reward.memory.errors import BadInput


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Work in an empty folder, with no setting of this machine's."""
    import os

    for name in list(os.environ):
        if name.startswith(("V2R_", "OPENAI_")):
            monkeypatch.delenv(name)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


def write(folder, text):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "video2reward.toml").write_text(text)


def test_without_anything_there_is_no_model_to_talk_to():
    assert not model_settings("author").usable and settings_file() is None


def test_the_working_directory_counts_before_the_users_folder(elsewhere):
    write(elsewhere / "config/video2reward", 'base_url = "http://users/v1"')
    assert model_settings("author").base_url == "http://users/v1"
    write(elsewhere / "work", 'base_url = "http://here/v1"')
    assert model_settings("author").base_url == "http://here/v1"


def test_author_and_critic_may_differ(elsewhere):
    write(
        elsewhere / "work",
        'base_url = "http://a/v1"\n[author]\nprompt = "short"\n[critic]\nbase_url = "http://b/v1"\nvision = true\n'
        'model = "openai:eyes"',
    )
    assert model_settings("author").base_url == "http://a/v1" and model_settings("author").prompt == "short"
    assert model_settings("critic").base_url == "http://b/v1" and model_settings("critic").vision is True
    assert default_model("critic") == "eyes" and default_model("author") is None


def test_the_environment_counts_before_the_file_where_both_speak_of_the_same_thing(elsewhere, monkeypatch):
    write(elsewhere / "work", 'base_url = "http://file/v1"\n[critic]\nbase_url = "http://critic/v1"')
    monkeypatch.setenv("OPENAI_BASE_URL", "http://openai/v1")
    assert model_settings("author").base_url == "http://openai/v1"
    assert model_settings("critic").base_url == "http://critic/v1"
    monkeypatch.setenv("V2R_CRITIC_BASE_URL", "http://mine/v1")
    assert model_settings("critic").base_url == "http://mine/v1"


def test_a_key_comes_by_the_name_of_its_variable_and_never_shows(elsewhere, monkeypatch):
    write(elsewhere / "work", 'api_key_env = "MY_KEY"')
    with pytest.raises(BadInput, match="MY_KEY, which is not set"):
        model_settings("author")
    monkeypatch.setenv("MY_KEY", "sk-hidden")
    settings = model_settings("author")
    assert settings.api_key.get_secret_value() == "sk-hidden"
    assert "sk-hidden" not in repr(settings) + str(settings) + settings.model_dump_json()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("base_url = ", "cannot be read"),
        ('[author]\nprompt = "tiny"', "prompt"),
        ("[author]\ntimeout_s = -1", "timeout_s"),
        ('[author]\nbase_ur = "x"', "base_ur"),
        ('author = "x"', "is no table"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(elsewhere, text, said):
    write(elsewhere / "work", text)
    with pytest.raises(BadInput, match=said):
        model_settings("author")
