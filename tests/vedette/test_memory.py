"""The allocator is told once, and nothing depends on it."""

import platform

from vedette.memory import return_large_blocks


def test_glibc_listens() -> None:
    assert return_large_blocks() is (platform.libc_ver()[0] == "glibc")
