"""A gait that is named by the user: strides stay measured, footfalls are the template's, and it is said."""

from __future__ import annotations

import pytest
from video2reward.agent import cli
from video2reward.memory.errors import BadInput
from video2reward.memory.records import GaitDescriptor, QualityReport
from video2reward.tools.told_gait import gait_names, quality_when_told, with_told_gait

MEASURED = GaitDescriptor(
    subject="quadruped", gait="unknown", stride_frequency_hz=3.3, duty_factor={"FL": 0.8, "FR": 0.2, "RL": 0.4},
    phase_offsets={"FL": 0.0, "FR": 0.9, "RL": 0.1}, speed_leg_lengths_s=4.0, froude=0.8, leg_length_m_assumed=0.5,
    leg_length_px=80.0, stride_frequency_dimensionless=0.74, num_strides=9.0,
    confidence={"speed": 0.9, "stride_frequency": 0.7, "phase_offsets": 0.1},
)  # fmt: skip


def test_strides_and_speed_are_kept_and_the_footfalls_are_the_templates():
    told = with_told_gait(MEASURED, "trot")
    assert told.stride_frequency_hz == 3.3 and told.speed_leg_lengths_s == 4.0
    assert told.phase_offsets == {"FL": 0.0, "FR": 0.5, "RL": 0.5, "RR": 0.0}
    assert set(told.duty_factor) == {"FL", "FR", "RL", "RR"} and told.gait == "trot"
    assert told.confidence["phase_offsets"] == 0.0 and told.confidence["stride_frequency"] == 0.7
    assert any("as was said" in note for note in told.notes)


@pytest.mark.parametrize("change", [{"confidence": {"speed": 0.2}}, {"speed_leg_lengths_s": -3.0}],
                         ids=["unsure", "backwards"])  # fmt: skip
def test_a_speed_that_was_not_measured_is_the_gaits_usual_one_and_said_to_be(change):
    told = with_told_gait(MEASURED.model_copy(update=change), "trot")
    # Froude 0.7 at a leg of 0.5 m: sqrt(0.7 · 9.81 / 0.5) = 3.71 leg lengths a second.
    assert told.speed_leg_lengths_s == pytest.approx(3.71, abs=0.01) and told.froude == pytest.approx(0.7)
    assert any("could not be measured" in note for note in told.notes)


def test_it_is_never_more_than_a_warning_and_without_strides_nothing_changes():
    refused = QualityReport(verdict="refuse", reasons=("near and far legs look alike.",))
    told = quality_when_told(refused, with_told_gait(MEASURED, "trot"))
    assert told.verdict == "warn" and told.reasons[0].startswith("it was said") and told.reasons[1:] == refused.reasons
    few = MEASURED.model_copy(update={"num_strides": 1.0})
    assert quality_when_told(refused, few) == refused


def test_a_dog_does_not_hop_and_a_person_does_not_canter():
    with pytest.raises(BadInput, match="does not hop"):
        with_told_gait(MEASURED, "hop")
    person = MEASURED.model_copy(update={"subject": "person"})
    with pytest.raises(BadInput, match="--gait may be walk, run, hop"):
        with_told_gait(person, "canter")
    assert with_told_gait(person, "hop").phase_offsets == {"L": 0.0, "R": 0.0}


def test_every_name_can_be_given_on_the_command_line():
    import tyro

    for name in gait_names():
        assert tyro.cli(cli.Command, args=["describe", "clip.mp4", "--gait", name]).gait == name
