"""A test aid: a small server that speaks the OpenAI chat protocol over real HTTP and says what it is told to.

For tests of your own: `with serve() as server: server.script(Reply("..."), Reply(status=429, error="slow down"))`, then
point `base_url` at `server.url`. It answers whole or streamed, with tool calls, refusals and every fault a server can
have, embeds texts, counts the tokens it claimed, and keeps what it was sent. By hand:
`python -m video2reward.evals.scripted_openai --port 8099 ANSWER_FILE...`.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

_CHUNK_CHARS = 12


@dataclass(frozen=True)
class ToolCall:
    """A call of a tool; `arguments` is the text that a model writes, which need not be JSON."""

    name: str
    arguments: str = "{}"


@dataclass(frozen=True)
class Reply:
    """One scripted answer. `raw` replaces the whole body; `cut` ends it in the middle; `delay_s` comes first."""

    content: str | None = ""
    tool_calls: tuple[ToolCall, ...] = ()
    status: int = 200
    finish: str = ""
    refusal: str | None = None
    error: str = ""
    raw: str | None = None
    cut: bool = False
    delay_s: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)
    prompt_tokens: int = 1000
    completion_tokens: int = 100

    def body(self, model: str) -> bytes:
        if self.raw is not None:
            return self.raw.encode()
        if self.status != 200:
            return json.dumps({"error": {"message": self.error, "type": "scripted", "code": None}}).encode()
        message: dict[str, Any] = {"role": "assistant", "content": self.content, "refusal": self.refusal}
        if self.tool_calls:
            message["tool_calls"] = self._calls()
        choice = {"index": 0, "message": message, "finish_reason": self._finish()}
        return json.dumps(self._envelope("chat.completion", model, [choice], usage=True)).encode()

    def events(self, model: str, *, usage: bool) -> list[bytes]:
        """Return the answer as the events of a stream."""
        text = self.content or ""
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
        deltas += [{"content": text[k : k + _CHUNK_CHARS]} for k in range(0, len(text), _CHUNK_CHARS)]
        deltas += [{"tool_calls": [{"index": index, **call}]} for index, call in enumerate(self._calls())]
        if self.refusal:
            deltas.append({"refusal": self.refusal})
        kind = "chat.completion.chunk"
        chunks = [
            self._envelope(kind, model, [{"index": 0, "delta": delta, "finish_reason": None}]) for delta in deltas
        ]
        chunks.append(self._envelope(kind, model, [{"index": 0, "delta": {}, "finish_reason": self._finish()}]))
        if usage:
            chunks.append(self._envelope(kind, model, [], usage=True))
        return [f"data: {json.dumps(chunk)}\n\n".encode() for chunk in chunks] + [b"data: [DONE]\n\n"]

    def _calls(self) -> list[dict[str, Any]]:
        return [
            {"id": f"call_{k}", "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for k, call in enumerate(self.tool_calls)
        ]

    def _finish(self) -> str:
        return self.finish or ("tool_calls" if self.tool_calls else "stop")

    def _envelope(self, kind: str, model: str, choices: list[dict[str, Any]], usage: bool = False) -> dict[str, Any]:
        made = {"id": "scripted", "object": kind, "created": 0, "model": model, "choices": choices}
        if usage:
            total = self.prompt_tokens + self.completion_tokens
            made["usage"] = {
                "prompt_tokens": self.prompt_tokens, "completion_tokens": self.completion_tokens, "total_tokens": total,
            }  # fmt: skip
        return made


Scripted = Reply | Callable[[dict[str, Any]], Reply]
"""An answer, or a function that makes one from the request's body."""


class ScriptedOpenAI:
    """Answers in the order of the script; the last answer is repeated for ever."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.replies: list[Scripted] = [Reply(content="hello")]
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.models: list[dict[str, Any]] = []
        self.tokens = 0
        """All tokens that its whole answers claimed to have used; `input_tokens` of them were read."""
        self.input_tokens = 0

    def script(self, *replies: Scripted) -> None:
        self.replies = list(replies)
        self.requests.clear()
        self.tokens = self.input_tokens = 0

    def next(self, request: dict[str, Any]) -> Reply:
        scripted = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        return scripted if isinstance(scripted, Reply) else scripted(request)

    def embedded(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer a request for embeddings: the counts of a text's letters, a token for each word."""
        texts = [request["input"]] if isinstance(request["input"], str) else request["input"]
        data = [
            {"object": "embedding", "index": index, "embedding": [float(text.count(letter)) for letter in "aeinorst"]}
            for index, text in enumerate(texts)
        ]
        words = sum(len(text.split()) for text in texts)
        self.tokens += words
        self.input_tokens += words
        usage = {"prompt_tokens": words, "total_tokens": words}
        return {"object": "list", "model": request["model"], "data": data, "usage": usage}

    def pictures(self) -> list[str]:
        """Return the data URLs of all pictures that were sent with the last request."""
        messages = self.requests[-1]["messages"] if self.requests else []
        blocks = [block for message in messages if isinstance(message["content"], list) for block in message["content"]]
        return [block["image_url"]["url"] for block in blocks if block["type"] == "image_url"]


@contextmanager
def serve(port: int = 0) -> Iterator[ScriptedOpenAI]:
    """Serve on the loopback, on a free port unless one is named, until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._send(Reply(), json.dumps({"object": "list", "data": state.models}).encode())

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state.requests.append(request)
            state.keys.append(self.headers.get("Authorization", ""))
            if self.path.endswith("/embeddings"):
                self._send(Reply(), json.dumps(state.embedded(request)).encode())
                return
            reply = state.next(request)
            time.sleep(reply.delay_s)
            model = request.get("model", "")
            if reply.status == 200 and reply.raw is None and not reply.cut:
                state.tokens += reply.prompt_tokens + reply.completion_tokens
                state.input_tokens += reply.prompt_tokens
            if request.get("stream") and reply.status == 200 and reply.raw is None:
                usage = bool((request.get("stream_options") or {}).get("include_usage"))
                self._stream(reply, reply.events(model, usage=usage))
            else:
                self._send(reply, reply.body(model))

        def _send(self, reply: Reply, body: bytes) -> None:
            try:
                self.send_response(reply.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body[: len(body) // 2] if reply.cut else body)
            except (BrokenPipeError, ConnectionResetError):
                pass  # the client gave up waiting
            if reply.cut:
                self.close_connection = True

        def _stream(self, reply: Reply, events: list[bytes]) -> None:
            self.close_connection = True
            try:
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Connection", "close")
                self.end_headers()
                for event in events[: len(events) // 2] if reply.cut else events:
                    self.wfile.write(event)
            except (BrokenPipeError, ConnectionResetError):
                pass  # the client gave up waiting

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    state = ScriptedOpenAI(f"http://127.0.0.1:{server.server_port}/v1")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def main(argv: Sequence[str] | None = None) -> int:
    """Serve the texts of some files, one an answer, until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("answers", nargs="+", type=Path, help="text files; the last one is repeated for ever")
    parser.add_argument("--port", type=int, default=8099)
    arguments = parser.parse_args(argv)
    with serve(arguments.port) as server:
        server.script(*(Reply(path.read_text(encoding="utf-8")) for path in arguments.answers))
        print(f"base_url {server.url}", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print(f"{len(server.requests)} requests")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
