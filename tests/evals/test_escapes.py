"""The escape suite in small: every payload is stopped, no honest reward is, and the canaries sing."""

import socket

import pytest
from video2reward.evals.escapes.__main__ import main, target_of
from video2reward.evals.escapes.catalogue import Entry, honest, payloads
from video2reward.evals.escapes.layers import by_guard, by_system, canaries
from video2reward.evals.fuzz_rewards import mutated, read_by_all
from video2reward.sim.guard import check_source
from video2reward.sim.trial import try_text
from video2reward.tools.confine import available_layers


def named(entry: Entry) -> str:
    return entry.name


@pytest.mark.parametrize("payload", payloads(), ids=named)
def test_the_guard_stops_a_payload_and_says_what_to_write_instead(payload):
    problem = by_guard(payload)
    assert problem is not None
    assert problem.line >= 1 and problem.construct and problem.message


def test_there_are_as_many_as_were_asked_for_and_no_two_are_one():
    assert len(payloads()) >= 100 and len(honest()) >= 60
    for entries in (payloads(), honest()):
        assert len({entry.name for entry in entries}) == len({entry.source for entry in entries}) == len(entries)


@pytest.mark.parametrize("reward", honest(), ids=named)
def test_an_honest_reward_passes_the_guard_and_the_trial(reward):
    assert check_source(reward.source) == []
    assert try_text(reward.source, target_of(reward)).problem == ""


def test_canaries_notice_a_file_a_call_and_a_secret():
    with canaries() as birds:
        assert birds.got_out("nothing") == []
        (birds.outside / "x").touch()
        with socket.create_connection(("127.0.0.1", birds.port)):
            pass
        (birds.inside / "loot.txt").write_text(birds.secret)
        said = " ".join(birds.got_out(f"here: {birds.secret}"))
    assert "wrote x outside" in said and "reached the network" in said and "read a secret" in said


@pytest.mark.slow
def test_with_the_guard_off_the_system_lets_nothing_out():
    if not available_layers().complete:
        pytest.skip("the operating system's layer is not whole here")
    wanted = ("open write", "open secret", "environment", "socket connect", "subprocess", "daemon", "state store")
    chosen = [payload for payload in payloads() if payload.name in wanted]
    with canaries() as birds:
        ended = by_system(chosen, birds, seconds=4.0)
    assert len(ended) == len(wanted) and not any(leaks for _, leaks in ended.values())
    # Within its own process a reward can do what it likes: this one ran.
    assert "Tensor" in ended["state store"][0]


@pytest.mark.slow
def test_the_suite_prints_its_figures(capsys, tmp_path):
    assert main(["--only", "memory on a function", "--json", str(tmp_path / "figures.json")]) == 0
    said = capsys.readouterr().out
    assert "payloads 1; stopped by the guard alone 1 (100.0%)" in said and "refused 0" in said
    assert '"reached": true' in (tmp_path / "figures.json").read_text()


def test_damaged_rewards_are_read_or_refused(tmp_path):
    corpus = [entry.source[:8_000] for entry in (*honest(), *payloads())]
    passed = [read_by_all(mutated(corpus, 7, index), tmp_path / "reward.py") for index in range(400)]
    # Most damage is noticed; a comment that is cut is none.
    assert 0 < sum(passed) < 100


def test_an_input_of_the_fuzzer_can_be_had_again():
    corpus = [entry.source for entry in honest()]
    assert mutated(corpus, 3, 17) == mutated(corpus, 3, 17) != mutated(corpus, 3, 18)
