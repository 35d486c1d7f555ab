"""One heap for all threads, where the C library needs it."""

from __future__ import annotations

import ctypes
import platform
import sys

import pytest

from app import memory


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's malloc")
def test_glibc_takes_it() -> None:
    assert memory.share_one_heap()


def test_other_c_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    class Musl:
        pass

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Musl())
    assert not memory.share_one_heap()
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not memory.share_one_heap()
