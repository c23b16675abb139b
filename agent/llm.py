"""The author behind the OpenAI protocol: any model, hosted or local, that answers chat completions.

Settings come from the environment: V2R_BASE_URL or OPENAI_BASE_URL, V2R_API_KEY or OPENAI_API_KEY (a local server needs
none), V2R_AUTHOR_TIMEOUT_S. Whatever goes wrong becomes a reason in a record: a candidate that cannot be used is handed
over as Unusable, and a server that cannot be used at all is AuthorFailed.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from video2reward.agent.answers import BadAnswer, answer_schema, draft_from, plain_body, read_answer
from video2reward.agent.authors import AuthorBrief, Unusable, Usage
from video2reward.agent.briefing import repair_prompt, system_prompt, task_prompt
from video2reward.memory import runs
from video2reward.memory.errors import AuthorFailed, BadReward, MissingPart
from video2reward.memory.records import MotionTarget, RewardDraft

__all__ = ["LlmAuthor", "Settings", "plain_body", "settings_from_environment"]

REPAIRS = 2
_TEMPERATURES = (0.3, 0.7, 0.9, 1.0)


@dataclass(frozen=True)
class Settings:
    """Where the model is. `api_key` is never shown."""

    base_url: str | None
    api_key: str | None = field(repr=False)
    timeout_s: float = 180.0
    max_retries: int = 3

    @property
    def where(self) -> str:
        return self.base_url or "api.openai.com"


def settings_from_environment() -> Settings:
    """Read the settings; an empty variable counts as none."""

    def first(*names: str) -> str | None:
        return next((value for name in names if (value := os.environ.get(name, "").strip())), None)

    return Settings(
        base_url=first("V2R_BASE_URL", "OPENAI_BASE_URL"),
        api_key=first("V2R_API_KEY", "OPENAI_API_KEY"),
        timeout_s=float(first("V2R_AUTHOR_TIMEOUT_S") or 180.0),
    )


class LlmAuthor:
    """Ask a model for rewards, one candidate after the other, so that each can be told to differ from those before."""

    def __init__(
        self,
        model: str,
        settings: Settings | None = None,
        examine: Callable[[RewardDraft, MotionTarget], str] | None = None,
    ) -> None:
        self.name = f"openai:{model}"
        self.usage = Usage()
        self._settings = settings or settings_from_environment()
        if not self._settings.base_url and not self._settings.api_key:
            raise MissingPart(
                f"the author {self.name} needs a server or a key.",
                "Set V2R_BASE_URL for a local server, or OPENAI_API_KEY; or use --author offline.",
            )
        self._model_name = model
        self._examine = examine or problem_with
        self._model: Any = None
        # What a server turned down once is not asked of it again.
        self._refused_options: set[str] = set()

    def propose(self, brief: AuthorBrief, num_candidates: int, seed: int) -> list[RewardDraft | Unusable]:
        """Return a draft, or why there is none, for each candidate. Raises AuthorFailed where no answer came at all."""
        proposed: list[RewardDraft | Unusable] = []
        for index in range(num_candidates):
            if index == 0 and (again := _same_again(brief, self.name)):
                proposed.append(again)
                continue
            before = [draft.rationale for draft in proposed if isinstance(draft, RewardDraft)]
            try:
                proposed.append(self._candidate(brief, index, before, seed + index))
            except AuthorFailed as error:
                if not any(isinstance(draft, RewardDraft) for draft in proposed):
                    raise
                # The server is gone; what it gave before still counts.
                missing = num_candidates - len(proposed)
                return proposed + [Unusable(author=self.name, reason=str(error))] * missing
        return proposed

    def _candidate(self, brief: AuthorBrief, index: int, before: list[str], seed: int) -> RewardDraft | Unusable:
        messages = [("system", system_prompt()), ("user", task_prompt(brief, index, before))]
        parent = brief.parents[0].attempt.id if brief.parents else None
        if parent is None and brief.remembered:
            parent = brief.remembered[0].attempt.id
        problem = ""
        for _ in range(1 + REPAIRS):
            text, problem = self._ask(messages, _TEMPERATURES[min(index, len(_TEMPERATURES) - 1)], seed)
            if not problem:
                try:
                    answer = read_answer(text)
                    draft = draft_from(answer, author=self.name, parent=parent, edits_of_parent=parent is not None)
                    problem = self._examine(draft, brief.target)
                except BadAnswer as error:
                    problem = str(error)
                else:
                    if not problem:
                        return draft
            messages += [("assistant", text or "(nothing)"), ("user", repair_prompt(problem))]
        return Unusable(author=self.name, reason=f"after {REPAIRS} repairs: {problem}", answer=text[:20_000])

    def _ask(self, messages: list[tuple[str, str]], temperature: float, seed: int) -> tuple[str, str]:
        """Return (text, problem); a problem is what the model may mend. Raises AuthorFailed for what it cannot."""
        import openai

        options = {"temperature": temperature, "seed": seed, "response_format": answer_schema()}
        while True:
            asked = {name: value for name, value in options.items() if name not in self._refused_options}
            try:
                reply = self._chat().invoke(messages, **asked)
                break
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                if not (refused := _refused(str(error), asked)):
                    raise AuthorFailed(self._said("turned the request down", error)) from None
                self._refused_options.add(refused)
            except openai.LengthFinishReasonError:
                return "", "it was cut off because it was too long; write fewer and shorter terms."
            except openai.ContentFilterFinishReasonError:
                return "", "it was held back by the server's content filter."
            except openai.AuthenticationError as error:
                raise AuthorFailed(self._said("refuses the key", error), "Check OPENAI_API_KEY.") from None
            except openai.APITimeoutError:
                raise AuthorFailed(
                    f"the model at {self._settings.where} did not answer within {self._settings.timeout_s:.0f} s."
                ) from None
            except openai.APIConnectionError as error:
                raise AuthorFailed(self._said("cannot be reached", error.__cause__ or error)) from None
            except openai.RateLimitError as error:
                raise AuthorFailed(self._said("allows no more requests now", error)) from None
            except openai.APIStatusError as error:
                raise AuthorFailed(self._said(f"answers with status {error.status_code}", error)) from None
            except (ValueError, IndexError, KeyError, TypeError, AttributeError, openai.APIError) as error:
                # langchain lets through raw what it cannot read: a broken body, no choices, an error with status 200.
                return "", f"the server's answer broke the protocol ({type(error).__name__}: {self._clean(error)})."
        return self._checked(reply)

    def _checked(self, reply: Any) -> tuple[str, str]:
        counted = reply.usage_metadata or {}
        self.usage = Usage(
            calls=self.usage.calls + 1,
            input_tokens=self.usage.input_tokens + counted.get("input_tokens", 0),
            output_tokens=self.usage.output_tokens + counted.get("output_tokens", 0),
        )
        text = reply.text if isinstance(reply.text, str) else str(reply.content)
        if refusal := reply.additional_kwargs.get("refusal"):
            return text, f"it is a refusal: {str(refusal)[:300]}"
        finish = reply.response_metadata.get("finish_reason")
        if finish == "length":
            return text, "it was cut off because it was too long; write fewer and shorter terms."
        if finish == "content_filter":
            return text, "it was held back by the server's content filter."
        return text, ""

    def _chat(self) -> Any:
        if self._model is None:
            from langchain_openai import ChatOpenAI

            self._model = ChatOpenAI(
                model=self._model_name,
                base_url=self._settings.base_url,
                api_key=self._settings.api_key or "none",
                timeout=self._settings.timeout_s,
                max_retries=self._settings.max_retries,
                use_responses_api=False,
            )
        return self._model

    def _said(self, what: str, error: object) -> str:
        return f"the model server {self._settings.where} {what}: {self._clean(error)}"

    def _clean(self, error: object) -> str:
        """Return an error's text without the key, in one short line."""
        text = " ".join(str(error).split())
        if self._settings.api_key:
            text = text.replace(self._settings.api_key, "(key)")
        return text[:300]


