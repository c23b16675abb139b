"""The warm process of the trials: it answers, it survives what a reward does to it, and it learns nothing from one."""

import os
import signal

from video2reward.tools import trials
from video2reward.tools.trials import try_confined

from .test_write_reward import TARGET, compose, draft, term

GOOD = compose(draft(), TARGET)
UNDEFINED = compose(draft(term(body="return torch.log(s.feet_contact).sum(-1)")), TARGET)


def test_a_reward_is_tried_and_the_next_one_finds_the_process_warm():
    assert try_confined(GOOD, TARGET).problem == ""
    first = trials._running
    report = try_confined(UNDEFINED, TARGET)
    assert "footfalls is infinite" in report.problem
    assert trials._running is first


def test_a_process_that_was_killed_is_started_anew():
    try_confined(GOOD, TARGET)
    os.killpg(trials._running._process.pid, signal.SIGKILL)
    trials._running._process.wait()
    assert try_confined(GOOD, TARGET).problem == ""


def test_what_the_guard_would_refuse_is_refused_there_too():
    bad = compose(draft(term(body="return torch.load('x')")), TARGET)
    assert "torch.load" in try_confined(bad, TARGET).problem
