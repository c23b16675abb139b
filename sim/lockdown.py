"""The lock that a process puts on itself before it runs a reward's code: system calls and limits, for good.

It is the inner half of the operating system's layer; the outer half (no network, no files but one folder) is put
around the process by whoever starts it. Everything that needs another process or a socket must be imported before.

As a program it runs files behind the lock, each in a fork of its own, and says what became of them; the escape suite
and the tests of the layers stand on that: `python -m video2reward.sim.lockdown --seconds 5 FILE...`.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import resource
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

SECCOMP_VARIABLE = "V2R_SECCOMP"
"""Set by the starter where it has seen seccomp work: then a filter that cannot be loaded ends the process."""

_DENIED = (
    # other programs and processes
    "execve execveat fork vfork setsid setpgid ptrace process_vm_readv process_vm_writev pidfd_open pidfd_getfd "
    "pidfd_send_signal rt_sigqueueinfo rt_tgsigqueueinfo kcmp process_madvise process_mrelease tkill "
    # the network and other ways to talk
    "socket socketpair connect bind listen accept accept4 sendto sendmsg sendmmsg "
    "mq_open msgget semget shmget "
    # the lock that says that this worker lives
    "flock "
    # file systems and namespaces
    "mount umount umount2 pivot_root chroot unshare setns mount_setattr move_mount open_tree fsopen fsmount fspick "
    "fsconfig open_by_handle_at name_to_handle_at mknod mknodat quotactl quotactl_fd swapon swapoff fanotify_init "
    # the kernel itself
    "bpf perf_event_open userfaultfd io_uring_setup io_uring_enter io_uring_register keyctl add_key request_key "
    "init_module finit_module delete_module kexec_load kexec_file_load reboot syslog personality acct "
    "settimeofday clock_settime clock_adjtime adjtimex sethostname setdomainname iopl ioperm modify_ldt vhangup "
    "memfd_secret lookup_dcookie uselib nfsservctl "
    # who this process is
    "setuid setgid setreuid setregid setresuid setresgid setgroups setfsuid setfsgid capset"
).split()
_CLONE_THREAD = 0x10000
_MOST_WORDS = 20_000


@dataclass(frozen=True)
class Limits:
    """What the process may use. `memory_bytes` limits the address space, which CUDA cannot live with: None there."""

    cpu_s: int
    memory_bytes: int | None = 8 << 30
    file_bytes: int = 256 << 20
    open_files: int = 256


def lock_down(limits: Limits) -> None:
    """Put on the limits and, where it is there, the filter of system calls; neither can be taken off again.

    Raises RuntimeError where the starter counts on the filter and it cannot be loaded.
    """
    wanted = {
        resource.RLIMIT_CPU: limits.cpu_s,
        resource.RLIMIT_FSIZE: limits.file_bytes,
        resource.RLIMIT_NOFILE: limits.open_files,
        resource.RLIMIT_CORE: 0,
    }
    if limits.memory_bytes is not None:
        wanted[resource.RLIMIT_AS] = limits.memory_bytes
    for name, most in wanted.items():
        _, hard = resource.getrlimit(name)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        try:
            resource.setrlimit(name, (most, most))
        except (ValueError, OSError):
            # macOS knows RLIMIT_AS and refuses to set it.
            if name != resource.RLIMIT_AS or sys.platform == "linux":
                raise
    # A file that grows over its limit is an error that says so, not a signal that kills without a word.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        # What lies in files of memory is in nobody's address space; where that is not limited, CUDA may want them.
        filter_system_calls(memory_files=limits.memory_bytes is None)
    except (ImportError, RuntimeError, OSError) as error:
        if os.environ.get(SECCOMP_VARIABLE):
            raise RuntimeError(f"the filter of system calls cannot be loaded: {error}") from error


def filter_system_calls(*, memory_files: bool = False) -> None:
    """Let every thread of this process make only the calls that computing needs, plus new threads.

    With `memory_files` it may also make files that lie in memory alone, which no limit counts.
    Raises ImportError, RuntimeError or OSError where seccomp is not to be had.
    """
    if sys.platform != "linux":
        raise RuntimeError("seccomp is Linux's")
    import pyseccomp as seccomp

    allowed = seccomp.SyscallFilter(seccomp.ALLOW)
    refuse = seccomp.ERRNO(errno.EPERM)
    native = seccomp.system_arch()
    for name in (*_DENIED, *([] if memory_files else ["memfd_create"])):
        # Not every machine knows every call: arm64 has no fork of its own.
        if seccomp.resolve_syscall(native, name) >= 0:
            allowed.add_rule(refuse, name)
    # glibc asks for clone3 first, whose flags a filter cannot see; told that there is none, it takes clone.
    allowed.add_rule(seccomp.ERRNO(errno.ENOSYS), "clone3")
    allowed.add_rule(refuse, "clone", seccomp.Arg(0, seccomp.MASKED_EQ, _CLONE_THREAD, 0))
    for name in ("kill", "tgkill"):
        allowed.add_rule(refuse, name, seccomp.Arg(0, seccomp.NE, os.getpid()))
    allowed.set_attr(seccomp.Attr.CTL_TSYNC, 1)
    allowed.load()


def main(argv: list[str] | None = None) -> int:
    """Run each file in a fork of its own behind the lock; print one line of JSON for each."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--memory-mb", type=int, default=4096)
    parser.add_argument("--torch", action="store_true", help="import torch once, before the first file")
    parser.add_argument("files", nargs="*", type=Path)
    arguments = parser.parse_args(argv)
    if arguments.torch:
        import torch

        torch.set_num_threads(1)
    limits = Limits(cpu_s=int(arguments.seconds) + 1, memory_bytes=arguments.memory_mb << 20, file_bytes=16 << 20)
    for path in arguments.files:
        print(json.dumps({"file": path.name, **_run_behind_the_lock(path, limits, arguments.seconds)}), flush=True)
    return 0


def _run_behind_the_lock(path: Path, limits: Limits, seconds: float) -> dict[str, object]:
    """Return how a file ended: `exit` (negative for a signal, None where it was ended) and the `words` it left."""
    told, tell = os.pipe()
    if (child := os.fork()) == 0:
        _be_the_child(path, limits, tell)
    os.close(tell)
    os.set_blocking(told, False)
    deadline, words, status = time.monotonic() + seconds, b"", None
    while status is None:
        ended, code = os.waitpid(child, os.WNOHANG)
        status = os.waitstatus_to_exitcode(code) if ended else None
        try:
            words += os.read(told, 4096)
        except BlockingIOError:
            pass
        if status is None and time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            break
        time.sleep(0.002)
    os.close(told)
    return {"exit": status, "words": words[-_MOST_WORDS:].decode(errors="replace")}


def _be_the_child(path: Path, limits: Limits, tell: int) -> None:
    code = 1
    os.dup2(tell, 1)
    os.dup2(tell, 2)
    try:
        # Whatever the file is, bytes of no encoding included, it is read and parsed here, not by who waits.
        source = path.read_bytes()
        lock_down(limits)
        exec(compile(source, str(path), "exec"), {"__name__": "__main__"})
        code = 0
    except BaseException as error:  # the file's own business; how it ended is what is asked for
        try:
            os.write(tell, f"{type(error).__name__}: {error}".encode()[:2000])
        except OSError:
            pass
    else:
        sys.stdout.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    sys.exit(main())
