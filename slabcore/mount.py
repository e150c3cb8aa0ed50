"""Our files in the place of /proc's, for a program that reads them."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import stat
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType

from slabcore.errors import InputError, SlabcoreError

__all__ = [
    "PLACE",
    "VARIABLE",
    "CommandError",
    "NamespaceError",
    "find",
    "namespace",
    "run",
    "tree",
    "write",
]

# What stands for the directory of our files among a command's arguments, and the
# variable of its environment that names it too.
PLACE = "{proc}"
VARIABLE = "SLABCORE_PROC"

# What a shell reports of a command that it does not find, of one that it cannot run,
# and, with the signal's number added, of one that a signal ended.
_NOT_FOUND, _NOT_RUNNABLE, _SIGNALLED = 127, 126, 128

_FORWARDED = (
    *(signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM),
    *(signal.SIGUSR1, signal.SIGUSR2),
)
_FROM_A_KEYBOARD = (signal.SIGINT, signal.SIGQUIT)

# Mounts its arguments in pairs up to --, then becomes the command behind it. Private
# first: what is mounted here is never seen outside.
_MOUNT = (
    "mount --make-rprivate / || exit; "
    'while [ "$1" != -- ]; do mount --bind "$1" "$2" || exit; shift 2; done; '
    'shift; exec "$@"'
)


class CommandError(SlabcoreError):
    """Report a command that cannot be run, with the status that a shell gives it."""

    def __init__(self, text: str, status: int) -> None:
        self.status = status
        super().__init__(text)


class NamespaceError(SlabcoreError):
    """Report that the system lets nobody mount over /proc here, and why."""


# --- the directory --------------------------------------------------------------------


@contextlib.contextmanager
def tree(
    files: Mapping[str, bytes],
    directory: str | os.PathLike[str] | None = None,
    *,
    force: bool = False,
) -> Iterator[Path]:
    """Write files into a directory, and yield it.

    directory: None is a temporary one, which is removed at the end. A named one stays;
    one that holds anything else than these very files is refused, unless *force*.
    Raises: InputError.
    """
    if directory is None:
        with tempfile.TemporaryDirectory(prefix="slabcore-") as name:
            # Whoever the command becomes may read them.
            os.chmod(name, 0o755)
            write(Path(name), files)
            yield Path(name)
        return
    if not os.fspath(directory):
        raise InputError("''", "this is no path", "a directory to write to")
    path = Path(directory).absolute()
    with _refused(path, "a directory to write to, or a new one in one that is there"):
        path.mkdir(exist_ok=True)
        there = {entry.name for entry in path.iterdir()}
    if there and there != set(files) and not force:
        what = f"has other files, {min(there - set(files) or there)} is one"
        raise InputError(str(path), what, "an empty directory, or --force")
    write(path, files)
    yield path


def write(directory: Path, files: Mapping[str, bytes]) -> None:
    """Write files in place: who has one open reads the new text. Raises: InputError.

    As most files of /proc they may be read by all and written by nobody. SLUB's
    slabinfo is root's alone; a client that reads ours need not be who wrote it.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    for name, text in files.items():
        path = directory / name
        with _refused(path, "a file to write to"):
            _let_write(path)
            with open(os.open(path, flags, 0o644), "wb") as file:
                file.write(text)
                file.truncate()
                os.fchmod(file.fileno(), 0o444)


