"""The lock on its own, and who never comes near a reward's code."""

import subprocess
import sys

import pytest
from video2reward.sim.lockdown import SECCOMP_VARIABLE


def run(code: str, **env: str) -> subprocess.CompletedProcess:
    import os

    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env={**os.environ, **env}
    )


def test_the_judges_process_can_run_no_reward():
    code = (
        "import sys, video2reward.sim.rollout\n"
        "print([m for m in sys.modules if m.startswith('video2reward')"
        " and m.rpartition('.')[2] in ('guard', 'guard_names', 'trial', 'train', 'write_reward')"
        " or '.sim.dry' in m])"
    )
    assert run(code).stdout.strip() == "[]"


def test_limits_hold_and_cannot_be_raised_again():
    code = (
        "import resource\nfrom video2reward.sim.lockdown import Limits, lock_down\n"
        "lock_down(Limits(cpu_s=7, open_files=64))\n"
        "print(resource.getrlimit(resource.RLIMIT_CPU), resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    assert run(code).stdout.strip() == "(7, 7) (64, 64)"


def test_a_filter_that_was_promised_and_cannot_be_loaded_ends_the_process():
    hide = "import sys; sys.modules['pyseccomp'] = None\n"
    lock = "from video2reward.sim.lockdown import Limits, lock_down\nlock_down(Limits(cpu_s=9))\nprint('went on')"
    promised = run(hide + lock, **{SECCOMP_VARIABLE: "1"})
    assert promised.returncode != 0 and "cannot be loaded" in promised.stderr and "went on" not in promised.stdout
    assert "went on" in run(hide + lock, **{SECCOMP_VARIABLE: ""}).stdout


@pytest.mark.skipif(sys.platform != "linux", reason="seccomp is Linux's")
def test_a_lock_is_not_taken_off_by_loading_another():
    code = (
        "import os\nfrom video2reward.sim.lockdown import filter_system_calls\n"
        "filter_system_calls()\n"
        "import pyseccomp\npyseccomp.SyscallFilter(pyseccomp.ALLOW).load()\n"
        "try:\n    os.fork()\nexcept PermissionError:\n    print('still locked')"
    )
    done = run(code)
    if "No module" in done.stderr or "Unable to find libseccomp" in done.stderr:
        pytest.skip(f"SECCOMP IS NOT TESTED HERE: {done.stderr.splitlines()[-1]}")
    assert done.stdout.strip() == "still locked"
