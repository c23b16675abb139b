"""The manners in which models answer: each that a person would accept comes to the reward that was meant."""

import ast
import json
import re
import textwrap

import pytest
from video2reward.agent.answers import BadAnswer, draft_from, read_answer
from video2reward.agent.llm import problem_with
from video2reward.agent.objects import json_objects
from video2reward.evals.try_model import motions
from video2reward.memory.records import RewardDraft

TROT = motions()[0]
MATCH = 'footfall_match(s, offsets=MOTION["phase_offsets"], duty=(0.53, 0.53, 0.52, 0.52))'
TERMS = [
    {"name": "feet_on_time", "weight": 2.0, "serves": "phase_offsets", "doc": "On time.", "body": f"return {MATCH}"},
    {"name": "paced_speed", "weight": 1.0, "serves": "speed_m_s", "doc": "Go.",
     "body": f"match = {MATCH}\nreturn (speed_tracking(s) + forward_progress(s).clamp(min=0.0)) * match.square()"},
    {"name": "lean", "weight": -5.0, "serves": "need: balance", "doc": "Level.", "body": "return trunk_tilt(s)"},
]  # fmt: skip
WHOLE = {"rationale": "Feet first.", "edits": [], "start_from_parent_policy": False, "terms": TERMS}
PLAIN, WIDE = json.dumps(WHOLE), json.dumps(WHOLE, indent=2)


def with_bodies(change) -> str:
    return json.dumps({**WHOLE, "terms": [{**term, "body": change(term)} for term in TERMS]})


def function(term, argument="s") -> str:
    body = textwrap.indent(re.sub(r"\bs\b", argument, term["body"]), "    ")
    return f"def {term['name']}({argument}: RewardState) -> Tensor:\n{body}"


def file_of(argument="s", *, decorated=True) -> str:
    parts = ["import torch\nfrom video2reward.sim.terms import *"]
    for term in TERMS:
        mark = f'@term(weight={term["weight"]}, serves="{term["serves"]}")\n' if decorated else ""
        parts.append(mark + function(term, argument))
    return "\n\n".join(parts)


STYLES = {
    "JSON alone": PLAIN,
    "in a fence": f"```json\n{WIDE}\n```",
    "behind thoughts": f'<think>\n{{FL, RR}} first, not {{"terms": []}}.\n</think>\n{PLAIN}',
    "behind thoughts that were never begun": f"So, a trot.</think>\n\n{PLAIN}",
    "in prose with braces": f"Here {{it}} is:\n\n{WIDE}\n\nPairs are {{FL, RR}} and {{FR, RL}}. It's done!",
    "in Chinese prose": f"好的，下面是奖励函数：\n```json\n{WIDE}\n```\n希望对你有帮助！",
    "with comments and commas": WIDE.replace('2.0,', "2.0,  // don't change").replace("\n  ]\n}", "\n  ],  # all\n}"),
    "with curly quotes": WIDE.replace('"rationale"', "“rationale”").replace('"edits"', "“edits”"),
    "as a Python dictionary": repr(WHOLE),
    "with line breaks in strings": PLAIN.replace("\\n", "\n"),
    "with weights as text": json.dumps(
        {**WHOLE, "terms": [{**term, "weight": f"{term['weight']} (try it)"} for term in TERMS]}
    ),
    "with a cost that was given a weight above 0": PLAIN.replace("-5.0", "5.0"),
    "as a call of a tool": json.dumps({"name": "reward", "arguments": PLAIN}),
    "as a call between tags": f"<tool_call>\n{json.dumps({'name': 'reward', 'arguments': WHOLE})}\n</tool_call>",
    "on a channel": f"<|channel|>analysis<|message|>A trot.<|end|><|channel|>final<|message|>{PLAIN}",
    "after a draft": 'First: {"terms": [{"name": "a", "weight": 1, "body": "return s.step_s"}]}\nBetter: ' + PLAIN,
    "as a list": f"terms = {json.dumps(TERMS)}",
    "with terms by name": json.dumps({"reward": {"terms": {t["name"]: t for t in TERMS}}}),
    "with weights apart": json.dumps(
        {"terms": [{"name": t["name"], "code": t["body"]} for t in TERMS],
         "weights": {t["name"]: t["weight"] for t in TERMS}}
    ),
    "with a def in each body": with_bodies(lambda term: function(term, "state")),
    "with fences and imports in bodies": with_bodies(lambda term: f"```python\nimport torch\n{term['body']}\n```"),
    "with bodies escaped twice": with_bodies(lambda term: term["body"].replace("\n", "\\n")),
    "with lambdas": with_bodies(lambda t: t["body"] if "\n" in t["body"] else f"lambda x: {t['body'][7:]}".replace(
        "(s", "(x")),
    "with no return": with_bodies(lambda t: t["body"] if "\n" in t["body"] else t["body"].removeprefix("return ")),
    "as a file": f"```python\n{file_of()}\n```",
    "as a file about a state": f"Sure!\n```python\n{file_of('state')}\n```\nGood luck.",
    "as a file with weights in a dictionary": "```python\n" + file_of(decorated=False) + "\nW = " + repr(
        {term["name"]: term["weight"] for term in TERMS}) + "\n```",
    "under headings": "\n\n".join(
        f"### {t['name']} (weight: {t['weight']})\nIt helps.\n```python\n{t['body']}\n```" for t in TERMS),
}  # fmt: skip


