"""The author behind the OpenAI protocol, over real HTTP: what it asks, what it understands, and what faults become."""

import json

import pytest
from video2reward.agent.answers import BadAnswer, plain_body, read_answer
from video2reward.agent.authors import AuthorBrief, Unusable, make_author
from video2reward.agent.llm import LlmAuthor
from video2reward.agent.settings import Settings
from video2reward.evals.scripted_openai import Reply, serve
from video2reward.memory.errors import AuthorFailed, BadReward, MissingPart
from video2reward.memory.records import Decision, MotionTarget, RewardDraft
from video2reward.sim.guard import check_source
from video2reward.tools.write_reward import compose

KEY = "sk-very-secret"
TARGET = MotionTarget(
    robot="go1",
    feet=("FL", "FR", "RL", "RR"),
    gait="trot",
    speed_m_s=1.0,
    stride_frequency_hz=2.0,
    duty_factor=(0.5,) * 4,
    phase_offsets=(0.0, 0.5, 0.5, 0.0),
    leg_length_m=0.256,
    froude=0.4,
)
MATCH = 'return footfall_match(s, offsets=MOTION["phase_offsets"], duty=MOTION["duty_factor"]) * forward_progress(s)'


def answer(body: str = MATCH, **fields: object) -> str:
    term = {"name": "footfalls", "weight": 2.0, "serves": "phase_offsets", "doc": "Feet in order.", "body": body}
    return json.dumps({"rationale": "Feet first.", "terms": [term], "edits": [], **fields})


@pytest.fixture(scope="module")
def server():
    with serve() as server:
        yield server


@pytest.fixture
def author(server):
    settings = Settings(base_url=server.url, api_key=KEY, timeout_s=5.0, max_retries=0, prompt="full")
    return LlmAuthor("test-model", settings, examine=guard)


def guard(draft: RewardDraft, target: MotionTarget) -> str:
    """Examine a draft as far as that goes without a process for the trial."""
    try:
        return " ".join(str(problem) for problem in check_source(compose(draft, target)))
    except BadReward as error:
        return str(error)


def propose(author, num: int = 1, brief: AuthorBrief | None = None):
    return author.propose(brief or AuthorBrief(target=TARGET, lap=1), num, 0)


def test_a_good_answer_becomes_a_draft(server, author):
    server.script(Reply(answer()))
    (draft,) = propose(author)
    assert isinstance(draft, RewardDraft) and draft.author == "openai:test-model"
    assert "def footfalls(s: RewardState)" in compose(draft, TARGET)
    request = server.requests[0]
    assert request["response_format"]["type"] == "json_schema"
    assert server.keys[-1] == f"Bearer {KEY}"
    assert author.usage.calls == 1 and author.usage.input_tokens == 1000 and author.usage.output_tokens == 100


def test_the_prompt_holds_the_contract_the_motion_and_the_task(server, author):
    server.script(Reply(answer()))
    propose(author)
    system, user = (message["content"] for message in server.requests[0]["messages"])
    assert "s.feet_contact" in system and "footfall_match(s: RewardState" in system
    assert '"phase_offsets": (0.0, 0.5, 0.5, 0.0)' in user and "go1" in user and "lap 1" in user
    assert "{{" not in system + user


def test_candidates_are_told_to_differ(server, author):
    server.script(Reply(answer()), Reply(answer(rationale="Another way.")))
    drafts = propose(author, 2)
    assert [draft.rationale for draft in drafts] == ["Feet first.", "Another way."]
    assert "differ from them on purpose" in server.requests[1]["messages"][1]["content"]
    assert server.requests[0]["temperature"] != server.requests[1]["temperature"]


def test_a_reward_that_the_guard_refuses_is_mended_with_the_guards_words(server, author):
    server.script(Reply(answer("return open('/etc/passwd')")), Reply(answer()))
    (draft,) = propose(author)
    assert isinstance(draft, RewardDraft)
    repair = server.requests[1]["messages"][-1]["content"]
    assert "cannot be used" in repair and "open" in repair


