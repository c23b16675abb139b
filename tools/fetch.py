"""Fetch a file over HTTP: from the first source that has it, going on where an earlier try broke off, verified."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import shutil
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from video2reward.memory.errors import MissingPart
from video2reward.memory.runs import sha256_of

TRIES = 3
TIMEOUT_S = 20.0
_BLOCK = 1 << 18
_MAX_BYTES = 4 << 30


@dataclass(frozen=True)
class Source:
    """Where a file lies: at a URL or, with `member`, in the zip archive there under a name that ends so."""

    url: str
    member: str = ""


class _Failed(Exception):
    """Why a source did not give the file; `final` where another try of it is of no use."""

    def __init__(self, why: str, *, final: bool) -> None:
        super().__init__(why)
        self.final = final


def fetch(
    sources: Sequence[Source],
    target: Path,
    sha256: str = "",
    on_share: Callable[[float], None] | None = None,
    tries: int = TRIES,
) -> None:
    """Fetch `target` from the first source that gives it; with `sha256`, nothing else is taken.

    What has come so far lies beside the target in a file ending in `.part`, one for each source, and is gone on with
    (HTTP Range), also by a later process. Raises MissingPart with what each source answered, OSError for a full disk.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    said = []
    for source in sources:
        part = target.with_name(f"{target.name}.{hashlib.sha256(source.url.encode()).hexdigest()[:8]}.part")
        for _ in range(tries):
            try:
                resumed = _download(source.url, part, on_share)
                _take(source, part, target, sha256, resumed)
                return
            except _Failed as error:
                failure = error
                if error.final:
                    break
        said.append(f"{source.url}: {failure}")
    raise MissingPart(f"{target.name} could not be fetched. {'; '.join(said)}.")


def _download(url: str, part: Path, on_share: Callable[[float], None] | None) -> bool:
    """Complete `part` from a URL; tell whether some of it is from an earlier try."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "video2reward", "Accept-Encoding": "identity"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            # A server that knows no ranges answers 200 with the whole file.
            have = have if answer.status == 206 and _starts_at(answer, have) else 0
            length = answer.headers.get("Content-Length")
            total = have + int(length) if length and length.isdigit() else 0
            _append(answer, part, have, total, on_share)
            return have > 0
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and have:  # there is nothing after what we have
            if error.headers.get("Content-Range", "").endswith(f"/{have}"):
                return True
            part.unlink()
            raise _Failed("has another file than the one begun", final=False) from error
        raise _Failed(f"HTTP {error.code}", final=error.code not in (408, 425, 429, 500, 502, 503, 504)) from error
    except urllib.error.URLError as error:
        # No name, no route, no certificate: asking once more gives the same.
        raise _Failed(
            f"cannot be reached ({error.reason})", final=not isinstance(error.reason, TimeoutError)
        ) from error
    except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
        raise _Failed(f"broke off ({type(error).__name__})", final=False) from error
    except ValueError as error:
        raise _Failed(f"is no address ({error})", final=True) from error


def _append(
    answer: http.client.HTTPResponse, part: Path, have: int, total: int, on_share: Callable[[float], None] | None
) -> None:
    with part.open("r+b" if have else "wb") as file:
        file.seek(have)
        file.truncate()
        while block := answer.read(_BLOCK):
            file.write(block)
            have += len(block)
            if have > _MAX_BYTES:
                raise _Failed("sends without end", final=True)
            if on_share and total:
                on_share(min(have / total, 1.0))
    if total and have < total:
        raise _Failed(f"broke off after {have} of {total} bytes", final=False)


def _starts_at(answer: http.client.HTTPResponse, have: int) -> bool:
    told = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return bool(told) and int(told[1]) == have


def _take(source: Source, part: Path, target: Path, sha256: str, resumed: bool) -> None:
    """Move what was fetched to its place, out of its archive; what is not the file is thrown away.

    What was `resumed` may have been put together from two files, and is worth another try from the start.
    """
    whole = part
    if source.member:
        whole = part.with_suffix(".member")
        try:
            with zipfile.ZipFile(part) as archive:
                inside = [entry for entry in archive.infolist() if entry.filename.endswith(source.member)]
                if not inside or inside[0].file_size > _MAX_BYTES:
                    raise _Failed(f"holds no {source.member}", final=True)
                with archive.open(inside[0]) as packed, whole.open("wb") as file:
                    shutil.copyfileobj(packed, file, _BLOCK)
        except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
            whole.unlink(missing_ok=True)
            part.unlink()
            raise _Failed(f"is no readable archive ({error})", final=not resumed) from error
        except _Failed:
            part.unlink()
            raise
    if sha256 and sha256_of(whole) != sha256:
        whole.unlink()
        part.unlink(missing_ok=True)
        raise _Failed("sent a file with another sha256 than it should have", final=not resumed)
    os.replace(whole, target)
    part.unlink(missing_ok=True)
