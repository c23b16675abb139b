"""The figures of the memory on a small one, and what counts as paying or as harm."""

import re

import pytest
from video2reward.evals.memory import Pair, recall


def test_a_small_index_answers_as_exact_search_does(capsys):
    recall(400)
    said = capsys.readouterr().out
    assert "400 attempts indexed" in said and re.search(r"recall@10 1\.0000 \(least 1\.0\)", said)


@pytest.mark.parametrize(
    ("without", "with_memory", "accepted", "share", "harmful"),
    [
        (200, 80, True, 0.4, False),
        (200, 300, True, 1.5, True),
        (200, None, True, None, True),
        (200, None, False, None, False),
        (None, 80, True, None, False),
    ],
    ids=["pays", "slower", "no longer passes", "refused", "only with it"],
)
def test_harm_is_an_accepted_hit_that_made_it_worse(without, with_memory, accepted, share, harmful):
    pair = Pair("trot", 0, without, with_memory, accepted)
    assert pair.share == share and pair.harmful is harmful
