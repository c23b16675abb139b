"""Fetching model files, from a real HTTP server on this machine that can misbehave."""

from __future__ import annotations

import hashlib
import io
import re
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from video2reward.memory.errors import BadInput, MissingPart
from video2reward.tools import models
from video2reward.tools.fetch import Source, fetch

CONTENT = b"\x08\x08" + bytes(range(256)) * 4000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def _zipped(name: str = "20230831/model/end2end.onnx") -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("20230831/model/pipeline.json", "{}")
        archive.writestr(name, CONTENT)
    return packed.getvalue()


class Server:
    """Serves `files` by path, with ranges. `cut` breaks an answer off after so many bytes, once for each entry."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.cut: list[int] = []
        self.ranges = True
        self.asked: list[tuple[str, str]] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                wanted = self.headers.get("Range", "")
                owner.asked.append((self.path, wanted))
                body = owner.files.get(self.path)
                if body is None:
                    self.send_error(404)
                    return
                start = int(re.findall(r"\d+", wanted)[0]) if wanted and owner.ranges else 0
                if start and start >= len(body):
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{len(body)}")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                self.send_response(206 if start else 200)
                if start:
                    self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
                self.send_header("Content-Length", str(len(body) - start))
                self.end_headers()
                end = start + owner.cut.pop(0) if owner.cut else len(body)
                self.wfile.write(body[start:end])

            def log_message(self, format: str, *args: object) -> None:
                return

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._http.server_port}{path}"

    def close(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    running = Server()
    yield running
    running.close()


def _parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.part"))


def test_a_file_is_fetched_and_verified(server: Server, tmp_path: Path) -> None:
    server.files["/net.onnx"] = CONTENT
    shares: list[float] = []
    fetch([Source(server.url("/net.onnx"))], tmp_path / "new" / "net.onnx", SHA256, shares.append)
    assert (tmp_path / "new" / "net.onnx").read_bytes() == CONTENT
    assert shares == sorted(shares) and shares[-1] == 1.0
    assert not _parts(tmp_path / "new")


def test_a_network_is_taken_out_of_its_archive(server: Server, tmp_path: Path) -> None:
    server.files["/sdk.zip"] = _zipped()
    fetch([Source(server.url("/sdk.zip"), "end2end.onnx")], tmp_path / "net.onnx", SHA256)
    assert (tmp_path / "net.onnx").read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]


def test_a_broken_download_is_gone_on_with_where_it_broke_off(server: Server, tmp_path: Path) -> None:
    server.files["/net.onnx"] = CONTENT
    server.cut = [300_000, 300_000]
    fetch([Source(server.url("/net.onnx"))], tmp_path / "net.onnx", SHA256)
    assert (tmp_path / "net.onnx").read_bytes() == CONTENT
    assert [wanted for _, wanted in server.asked] == ["", "bytes=300000-", "bytes=600000-"]


def test_a_later_process_goes_on_too(server: Server, tmp_path: Path) -> None:
    server.files["/net.onnx"] = CONTENT
    source = [Source(server.url("/net.onnx"))]
    server.cut = [400_000]
    with pytest.raises(MissingPart, match="broke off after 400000 of"):
        fetch(source, tmp_path / "net.onnx", SHA256, tries=1)
    assert _parts(tmp_path)[0].stat().st_size == 400_000
    fetch(source, tmp_path / "net.onnx", SHA256, tries=1)
    assert server.asked[-1][1] == "bytes=400000-"
    assert (tmp_path / "net.onnx").read_bytes() == CONTENT


def test_a_server_without_ranges_sends_the_whole_again(server: Server, tmp_path: Path) -> None:
    server.files["/net.onnx"] = CONTENT
    server.cut, server.ranges = [300_000], False
    fetch([Source(server.url("/net.onnx"))], tmp_path / "net.onnx", SHA256)
    assert (tmp_path / "net.onnx").read_bytes() == CONTENT


def test_what_was_complete_but_not_yet_moved_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    server.files["/net.onnx"] = CONTENT
    source = Source(server.url("/net.onnx"))
    server.cut = [0]
    with pytest.raises(MissingPart):
        fetch([source], tmp_path / "net.onnx", SHA256, tries=1)
    _parts(tmp_path)[0].write_bytes(CONTENT)
    fetch([source], tmp_path / "net.onnx", SHA256)
    assert (tmp_path / "net.onnx").read_bytes() == CONTENT


@pytest.mark.parametrize("begun", [b"of another file" * 1000, b"longer than it should be" * 90_000])
def test_a_beginning_of_another_file_is_thrown_away(server: Server, tmp_path: Path, begun: bytes) -> None:
    server.files["/net.onnx"] = CONTENT
    source = Source(server.url("/net.onnx"))
    server.cut = [0]
    with pytest.raises(MissingPart):
        fetch([source], tmp_path / "net.onnx", SHA256, tries=1)
    _parts(tmp_path)[0].write_bytes(begun)
    fetch([source], tmp_path / "net.onnx", SHA256)
    assert (tmp_path / "net.onnx").read_bytes() == CONTENT


def test_where_one_source_has_nothing_or_something_else_the_next_is_asked(server: Server, tmp_path: Path) -> None:
    server.files |= {"/page.onnx": b"<html>please log in</html>", "/bad.zip": b"PK no archive", "/good": CONTENT}
    server.files["/other.zip"] = _zipped("20230831/model/readme.txt")
    sources = [
        Source(server.url("/gone.onnx")),
        Source(server.url("/page.onnx")),
        Source(server.url("/bad.zip"), "end2end.onnx"),
        Source(server.url("/other.zip"), "end2end.onnx"),
        Source(server.url("/good")),
    ]
    fetch(sources, tmp_path / "net.onnx", SHA256)
    assert (tmp_path / "net.onnx").read_bytes() == CONTENT
    assert [path for path, _ in server.asked] == ["/gone.onnx", "/page.onnx", "/bad.zip", "/other.zip", "/good"]
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]


def test_the_error_tells_what_every_source_answered(server: Server, tmp_path: Path) -> None:
    server.files["/page.onnx"] = b"<html>please log in</html>"
    sources = [Source(server.url("/gone.onnx")), Source(server.url("/page.onnx")), Source("http://127.0.0.1:9/x")]
    with pytest.raises(MissingPart) as caught:
        fetch(sources, tmp_path / "net.onnx", SHA256)
    for said in ("/gone.onnx: HTTP 404", "/page.onnx: sent a file with another sha256", "/x: cannot be reached"):
        assert said in caught.value.what
    assert not (tmp_path / "net.onnx").exists()


@pytest.fixture
def registry(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two models of the registry, at the server in place of the real addresses; returns the cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("V2R_POSE_TASK", raising=False)
    known = models.ModelFile("known", "known.onnx", "tests: a", "none", 1.0, SHA256, (Source(server.url("/a")),))
    loose = models.ModelFile("loose", "loose.onnx", "tests: b", "none", 1.0, "", (Source(server.url("/b")),))
    monkeypatch.setattr(models, "MODELS", {"known": known, "loose": loose})
    server.files |= {"/a": CONTENT, "/b": CONTENT}
    return tmp_path / "cache" / "video2reward" / "models"


def _states() -> dict[str, str]:
    return {status.model.name: status.state for status in models.list_models()}


def test_pulling_fills_the_cache_once(registry: Path, server: Server) -> None:
    assert _states() == {"known": "missing", "loose": "missing"}
    assert models.pull("known") == models.find_model("known") == registry / "known.onnx"
    assert models.pull("loose") == models.find_model("loose") == registry / "loose.onnx"
    assert _states() == {"known": "verified", "loose": "not verified"}
    asked = len(server.asked)
    models.pull("known"), models.pull("loose")
    assert len(server.asked) == asked


def test_a_file_nobody_vouches_for_is_pinned_and_a_change_refused(registry: Path) -> None:
    models.pull("loose")
    (registry / "loose.onnx").write_bytes(CONTENT + b"more")
    with pytest.raises(MissingPart, match="damaged"):
        models.find_model("loose")
    assert _states()["loose"] == "damaged"
    models.pull("loose")  # fetched again: what lay there was not what was pinned
    assert models.find_model("loose").read_bytes() == CONTENT


def test_a_file_put_into_the_cache_by_hand_is_pinned_when_it_is_first_used(registry: Path) -> None:
    registry.mkdir(parents=True)
    (registry / "loose.onnx").write_bytes(CONTENT)
    models.find_model("loose")
    (registry / "loose.onnx").write_bytes(CONTENT[::-1])
    with pytest.raises(MissingPart, match="damaged"):
        models.find_model("loose")


def test_adding_takes_the_published_file_and_ones_own_export(registry: Path, tmp_path: Path) -> None:
    published, own = tmp_path / "published", tmp_path / "own.onnx"
    published.write_bytes(CONTENT)
    own.write_bytes(b"\x08\x07 another export")
    assert models.add("known", published).state == "verified"
    assert models.add("known", own).state == "not verified"
    assert models.find_model("known").read_bytes() == own.read_bytes()
    (registry / "known.onnx").write_bytes(b"\x08\x07 changed")
    with pytest.raises(MissingPart, match="damaged"):
        models.find_model("known")


def test_what_cannot_be_the_model_is_not_added(registry: Path, tmp_path: Path) -> None:
    for content in (b"", b"<html>", b"PK\x03\x04"):
        (tmp_path / "wrong").write_bytes(content)
        with pytest.raises(BadInput, match="no model file"):
            models.add("known", tmp_path / "wrong")
    with pytest.raises(BadInput, match="no file"):
        models.add("known", tmp_path / "nowhere")
    assert not (registry / "known.onnx").exists()


def test_without_access_the_error_says_which_file_to_put_where(registry: Path, server: Server) -> None:
    del server.files["/a"]
    with pytest.raises(MissingPart, match="HTTP 404") as caught:
        models.pull("known")
    assert f"get {server.url('/a')}" in caught.value.cure
    assert "models add known FILE" in caught.value.cure and str(registry / "known.onnx") in caught.value.cure
