"""Work that takes time, done beside the page: the page goes on answering meanwhile."""

import asyncio
import contextlib
import contextvars
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol, TypeVar

from labkit.errors import LabkitError

T = TypeVar("T")

MOST_AT_ONCE = 32

_log = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())


class Errands(Protocol):
    """Runs work and brings back what came of it."""

    def start(
        self, work: Callable[[], T], then: Callable[[T], None], fail: Callable[[str], None]
    ) -> None:
        """Do the work; afterwards call ``then`` with its result, or ``fail`` with words."""

    def later(self, wait_s: float, then: Callable[[], None]) -> None:
        """Call ``then`` after a while."""


class LoopErrands:
    """Errands in threads, whose results come back on the loop that widgets live on.

    Widgets are touched by the loop only: a message that a thread sends in between another
    one's would reach the page torn.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop, self._context = loop, contextvars.copy_context()
        self._threads = ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="errand")
        self._stopped = False

    def start(
        self, work: Callable[[], T], then: Callable[[T], None], fail: Callable[[str], None]
    ) -> None:
        """Do the work in a thread."""
        if self._stopped:
            fail("This board was left. Run its cell again.")
            return
        self._threads.submit(work).add_done_callback(
            lambda done: self._bring(lambda: self._end(done, then, fail))
        )

    def later(self, wait_s: float, then: Callable[[], None]) -> None:
        """Call ``then`` on the loop after a while, unless the page was left by then."""

        def unless_stopped() -> None:
            if not self._stopped:
                then()

        self._loop.call_later(wait_s, unless_stopped, context=self._context)

    def stop(self) -> None:
        """Bring nothing back any more."""
        self._stopped = True
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _bring(self, then: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended, and the page with it
            self._loop.call_soon_threadsafe(then, context=self._context)

    def _end(self, done: Future[T], then: Callable[[T], None], fail: Callable[[str], None]) -> None:
        if self._stopped or done.cancelled():
            return
        error = done.exception()
        if error is None:
            then(done.result())
        elif isinstance(error, LabkitError):
            fail(str(error))
        else:
            _log.error("an errand failed", exc_info=error)
            fail(f"A fault of the program, not of the lab: {type(error).__name__}. Report it.")
