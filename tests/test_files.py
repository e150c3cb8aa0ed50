"""Files of a kernel, as Python reads files; and kernels that begin with a file."""

import csv
import errno
import io
import os
from pathlib import Path

import pytest

from slabcore import slabinfo
from slabcore.files import CHUNK, KernelFile
from slabcore.reference.seq_file import SeqFile

DATA = Path(__file__).parent / "data" / "slabinfo"
TEXT = (DATA / "6.18.44.txt").read_bytes()


class Lines:
    """Show the lines of a text as a kernel's list shows its records."""

    def __init__(self, text):
        self.lines = text.splitlines(keepends=True)

    def start(self, pos):
        return pos if pos < len(self.lines) else None

    def next(self, entry, pos):
        return self.start(pos + 1), pos + 1

    def stop(self, entry):
        pass

    def show(self, m, entry):
        m.write(self.lines[entry])


@pytest.fixture(params="ABCD")
def file(request):
    return KernelFile(SeqFile(Lines(TEXT), era=request.param), "/proc/slabinfo")


# --- a file of Python's ---


def test_it_is_a_raw_file(file):
    assert isinstance(file, io.RawIOBase)
    assert file.readable() and file.seekable() and not file.writable()
    assert (file.name, file.mode, file.closed) == ("/proc/slabinfo", "rb", False)
    with pytest.raises(io.UnsupportedOperation):
        file.fileno()
    with pytest.raises(io.UnsupportedOperation):
        file.write(b"dentry 1 1 1")


def test_a_read_is_one_system_call(file):
    chunk = file.read(1 << 17)
    assert TEXT.startswith(chunk) and 3500 < len(chunk) < 4096
    assert file.source.calls["start"] == 1
    assert file.tell() == len(chunk)


@pytest.mark.parametrize("size", [1, 7, 107, 4096, CHUNK, 1 << 17])
def test_chunks_of_any_size_make_up_the_text(file, size):
    chunks = iter(lambda: file.read(size), b"")
    assert b"".join(chunks) == TEXT
    assert file.read(size) == b""


def test_without_a_size_all_that_is_left_is_read(file):
    assert file.read(10) == TEXT[:10]
    assert file.read() == TEXT[10:]
    assert file.seek(0) == 0
    assert file.readall() == TEXT
    file.seek(0)
    assert file.read(None) == TEXT


def test_a_buffer_is_filled(file):
    buffer = bytearray(100)
    assert file.readinto(buffer) == 100 and buffer == TEXT[:100]
    assert file.readinto(memoryview(buffer)[:3]) == 3


def test_a_file_is_read_line_by_line(file):
    assert [*file] == TEXT.splitlines(keepends=True)


def test_pread_leaves_the_position(file):
    file.read(10)
    assert file.pread(50, 1000) == TEXT[1000:1050]
    assert file.tell() == 10
    assert file.read(5) == TEXT[10:15]


def test_seeks_are_the_kernels(file):
    assert file.seek(300) == 300
    assert file.seek(5, os.SEEK_CUR) == 305
    with pytest.raises(OSError, match="Invalid argument") as caught:
        file.seek(0, os.SEEK_END)  # nobody knows where that is
    assert caught.value.errno == errno.EINVAL


@pytest.mark.parametrize("size", [1, 100, 4096, 65536])
def test_buffered_readers_read_it(file, size):
    buffered = io.BufferedReader(file, size)
    assert buffered.read(3) == TEXT[:3]
    assert buffered.peek(1)[:1] == TEXT[3:4]
    assert buffered.readline() == TEXT[3:].split(b"\n")[0] + b"\n"
    assert buffered.read() == TEXT.split(b"\n", 1)[1]


def test_the_text_layer_reads_it(file):
    with io.TextIOWrapper(file, encoding="ascii") as text:
        assert text.readline() == "slabinfo - version: 2.1\n"
        assert text.read().encode() == TEXT.split(b"\n", 1)[1]
    assert file.closed


def test_csv_reads_it(file):
    text = io.TextIOWrapper(file, encoding="ascii", newline="")
    rows = list(csv.reader(text, delimiter=" ", skipinitialspace=True))
    info = slabinfo.parse(TEXT)
    assert [row[0] for row in rows[2:]] == list(info.names)
    assert [int(row[1]) for row in rows[2:]] == info["active_objs"].tolist()


def test_pandas_reads_it(file):
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_csv(file, sep=r"\s+", skiprows=2, header=None)
    info = slabinfo.parse(TEXT)
    assert frame[0].tolist() == list(info.names)
    assert frame[2].tolist() == info["num_objs"].tolist()


def test_a_closed_file_is_read_no_more(file):
    with file:
        file.read(1)
    assert file.closed and "closed" in repr(file)
    file.close()
    for call in (file.read, file.readall, file.tell, lambda: file.pread(1, 0)):
        with pytest.raises(ValueError, match="closed"):
            call()
    with pytest.raises(ValueError, match="closed"):
        file.source.read(1)
