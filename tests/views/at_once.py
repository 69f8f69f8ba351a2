"""Errands of a page without a page."""

from collections.abc import Callable
from typing import TypeVar

from labkit.errors import LabkitError

T = TypeVar("T")


class AtOnce:
    """Errands that are done as soon as they are begun."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def start(
        self, work: Callable[[], T], then: Callable[[T], None], fail: Callable[[str], None]
    ) -> None:
        try:
            found = work()
        except LabkitError as error:
            fail(str(error))
        else:
            then(found)

    def later(self, wait_s: float, then: Callable[[], None]) -> None:
        self.waiting.append(then)
