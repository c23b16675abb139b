"""What models that are small or sloppy get and give: short prompts, a menu, and answers in whatever wrapping."""

import json

import pytest
from video2reward.agent.answers import BadAnswer, json_objects, read_answer
from video2reward.agent.authors import AuthorBrief
from video2reward.agent.briefing import system_prompt, task_prompt
from video2reward.agent.llm import LlmAuthor, problem_with
from video2reward.agent.menu import menu, read_choice
from video2reward.agent.settings import Settings
from video2reward.agent.variety import Direction
from video2reward.evals.scripted_openai import Reply, serve
from video2reward.memory.errors import AuthorFailed
from video2reward.memory.records import MotionTarget, RewardDraft

GO1 = MotionTarget(
    robot="go1", feet=("FL", "FR", "RL", "RR"), gait="trot", speed_m_s=1.0, stride_frequency_hz=2.0,
    duty_factor=(0.5,) * 4, phase_offsets=(0.0, 0.5, 0.5, 0.0), leg_length_m=0.256, froude=0.4,
)  # fmt: skip
G1 = MotionTarget(
    robot="g1", feet=("L", "R"), gait="walk", speed_m_s=0.8, stride_frequency_hz=0.9, duty_factor=(0.6, 0.6),
    phase_offsets=(0.0, 0.5), leg_length_m=0.645, froude=0.1,
)  # fmt: skip
TERM = {"name": "footfalls", "weight": 2.0, "serves": "phase_offsets", "doc": "d", "body": "return forward_progress(s)"}
BEST = Direction("best")


@pytest.fixture(scope="module")
def server():
    with serve() as server:
        yield server


def author(server, **settings) -> LlmAuthor:
    settings = Settings(base_url=server.url, timeout_s=5.0, max_retries=0, **settings)
    return LlmAuthor("small", settings, examine=lambda draft, target: "")


@pytest.mark.parametrize("target", [GO1, G1], ids=["go1", "g1"])
@pytest.mark.parametrize("mode", ["full", "short"])
def test_the_worked_answer_of_a_prompt_is_an_answer_that_could_be_trained_with(target, mode):
    prompt = system_prompt(target, mode, BEST)
    text = prompt[prompt.rindex('{"rationale"') :]
    answer = read_answer(text)
    from video2reward.agent.answers import draft_from

    draft = draft_from(answer, author="a", parent=None, edits_of_parent=False)
    assert problem_with(draft, target) == ""


def test_the_modes_get_shorter_and_still_hold_the_motion():
    brief = AuthorBrief(target=GO1, lap=1)
    length = {}
    for mode in ("full", "short", "menu"):
        text = system_prompt(GO1, mode, BEST) + task_prompt(brief, BEST, [], mode=mode)
        assert '"phase_offsets": (0.0, 0.5, 0.5, 0.0)' in text and "{{" not in text
        length[mode] = len(text)
    assert length["full"] > 2.5 * length["short"] > 4.5 * length["menu"]
    assert length["short"] < 4 * 1500  # about 1500 tokens


@pytest.mark.parametrize(
    "text",
    [
        '{"terms": [{"number": 1, "weight": 3}, {"number": 2, "weight": 1.5}, {"number": 5, "weight": 4}]}',
        'I choose {"terms": [{"number": "1", "weight": "3"}, {"number": 2, "weight": 1.5}, {"term": 5, "weight": 4}]}',
        "{'terms': [{'name': 'footfalls', 'weight': 3}, {'name': 'speed', 'weight': 1.5}, {'id': 5, 'weight': 4,},]}",
        '{"terms": {"1": 3, "2": 1.5, "level": 4}}',
        "<think>{7}</think>\n1: 3\n2. speed: 1.5\n- 5 = -4",
    ],
    ids=["plain", "in prose", "python", "by name", "lines"],
)
def test_a_choice_is_read_in_any_wrapping_and_keeps_each_terms_own_sign(text):
    draft = read_choice(text, menu(GO1), author="a", parent=None)
    assert {term.name: term.weight for term in draft.terms} == {"footfalls": 3.0, "speed": 1.5, "level": -4.0}


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "chooses no term"), ('{"terms": [{"number": 99}]}', "1 to"), ('{"terms": [3]}', "term 1"),
     ('{"terms": [{"number": 1, "weight": 0}, 2]}', "term 1")],
    ids=["empty", "unknown", "no footfalls", "footfalls at nothing"],
)  # fmt: skip
def test_a_choice_that_could_not_work_is_sent_back(text, said):
    with pytest.raises(BadAnswer, match=said):
        read_choice(text, menu(GO1), author="a", parent=None)


def test_what_is_chosen_from_the_menu_could_be_trained_with():
    draft = read_choice('{"terms": [1, 2, 3, 4, 5, 9, 10, 11, 12, 13]}', menu(GO1), author="a", parent=None)
    assert problem_with(draft, GO1) == ""


