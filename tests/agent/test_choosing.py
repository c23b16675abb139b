"""An author's wish for the next lap: followed within what the rules allow, and written down in any case."""

import json

import pytest
from fake_tools import FakeAuthor, FakeTools, request
from test_decide import LIMITS, SPENT, attempt
from video2reward.agent.budget import Spending
from video2reward.agent.choosing import Wish, held_against
from video2reward.agent.decide import decide
from video2reward.agent.llm import LlmAuthor
from video2reward.agent.session import start
from video2reward.agent.settings import Settings
from video2reward.evals.scripted_openai import Reply, serve
from video2reward.memory.errors import AuthorFailed
from video2reward.memory.records import Decision, Recollection

NEAR = Recollection(
    attempt="old/L1-C1", robot="go1", gait="trot", distance=0.1, near=True, passed=True, gsi=0.8, folder="/nowhere",
    sentence="same gait.",
)  # fmt: skip


@pytest.mark.parametrize(
    ("attempts", "spent", "rising", "remembered", "allowed"),
    [
        ([attempt(1, 0.85)], SPENT, {}, [], {"stop"}),
        ([attempt(1, 0.6)], SPENT, {}, [], {"refine", "explore", "stop"}),
        ([attempt(1, 0.6), attempt(2, 0.6), attempt(3, 0.6)], SPENT, {}, [], {"stop", "explore", "refine"}),
        ([attempt(1, 0.4, passed=False)], SPENT, {}, [], {"explore", "refine"}),
        ([attempt(1, 0.4, passed=False)], SPENT, {"L1-C1": 0.02}, [], {"explore", "refine", "train_longer"}),
        ([attempt(1, 0.4, passed=False)], SPENT, {}, [NEAR], {"explore", "refine", "warm_start"}),
        # The budget leaves no choice, and nobody stops before the gates pass while there is some left.
        ([attempt(1, 0.6)], Spending(laps=5), {}, [], {"stop"}),
        ([attempt(1, None)], SPENT, {}, [], {"explore"}),
    ],
    ids=["good", "passed", "stale", "failed", "rising", "remembered", "no budget", "nothing judged"],
)
def test_the_rules_say_what_may_be_chosen(attempts, spent, rising, remembered, allowed):
    decision = decide(attempts, LIMITS, spent, rising, remembered)
    assert set(decision.allowed) == allowed and decision.action in allowed


def test_a_remembered_reward_is_begun_from_where_mending_brings_nothing_and_only_once():
    stale = [attempt(1, 0.4, passed=False), attempt(2, 0.4, passed=False, parent="L1-C1")]
    first = decide(stale, LIMITS, SPENT, {}, [NEAR])
    assert (first.action, first.parent) == ("warm_start", "old/L1-C1")
    begun = attempt(3, 0.3, passed=False).model_copy(update={"recalled_from": "old/L1-C1"})
    assert decide([*stale, begun], LIMITS, SPENT, {}, [NEAR]).action == "explore"


RULE = Decision(lap=1, action="refine", reason="it passes.", parent="L1-C1", allowed=("refine", "explore", "stop"))


@pytest.mark.parametrize(
    ("wish", "action", "parent", "overruled"),
    [
        (Wish(action="explore", reason="the duty is stuck"), "explore", "L1-C1", ""),
        (Wish(action="stop", reason="good enough"), "stop", "L1-C1", ""),
        (Wish(action="refine", parent="L1-C2"), "refine", "L1-C2", ""),
        (Wish(action="refine", parent="L9-C9"), "refine", "L1-C1", "'L9-C9' was not judged in this run"),
        (Wish(action="train_longer"), "refine", "L1-C1", "'train_longer' is not among"),
        (Wish(action="delete everything"), "refine", "L1-C1", "not among what the rules allow"),
    ],
    ids=["explore", "stop", "another parent", "no such parent", "not allowed", "nonsense"],
)
def test_a_wish_is_followed_within_bounds_and_recorded(wish, action, parent, overruled):
    attempts = [attempt(1, 0.6), attempt(1, 0.5, candidate=2)]
    decision = held_against(RULE, wish, attempts)
    assert (decision.action, decision.parent) == (action, parent) and decision.wished.startswith(wish.action)
    assert overruled in decision.overruled and bool(decision.overruled) == bool(overruled)
    assert decision.ending == ("passed" if action == "stop" else None)


@pytest.mark.parametrize(
    ("content", "action", "said"),
    [
        ('{"action": "stop", "reason": "GSI 0.6 will do"}', "stop", "GSI 0.6 will do (the rules would refine"),
        ('I think:\n```json\n{"action": "explore", "reason": "again"}\n```', "explore", "again"),
        ("whatever you like", "refine", "furthest off"),
    ],
    ids=["json", "in prose", "no answer"],
)
def test_a_language_model_is_asked_where_the_settings_want_it(tmp_path, content, action, said):
    with serve() as server:
        settings = Settings(base_url=server.url, api_key="key", max_retries=0, decides=True)
        author = LlmAuthor("scripted", settings)
        server.script(Reply(content))
        decision = decide([attempt(1, 0.6)], LIMITS, SPENT)
        wish = author.choose(decision, [attempt(1, 0.6)])
    chosen = held_against(decision, wish, [attempt(1, 0.6)]) if wish else decision
    assert chosen.action == action and said in chosen.reason


def test_an_author_that_cannot_be_asked_leaves_it_to_the_rules(tmp_path):
    class Gone(FakeAuthor):
        def choose(self, decision, attempts):
            raise AuthorFailed("the server is gone.")

    start(request(tmp_path / "run", laps=2), tools=FakeTools(gsi=lambda *_: 0.6), author=Gone())
    second = json.loads((tmp_path / "run" / "decisions.jsonl").read_text().splitlines()[1])
    assert second["action"] == "refine" and "the server is gone" in second["overruled"]
