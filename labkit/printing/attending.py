"""What goes on beside a person's other work: prints being watched, the queue worked through.

Both are threads of this program that may die at any moment: what they do is written down
step by step, and the next watch or dispatcher takes it up.
"""

import threading
from collections import deque

from labkit.errors import LabkitError
from labkit.printing.desk import lab_dispatcher, only_dispatcher
from labkit.printing.dispatcher import Dispatcher
from labkit.printing.fleet import reached
from labkit.printing.plan import Plan
from labkit.printing.submission import follow_job

STOPS_WITHIN_S = 5.0
SENTENCES_KEPT = 5


class Watches:
    """The prints that this program follows to their end."""

    def __init__(self) -> None:
        self._threads: dict[str, threading.Thread] = {}
        self._told: dict[str, str] = {}

    def begin(self, job_id: str, printer: str, plan: Plan | None) -> None:
        """Follow a job that was started before; once, however often it is asked."""
        if self.is_watched(job_id):
            return
        watch = threading.Thread(target=self._watch, args=(job_id, printer, plan), daemon=True)
        self._threads[job_id] = watch
        watch.start()

    def is_watched(self, job_id: str) -> bool:
        """Whether this program follows the job now."""
        thread = self._threads.get(job_id)
        return thread is not None and thread.is_alive()

    def told(self, job_id: str) -> str:
        """How the watch of a job ended, in words; "" while it goes on."""
        return self._told.get(job_id, "")

    def _watch(self, job_id: str, printer: str, plan: Plan | None) -> None:
        self._told.pop(job_id, None)
        try:
            with reached(printer) as (server, _):
                record = follow_job(job_id, server, plan=plan)
            self._told[job_id] = f"Job {job_id} of {record.case}: {record.state}. {record.summary}"
        except LabkitError as error:
            self._told[job_id] = f"Job {job_id} is not watched any more. {error}"


class QueueWork:
    """The lab's queue, worked through by a thread of this program."""

    def __init__(self) -> None:
        self._dispatcher: Dispatcher | None = None
        self._thread: threading.Thread | None = None
        self._sentences: deque[str] = deque(maxlen=SENTENCES_KEPT)

    @property
    def goes_on(self) -> bool:
        """Whether the queue is worked through here."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def said(self) -> list[str]:
        """The last sentences of the dispatcher, oldest first."""
        return list(self._sentences)

    def start(self) -> None:
        """Work through the queue until `stop`.

        Raises
        ------
        InputError
            Another dispatcher works through it.
        LabkitError
            The queue, the register or a profile cannot be used.
        """
        if self.goes_on:
            return
        known = threading.Event()
        refused: list[LabkitError] = []
        self._thread = threading.Thread(target=self._work, args=(known, refused), daemon=True)
        self._thread.start()
        known.wait()
        if refused:
            raise refused[0]

    def stop(self) -> None:
        """Leave the queue; prints go on, and the next dispatcher takes them up."""
        if self._dispatcher is not None:
            self._dispatcher.stop()
        if self._thread is not None:
            self._thread.join(STOPS_WITHIN_S)

    def _work(self, known: threading.Event, refused: list[LabkitError]) -> None:
        try:
            with only_dispatcher():
                self._dispatcher = lab_dispatcher(self._sentences.append)
                known.set()
                self._dispatcher.run(until_empty=False)
        except LabkitError as error:
            if not known.is_set():
                refused.append(error)
            self._sentences.append(f"The queue is not worked through any more. {error}")
        finally:
            self._dispatcher = None
            known.set()
