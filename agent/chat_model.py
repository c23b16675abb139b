"""A language model that talks: LangChain's agent over the chat's tools, streaming, with a person asked before costs.

Whatever a server or a model does wrong ends the turn with a sentence, never the conversation: a cut stream, arguments
that are not JSON, a tool that does not exist, a refusal, silence, a key that was revoked.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from video2reward import prompts
from video2reward.agent.authors import Usage
from video2reward.agent.budget import Purse
from video2reward.agent.chat_tools import chat_tools
from video2reward.agent.desk import Desk
from video2reward.agent.llm import require_server
from video2reward.agent.model import chat_model
from video2reward.agent.prices import price_of
from video2reward.agent.settings import Settings
from video2reward.memory.errors import AuthorFailed

_MOST_STEPS = 40
_NO_PARSER = (
    "\n(the model wrote a call of a tool as text, so that nothing was done: start its server with its parser of tool "
    "calls, as vLLM's --enable-auto-tool-choice --tool-call-parser NAME, or llama.cpp's --jinja)"
)


class ModelBrain:
    """Understands whatever its model understands.

    What the conversation itself costs is counted in the chat's folder. It ends with `tokens` or `usd`, and asks before
    it costs more than the settings let it.
    """

    understood = True

    def __init__(
        self,
        model: str,
        settings: Settings,
        desk: Desk,
        ask: Callable[[str], bool],
        *,
        tokens: int | None = None,
        usd: float | None = None,
    ) -> None:
        self.name = f"openai:{model}"
        self._purse = Purse(desk.home)
        self._before = self._purse.now()
        self._tokens, self._usd, self._ask_at_usd = tokens, usd, settings.ask_above_usd
        require_server(f"the chat with {self.name}", settings, "or leave --model out.")
        self.usage = Usage()
        self._model, self._settings, self._desk, self._ask = model, settings, desk, ask

    def answer(self, text: str, history: Sequence[tuple[str, str]]) -> Iterator[str]:
        """Yield what the model says as it says it. Raises AuthorFailed with a sentence where it cannot go on."""
        import httpx
        import openai
        from langgraph.errors import GraphRecursionError

        where = self._settings.where
        self._afford()
        try:
            yield from self._turn(text, history)
        except openai.AuthenticationError:
            raise AuthorFailed(f"the model server {where} refuses the key.", "Check the key.") from None
        except openai.APITimeoutError:
            raise AuthorFailed(f"the model at {where} did not answer within {self._settings.timeout_s:g} s.") from None
        except openai.RateLimitError as error:
            raise AuthorFailed(f"the model server {where} allows no more requests now: {self._clean(error)}") from None
        except openai.APIConnectionError as error:
            cause = self._clean(error.__cause__ or error)
            raise AuthorFailed(f"the model server {where} cannot be reached: {cause}") from None
        except openai.APIStatusError as error:
            said = f"the model server {where} answers with status {error.status_code}: {self._clean(error)}"
            raise AuthorFailed(said) from None
        except httpx.HTTPError as error:
            raise AuthorFailed(f"the answer was cut off: {self._clean(error)}", "Say it again.") from None
        except GraphRecursionError:
            raise AuthorFailed(f"{self.name} went on calling tools without an end and was stopped.") from None
        except (ValueError, IndexError, KeyError, TypeError, AttributeError, openai.APIError) as error:
            # langchain lets through raw what it cannot read: a broken body, no choices, an error with status 200.
            said = f"the server's answer broke the protocol ({type(error).__name__}: {self._clean(error)})."
            raise AuthorFailed(said) from None

    @property
    def spent(self) -> str:
        """Say what this conversation has used."""
        now, price = self._purse.now(), price_of(self._model)
        dollars = f", ${now.usd - self._before.usd:.4f}" if price else ", of a model without a known price"
        return f"{now.tokens - self._before.tokens:,} tokens{dollars}"

    def _afford(self) -> None:
        """Raise AuthorFailed where the conversation may cost no more, or the person says so."""
        now, cure = self._purse.now(), "Begin anew, with larger --tokens or --usd; runs go on without the chat."
        usd = now.usd - self._before.usd
        if self._tokens is not None and now.tokens - self._before.tokens >= self._tokens:
            raise AuthorFailed(f"the {self._tokens} tokens of this conversation are used up.", cure)
        if self._usd is not None and usd >= self._usd:
            raise AuthorFailed(f"the ${self._usd:g} of this conversation are used up.", cure)
        if self._usd is None and usd >= self._ask_at_usd:
            if not self._ask(f"This conversation has cost ${usd:.2f}. Go on?"):
                raise AuthorFailed(f"this conversation has cost ${usd:.2f}.", "Say something again to be asked again.")
            self._ask_at_usd = usd + self._settings.ask_above_usd

    def _turn(self, text: str, history: Sequence[tuple[str, str]]) -> Iterator[str]:
        from langgraph.types import Command

        agent = self._agent()
        config = {"configurable": {"thread_id": uuid.uuid4().hex}, "recursion_limit": _MOST_STEPS}
        roles = {"you": "user", "agent": "assistant"}
        said = [(roles[who], words) for who, words in history if who in roles and words]
        given: Any = {"messages": [*said, ("user", text)]}
        while True:
            question = None
            for part in self._streamed(agent, given, config):
                if isinstance(part, str):
                    yield part
                else:
                    question = part.value
            if question is None:
                yield _ending(agent.get_state(config).values["messages"][-1])
                return
            given = Command(resume=self._ask(str(question)))

    def _streamed(self, agent: Any, given: Any, config: Any) -> Iterator[Any]:
        """Yield texts as they come, and the question of a tool that must ask first."""
        from langchain_core.messages import AIMessage, AIMessageChunk

        said: dict[str | None, str] = {}
        for mode, chunk in agent.stream(given, config, stream_mode=["messages", "updates"]):
            if mode == "messages" and isinstance(chunk[0], AIMessageChunk) and chunk[0].text:
                said[chunk[0].id] = said.get(chunk[0].id, "") + chunk[0].text
                # A call that is written as text is made, and is not for people to read.
                if not said[chunk[0].id].lstrip().startswith(("<tool_call", '{"name"')):
                    yield chunk[0].text
            elif mode == "updates" and "__interrupt__" in chunk:
                yield chunk["__interrupt__"][0]
            elif mode == "updates":
                for update in chunk.values():
                    for message in (update or {}).get("messages", []):
                        if isinstance(message, AIMessage):
                            self._count(message)

    def _agent(self) -> Any:
        from langchain.agents import create_agent
        from langgraph.checkpoint.memory import InMemorySaver
        from langgraph.types import interrupt
        from video2reward.agent.careful import CarefulChatOpenAI, repaired_calls

        self._desk.allow = lambda question: bool(interrupt(question))
        model = chat_model(
            self._model, self._settings, self._settings.max_retries, CarefulChatOpenAI,
            stream_usage=True, streaming=True,
        )  # fmt: skip
        return create_agent(
            model,
            chat_tools(self._desk),
            system_prompt=prompts.load("chat"),
            middleware=[repaired_calls],
            checkpointer=InMemorySaver(),
        )

    def _count(self, message: Any) -> None:
        counted = message.usage_metadata or {}
        self.usage = Usage(
            calls=self.usage.calls + 1,
            input_tokens=self.usage.input_tokens + counted.get("input_tokens", 0),
            output_tokens=self.usage.output_tokens + counted.get("output_tokens", 0),
        )
        self._purse.charge(self._model, counted.get("input_tokens", 0), counted.get("output_tokens", 0))
        if message.tool_calls:  # the model is asked again with what the tools say
            self._afford()

    def _clean(self, error: object) -> str:
        text = " ".join(str(error).split())
        if self._settings.api_key:
            text = text.replace(self._settings.api_key.get_secret_value(), "(key)")
        return text[:300]


def _ending(last: Any) -> str:
    """Say what is wrong with a last message, or nothing."""
    finish = last.response_metadata.get("finish_reason")
    if finish == "length":
        return "\n(cut off: the answer was too long)"
    if finish == "content_filter":
        return "\n(held back by the server's content filter)"
    if not finish:
        return "\n(the answer was cut off)"
    if re.search(r'"name"\s*:\s*"\w+"\s*,\s*"(?:arguments|parameters)"|<tool_call>|<function=', last.text):
        return _NO_PARSER
    # A refusal is streamed where langchain does not look.
    return "" if last.text.strip() else "(the model said nothing, which may be a refusal)"
