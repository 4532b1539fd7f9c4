"""The host's memory in large pages: on a CPU, a network's maps are new memory at every call."""

import os
import sys
from pathlib import Path

TUNABLES = "GLIBC_TUNABLES"
_LARGE_PAGES = "glibc.malloc.hugetlb=1"
_SYSTEM = Path("/sys/kernel/mm/transparent_hugepage/enabled")


def use_large_pages() -> None:
    """Start this command again with large pages for its heap, where the system leaves the choice.

    XLA's CPU programs ask for all their maps at each call and give them back at its end, so the
    system hands them out anew page by page: 20,000 faults for 16 images of 144 x 72, a tenth of the
    time of embedding them and a sixth of a training step. With pages of 2 MiB there are 600.

    Keeping freed memory instead (mallopt) avoids even those, but all threads must then share one
    heap with what compilation left there, 60,000 free pieces, and a step takes longer than before.

    The C library reads its settings when a process starts, so the same process starts its program
    anew, with the same number and the same words. Nothing happens where a user has set
    GLIBC_TUNABLES (an empty value means: leave it), or where the system gives large pages to all
    or to none.
    """
    if large_pages_can_be_asked_for() and TUNABLES not in os.environ and sys.executable:
        environment = {**os.environ, TUNABLES: _LARGE_PAGES}
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)


def large_pages_can_be_asked_for() -> bool:
    """Return whether the C library knows the setting and the system heeds it."""
    try:
        library, version = os.confstr("CS_GNU_LIBC_VERSION").split()
        known = library == "glibc" and tuple(map(int, version.split("."))) >= (2, 35)
        return known and "[madvise]" in _SYSTEM.read_text()
    except (AttributeError, OSError, ValueError):
        return False  # no glibc, no such system, no such file