def test_standing_still_that_pays_is_sent_back(server):
    author = LlmAuthor("test-model", Settings(base_url=server.url, api_key=KEY))
    server.script(Reply(answer("return torch.ones_like(s.base_height_m) - forward_progress(s)")), Reply(answer()))
    (draft,) = propose(author)
    assert isinstance(draft, RewardDraft)
    assert "standing still" in server.requests[1]["messages"][-1]["content"]


def test_after_two_repairs_the_candidate_is_unusable_and_the_next_one_is_asked_for(server, author):
    bad = Reply("I am sorry, I cannot help with that.")
    server.script(bad, bad, bad, Reply(answer()))
    first, second = propose(author, 2)
    assert isinstance(first, Unusable) and "after 2 repairs" in first.reason
    assert isinstance(second, RewardDraft)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Reply(raw="{not json"), "broke the protocol"),
        (Reply(raw='{"id": "x", "object": "chat.completion", "choices": []}'), "broke the protocol"),
        (Reply(raw='{"error": {"message": "inner trouble"}}'), "broke the protocol"),
        (Reply(raw=""), "broke the protocol"),
        (Reply(raw="[]"), "broke the protocol"),
        (Reply(raw='"text"'), "broke the protocol"),
        (Reply(content=None), "empty"),
        (Reply(content="   "), "empty"),
        (Reply(content=None, refusal="I will not."), "refusal: I will not."),
        (Reply(content='{"rationale": "cut o', finish="length"), "too long"),
        (Reply(content="", finish="content_filter"), "content filter"),
        (Reply('{"terms": []}'), "terms"),
        (Reply('{"terms": [{"name": "a"}]}'), "weight"),
        (Reply(answer(body="return s.nothing")), "nothing"),
        (Reply(answer(body="retrun 1")), "not Python"),
        (Reply("Это не JSON"), "JSON"),
    ],
)
def test_a_fault_of_an_answer_is_a_recorded_reason(server, author, fault, said):
    server.script(fault)
    (outcome,) = propose(author)
    assert isinstance(outcome, Unusable) and said in outcome.reason
    # The answer and two repairs; what was cut off is asked for once more with room.
    assert len(server.requests) == 3 + (said == "too long")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Reply(status=401, error=f"Incorrect API key provided: {KEY}."), "refuses the key"),
        (Reply(status=403, error="not allowed"), "status 403"),
        (Reply(status=404, error="no such model"), "no such model"),
        (Reply(status=429, error="quota used up"), "allows no more requests"),
        (Reply(status=500, error="internal"), "status 500"),
        (Reply(status=503, raw="<html>down</html>"), "status 503"),
        (Reply(status=400, error="context length exceeded"), "does not fit"),
        (Reply(status=400, error="what is this"), "turned the request down"),
        (Reply(answer(), cut=True), "cannot be reached"),
    ],
)
def test_a_fault_of_the_server_is_one_sentence_without_the_key(server, author, fault, said):
    server.script(fault)
    with pytest.raises(AuthorFailed) as caught:
        propose(author)
    assert said in str(caught.value) and KEY not in str(caught.value)


def test_a_server_that_does_not_answer_is_given_up(server):
    server.script(Reply(answer(), delay_s=3.0))
    slow = LlmAuthor("test-model", Settings(base_url=server.url, api_key=KEY, timeout_s=0.3, max_retries=0), guard)
    with pytest.raises(AuthorFailed, match="did not answer"):
        propose(slow)


def test_a_server_that_is_not_there_is_named():
    nobody = LlmAuthor(
        "m", Settings(base_url="http://127.0.0.1:9/v1", api_key=None, timeout_s=2.0, max_retries=0), guard
    )
    with pytest.raises(AuthorFailed, match="127.0.0.1:9"):
        propose(nobody)