def problem_with(draft: RewardDraft, target: MotionTarget) -> str:
    """Return why a draft could not be trained with, by the same guard and trial that it will meet."""
    from video2reward.tools.write_reward import compose, refusal

    try:
        source = compose(draft, target)
    except BadReward as error:
        return str(error)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "reward.py").write_text(source, encoding="utf-8")
        runs.save(target, folder / "target.json")
        return refusal(folder / "reward.py", folder / "target.json")


def _same_again(brief: AuthorBrief, author: str) -> RewardDraft | None:
    """Where the decision was to train longer, the first candidate is the same reward from the same policy."""
    if not (brief.decision and brief.decision.action == "train_longer" and brief.parents and brief.parents[0].draft):
        return None
    parent = brief.parents[0]
    return parent.draft.model_copy(
        update={
            "author": author,
            "parent": parent.attempt.id,
            "edits": ("unchanged: it was still learning",),
            "warm_start": parent.attempt.id,
        }
    )


def _refused(message: str, asked: dict[str, Any]) -> str | None:
    """Return the option that a server turned down by name, so that it can be left out."""
    words = {"response_format": ("response_format", "json_schema", "structured", "schema"),
             "temperature": ("temperature",), "seed": ("seed",)}  # fmt: skip
    lower = message.lower()
    return next((name for name, known in words.items() if name in asked and any(w in lower for w in known)), None)
