"""A streaming model whose tool calls are checked before a tool is called with them.

langchain completes arguments that end early, so that a stream cut within `"speed_factor": 0.85` would steer by 0. Here
arguments that are no JSON, or that the stream did not end, are sent back to the model instead.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from langchain.agents.middleware import ModelRequest, ModelResponse, wrap_model_call
from langchain_core.messages import AIMessageChunk, HumanMessage, ToolCallChunk
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk
from langchain_openai import ChatOpenAI
from video2reward.agent.objects import values_in
from video2reward.memory.errors import AuthorFailed

_REPAIRS = 2


class BrokenCall(Exception):
    """The arguments of a tool call are no JSON."""


class CarefulChatOpenAI(ChatOpenAI):
    """langchain's client, which raises BrokenCall at the end of a stream with arguments that are no JSON."""

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        arguments: dict[int, str] = {}
        names: dict[int, str] = {}
        finished, text = False, ""
        for chunk in super()._stream(*args, **kwargs):
            for call in getattr(chunk.message, "tool_call_chunks", []):
                index = call["index"] or 0
                arguments[index] = arguments.get(index, "") + (call["args"] or "")
                names[index] = names.get(index, "") or call["name"] or ""
            text += chunk.message.text
            finished = finished or bool((chunk.generation_info or {}).get("finish_reason"))
            yield chunk
        for index, text in arguments.items():
            try:
                fine = finished and isinstance(json.loads(text or "{}"), dict)
            except ValueError:
                fine = False
            if not fine:
                raise BrokenCall(names[index])
        if finished and not arguments and (written := call_in_text(text, kwargs.get("tools") or ())):
            yield ChatGenerationChunk(message=AIMessageChunk(content="", tool_call_chunks=[written]))


def call_in_text(text: str, tools: Sequence[dict[str, Any]]) -> ToolCallChunk | None:
    """Return the call of a tool that a model wrote as text, as servers without a parser for it let through."""
    names = {tool.get("function", {}).get("name") for tool in tools}
    for value in values_in(text):
        if isinstance(value, dict) and value.get("name") in names:
            given = value.get("arguments", value.get("parameters", {}))
            arguments = given if isinstance(given, str) else json.dumps(given)
            return tool_call_chunk(name=value["name"], args=arguments, id=f"call_{uuid.uuid4().hex[:12]}", index=0)
    return None


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
