"""Exports the policy of a run, in a process of its own: torch and MuJoCo stay out of the command line's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from video2reward.memory.errors import BadInput
from video2reward.tools.confine import clean_environment
from video2reward.tools.render_and_critique import policy_folder

EXPORT_MODULE = "video2reward.sim.export"
_TIMEOUT_S = 300.0


def export_run(run_or_attempt: Path, out: Path | None = None) -> Path:
    """Fill `out` (by default `export/` beside the policy) and return it. Raises BadInput where there is no policy."""
    folder = policy_folder(run_or_attempt)
    target = folder / "target.json"
    if not target.is_file():
        raise BadInput(f"{folder} has no target.json: what the policy was trained for is not known.")
    out = (out or folder / "export").absolute()
    command = [sys.executable, "-P", "-m", EXPORT_MODULE, str((folder / "policy.pt").resolve()), str(target.resolve())]
    done = subprocess.run(
        [*command, str(out)], cwd=folder, env=clean_environment(folder), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, errors="replace", timeout=_TIMEOUT_S,
    )  # fmt: skip
    if done.returncode:
        words = done.stderr.strip().splitlines()
        raise BadInput(f"the policy could not be exported: {words[-1] if words else 'no word'}")
    return out
