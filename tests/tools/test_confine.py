"""The operating system's layer alone: no guard looks at what runs here."""

import os
import socket
import sys
from pathlib import Path

import pytest
from video2reward.memory.errors import MissingPart
from video2reward.tools import confine
from video2reward.tools.confine import Layers, available_layers, clean_environment, confined, require_layers
from video2reward.tools.run_confined import run_confined, run_files


@pytest.fixture
def run_code(tmp_path):
    """Return a function that runs pieces of code behind the layer, in the folder `box`, and returns their endings."""
    if not available_layers().complete:
        pytest.skip(f"THE OPERATING SYSTEM'S LAYER IS NOT TESTED HERE: {available_layers().missing}")
    box = tmp_path / "box"
    box.mkdir()

    def run_code(torch: bool = False, seconds: float = 5.0, **code_by_name: str):
        files = []
        for name, code in code_by_name.items():
            (tmp_path / f"{name}.py").write_text(code)
            files.append(tmp_path / f"{name}.py")
        return {Path(k).stem: v for k, v in run_files(files, box, seconds=seconds, torch=torch).items()}

    return run_code


def run_unlocked(code: str, folder: Path, readable: tuple[Path, ...] = ()):
    """Run code in the box without the inner lock: `timeit` is a module of Python's own that runs what it is told."""
    return run_confined("timeit", ["-n", "1", "-r", "1", code], folder, readable=readable, timeout_s=20.0)


