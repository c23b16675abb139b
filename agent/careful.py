"""A streaming model whose tool calls are checked before a tool is called with them.

langchain completes arguments that end early, so that a stream cut within `"speed_factor": 0.85` would steer by 0. Here
arguments that are no JSON, or that the stream did not end, are sent back to the model instead.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from langchain.agents.middleware import ModelRequest, ModelResponse, wrap_model_call
from langchain_core.messages import HumanMessage
from langchain_core.outputs import ChatGenerationChunk
from langchain_openai import ChatOpenAI
from video2reward.memory.errors import AuthorFailed

_REPAIRS = 2


class BrokenCall(Exception):
    """The arguments of a tool call are no JSON."""


class CarefulChatOpenAI(ChatOpenAI):
    """langchain's client, which raises BrokenCall at the end of a stream with arguments that are no JSON."""

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        arguments: dict[int, str] = {}
        names: dict[int, str] = {}
        finished = False
        for chunk in super()._stream(*args, **kwargs):
            for call in getattr(chunk.message, "tool_call_chunks", []):
                index = call["index"] or 0
                arguments[index] = arguments.get(index, "") + (call["args"] or "")
                names[index] = names.get(index, "") or call["name"] or ""
            finished = finished or bool((chunk.generation_info or {}).get("finish_reason"))
            yield chunk
        for index, text in arguments.items():
            try:
                fine = finished and isinstance(json.loads(text or "{}"), dict)
            except ValueError:
                fine = False
            if not fine:
                raise BrokenCall(names[index])


@wrap_model_call
def repaired_calls(request: ModelRequest, handler: Callable[[ModelRequest], ModelResponse]) -> ModelResponse:
    """Ask again, at most twice, where a tool call was broken."""
    name = ""
    for _ in range(1 + _REPAIRS):
        try:
            return handler(request)
        except BrokenCall as error:
            name = str(error)
            told = f"Your call of {name} had arguments that are no whole JSON object. Call it again with one."
            request = request.override(messages=[*request.messages, HumanMessage(told)])
    raise AuthorFailed(f"the model called {name} with arguments that are no JSON, {1 + _REPAIRS} times.")
