"""Whether a remembered policy is built on: only where it was tried on the new motion and holds."""

from pathlib import Path

import pytest
from fake_tools import TARGET, FakeAuthor, FakeTools, critique, request
from test_decide import attempt
from video2reward.agent.session import start
from video2reward.agent.transfer import outcome, refusal, tried
from video2reward.memory.errors import BadInput
from video2reward.memory.recall import Memory
from video2reward.memory.records import Recollection


def hit(folder: Path, name: str = "old/L1-C1", *, near: bool = True, passed: bool = True) -> Recollection:
    folder.mkdir(exist_ok=True)
    (folder / "policy.pt").write_bytes(b"weights")
    return Recollection(
        attempt=name, robot="go1", gait="trot", distance=0.2, near=near, passed=passed, gsi=0.8, folder=folder,
        sentence="same gait (trot), same cadence, reward reached 0.80.",
    )  # fmt: skip


def changed(*, survival: float = 1.0, E_phi: float = 0.02, fails: str = ""):
    """Return a trial's verdict with one thing wrong."""
    whole = critique("old", 0.7, passed=True)
    return whole.model_copy(
        update={
            "robot": whole.robot.model_copy(update={"survival": survival}),
            "similarity": whole.similarity.model_copy(update={"E_phi": E_phi}),
            "gates": tuple(gate.model_copy(update={"passed": gate.name != fails}) for gate in whole.gates),
        }
    )


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        (changed(), ""),
        (changed(survival=0.6), "only 60% stay on their feet"),
        (changed(fails="strict_steps"), "strict_steps was looked at"),
        (changed(fails="speed"), "speed was looked at"),
        (changed(E_phi=0.3), "its feet come in another order (off by 0.30 of a stride)"),
        # Posture is what training mends.
        (changed(fails="posture"), ""),
    ],
    ids=["holds", "falls", "does not step", "too slow", "another order", "low"],
)
def test_a_policy_is_a_start_where_it_stays_up_steps_and_goes(verdict, said):
    assert refusal(verdict) == said


def test_only_near_hits_that_passed_are_tried_and_the_first_that_holds_is_enough(tmp_path):
    told = []
    hits = [
        hit(tmp_path / "far", "far/L1-C1", near=False),
        hit(tmp_path / "failed", "failed/L1-C1", passed=False),
        hit(tmp_path / "a", "a/L1-C1"),
        hit(tmp_path / "b", "b/L1-C1"),
    ]
    found = tried(hits, TARGET, FakeTools(), lambda kind, **fields: told.append(fields["attempt"]))
    assert told == ["a/L1-C1"] and [h.near for h in found] == [False, True, True, True]
    assert found[2].sentence.endswith("its policy was tried on the new motion and holds.")


def test_a_policy_that_cannot_be_tried_is_no_start(tmp_path):
    class Damaged(FakeTools):
        def try_policy(self, folder, target):
            raise BadInput("policy.pt is not a readable policy.")

    (found,) = tried([hit(tmp_path / "a")], TARGET, Damaged(), lambda kind, **fields: None)
    assert not found.near and "is no start: policy.pt is not a readable policy." in found.sentence


def test_a_run_whose_remembered_policy_fails_its_trial_starts_fresh(tmp_path):
    memory = Memory(tmp_path / "memory")
    start(request(tmp_path / "first"), tools=FakeTools(), author=FakeAuthor(), memory=memory)
    second = tmp_path / "second"
    start(request(second), tools=FakeTools(helps=False), author=FakeAuthor(), memory=memory)
    first_decision = (second / "decisions.jsonl").read_text().splitlines()[0]
    assert '"explore"' in first_decision and "its policy is no start" in first_decision


def test_the_outcome_of_a_transfer_is_measured_beside_what_began_fresh():
    recalled = attempt(1, 0.5, passed=False).model_copy(update={"recalled_from": "old/L1-C1"})
    fresh = attempt(1, 0.7, candidate=2)
    assert outcome([fresh]) is None and outcome([recalled]) is None
    assert outcome([recalled, fresh])["harmful"] is True
    assert outcome([attempt(1, 0.8).model_copy(update={"recalled_from": "old/L1-C1"}), fresh])["harmful"] is False
