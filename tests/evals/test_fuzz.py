"""A short slice of the fuzzing: every parser refuses in words, and the fuzzing itself sees what it is there to see."""

import random
import time

import pytest
from video2reward.evals import fuzz as fuzzing
from video2reward.evals.fuzz import fuzz
from video2reward.evals.fuzz_parsers import PARSERS, Parser
from video2reward.evals.mutations import mutate
from video2reward.memory.errors import BadInput

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)
def test_a_parser_refuses_in_words_what_is_nearly_right(tmp_path, parser):
    result = fuzz(parser, tmp_path, inputs=150, seconds=1.5, seed=1)
    assert result.findings == {} and result.inputs >= 5


def made_to(act):
    return Parser("made", ".txt", lambda folder: [b"a good seed"], lambda: lambda path: act(path.read_bytes()))


def test_exceptions_that_come_through_and_hangs_are_findings(tmp_path, monkeypatch):
    monkeypatch.setattr(fuzzing, "HANG_S", 0.1)

    def act(data: bytes) -> None:
        if data == b"a good seed":
            return
        if len(data) % 3 == 0:
            raise KeyError("through")
        if len(data) % 3 == 1:
            try:
                time.sleep(5)
            except Exception:
                return
        raise BadInput("no.")

    result = fuzz(made_to(act), tmp_path, inputs=40, seconds=3.0, seed=0, keep=tmp_path / "kept")
    assert any("KeyError" in what for what in result.findings) and any(
        "on one input" in what for what in result.findings
    )
    assert result.refused > 0 and len(list((tmp_path / "kept").iterdir())) == 2


def test_the_same_seed_gives_the_same_inputs_and_another_gives_others():
    def inputs(seed):
        draw = random.Random(seed)
        return [mutate([b'{"a": 1.5}', b"frame,x\n1,2\n"], draw) for _ in range(200)]

    assert inputs(1) == inputs(1) != inputs(2)
    assert len(set(inputs(1))) > 150
