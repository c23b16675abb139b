"""What models cost, and that what was spent holds a run back whatever happens to it."""

import json

import pytest
from fake_tools import FakeTools, request
from video2reward.agent.budget import Bill, Limits, Purse, spending_of
from video2reward.agent.llm import LlmAuthor
from video2reward.agent.prices import price_of
from video2reward.agent.session import start
from video2reward.agent.settings import Settings
from video2reward.evals.scripted_openai import Reply, serve
from video2reward.memory.errors import BadInput

LIMITS = Limits(wall_s=600.0, laps=5, candidates=2)
REWARD = {
    "rationale": "Feet first.",
    "terms": [{"name": "a", "weight": 1.0, "serves": "x", "doc": "d", "body": "return s.base_height_m"}],
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Work in an empty folder, out of reach of the user's own settings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


def test_a_million_tokens_cost_what_the_table_says_and_dated_versions_the_same(folder):
    price = price_of("gpt-4o")
    assert price is not None and price == price_of("gpt-4o-2024-08-06")
    assert price.usd(1_000_000, 0) == price.input and price.usd(0, 500_000) == price.output / 2
    assert price_of("gpt-4o-audio-preview") is None and price_of("somebody/else") is None


def test_the_users_own_price_counts_first(folder):
    (folder / "video2reward.toml").write_text(
        '[prices."gpt-4o"]\ninput = 1\noutput = 2\n[prices.mine]\ninput = 0\noutput = 0\n'
    )
    assert price_of("gpt-4o").usd(1_000_000, 1_000_000) == 3.0
    assert price_of("mine").usd(10**9, 10**9) == 0.0


@pytest.mark.parametrize("text", ['[prices.mine]\ninput = "cheap"\noutput = 1\n', "[prices.mine]\ninput = 1\n"])
def test_a_price_that_cannot_be_read_is_named(folder, text):
    (folder / "video2reward.toml").write_text(text)
    with pytest.raises(BadInput, match="the price of mine in .*video2reward.toml"):
        price_of("mine")


def test_each_call_is_written_down_at_once(folder):
    Purse(folder).charge("gpt-4o", 1_000_000, 100_000)
    Purse(folder).charge("mystery", 50, 5)
    spent = spending_of(folder)
    # 1 M at $2.50 and 0.1 M at $10.
    assert (spent.calls, spent.tokens, spent.unpriced_tokens) == (2, 1_100_055, 55)
    assert spent.usd == pytest.approx(3.5)


@pytest.mark.parametrize(
    ("limits", "said"), [({"usd": 1.0}, "the $1 are used up."), ({"tokens": 100}, "the 100 tokens are used up.")]
)  # fmt: skip
def test_no_call_is_made_beyond_a_limit(folder, limits, said):
    purse = Purse(folder)
    bill = Bill(purse, LIMITS.model_copy(update=limits))
    assert bill.refusal() == ""
    bill.charge("gpt-4o", 1_000_000, 0)
    assert bill.refusal() == said


def test_a_run_ends_with_its_money_and_its_dollars_are_right_to_the_last_call(folder):
    with serve() as server:
        server.script(*[Reply(json.dumps(REWARD))] * 4)
        settings = Settings(base_url=server.url, api_key="key", max_retries=0, prompt="full", fit_weights=False)
        author = LlmAuthor("gpt-4o", settings, examine=lambda draft, target: "")
        # Each answer costs 1000 x $2.50 + 100 x $10 a million tokens: $0.0035. The third call would be one too many.
        asked = request(folder / "run", laps=5, usd=0.0069)
        result = start(asked, tools=FakeTools(passes=lambda *_: False), author=author)
    spent = spending_of(folder / "run")
    assert spent.calls == len(server.requests) == 2 and spent.usd == pytest.approx(0.007)
    assert result.status == "budget" and "the $0.0069 are used up" in result.stop_reason
    assert (result.tokens, result.usd) == (2200, pytest.approx(0.007))