def _let_write(path: Path) -> None:
    """Take back that nobody may write a file, if it is one of ours."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with contextlib.suppress(OSError):
        there = os.open(path, flags)
        try:
            if stat.S_ISREG(os.fstat(there).st_mode):
                os.fchmod(there, 0o644)
        finally:
            os.close(there)


@contextlib.contextmanager
def _refused(path: Path, expected: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        what = (error.strerror or str(error)).lower()
        raise InputError(str(path), what, expected) from None


# --- the namespace --------------------------------------------------------------------


def namespace(directory: Path, names: Sequence[str]) -> list[str]:
    """Return the words that run a command with files of a directory over /proc's.

    The words end where the command begins. A file that this machine's /proc lacks is
    left out, but for the first.
    Raises: NamespaceError if mounts are not allowed here.
    """
    pairs = [
        (str(directory / name), f"/proc/{name}")
        for name in names
        if os.path.exists(f"/proc/{name}")
    ]
    if f"/proc/{names[0]}" not in (over for _, over in pairs):
        raise NamespaceError(f"there is no /proc/{names[0]} to mount over")
    if not shutil.which("unshare"):
        raise NamespaceError("unshare is not installed")
    mounts = ["sh", "-c", _MOUNT, "sh", *(word for pair in pairs for word in pair)]
    # Root stays who it is; others, and a root that may not mount, become root of a
    # user namespace of their own.
    ways = [["unshare", "--user", "--map-root-user", "--mount"]]
    if os.geteuid() == 0:
        ways.insert(0, ["unshare", "--mount"])
    reason = ""
    for way in ways:
        words = [*way, "--", *mounts, "--"]
        tried = subprocess.run(
            [*words, "true"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            check=False,
        )
        if tried.returncode == 0:
            return words
        said = tried.stderr.strip().splitlines() or [f"status {tried.returncode}"]
        reason = said[-1]
    raise NamespaceError(reason)


# --- the command ----------------------------------------------------------------------


def find(command: str) -> None:
    """Refuse a command that is not there or not a program. Raises: CommandError."""
    if PLACE in command or shutil.which(command):
        return
    if shutil.which(command, mode=os.F_OK) or os.path.isdir(command):
        raise CommandError(f"{command}: not a program that may be run", _NOT_RUNNABLE)
    shown = command or "''"
    raise CommandError(f"{shown}: command not found", _NOT_FOUND)


def run(
    command: Sequence[str],
    directory: Path,
    *,
    words: Sequence[str] = (),
    tick: Callable[[], None] | None = None,
    every_s: float = 1.0,
) -> int:
    """Run a command that knows the directory of our files; return its status.

    words: what comes before it, from namespace().
    tick: called every *every_s* seconds while it runs.
    The status is a shell's: 128 and its number of a signal that ended the command.
    Signals are handed on to it.
    Raises: CommandError.
    """
    command = [word.replace(PLACE, str(directory)) for word in command]
    environment = os.environ | {VARIABLE: str(directory)}
    with _Forwarding() as forwarding:
        try:
            process = subprocess.Popen([*words, *command], env=environment)
        except OSError as error:
            gone = isinstance(error, FileNotFoundError)
            text = f"{command[0]}: {(error.strerror or str(error)).lower()}"
            status = _NOT_FOUND if gone else _NOT_RUNNABLE
            raise CommandError(text, status) from None
        with process:
            forwarding.to(process)
            try:
                _wait(process, tick, every_s)
            except BaseException:
                process.terminate()
                raise
    status = process.returncode
    return status if status >= 0 else _SIGNALLED - status


def _wait(
    process: subprocess.Popen[bytes], tick: Callable[[], None] | None, every_s: float
) -> None:
    while tick is not None:
        try:
            process.wait(every_s)
            return
        except subprocess.TimeoutExpired:
            tick()
    process.wait()


class _Forwarding:
    """Hand signals on to a process, for as long as it is entered."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> _Forwarding:
        if threading.current_thread() is not threading.main_thread():
            return self  # Python hands signals to the main thread alone
        for number in _FORWARDED:
            # What is ignored (nohup) the command ignores too; a handler that is none
            # of Python's cannot be put back.
            before = signal.getsignal(number)
            if before not in (signal.SIG_IGN, None):
                signal.signal(number, self._handle)
                self._before[number] = before
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def to(self, process: subprocess.Popen[bytes]) -> None:
        """Name the process, which gets what came before it was there."""
        self._process = process
        for number in self._early:
            process.send_signal(number)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if number in _FROM_A_KEYBOARD and _in_foreground():
            return  # the terminal gave it to the command as well
        if self._process is None:
            self._early.append(number)
        else:
            self._process.send_signal(number)


def _in_foreground() -> bool:
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
