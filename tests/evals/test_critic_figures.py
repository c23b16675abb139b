"""The count of false passes: every label is there, and a judge that is fooled is found out."""

from video2reward.evals import critic
from video2reward.evals.labelled import bad_motions
from video2reward.memory.records import Critique


def test_nothing_bad_passes_and_nothing_good_fails(capsys):
    assert critic.main(["--seeds", "1"]) == 0
    said = capsys.readouterr().out
    assert f"false passes: 0 of {2 * len(bad_motions('go1'))} bad rollouts" in said
    assert "false fails:  0 of 14 good rollouts" in said


def test_a_judge_that_is_fooled_is_counted(monkeypatch, capsys):
    honest = critic.judge_rollout

    def fooled(path, target) -> Critique:
        return honest(path, target).model_copy(update={"passed": True})

    monkeypatch.setattr(critic, "ROBOTS", ("go1",))
    monkeypatch.setattr(critic, "judge_rollout", fooled)
    assert critic.main(["--seeds", "1"]) == 1
    assert f"false passes: {len(bad_motions('go1'))} of" in capsys.readouterr().out