@pytest.mark.parametrize(
    "text",
    [
        str({"rationale": "r", "terms": [TERM], "start_from_parent_policy": False}),
        json.dumps([TERM]),
        json.dumps({"answer": {"terms": [TERM]}}),
        json.dumps({"terms": {"footfalls": {k: v for k, v in TERM.items() if k != "name"}}}),
        json.dumps({"terms": [{**TERM, "body": ["x = forward_progress(s)", "return x"]}]}),
        json.dumps({"terms": [{k: v for k, v in TERM.items() if k != "body"} | {"code": TERM["body"]}]}),
        "<think>\nmaybe {\"terms\": []}\n</think>\nSure!\n```json\n" + json.dumps({"terms": [TERM]}) + "\n```",
        json.dumps({"terms": [TERM], "edits": "one change"}),
        "Hier {so} ist es: " + json.dumps({"terms": [TERM]})[:-1] + ",}",
        '{"terms": [{"name": "footfalls", "weight": 2.0, "body": """x = 1\nreturn forward_progress(s)"""}]}',
    ],
    ids=["python", "a list", "wrapped", "terms by name", "lines", "code", "thoughts", "edits", "comma", "3 quotes"],
)  # fmt: skip
def test_an_answer_is_understood_in_the_forms_that_models_like(text):
    answer = read_answer(text)
    assert answer.terms[0].name == "footfalls" and answer.terms[0].weight == 2.0
    assert "forward_progress(s)" in answer.terms[0].body


def test_thoughts_are_not_taken_for_the_answer():
    assert json_objects('<think>{"terms": 1}</think> {"terms": 2}') == [{"terms": 2}]


def test_a_small_context_window_makes_the_prompt_short_by_itself(server):
    server.models = [{"id": "small", "max_model_len": 8192}]
    server.script(Reply(json.dumps({"terms": [TERM]})))
    author(server).propose(AuthorBrief(target=GO1, lap=1), 1, 0)
    assert "# The contract" not in server.requests[0]["messages"][0]["content"]
    server.models = []


def test_a_prompt_that_does_not_fit_is_made_shorter_until_it_does(server):
    too_long = Reply(status=400, error="This model's maximum context length is 2048 tokens")
    server.script(too_long, too_long, Reply('{"terms": [1, 2]}'))
    small = author(server)
    (draft,) = small.propose(AuthorBrief(target=GO1, lap=1), 1, 0)
    assert isinstance(draft, RewardDraft) and [term.name for term in draft.terms] == ["footfalls", "speed"]
    assert "numbers" not in server.requests[0]["messages"][0]["content"][:200]
    assert server.requests[-1]["messages"][0]["content"].startswith("You choose the terms")


def test_a_model_that_cannot_write_terms_is_asked_to_choose_instead(server):
    bad = Reply("I like robots.")
    server.script(*[bad] * 6, Reply('{"terms": [1, 2]}'))
    first, second, third = author(server).propose(AuthorBrief(target=GO1, lap=1), 3, 0)
    assert not isinstance(first, RewardDraft) and not isinstance(second, RewardDraft)
    assert isinstance(third, RewardDraft)


def test_a_mode_that_was_set_is_kept_to(server):
    server.script(Reply(status=400, error="maximum context length is 100 tokens"))
    with pytest.raises(AuthorFailed, match="does not fit"):
        author(server, prompt="full").propose(AuthorBrief(target=GO1, lap=1), 1, 0)


def test_an_answer_that_a_server_cut_short_by_itself_is_asked_for_with_room(server):
    cut = Reply('{"terms": [{"name": "a', finish="length")
    server.script(cut, Reply(json.dumps({"terms": [TERM]})))
    (draft,) = author(server).propose(AuthorBrief(target=GO1, lap=1), 1, 0)
    assert isinstance(draft, RewardDraft) and len(server.requests) == 2
    assert "max_tokens" not in server.requests[0] and server.requests[1]["max_tokens"] == 4096


def test_an_answer_that_was_cut_is_paid_for(server):
    server.script(Reply('{"terms": [{"name": "a', finish="length"))
    small = author(server)
    small.propose(AuthorBrief(target=GO1, lap=1), 1, 0)
    assert small.usage.input_tokens + small.usage.output_tokens == server.tokens > 0


def test_a_server_that_knows_no_max_tokens_is_asked_without(server):
    refuses = Reply(status=400, error="Unsupported parameter: 'max_tokens'")
    server.script(refuses, Reply(json.dumps({"terms": [TERM]})))
    author(server, max_tokens=500).propose(AuthorBrief(target=GO1, lap=1), 1, 0)
    assert server.requests[0]["max_tokens"] == 500 and "max_tokens" not in server.requests[1]
