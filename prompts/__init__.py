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


def section(name: str, heading: str) -> str:
    """Return what stands under `## heading` in the prompt `name`."""
    for part in load(name).split("\n## ")[1:]:
        title, _, text = part.partition("\n")
        if title.strip() == heading:
            return text.strip()
    raise KeyError(f"the prompt {name!r} has no section {heading!r}")


def fill(text: str, **values: str) -> str:
    """Put values into the places `{{ name }}` of a prompt. What a value itself holds is left as it is."""
    parts = text.split("{{ ")
    filled = [parts[0]]
    for part in parts[1:]:
        name, _, rest = part.partition(" }}")
        filled.append(values[name] + rest)
    return "".join(filled)