def test_what_a_busy_server_asks_to_wait_for_is_waited_for(server):
    server.script(Reply(status=429, error="slow down", headers={"retry-after": "0.1"}), Reply(answer()))
    patient = LlmAuthor("test-model", Settings(base_url=server.url, api_key=KEY, max_retries=1), guard)
    assert isinstance(propose(patient)[0], RewardDraft)


def test_a_key_revoked_midway_costs_only_the_candidates_after_it(server, author):
    server.script(Reply(answer()), Reply(status=401, error="revoked"))
    first, second = propose(author, 2)
    assert isinstance(first, RewardDraft)
    assert isinstance(second, Unusable) and "refuses the key" in second.reason


def test_an_option_the_server_does_not_know_is_left_out_from_then_on(server, author):
    server.script(
        Reply(status=400, error="response_format json_schema is not supported"),
        Reply(status=400, error="response_format is not supported"),
        Reply(status=400, error="Unsupported value: 'temperature'"),
        Reply(answer()),
    )
    assert isinstance(propose(author)[0], RewardDraft)
    propose(author)
    assert "response_format" not in server.requests[-1] and "temperature" not in server.requests[-1]


def test_training_longer_costs_no_call(server, author):
    server.script(Reply(answer()))
    (draft,) = propose(author)
    from video2reward.agent.authors import PriorReward
    from video2reward.memory.records import Attempt, RewardProgram

    program = RewardProgram(id="L1-C1", path="r", sha256="", terms={}, serves={}, author="a", rationale="")
    parent = PriorReward(
        attempt=Attempt(id="L1-C1", lap=1, candidate=1, target=TARGET, program=program), reward="", draft=draft
    )
    brief = AuthorBrief(
        target=TARGET, lap=2, decision=Decision(lap=1, action="train_longer", reason="rising", parent="L1-C1"),
        parents=(parent,),
    )  # fmt: skip
    server.script(Reply(status=500))
    (again,) = propose(author, 1, brief)
    assert again.terms == draft.terms and again.warm_start == "L1-C1"


def test_neither_server_nor_key_is_said_before_anything_is_made(monkeypatch):
    for name in ("V2R_BASE_URL", "OPENAI_BASE_URL", "V2R_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(MissingPart, match="OPENAI_API_KEY"):
        make_author("openai:some-model")


@pytest.mark.parametrize(
    "text",
    [
        answer(),
        f"Here it is:\n```json\n{answer()}\n```\nGood luck!",
        f"<think>hmm {{}}</think> {answer()}",
        json.dumps({"reward": json.loads(answer())}),
        answer().replace("]", ",]"),
        answer().replace("\\n", "\n"),
        '```python\nimport torch\n@term(weight=2.0, serves="phase_offsets")\n'
        'def footfalls(s: RewardState) -> Tensor:\n    """Feet in order."""\n    ' + MATCH + "\n```",
    ],
)
def test_an_answer_is_found_whatever_is_around_it(text):
    found = read_answer(text)
    assert found.terms[0].name == "footfalls" and found.terms[0].weight == 2.0


@pytest.mark.parametrize("text", ["", "no", "{", "[1, 2]", "null", '{"terms": "none"}', "```json\n{}\n```"])
def test_what_holds_no_reward_is_refused(text):
    with pytest.raises(BadAnswer):
        read_answer(text)


@pytest.mark.parametrize(
    "body",
    [
        "x = s.base_height_m\nreturn x",
        "    x = s.base_height_m\n    return x",
        "x = s.base_height_m\n    return x",
        "def height(s):\n    x = s.base_height_m\n    return x",
        'def height(s: RewardState) -> Tensor:\n    """Doc."""\n    x = s.base_height_m\n    return x',
        "```python\nx = s.base_height_m\nreturn x\n```",
    ],
)
def test_a_body_is_freed_from_what_is_around_it(body):
    assert plain_body(body) == "x = s.base_height_m\nreturn x"


def test_an_expression_alone_is_returned():
    assert plain_body("s.base_height_m * 2") == "return s.base_height_m * 2"
