"""A socket whose other end takes its time: nothing waits for it, nothing is lost, and nothing stays open."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from checkout.server.buffered_socket import BufferedSocket

MUCH = os.urandom(3_000_000)  # more than any buffer between the two ends


@pytest.fixture
def ends() -> Iterator[tuple[BufferedSocket, socket.socket]]:
    ours, theirs = socket.socketpair()
    out = BufferedSocket(ours)
    with out, theirs:
        yield out, theirs


def taken(out: BufferedSocket, theirs: socket.socket) -> bytes:
    """All that the other end gets when it begins to read and the loop sends on."""
    out.setblocking(False)
    theirs.setblocking(False)
    pieces = []
    while True:
        is_sent = out.is_sent or out.send_on()
        try:
            pieces.append(theirs.recv(1 << 20))
        except BlockingIOError:
            if is_sent:
                return b"".join(pieces)


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_what_is_taken_at_once_is_sent_at_once(ends: tuple[BufferedSocket, socket.socket]) -> None:
    out, theirs = ends
    out.sendall(b"head")
    out.sendall(b"body")
    assert out.is_sent
    assert theirs.recv(100) == b"headbody"


def test_what_is_not_taken_keeps_its_order_and_loses_nothing(
    ends: tuple[BufferedSocket, socket.socket], tmp_path: Path
) -> None:
    out, theirs = ends
    (tmp_path / "goods").write_bytes(MUCH)
    before = open_files()
    with (tmp_path / "goods").open("rb") as file:
        out.sendall(b"head" + MUCH)
        assert (out.is_sent, 0 < out.kept < len(MUCH)) == (False, True)
        assert out.sendfile(file, offset=10, count=2_000_000) == 2_000_000
        assert out.sendfile(file, offset=2_999_999) == 1
        assert out.sendfile(file, count=0) == 0
        out.sendall(b"tail")
    assert taken(out, theirs) == b"head" + MUCH + MUCH[10:2_000_010] + MUCH[-1:] + b"tail"
    assert (out.kept, out.files, open_files()) == (0, 0, before)


def test_an_answer_too_large_to_keep_waits_for_its_client(ends: tuple[BufferedSocket, socket.socket]) -> None:
    out, _theirs = ends
    out.settimeout(0.01)
    out.sendall(MUCH)
    with pytest.raises(TimeoutError):
        out.sendall(MUCH)


def test_a_client_that_has_gone_is_told_of_and_leaves_no_file_open(
    ends: tuple[BufferedSocket, socket.socket], tmp_path: Path
) -> None:
    out, theirs = ends
    (tmp_path / "goods").write_bytes(MUCH)
    before = open_files()
    with (tmp_path / "goods").open("rb") as file:
        out.sendfile(file)
    theirs.close()
    with pytest.raises(OSError, match="Broken pipe"):
        out.send_on()
    out.close()
    assert open_files() == before - 2


def test_a_file_that_became_shorter_ends_the_answer(ends: tuple[BufferedSocket, socket.socket], tmp_path: Path) -> None:
    out, _theirs = ends
    (tmp_path / "goods").write_bytes(b"short")
    with (tmp_path / "goods").open("rb") as file:
        out.sendfile(file, count=6)
    assert not out.send_on()
    with pytest.raises(ConnectionAbortedError):
        out.send_on()
