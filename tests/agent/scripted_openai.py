"""A small server that speaks the OpenAI chat protocol over real HTTP and says what a test scripts, faults included."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Reply:
    """One scripted answer. `raw` replaces the whole body; `cut` ends it in the middle; `delay_s` comes first."""

    content: str | None = ""
    status: int = 200
    finish: str = "stop"
    refusal: str | None = None
    error: str = ""
    raw: str | None = None
    cut: bool = False
    delay_s: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)

    def body(self, model: str) -> bytes:
        if self.raw is not None:
            return self.raw.encode()
        if self.status != 200:
            return json.dumps({"error": {"message": self.error, "type": "scripted", "code": None}}).encode()
        message = {"role": "assistant", "content": self.content, "refusal": self.refusal}
        return json.dumps(
            {
                "id": "scripted", "object": "chat.completion", "created": 0, "model": model,
                "choices": [{"index": 0, "message": message, "finish_reason": self.finish}],
                "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
            }
        ).encode()  # fmt: skip


class ScriptedOpenAI:
    """Answers in the order of the script; the last reply is repeated for ever."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.replies: list[Reply] = [Reply(content="hello")]
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []

    def script(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.requests.clear()

    def next(self) -> Reply:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


@contextmanager
def serve() -> Iterator[ScriptedOpenAI]:
    """Serve on a free port of the loopback until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state.requests.append(request)
            state.keys.append(self.headers.get("Authorization", ""))
            reply = state.next()
            time.sleep(reply.delay_s)
            body = reply.body(request.get("model", ""))
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

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
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
