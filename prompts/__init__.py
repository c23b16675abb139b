"""Prompts, kept as markdown files beside this one. No prompt text lives in code."""

from importlib.resources import files


def load(name: str) -> str:
    """Return the text of the prompt `name` (no suffix); an unknown name is answered with the names there are."""
    here = files(__package__)
    prompt = here / f"{name}.md"
    if not prompt.is_file():
        known = sorted(entry.name[:-3] for entry in here.iterdir() if entry.name.endswith(".md"))
        raise FileNotFoundError(f"there is no prompt {name!r}; the prompts are {', '.join(known) or '(none)'}")
    return prompt.read_text(encoding="utf-8")
