"""Where the language models are, and what is known about them: from the environment and `video2reward.toml`.

    base_url = "http://127.0.0.1:8080/v1"     # any server that speaks the OpenAI chat protocol
    api_key_env = "MY_KEY"                    # the variable that holds the key (or api_key = "...")

    [author]                                  # author, critic and chat may each differ
    vision = true                             # true, false, or "auto": try once, and believe a server that refuses
    prompt = "short"                          # "full", "short", "menu", or "auto": by the model's context window

The file is looked for in the working directory, then in the user's config folder. For each setting the first of these
counts: V2R_AUTHOR_BASE_URL (or V2R_CRITIC_…, V2R_CHAT_…), the file's table, V2R_BASE_URL or OPENAI_BASE_URL, the file's
head. Keys are never shown.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError
from video2reward.memory.errors import BadInput
from video2reward.memory.records import Record

Role = Literal["author", "critic", "chat"]
PromptMode = Literal["auto", "full", "short", "menu"]
FILE_NAME = "video2reward.toml"
_OPENAI_NAMES = {"base_url": "OPENAI_BASE_URL", "api_key": "OPENAI_API_KEY"}


class Settings(Record):
    """One model's settings. The key prints as stars."""

    base_url: str | None = None
    api_key: SecretStr | None = None
    timeout_s: float = Field(180.0, gt=0, description="for one answer")
    max_retries: int = Field(3, ge=0, description="of requests that a server was too busy or too broken for")
    vision: bool | Literal["auto"] = "auto"
    prompt: PromptMode = "auto"
    context_tokens: int | None = Field(None, gt=0, description="the context window; the server is asked without it")
    max_tokens: int | None = Field(None, gt=0, description="of one answer; unset, the server's own limit counts")
    ask_above_minutes: float = Field(15.0, ge=0, description="the chat asks before it starts a run longer than this")
    ask_above_usd: float = Field(1.0, ge=0, description="and before one whose models may cost more than this")
    decides: bool = Field(False, description="ask the author after each lap what it wishes to do next")
    fit_weights: bool = Field(True, description="let every second refined candidate be weights fitted by rule")

    @property
    def where(self) -> str:
        return self.base_url or "api.openai.com"

    @property
    def usable(self) -> bool:
        """Whether there is anything to talk to: a local server needs no key, the hosted one does."""
        return bool(self.base_url or self.api_key)


def model_settings(role: Role) -> Settings:
    """Return a role's settings. Raises BadInput that names the setting which cannot be used, and where it stands."""
    path = settings_file()
    head = _read(path) if path else {}
    table = head.get(role, {})
    if not isinstance(table, dict):
        raise BadInput(f"{role} in {path} is no table.", f"Write [{role}] on a line of its own.")
    chosen: dict[str, Any] = {}
    for name in Settings.model_fields:
        found = (
            _environment(f"V2R_{role.upper()}_{name.upper()}"),
            table.get(name) if name != "api_key" else _key(table, path),
            _environment(f"V2R_{name.upper()}"),
            _environment(_OPENAI_NAMES.get(name, "")),
            head.get(name) if name != "api_key" else _key(head, path),
        )
        value = next((value for value in found if value is not None), None)
        if value is not None:
            chosen[name] = value
    unknown = set(table) - set(Settings.model_fields) - {"api_key_env", "model"}
    if unknown:
        known = ", ".join(sorted(Settings.model_fields))
        raise BadInput(f"[{role}] in {path} has no setting {sorted(unknown)[0]!r}.", f"It has: {known}, model.")
    try:
        return Settings.model_validate(chosen)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise BadInput(
            f"the setting {name} of the {role} cannot be used: {first['msg']}.",
            f"It stands in {path or 'the environment'}, or in V2R_{role.upper()}_{name.upper()}.",
        ) from None


def default_model(role: Role) -> str | None:
    """Return the model that the settings name for a role (`model = …`, or V2R_CHAT_MODEL), if any."""
    path = settings_file()
    head = _read(path) if path else {}
    table = head.get(role, {})
    named = _environment(f"V2R_{role.upper()}_MODEL") or (table.get("model") if isinstance(table, dict) else None)
    named = named or _environment("V2R_MODEL") or head.get("model")
    return str(named).removeprefix("openai:") if named else None


def settings_file() -> Path | None:
    """Return the settings file that counts, the working directory's first; None where there is none."""
    config = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    places = (Path(FILE_NAME), Path(config).expanduser() / "video2reward" / FILE_NAME)
    return next((path for path in places if path.is_file()), None)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInput(f"{path} cannot be read: {error}.", "Mend or remove it.") from None


def _environment(name: str) -> str | None:
    """Return a variable's text; an empty one counts as none."""
    return (os.environ.get(name, "").strip() or None) if name else None


def _key(table: dict[str, Any], path: Path | None) -> str | None:
    if not (named := table.get("api_key_env")):
        return table.get("api_key")
    if key := _environment(str(named)):
        return key
    raise BadInput(f"{path} takes the key from {named}, which is not set.", f"Set {named}, or mend api_key_env.")
