"""A critic that sees: a language model looks at the contact sheet of clip and robot and says what it sees.

The gates rule. What it says is added to the findings and the advice, under its name; gates, verdict and similarity are
those of physics, whatever it says. A finding counts only with a moment that the sheet shows and a number.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from video2reward import prompts
from video2reward.agent.authors import Bill, Usage
from video2reward.agent.kept import Message
from video2reward.agent.llm import require_server
from video2reward.agent.model import ModelClient, PromptTooLong
from video2reward.agent.objects import values_in
from video2reward.agent.settings import Settings, model_settings
from video2reward.memory.errors import AuthorFailed, BadInput
from video2reward.memory.records import Critique
from video2reward.memory.records import Finding as CritiqueFinding

REPAIRS = 1
_MOST = 6
_WITHIN_S = 90.0
_KEYS = {
    "time_s": ("time_s", "time", "timestamp", "t"),
    "quantity": ("quantity", "metric", "name"),
    "value": ("value", "robot_value", "robot"),
    "wanted": ("wanted", "subject_value", "subject", "clip", "target", "expected"),
    "sentence": ("sentence", "description", "observation", "text", "finding"),
}
"""What was asked for, and what models call it."""


class Critic(Protocol):
    """Whoever looks at pictures beside the physics."""

    @property
    def usage(self) -> Usage: ...

    def review(self, critique: Critique, sheet: Path) -> Critique:
        """Return the critique with findings and advice added. Raises AuthorFailed where nothing came of it."""
        ...


class SeenAnswer(BaseModel):
    """One thing a model says it sees."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    time_s: float
    quantity: str = Field(min_length=1, max_length=60)
    value: float
    wanted: float | None = None
    sentence: str = Field(min_length=1, max_length=400)


class ModelCritic:
    """Asks a model that sees."""

    def __init__(self, model: str, settings: Settings | None = None) -> None:
        self.name = f"openai:{model}"
        settings = settings or model_settings("critic")
        require_server(f"the critic {self.name}", settings, "or use --critic offline.")
        self._client = ModelClient(model, settings)

    @property
    def usage(self) -> Usage:
        return self._client.usage

    def bill_to(self, bill: Bill) -> None:
        self._client.bill = bill

    def review(self, critique: Critique, sheet: Path) -> Critique:
        """Look at a sheet; the picture's times of the robot run from its start to the rollout's end."""
        messages = [
            Message("system", prompts.load("critic")),
            Message("user", _task(critique), (sheet,)),
        ]
        problem = ""
        for _ in range(1 + REPAIRS):
            if not self._client.sees:
                break
            try:
                text, problem = self._client.ask(
                    messages, temperature=0.2, seed=critique.seed, schema=_schema(), within_s=_WITHIN_S
                )
            except PromptTooLong as error:
                raise AuthorFailed(f"the picture does not fit {self.name}: {error}") from None
            if not self._client.sees:
                break  # it was asked without the picture, and what it says then is not seen
            if not problem:
                findings, advice, problem = read_seen(text, self.name, critique.seconds)
                if not problem:
                    return with_seen(critique, findings, advice, self.name)
            messages += [
                Message("assistant", text or "(nothing)"),
                Message("user", prompts.fill(prompts.load("author_repair"), problem=problem)),
            ]
        if not self._client.sees:
            raise AuthorFailed(f"{self.name} takes no pictures.", "Name a model that sees with --critic.")
        raise AuthorFailed(f"{self.name} said nothing that could be used: {problem}")


def make_critic(name: str) -> Critic | None:
    """Return the critic called MODEL or openai:MODEL; None for `offline`: physics alone, which always judges."""
    if not name.strip():
        raise BadInput("no critic is named.", "Use --critic offline, or --critic openai:MODEL.")
    return None if name == "offline" else ModelCritic(name.removeprefix("openai:"))


def read_seen(text: str, source: str, seconds: float) -> tuple[list[CritiqueFinding], list[str], str]:
    """Return findings, advice, and what is wrong with the answer where it holds neither."""
    for value in reversed(values_in(text)):
        if isinstance(value, list):
            value = {"findings": value}
        inner = [item for item in value.values() if isinstance(item, dict)]
        value = next((item for item in (value, *inner) if "findings" in item or "advice" in item), None)
        if value is None:
            continue
        found, dropped = [], 0
        items = value.get("findings")
        for item in items if isinstance(items, list) else []:
            try:
                seen = SeenAnswer.model_validate(_as_asked(item))
            except ValidationError:
                dropped += 1
                continue
            if not 0.0 <= seen.time_s <= seconds:
                dropped += 1
                continue
            found.append(
                CritiqueFinding(
                    time_s=seen.time_s, quantity=f"seen.{seen.quantity}", value=seen.value, wanted=seen.wanted,
                    sentence=seen.sentence, source=source,
                )
            )  # fmt: skip
        said = value.get("advice") or []
        said = said if isinstance(said, list) else [said]
        advice = [str(line)[:300] for line in said if str(line).strip()]
        if dropped and not found:
            wrong = f"none of its {dropped} findings has a number and a time_s between 0 and {seconds:g}."
            return [], [], wrong
        return found[:_MOST], advice[:_MOST], ""
    return [], [], "it holds no JSON object with findings and advice."


def _as_asked(item: Any) -> Any:
    """Bring a finding to the names and numbers that were asked for: "8°" is 8, "about 1.5 s" is 1.5."""
    if not isinstance(item, dict):
        return item
    named = {name: next((item[key] for key in keys if item.get(key) is not None), None) for name, keys in _KEYS.items()}
    for name in ("time_s", "value", "wanted"):
        if isinstance(named[name], str):
            number = re.search(r"[-+]?\d+(?:\.\d+)?", named[name].replace("\u2212", "-"))
            named[name] = float(number[0]) if number else None
    if isinstance(named["quantity"], str):
        named["quantity"] = re.sub(r"\W+", "_", named["quantity"]).strip("_").lower()[:60]
    if isinstance(named["sentence"], str):
        named["sentence"] = named["sentence"].strip()[:400]
    return named


def with_seen(critique: Critique, findings: list[CritiqueFinding], advice: list[str], source: str) -> Critique:
    """Return the critique with what was seen. Nothing else of it can change here, and that is the point."""
    return critique.model_copy(
        update={
            "findings": (*critique.findings, *findings),
            "advice": (*critique.advice, *(f"{line} (seen by {source})" for line in advice)),
        }
    )


def _task(critique: Critique) -> str:
    gates = "\n".join(f"- {g.name}: {'passed' if g.passed else 'FAILED'}. {g.sentence}" for g in critique.gates)
    found = "\n".join(
        f"- {f'{f.time_s:.1f} s: ' if f.time_s is not None else ''}{f.sentence}" for f in critique.findings
    )
    return prompts.fill(
        prompts.load("critic_task"), verdict=critique.verdict, gates=gates, findings=found or "- nothing",
        seconds=f"{critique.seconds:g}",
    )  # fmt: skip


def _schema() -> dict[str, Any]:
    number = {"type": "number"}
    finding = {
        "time_s": number, "quantity": {"type": "string"}, "value": number,
        "wanted": {"anyOf": [number, {"type": "null"}]}, "sentence": {"type": "string"},
    }  # fmt: skip
    item = {"type": "object", "properties": finding, "required": list(finding), "additionalProperties": False}
    top = {"findings": {"type": "array", "items": item}, "advice": {"type": "array", "items": {"type": "string"}}}
    schema = {"type": "object", "properties": top, "required": list(top), "additionalProperties": False}
    return {"type": "json_schema", "json_schema": {"name": "seen", "strict": True, "schema": schema}}
