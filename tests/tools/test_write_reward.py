"""From a draft to a guarded reward file; whatever a draft does wrong is a recorded reason."""

import ast

import pytest
from video2reward.memory.errors import BadReward
from video2reward.memory.records import MotionTarget, RewardDraft, RewardProgram, RewardTerm
from video2reward.sim.config import GO1
from video2reward.sim.contract import motion_of
from video2reward.sim.guard import load_guarded
from video2reward.tools.write_reward import adopt_reward, compose, write_reward

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


def term(name: str = "footfalls", body: str = MATCH, **fields) -> RewardTerm:
    return RewardTerm(
        **{"name": name, "weight": 2.0, "serves": "phase_offsets", "doc": "Feet land in order.", "body": body, **fields}
    )


def draft(*terms: RewardTerm) -> RewardDraft:
    return RewardDraft(terms=terms or (term(),), rationale="The dog trots.", author="test")


def test_a_draft_becomes_a_file_that_the_contract_reads(tmp_path):
    program = write_reward(
        draft(term(), term("smooth", "return action_rate(s)", weight=-0.01)), TARGET, tmp_path, attempt="L1-C1"
    )
    assert (program.status, program.reason) == ("ok", "")
    assert [(item.name, item.weight) for item in load_guarded(tmp_path / "reward.py")] == [
        ("footfalls", 2.0),
        ("smooth", -0.01),
    ]
    target = motion_of(tmp_path / "reward.py", GO1)
    assert target is not None and target.phase_offsets == TARGET.phase_offsets


def test_a_second_entry_finds_the_first_program(tmp_path):
    first = write_reward(draft(), TARGET, tmp_path, attempt="L1-C1")
    again = write_reward(draft(term("other")), TARGET, tmp_path, attempt="L1-C1")
    assert again == first


def test_a_term_named_like_the_function_it_calls_gets_a_name_of_its_own():
    source = compose(draft(term(), term("action_rate", "return action_rate(s)")), TARGET)
    assert "def action_rate_term(" in source


@pytest.mark.parametrize(
    "text", ['"""\nimport os\n"""', 'ends with a quote"', "a back\\slash\\", "a\n\nb " * 100, "", "ünïcode — …"]
)
def test_no_text_of_the_author_escapes_its_quotes(text):
    foreign = RewardDraft(terms=(term(doc=text, serves=text),), rationale=text, author=text)
    tree = ast.parse(compose(foreign, TARGET))
    assert not any(isinstance(node, ast.Import) and node.names[0].name == "os" for node in tree.body)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (term(body="return (s.base_height_m"), "not Python at line 1"),
        (term(body="x = 1"), "returns nothing"),
        (term("class", MATCH), "not a name"),
        (term(body="return s.base_height_m\n\nimport os"), "import"),
        (term(body="return open('/etc/passwd')"), "open"),
        (term(body="return s.base_height_m[0]"), "never over environments"),
        (term(body="return s.feet_contact"), "not a tensor of shape"),
        (term(body="return s.base_height_m / 0.0"), "infinite"),
        (term(body="return torch.ones_like(s.base_height_m) - forward_progress(s)"), "standing still"),
    ],
)
def test_what_a_draft_does_wrong_is_a_reason(tmp_path, bad, said):
    program = write_reward(draft(bad), TARGET, tmp_path, attempt="L1-C1")
    assert program.status == "rejected" and said in program.reason
    assert (tmp_path / "reward.py").exists()


def test_two_terms_of_one_name_are_refused():
    with pytest.raises(BadReward, match="two terms"):
        compose(draft(term(), term()), TARGET)


def test_a_reward_written_by_hand_is_taken_in(tmp_path):
    (tmp_path / "mine.py").write_text(compose(draft(), TARGET))
    program = adopt_reward(tmp_path / "mine.py", TARGET, tmp_path / "run", attempt="train")
    assert isinstance(program, RewardProgram) and program.status == "ok" and program.terms == {"footfalls": 2.0}


@pytest.mark.parametrize(
    ("text", "said"), [("def f(:\n", "line 1"), ("x = 1\n", "holds no term"), (None, "is not there")]
)
def test_a_file_that_is_no_reward_is_refused_in_one_sentence(tmp_path, text, said):
    if text is not None:
        (tmp_path / "mine.py").write_text(text)
    with pytest.raises(BadReward, match=said):
        adopt_reward(tmp_path / "mine.py", TARGET, tmp_path / "run", attempt="train")
    assert not (tmp_path / "run").exists()
