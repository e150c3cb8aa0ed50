"""Reading a list of records in chunks: what fs/seq_file.c does, era by era.

A file shows the entries of a *source*, which is asked four things: start, next, stop
and show. It formats whole records into a buffer of a page, hands out bytes of it, and
remembers where it is as the *index* of a record, not as a record: whoever adds or
removes an entry before the index makes the next chunk repeat a row or miss one.

The eras differ in the rules of `Era` and in nothing else. Read `SeqFile` from
`read_steps` on; a *section* is what happens between a start and its stop, under the
source's lock.
"""

from __future__ import annotations

import dataclasses
import errno
import os
from collections.abc import Callable, Generator
from operator import index
from types import MappingProxyType
from typing import Any, Protocol, TypeAlias, TypeVar

from slabcore.errors import InputError, LifecycleError

__all__ = ["ENTER", "ERAS", "LEAVE", "PAGE", "SKIP", "Era", "SeqFile", "Source"]

PAGE = 4096
LARGEST = 1 << 30  # that a buffer doubles to; kvmalloc() has no more
SKIP = 1
"""What show returns of a record that is to leave no trace (SEQ_SKIP)."""

ENTER, LEAVE = "enter", "leave"
"""What the steps of a read yield: before a start, after a stop."""

FARTHEST = (1 << 63) - 1  # a loff_t, which wraps round


@dataclasses.dataclass(frozen=True)
class Era:
    """Name one behaviour: the releases that were seen to have it, and its rules."""

    releases: tuple[str, ...]
    index_when_delivered: bool = False
    """The index passes a chunk when its last byte is handed out, and then by one past
    the chunk's last record; else when a record enters the buffer, to where next says.
    A satisfied read asks for no next, and a next that stays in place is not noticed."""
    restart_drops_leftover: bool = True
    """A read at position 0 forgets what the buffer still holds."""
    seek_passes_record: bool = True
    """A seek into a record leaves the index behind that record, whose rest is in the
    buffer. Where it does not, the whole record comes again after the rest."""
    empty_read_returns: bool = False
    """A read of no bytes does nothing at all; else it fills the buffer."""
    fills_when_drained: bool = False
    """A read that was satisfied by all of the leftover still fills the buffer."""
    partial_copy_counts: bool = False
    """What could be written before user memory ended is part of the result."""


ERAS = MappingProxyType(
    {
        "A": Era(
            releases=("4.10", "4.12"),
            index_when_delivered=True,
            restart_drops_leftover=False,
        ),
        "B": Era(releases=("4.19", "4.20", "5.2"), seek_passes_record=False),
        "C": Era(releases=("5.4", "5.8", "5.9")),
        "D": Era(
            releases=("5.10.185", "6.12", "6.18"),
            empty_read_returns=True,
            fills_when_drained=True,
            partial_copy_counts=True,
        ),
    }
)


class Source(Protocol):
    """Stand for what a file shows. An OSError that a hook raises is its -errno.

    A source may have a `find(entry)`: where a file with a cursor keeps its place, it is
    called in start's stead, and returns the entry to go on with: that one, or the one
    that follows now if it is gone. Or it may have a `resume(pos)`, which is called only
    to lock what stop unlocks. If it has neither start is called for that, and the entry
    that it returns makes no difference. At the end there is nothing to find, and one of
    these two is called for a source with a find, too.
    """

    def start(self, pos: int) -> Any | None:
        """Return the entry at a position, None at the end."""

    def next(self, entry: Any, pos: int) -> tuple[Any | None, int]:
        """Return the entry that follows the one at *pos*, and its position.

        At the end that is None, and a position all the same. An error's is pos + 1.
        """

    def stop(self, entry: Any | None) -> None:
        """End what start began; *entry* is where it ended, None at an end or error."""

    def show(self, m: SeqFile, entry: Any) -> int | None:
        """Print the entry with ``m.write``; return SKIP to have it forgotten."""


Answer: TypeAlias = Any
"""What start and next give: an entry, None at the end, or an OSError."""
T = TypeVar("T")
Steps: TypeAlias = Generator[str, None, T]


def _wrapped(position: int) -> int:
    half = FARTHEST + 1
    return (position + half) % (2 * half) - half


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


class _User:
    """Hold what one read was given: room for bytes, and how many can be written."""

    def __init__(self, room: int, writable: int | None) -> None:
        self.room = room
        self.writable = room if writable is None else writable
        self.copied = bytearray()


