"""`video2reward memory`: what is remembered, the index made anew, and the memory as a file to share."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rich.console import Console
from video2reward.memory.errors import BadInput

if TYPE_CHECKING:
    from video2reward.agent import cli

_ACTIONS = ("stats", "rebuild", "export", "import")


def memory(command: cli.Memory) -> int:
    """Do one of the four."""
    from video2reward.agent.embeddings import open_memory
    from video2reward.memory.archive import export_memory, import_memory

    if command.action not in _ACTIONS:
        raise BadInput(f"there is no memory {command.action!r}.", f"Use one of: {', '.join(_ACTIONS)}.")
    if command.action in ("export", "import") and command.file is None:
        raise BadInput(f"memory {command.action} needs a file.", "Name a .zip file.")
    kept = open_memory()
    if command.action == "stats":
        counts = kept.counts()
        where = kept.url or str(kept.home)
        whole = {"memory": where, "runs": len(kept.known_runs()), "entries": counts, "space": kept.space.name}
        if command.json:
            print(json.dumps(whole, indent=2))
        else:
            print(f"{where}: {whole['runs']} runs")
            for name, count in counts.items():
                print(f"{count:9,}  {name}")
    elif command.action == "rebuild":
        print(f"{kept.rebuild():,} attempts of {len(kept.known_runs())} runs are in the index again.")
    elif command.action == "export":
        print(f"{export_memory(kept, command.file):,} judged attempts are in {command.file}.")
    else:
        print(f"{import_memory(kept, command.file):,} attempts of {command.file} are remembered.")
    for trouble in kept.trouble:
        Console(stderr=True).print(trouble, markup=False)
    return 0
