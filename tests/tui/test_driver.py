"""The thread that reads keys sleeps until there is one, or until it shall end."""

from __future__ import annotations

import select
import threading

from tui.driver import Notice


def readable(notice: Notice) -> bool:
    return bool(select.select([notice], [], [], 0)[0])


def test_a_notice_is_readable_while_it_is_set():
    notice = Notice()
    assert not readable(notice)
    notice.set()
    notice.set()
    assert readable(notice) and notice.is_set()
    notice.clear()
    assert not readable(notice) and not notice.is_set()
    notice.clear()
    notice.set()
    assert readable(notice), "once more, as after ctrl+z"


def test_whoever_waits_for_it_beside_descriptors_is_woken():
    notice = Notice()
    waiting = threading.Thread(target=select.select, args=([notice], [], []))
    waiting.start()
    notice.set()
    waiting.join(10)
    assert not waiting.is_alive()