class SeqFile:
    """An open file that shows the entries of a source."""

    def __init__(
        self,
        source: Source,
        *,
        era: str = "D",
        cursor: bool = False,
        show: Callable[[SeqFile, Any], int | None] | None = None,
        page: int = PAGE,
    ) -> None:
        """Open a file.

        cursor: at stop keep the entry that comes next, and resume there in one step;
        a file like that ends once, and follows era D otherwise. Whoever removes an
        entry from the source has to say so with `removed`, unless the source can find
        what follows; a move is a removal and an insertion.
        show: shows entries in the source's stead.
        page: bytes of the first buffer.
        """
        page = index(page)
        if era not in ERAS:
            raise InputError("SeqFile", f"era is {era!r}", "A, B, C or D")
        if cursor and era != "D":
            what = f"era is {era!r} and there is a cursor"
            raise InputError("SeqFile", what, "D, which a reader with a cursor follows")
        for hook in ("start", "next", "stop", *(["show"] if show is None else [])):
            if not callable(getattr(source, hook, None)):
                what = f"{type(source).__name__} has no {hook}()"
                expected = "a source with start, next and stop, and show or show="
                raise InputError("SeqFile", what, expected)
        if show is not None and not callable(show):
            raise InputError("SeqFile", f"show is {show!r}", "a callable")
        if not 2 <= page <= LARGEST:
            raise InputError("SeqFile", f"page is {page}", f"2 to {LARGEST} bytes")
        self.source = source
        self.era = ERAS[era]
        self.page = page
        self.cursor = cursor
        self._show_entry = source.show if show is None else show
        self._accepted = getattr(source, "accepted", None)
        self._find = getattr(source, "find", None)
        self._resume = getattr(source, "resume", None)
        self._position = 0  # f_pos
        self._buffer = bytearray()
        self._size = 0  # of the buffer, even of one that could not be allocated
        self._allocated = False
        self._from = 0  # where the bytes not yet handed out begin
        self._count = 0  # and how many they are; as many as the size: too many
        self._index = 0  # the position of the next start
        self._read_pos = 0  # the file's position that buffer and index belong to
        self._here: Any | None = None  # the entry at hand, or of the cursor
        self._moved = False  # show took it out: it is the following one already
        self._kept: int | None = None  # the cursor's index
        self._closed = False
        self._under_way = False
        self._lost = False  # next failed in a way of its own: there is no entry
        self._fault: int | None = None
        self._alloc: int | None = None
        self.starts = self.nexts = self.shows = self.stops = 0
        self.visits = 0
        self.allocs = 0

    # --- what a source calls ---

    def write(self, data: bytes | str) -> None:
        """Print into the buffer; what does not leave a byte free is an overflow."""
        if not self._under_way:
            raise LifecycleError("no record is being shown")
        if not isinstance(data, str | bytes):
            raise TypeError(f"{type(data).__name__}: expected text, or bytes")
        raw = data.encode() if isinstance(data, str) else data
        if self._count + len(raw) < self._size:
            self._buffer[self._count : self._count + len(raw)] = raw
            self._count += len(raw)
        else:
            self._count = self._size

    def removed(self, entry: Any, following: Any | None) -> None:
        """Move off an entry that leaves the source.

        Between two reads that is for a file with a cursor. In show it is for any file:
        what is shown next is the following one, and next is not asked for it.
        """
        if self._here is not None and self._here == entry:
            self._here = following
            self._moved = True

    # --- what a program calls ---

    def read(self, n: int) -> bytes:
        """Return up to *n* bytes and move on by as many: read(2)."""
        return _run(self.read_steps(index(n)))

    def pread(self, n: int, offset: int) -> bytes:
        """Return up to *n* bytes at *offset*: pread(2)."""
        return _run(self.read_steps(index(n), index(offset)))

    def lseek(self, offset: int, whence: int = 0) -> int:
        """Move to *offset*, or by it if *whence* is 1; return the position."""
        return _run(self.lseek_steps(index(offset), index(whence)))

    def tell(self) -> int:
        """Return the file's position."""
        return self._position

    def close(self) -> None:
        """Give up the buffer and the place in the list."""
        if self._under_way:
            raise LifecycleError("the file is being read")
        self._release()
        self._here = self._kept = None
        self._closed = True

    def inject(self, fault: int | None = None, alloc: int | None = None) -> None:
        """Let things fail.

        fault: only so many bytes of user memory can be written, in the next call; a
        call under way, whose hook may say this, has its own.
        alloc: which of the coming allocations of the buffer fails, 1 is the next.
        """
        if fault is not None and index(fault) < 0:
            raise InputError("inject", f"fault is {fault}", "0 bytes or more")
        if alloc is not None and index(alloc) < 1:
            raise InputError("inject", f"alloc is {alloc}", "1, the next one, or more")
        self._fault = fault
        self._alloc = alloc if alloc is not None else self._alloc

    @property
    def state(self) -> dict[str, int]:
        """Return the fields of struct seq_file; *from* counts while *count* does."""
        return {
            "index": self._index,
            "count": self._count,
            "from": self._from,
            "read_pos": self._read_pos,
            "size": self._size,
        }

    @property
    def calls(self) -> dict[str, int]:
        """Return how often what was called since the file was opened.

        A source's start adds the nodes that it looks at to `visits` by itself.
        """
        return {
            "start": self.starts,
            "next": self.nexts,
            "show": self.shows,
            "stop": self.stops,
            "visits": self.visits,
            "allocs": self.allocs,
        }

    # --- read ---

    def read_steps(self, n: int, offset: int | None = None) -> Steps[bytes]:
        """Read, yielding ENTER before each start and LEAVE after each stop."""
        self._begin()
        at = self._position if offset is None else offset
        user = _User(n, self._fault)
        self._fault = None
        try:
            if n < 0 or at < 0:
                raise _error(errno.EINVAL)
            if n or not self.era.empty_read_returns:
                yield from self._read_into(user, at)
        except Exception as error:
            if not isinstance(error, OSError) or not _is_number(error):
                self._forget()
                raise
            # what was delivered counts; the error comes again or is lost
            if not user.copied:
                raise
        finally:
            self._under_way = False
        self._read_pos = _wrapped(self._read_pos + len(user.copied))
        if offset is None:
            self._position = _wrapped(self._position + len(user.copied))
        return bytes(user.copied)

    def _begin(self) -> None:
        if self._closed:
            raise ValueError("I/O operation on closed file")
        if self._under_way:
            raise LifecycleError("the file is being read")
        self._under_way = True

    def _read_into(self, user: _User, at: int) -> Steps[None]:
        """Deliver what is left in the buffer, and then at most one chunk more."""
        era = self.era
        if at == 0:
            self._index = 0
            if era.restart_drops_leftover:
                self._count = 0
        if at != self._read_pos:
            yield from self._traverse(at)
        if not self._allocated:
            self._allocate(self.page)
        if self._count:
            self._deliver(user)
            if self._count:
                return
            if era.index_when_delivered:
                self._index += 1
            if not user.room and not era.fills_when_drained:
                return
        last, error = yield from self._sections(lambda: self._fill(user.room))
        if last is not None:
            self._deliver(user)
            if era.index_when_delivered:
                self._index = last if self._count else last + 1
        if error is not None:
            raise error

    def _deliver(self, user: _User) -> None:
        """Hand out bytes from the front of the buffer."""
        wanted = min(self._count, user.room)
        n = min(wanted, user.writable)
        if n < wanted and not self.era.partial_copy_counts:
            raise _error(errno.EFAULT)
        user.copied += self._buffer[self._from : self._from + n]
        user.room -= n
        user.writable -= n
        self._from += n
        self._count -= n
        if not self._count and self.era.index_when_delivered:
            self._from = 0
        if n < wanted and not user.copied:
            raise _error(errno.EFAULT)

    def _fill(self, want: int) -> tuple[int | None, OSError | None]:
        """Put a record into the buffer, and as many more as are wanted and fit.

        Return the position of the last one, None if there was none, and the error that
        ended it.
        """
        self._count = self._from = 0
        entry: Answer = None
        try:
            entry = self._start(self._index)
            while entry is not None and not isinstance(entry, OSError):
                shown = self._show(entry)
                if isinstance(shown, OSError):
                    self._count = 0
                    return None, shown
                if shown == SKIP:
                    self._count = 0
                if self._count:
                    break
                entry, self._index = self._next(entry, self._index)
            else:
                self._count = 0  # of what start may have printed
                return None, entry
            if self._count == self._size:
                raise _TooSmall
            self._accept(entry)
            pos = self._index
            while not (self.era.index_when_delivered and self._count >= want):
                entry, following = self._next(entry, pos)
                if not self.era.index_when_delivered:
                    following += following == pos
                    self._index = following
                if isinstance(entry, OSError):
                    return pos, entry
                if entry is None or self._count >= want:
                    break
                whole = self._count
                shown = self._show(entry)
                if shown == SKIP:
                    self._count = whole
                elif isinstance(shown, OSError) or self._count == self._size:
                    # cut off: it is the first of the next chunk
                    self._count = whole
                    break
                elif self._count > whole:
                    self._accept(entry)
                pos = following
            return pos, None
        finally:
            self._stop(entry)

    # --- seek ---

    def lseek_steps(self, offset: int, whence: int = 0) -> Steps[int]:
        """Move, yielding ENTER before each start and LEAVE after each stop."""
        self._begin()
        self._fault = None
        target = _wrapped(offset + self._position) if whence == 1 else offset
        try:
            if whence not in (0, 1) or not 0 <= target <= FARTHEST:
                raise _error(errno.EINVAL)
            if target != self._read_pos:
                try:
                    yield from self._traverse(target)
                except Exception:
                    self._position = 0
                    raise
            self._position = target
            return target
        finally:
            self._under_way = False

    def _traverse(self, offset: int) -> Steps[None]:
        """Find *offset* from the first record on, formatting all before it."""
        self._index = self._count = self._from = 0
        try:
            if offset:
                if not self._allocated:
                    self._allocate(self.page)
                yield from self._sections(lambda: self._search(offset))
        except Exception:
            self._forget()
            raise
        self._read_pos = offset

    def _search(self, offset: int) -> None:
        """Leave in the buffer what the record at *offset* has from there on."""
        self._index = self._count = self._from = 0
        passed = 0
        entry: Answer = None
        try:
            entry = self._start(0)
            while entry is not None:
                shown = entry if isinstance(entry, OSError) else self._show(entry)
                if isinstance(shown, OSError):
                    self._count = 0
                    raise shown
                if shown == SKIP:
                    self._count = 0
                if self._count == self._size:
                    raise _TooSmall
                ends = passed + self._count
                if ends > offset:
                    self._from = offset - passed
                    self._count -= self._from
                    self._accept(entry)
                else:
                    self._count = 0
                if ends == offset and self.era.index_when_delivered:
                    self._index += 1
                elif ends <= offset or (
                    self.era.seek_passes_record and not self.era.index_when_delivered
                ):
                    entry, self._index = self._next(entry, self._index)
                if ends >= offset:
                    return
                passed = ends
            if self._count == self._size:
                self._count = 0  # start printed too much; a kernel hands out garbage
        finally:
            self._stop(entry)

    # --- sections ---

    def _sections(self, section: Callable[[], T]) -> Steps[T]:
        """Run a section, and again with twice the buffer while a record is too long."""
        while True:
            yield ENTER
            try:
                return section()
            except _TooSmall:
                pass
            finally:
                yield LEAVE
            self._count = 0
            self._allocate(2 * self._size)

    def _start(self, pos: int) -> Answer:
        self.starts += 1
        kept = self.cursor and pos > 0 and pos == self._kept
        self._lost = True
        try:
            if kept and self._here is not None and self._find is not None:
                self._here = self._find(self._here)
            elif kept and self._resume is not None:
                self._resume(pos)
                self.visits += self._here is not None
            else:
                entry = self.source.start(pos)
                if not kept:
                    self._here = entry
        except OSError as error:
            return _errno_of(error)
        self._lost = self._moved = False
        return self._here

    def _next(self, entry: Any, pos: int) -> tuple[Answer, int]:
        self.nexts += 1
        following = pos + 1
        if not self._moved:
            self._lost = True
            try:
                answer = self.source.next(entry, pos)
            except OSError as error:
                return _errno_of(error), following
            try:
                self._here, following = answer
            except (TypeError, ValueError):
                raise TypeError(
                    f"next returned {answer!r}: expected an entry and its position"
                ) from None
        self._lost = self._moved = False
        return self._here, following

    def _show(self, entry: Any) -> int | OSError:
        self.shows += 1
        try:
            answer = self._show_entry(self, entry)
        except OSError as error:
            return _errno_of(error)
        if answer not in (None, 0, SKIP):
            raise InputError("SeqFile", f"show returned {answer!r}", "None, 0 or 1")
        return SKIP if answer else 0

    def _stop(self, entry: Answer) -> None:
        self.stops += 1
        failed = self._lost or isinstance(entry, OSError)
        self._lost = False
        if failed:
            self._here, self._moved = None, False
        self._kept = None if failed else self._index
        self.source.stop(self._here)

    def _accept(self, entry: Any) -> None:
        if self._accepted is not None:
            self._accepted(entry)

    # --- the buffer, and what is remembered ---

    def _allocate(self, size: int) -> None:
        self._release()
        self._size = size
        self.allocs += 1
        fails = self._alloc == 1 or size > LARGEST
        if self._alloc is not None:
            self._alloc = self._alloc - 1 or None
        if fails:
            raise _error(errno.ENOMEM)
        self._buffer = bytearray(size)
        self._allocated = True

    def _release(self) -> None:
        self._buffer = bytearray()
        self._allocated = False

    def _forget(self) -> None:
        """Begin anew; what comes next is sought if it lies elsewhere."""
        self._index = self._count = self._read_pos = 0


def _errno_of(error: OSError) -> OSError:
    """Return an error that is a number to the kernel; raise any other."""
    if not _is_number(error):
        raise error
    return error


def _is_number(error: OSError) -> bool:
    number: object = error.errno  # whatever it was made with
    return isinstance(number, int) and 0 < number < 4096


class _TooSmall(Exception):
    """Tell that a record alone does not fit the buffer."""


def _run(steps: Steps[T]) -> T:
    """Take all steps of a file that nothing else wants at the same time."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            outcome: T = end.value
            return outcome
