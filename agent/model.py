"""One model behind the OpenAI chat protocol: ask it, count what it used, and turn every fault into a sentence.

What the model may mend comes back as a problem beside its text; what it cannot mend (no server, no key, no credit) is
AuthorFailed. An option or a picture that a server turned down once is not sent to it again.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from video2reward.agent.authors import Bill, Usage
from video2reward.agent.kept import KeptAnswer, Message, key_of
from video2reward.agent.settings import Settings
from video2reward.memory.errors import AuthorFailed

_LONGEST_WAIT_S = 60.0
_ASK_MODELS_TIMEOUT_S = 5.0
_LEAST_TIMEOUT_S = 2.0
_ROOM_TOKENS = 4096
"""Asked for where an answer was cut and nothing was said about its length: some servers stop after 16 or 100 tokens."""
CUT_OFF = "it was cut off because it was too long; write fewer and shorter terms."
HELD_BACK = "it was held back by the server's content filter."


class PromptTooLong(Exception):
    """The server says that the prompt does not fit the model's context window."""


class Answer(NamedTuple):
    """What a model wrote, and what is wrong with it where something is."""

    text: str
    problem: str


class ModelClient:
    """Asks one model. `usage` counts every answer that told its tokens, the useless ones too."""

    def __init__(self, model: str, settings: Settings) -> None:
        self.model, self.settings = model, settings
        self.usage = Usage()
        self.bill: Bill | None = None
        self._chat: Any = None
        self._refused: set[str] = set()
        self._max_tokens = settings.max_tokens
        self.sees = settings.vision is not False

    def ask(
        self,
        messages: Sequence[Message],
        *,
        temperature: float,
        seed: int,
        schema: dict[str, Any] | None = None,
        within_s: float | None = None,
    ) -> Answer:
        """Ask once, as long as it takes to get past busy servers and refused options, but not beyond `within_s`.

        Raises AuthorFailed where no answer can be had, and PromptTooLong.
        """
        kept = self.bill.answers if self.bill else None
        key = key_of(self.model, messages, temperature=temperature, seed=seed, schema=schema) if kept else ""
        if kept and (before := kept.find(key)):
            self.sees = self.sees and before.saw
            return Answer(before.text, before.problem)
        answer, tokens = self._asked(messages, temperature, seed, schema, within_s)
        if kept and tokens.calls:
            kept.keep(
                key,
                KeptAnswer(
                    model=self.model,
                    asked=tuple(f"{message.role}: {message.text}" for message in messages),
                    text=answer.text,
                    problem=answer.problem,
                    input_tokens=tokens.input_tokens,
                    output_tokens=tokens.output_tokens,
                    saw=self.sees,
                ),
            )
        return answer

    def _asked(
        self,
        messages: Sequence[Message],
        temperature: float,
        seed: int,
        schema: dict[str, Any] | None,
        within_s: float | None,
    ) -> tuple[Answer, Usage]:
        """Return the answer and the tokens that it told; none where the server broke the protocol."""
        import openai

        deadline = time.monotonic() + (within_s if within_s is not None else 24 * 3600.0)
        failures = 0
        while True:
            if self.bill and (refusal := self.bill.refusal()):
                raise AuthorFailed(f"{self.model} was not asked: {refusal}")
            options = self._options(temperature, seed, schema)
            timeout_s = min(self.settings.timeout_s, max(deadline - time.monotonic(), _LEAST_TIMEOUT_S))
            try:
                reply = self._model().invoke(self._wire(messages), timeout=timeout_s, **options)
                answer, tokens = self._read(reply)
            except openai.LengthFinishReasonError as error:
                used = error.completion.usage
                tokens = self._count(used.prompt_tokens if used else 0, used.completion_tokens if used else 0)
                answer = Answer(error.completion.choices[0].message.content or "", CUT_OFF)
            except openai.ContentFilterFinishReasonError:
                return Answer("", HELD_BACK), Usage()
            except openai.AuthenticationError as error:
                raise AuthorFailed(self._said("refuses the key", error), "Check the key.") from None
            except openai.APITimeoutError:
                raise AuthorFailed(
                    f"the model at {self.settings.where} did not answer within {timeout_s:.0f} s.",
                    "Set timeout_s higher for a slow model.",
                ) from None
            except openai.APIConnectionError as error:
                self._wait_or_fail(error.__cause__ or error, "cannot be reached", failures, deadline)
                failures += 1
                continue
            except openai.APIStatusError as error:
                if not self._leave_out(error, options, messages):
                    self._may_come_again(error, failures, deadline)
                    failures += 1
                continue
            except (ValueError, IndexError, KeyError, TypeError, AttributeError, openai.APIError) as error:
                # langchain lets through raw what it cannot read: a broken body, no choices, an error with status 200.
                said = f"the server's answer broke the protocol ({type(error).__name__}: {self.clean(error)})."
                return Answer("", said), Usage()
            if answer.problem != CUT_OFF or self._max_tokens is not None:
                return answer, tokens
            self._max_tokens = _ROOM_TOKENS

    def context_tokens(self) -> int | None:
        """Return the model's context window as the settings or the server's list of models say; None where unknown."""
        if self.settings.context_tokens or not self.settings.base_url:
            return self.settings.context_tokens
        import httpx

        key = self.settings.api_key.get_secret_value() if self.settings.api_key else "none"
        try:
            answer = httpx.get(
                f"{self.settings.base_url.rstrip('/')}/models",
                headers={"Authorization": f"Bearer {key}"},
                timeout=_ASK_MODELS_TIMEOUT_S,
            )
            listed = answer.json()["data"]
            mine = next((item for item in listed if item.get("id") == self.model), listed[0])
            # vLLM, OpenRouter, Groq and llama.cpp have a name each for it.
            for name in ("max_model_len", "context_length", "context_window"):
                if isinstance(mine.get(name), int):
                    return int(mine[name])
            window = (mine.get("meta") or {}).get("n_ctx")
            return int(window) if isinstance(window, int) else None
        except (httpx.HTTPError, ValueError, KeyError, IndexError, TypeError, AttributeError):
            return None

    def clean(self, error: object) -> str:
        """Return an error's text without the key, in one short line."""
        text = " ".join(str(error).split())
        if self.settings.api_key:
            text = text.replace(self.settings.api_key.get_secret_value(), "(key)")
        return text[:300]

    def _read(self, reply: Any) -> tuple[Answer, Usage]:
        counted = reply.usage_metadata or {}
        tokens = self._count(counted.get("input_tokens", 0), counted.get("output_tokens", 0))
        text = reply.text if isinstance(reply.text, str) else str(reply.content)
        if refusal := reply.additional_kwargs.get("refusal"):
            return Answer(text, f"it is a refusal: {str(refusal)[:300]}"), tokens
        problems = {"length": CUT_OFF, "content_filter": HELD_BACK}
        return Answer(text, problems.get(str(reply.response_metadata.get("finish_reason")), "")), tokens

    def _count(self, input_tokens: int, output_tokens: int) -> Usage:
        self.usage = Usage(
            calls=self.usage.calls + 1,
            input_tokens=self.usage.input_tokens + input_tokens,
            output_tokens=self.usage.output_tokens + output_tokens,
        )
        if self.bill:
            self.bill.charge(self.model, input_tokens, output_tokens)
        return Usage(calls=1, input_tokens=input_tokens, output_tokens=output_tokens)

    def _options(self, temperature: float, seed: int, schema: dict[str, Any] | None) -> dict[str, Any]:
        options: dict[str, Any] = {"temperature": temperature, "seed": seed}
        if schema:
            # Servers that know no schemas often know that the answer shall be an object.
            options["response_format"] = {"type": "json_object"} if "json_schema" in self._refused else schema
        if self._max_tokens and "max_tokens" not in self._refused:
            # By the name that all servers know; langchain would send the newest one.
            options["extra_body"] = {"max_tokens": self._max_tokens}
        return {name: value for name, value in options.items() if name not in self._refused}

    def _leave_out(self, error: Any, options: dict[str, Any], messages: Sequence[Message]) -> bool:
        """Note what a server turned down, so that the next try does without it; False where that is not the trouble."""
        words = str(error).lower()
        if any(said in words for said in ("context length", "context size", "maximum context", "context window")):
            raise PromptTooLong(self.clean(error))
        pictures = self.sees and any(message.pictures for message in messages)
        if pictures and any(said in words for said in ("image", "vision", "multimodal", "content type", "mmproj")):
            self.sees = False
            return True
        if error.status_code not in (400, 404, 422):
            return False
        known = {"response_format": ("response_format", "json_schema", "structured", "schema", "json_object"),
                 "temperature": ("temperature",), "seed": ("seed",)}  # fmt: skip
        if "extra_body" in options and "max_tokens" in words:
            self._refused.add("max_tokens")
            return True
        for name, said in known.items():
            if name in options and any(word in words for word in said):
                half = name == "response_format" and options[name]["type"] == "json_schema"
                self._refused.add("json_schema" if half else name)
                return True
        if pictures and error.status_code != 404:
            self.sees = False
            return True
        return False

    def _may_come_again(self, error: Any, failures: int, deadline: float) -> None:
        """Wait where a server is busy or stumbled; raise AuthorFailed where asking again is of no use."""
        if error.status_code == 429 and "insufficient_quota" not in str(error):
            what = "allows no more requests now"
        elif error.status_code >= 500 or error.status_code in (408, 409):
            what = f"answers with status {error.status_code}"
        else:
            raise AuthorFailed(self._said(f"turned the request down with status {error.status_code}", error)) from None
        self._wait_or_fail(error, what, failures, deadline, error.response.headers.get("retry-after"))

    def _wait_or_fail(self, error: object, what: str, failures: int, deadline: float, asked: str | None = None) -> None:
        try:
            wait_s = max(0.0, float(asked)) if asked else 0.5 * 2.0**failures
        except ValueError:  # a date, which servers of models do not send
            wait_s = 5.0
        fits = wait_s <= _LONGEST_WAIT_S and time.monotonic() + wait_s < deadline
        if failures >= self.settings.max_retries or not fits:
            raise AuthorFailed(self._said(what, error)) from None
        time.sleep(wait_s)

    def _wire(self, messages: Sequence[Message]) -> list[tuple[str, Any]]:
        wire: list[tuple[str, Any]] = []
        for message in messages:
            if not (message.pictures and self.sees):
                lost = "\n(The pictures could not be sent.)" if message.pictures else ""
                wire.append((message.role, message.text + lost))
                continue
            blocks: list[dict[str, Any]] = [{"type": "text", "text": message.text}]
            for path in message.pictures:
                kind = "png" if path.suffix == ".png" else "jpeg"
                data = base64.b64encode(path.read_bytes()).decode("ascii")
                blocks.append({"type": "image_url", "image_url": {"url": f"data:image/{kind};base64,{data}"}})
            wire.append((message.role, blocks))
        return wire

    def _model(self) -> Any:
        if self._chat is None:
            self._chat = chat_model(self.model, self.settings)
        return self._chat

    def _said(self, what: str, error: object) -> str:
        return f"the model server {self.settings.where} {what}: {self.clean(error)}"


def chat_model(model: str, settings: Settings, max_retries: int = 0, kind: Any = None, **more: Any) -> Any:
    """Return langchain's client for a model. By default it retries nothing: who calls it knows how long is long."""
    from langchain_openai import ChatOpenAI

    return (kind or ChatOpenAI)(
        model=model,
        base_url=settings.base_url,
        api_key=settings.api_key or "none",
        timeout=settings.timeout_s,
        max_retries=max_retries,
        use_responses_api=False,
        **more,
    )