def draft_of(text: str) -> RewardDraft:
    return draft_from(read_answer(text), author="a", parent=None, edits_of_parent=False)


def means(draft: RewardDraft) -> list[tuple[str, float, str]]:
    """Return what a draft comes to, however its code is laid out."""
    return [(term.name, term.weight, ast.unparse(ast.parse(f"def f(s):\n{textwrap.indent(term.body, ' ')}"))) for term
            in draft.terms]  # fmt: skip


@pytest.mark.parametrize("style", STYLES)
def test_an_answer_means_the_same_in_whatever_manner_it_comes(style):
    assert means(draft_of(STYLES[style])) == means(draft_of(PLAIN))


def test_the_reward_that_they_all_mean_could_be_trained_with():
    assert problem_with(draft_of(PLAIN), TROT) == ""


ONE_FUNCTION = f"""```python
def compute_reward(state, motion):
    match = {MATCH.replace("(s,", "(state,").replace("MOTION", "motion")}
    unused = state.base_height_m
    feet = 2.0 * match
    speed = (speed_tracking(state) + forward_progress(state).clamp(min=0.0)) * match.square()
    lean = -5.0 * trunk_tilt(state)
    total = feet + speed + lean
    return total{{}}
```"""


def test_one_function_with_named_parts_is_taken_apart():
    parts = ', {"feet": feet, "speed": speed, "lean": lean}'
    draft = draft_of(ONE_FUNCTION.replace("{}", parts))
    assert [(term.name, term.weight) for term in draft.terms] == [("feet", 1.0), ("speed", 1.0), ("lean", 1.0)]
    assert draft.terms[2].body == "lean = -5.0 * trunk_tilt(s)\nreturn lean"
    assert "unused" not in "".join(term.body for term in draft.terms)
    assert "MOTION['phase_offsets']" in draft.terms[1].body
    assert problem_with(draft, TROT) == ""


@pytest.mark.parametrize("more", ["", ', {"feet": feet}'], ids=["alone", "with parts that are not all of it"])
def test_one_function_for_all_is_one_term(more):
    draft = draft_of(ONE_FUNCTION.replace("{}", more))
    assert [(term.name, term.weight) for term in draft.terms] == [("whole_reward", 1.0)]
    assert draft.terms[0].body.endswith("return total") and problem_with(draft, TROT) == ""


@pytest.mark.parametrize(
    ("body", "becomes"),
    [
        ("import torch\nreturn torch.exp(-trunk_tilt(s))", "return torch.exp(-trunk_tilt(s))"),
        ("def f(x):\n    return x * x\nreturn f(s.base_height_m)", "f = lambda x: x * x\nreturn f(s.base_height_m)"),
        ("assert s.step_s > 0\nreturn s.base_height_m", "return s.base_height_m"),
        ("with torch.no_grad():\n    x = s.base_height_m\nreturn x", "x = s.base_height_m\nreturn x"),
        ("return F.relu(s.base_height_m)", "return torch.nn.functional.relu(s.base_height_m)"),
        ("# why\nreturn s.base_height_m", "# why\nreturn s.base_height_m"),
    ],
    ids=["import", "helper", "assert", "no_grad", "F", "a comment is kept"],
)
def test_what_a_body_does_not_need_is_left_out(body, becomes):
    text = json.dumps({"terms": [{"name": "a", "weight": 1.0, "body": body}]})
    assert draft_of(text).terms[0].body == becomes


def test_names_that_a_term_cannot_have_are_made_ones_that_it_can():
    names = ["upright", "my term", "my term", "2nd", "for", "längs", ""]
    terms = [{"name": name, "weight": 1.0, "body": "return s.base_height_m"} for name in names]
    found = [term.name for term in draft_of(json.dumps({"terms": terms})).terms]
    assert found == ["upright_term", "my_term", "my_term_2", "term_2nd", "term_for", "l_ngs", "term"]


def test_a_weight_whose_sign_was_turned_is_said():
    answer = read_answer(PLAIN.replace("-5.0", "5.0"))
    draft = draft_from(answer, author="a", parent="L1-C1", edits_of_parent=True)
    assert draft.edits == ("lean is a cost: its weight 5 was taken as -5",)


@pytest.mark.parametrize(
    "text",
    [
        "{" * 5000,
        "[" * 100_000,
        "{'a': " + "-" * 20_000 + "1}",
        "{'a': " + "(" * 3000 + ")" * 3000 + "}",
        "{'a': f'{1}'}",
    ],
    ids=["braces", "brackets", "signs", "brackets in braces", "formatted text"],
)
def test_what_nests_without_end_is_no_answer_and_ends_nothing(text):
    assert json_objects(text) == []
    with pytest.raises(BadAnswer):
        read_answer(text)
