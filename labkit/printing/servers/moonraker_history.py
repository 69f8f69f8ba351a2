"""What Moonraker's history says of the prints of a file.

Source: https://moonraker.readthedocs.io/en/latest/external_api/history/; that a server
which was stopped or died writes ``server_exit`` or ``interrupted`` was seen in 0.11.0.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from labkit.printing.servers.messages import End, RunningJob, StoredFile

ENDS: dict[str, tuple[End, str]] = {
    "completed": ("finished", "completed"),
    "cancelled": ("cancelled", "cancelled"),
    "error": ("failed", "it stopped with an error"),
    "klippy_shutdown": ("failed", "Klipper shut down during the print"),
    "klippy_disconnect": ("failed", "Klipper's process went away during the print"),
}
"""How a print ended, and in words, by its status; other words say nothing of its end."""

_GOES_ON = "in_progress"
_NOT_TOLD = "Moonraker was restarted during the print; its history does not say how it ended"


@dataclass(frozen=True)
class PastPrint:
    """A print that ended: the word for it in the history, and its time without pauses."""

    status: str
    print_time_s: float | None

    @property
    def succeeded(self) -> bool | None:
        """Whether it was printed to its end, None if the history does not say."""
        return self.status == "completed" if self.status in ENDS else None


def past_prints(
    name: str, history: Iterable[Mapping[str, Any]], now: Callable[[], RunningJob]
) -> list[PastPrint]:
    """The ended prints of a file, the last one first, as the history is.

    ``now`` is asked where the history knows of none or not how the last one ended:
    Klipper goes on without Moonraker, and may still know.
    """
    prints = [
        PastPrint(str(row.get("status")), row.get("print_duration"))
        for row in history
        if row.get("filename") == name
    ]
    if not prints or prints[0].status not in (*ENDS, _GOES_ON):
        job = now()
        if job.file_name == name and job.is_busy:
            prints = prints[1:]
        elif job.file_name == name and job.ended is not None:
            word = next(word for word, (end, _) in ENDS.items() if end == job.ended)
            prints = [PastPrint(word, job.print_time_s), *prints[1:]]
    return [past for past in prints if past.status != _GOES_ON]


def stored_file(size_bytes: int, sha256: str, prints: list[PastPrint]) -> StoredFile:
    """A file with its history."""
    known = StoredFile(size_bytes, sha256=sha256)
    if not prints:
        return known
    last, done = prints[0], sum(past.succeeded is True for past in prints)
    return StoredFile(
        size_bytes,
        sha256=sha256,
        prints_done=done,
        prints_failed=len(prints) - done,
        last_succeeded=last.succeeded,
        last_print_time_s=last.print_time_s,
        last_told=ENDS[last.status][1] if last.status in ENDS else _NOT_TOLD,
    )