def test_files_outside_the_folder_can_neither_be_read_nor_written(run_code, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("s3cret")
    ended = run_code(
        read=f"print(open({str(secret)!r}).read())",
        home=f"import os; print(os.listdir({str(Path.home())!r}))",
        write=f"open({str(tmp_path / 'canary')!r}, 'w').write('out')",
        tmp="open('/tmp/canary-of-v2r', 'w')",
        shm="open('/dev/shm/canary-of-v2r', 'w')",
        system="open('/usr/lib/canary', 'w')",
        folder="open('mine', 'w').write('kept')",
    )
    assert ended.pop("folder").exit == 0 and (tmp_path / "box" / "mine").read_text() == "kept"
    assert "s3cret" not in "".join(ending.words for ending in ended.values())
    # A home may be the way to Python itself; then nothing of it is seen but that way.
    home = ended.pop("home")
    assert home.exit != 0 or home.words.count("'") <= 4
    assert all(ending.exit == 1 for ending in ended.values())
    assert not (tmp_path / "canary").exists()


def test_a_file_given_to_read_cannot_be_replaced_even_within_the_folder(tmp_path):
    if available_layers().sandbox:
        pytest.skip(f"THE SANDBOX IS NOT TESTED HERE: {available_layers().sandbox}")
    box = tmp_path / "box"
    box.mkdir()
    given = box / "spec.json"
    given.write_text("as given")
    code = (
        "import os\n"
        "for act in (lambda: open('spec.json', 'w'), lambda: os.unlink('spec.json'),\n"
        "            lambda: os.rename('spec.json', 'x'), lambda: os.symlink('/etc', 'spec.json')):\n"
        "    try:\n        act()\n    except OSError as error:\n        print(type(error).__name__)\n"
    )
    ending = run_unlocked(code, box, readable=(given,))
    assert ending.exit_code == 0 and ending.stdout.count("Error") == 4
    assert given.read_text() == "as given"


def test_a_file_of_no_encoding_ends_neither_the_runner_nor_the_next_file(tmp_path):
    if not available_layers().complete:
        pytest.skip(f"THE OPERATING SYSTEM'S LAYER IS NOT TESTED HERE: {available_layers().missing}")
    (tmp_path / "box").mkdir()
    files = {"bytes": b"x = '\xff\xfe'", "cookie": b"# coding: no-such\n", "null": b"x = 1\0", "next": b"print('on')"}
    for name, raw in files.items():
        (tmp_path / f"{name}.py").write_bytes(raw)
    ended = run_files([tmp_path / f"{name}.py" for name in files], tmp_path / "box")
    assert [ended[f"{name}.py"].exit for name in files] == [1, 1, 1, 0] and ended["next.py"].words == "on\n"


def test_there_is_no_network_not_even_to_this_machine(run_code):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        ended = run_code(
            tcp=f"import socket; socket.create_connection(('127.0.0.1', {port}), 1)",
            udp="import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
            unix="import socket; socket.socketpair()",
        )
        assert [ending.exit for ending in ended.values()] == [1, 1, 1]


def test_the_box_alone_keeps_the_network_out(tmp_path):
    if available_layers().sandbox:
        pytest.skip(f"THE SANDBOX IS NOT TESTED HERE: {available_layers().sandbox}")
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = f"import socket; socket.create_connection(('127.0.0.1', {server.getsockname()[1]}), 1)"
        ending = run_unlocked(code, tmp_path)
        assert ending.exit_code == 1 and "refused" in ending.stderr


def test_no_process_is_started_and_no_other_is_touched(run_code):
    ended = run_code(
        fork="import os; os.fork()",
        shell="import subprocess; subprocess.run(['/bin/true'])",
        system="import os; raise SystemExit(os.system('true') != 0)",
        spawn="import os; os.posix_spawn('/bin/true', ['true'], {})",
        exec="import os; os.execv('/bin/true', ['true'])",
        kill="import os; os.kill(1, 9)",
        session="import os; os.setsid()",
        ptrace="import ctypes; raise SystemExit(ctypes.CDLL(None).ptrace(16, 1, 0, 0) != 0)",
        mount="import ctypes; raise SystemExit(ctypes.CDLL(None).mount(b'x', b'/proc', b'tmpfs', 0, 0) != 0)",
        unshare="import ctypes; raise SystemExit(ctypes.CDLL(None).unshare(0x10000000) != 0)",
    )
    assert {name for name, ending in ended.items() if ending.exit != 1} == set()


def test_other_processes_are_not_seen(run_code):
    ended = run_code(look="import os; print(sorted(p for p in os.listdir('/proc') if p.isdigit()))")
    # Its own forks and bubblewrap's first process: a handful, none of them ours.
    assert 1 <= ended["look"].words.count("'") / 2 <= 4 and f"'{os.getpid()}'" not in ended["look"].words


def test_memory_time_file_size_and_open_files_have_an_end(run_code):
    ended = run_code(
        seconds=2.0,
        memory="x = bytearray(8 << 30)",
        for_ever="while True: pass",
        file="open('big', 'wb').truncate(1 << 30)",
        grow="f = open('grow', 'wb')\nfor _ in range(64): f.write(b'0' * (1 << 20)); f.flush()",
        files="kept = [open('/dev/null') for _ in range(1000)]",
    )
    assert ended.pop("for_ever").exit is None
    assert {name: ending.words.split(":")[0] for name, ending in ended.items()} == {
        "memory": "MemoryError", "file": "OSError", "grow": "OSError", "files": "OSError",
    }  # fmt: skip


def test_no_memory_is_held_where_no_limit_counts_it(run_code):
    ending = run_code(hide="import os\nos.write(os.memfd_create('x'), b'0' * 1000)\nprint('held')")["hide"]
    assert "not permitted" in ending.words and "held" not in ending.words


def test_what_computing_needs_is_left(run_code):
    ended = run_code(
        torch=True,
        thread="import threading\nt = threading.Thread(target=print, args=('ran',)); t.start(); t.join()",
        compute="import torch; torch.set_num_threads(2); print(torch.ones(999, 999).matmul(torch.ones(999)).sum())",
        save="import torch; torch.save(torch.ones(3), 'x.pt'); print(torch.load('x.pt').sum())",
    )  # fmt: skip
    assert {name: ending.exit for name, ending in ended.items()} == {"thread": 0, "compute": 0, "save": 0}


def test_no_variable_of_ours_reaches_the_box(run_code, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "s3cret")
    monkeypatch.setenv("V2R_API_KEY", "s3cret")
    code = (
        "import glob, os\nprint(dict(os.environ))\n"
        "for p in glob.glob('/proc/*/environ') + glob.glob('/proc/*/cmdline'):\n"
        "    try:\n        print(open(p).read())\n    except OSError:\n        pass\n"
    )
    ending = run_code(look=code)["look"]
    assert ending.exit == 0 and "V2R_SECCOMP" in ending.words and "s3cret" not in ending.words
    assert not {name for name in clean_environment(Path("/x")) if "KEY" in name}


@pytest.mark.parametrize("fake", ["#!/bin/sh\nexit 1\n", "#!/bin/sh\necho 'No permissions' >&2\nexit 1\n", None])
def test_a_bubblewrap_that_does_not_work_is_a_missing_layer(monkeypatch, tmp_path, fake):
    if fake is not None:
        (tmp_path / "bwrap").write_text(fake)
        (tmp_path / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    layers = available_layers.__wrapped__()
    assert layers.sandbox and "sandbox" in layers.missing and not layers.complete


def test_foreign_code_asks_for_the_layers_or_for_unsafe(monkeypatch):
    monkeypatch.setattr(confine, "available_layers", lambda: Layers(sandbox="bubblewrap is not installed", seccomp=""))
    for author in ("openai:some-model", "a person"):
        with pytest.raises(MissingPart, match="bubblewrap is not installed.*--unsafe"):
            require_layers(author, unsafe=False)
        assert not require_layers(author, unsafe=True).complete
    assert not require_layers("offline", unsafe=False).complete
    assert confined("module", ["x"], Path("/tmp")) == [sys.executable, "-P", "-m", "module", "x"]


def test_other_threads_of_the_process_are_locked_too(run_code):
    code = (
        "import os, threading\n"
        "def act():\n"
        "    try:\n        os.fork()\n    except PermissionError:\n        print('locked')\n"
        "t = threading.Thread(target=act); t.start(); t.join()\n"
    )
    assert "locked" in run_code(code=code)["code"].words
