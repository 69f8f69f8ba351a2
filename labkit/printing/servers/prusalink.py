"""One PrusaLink, the web service in Prusa's printers, over its API v1.

Sources: ``spec/openapi.yaml`` of https://github.com/prusa3d/Prusa-Link-Web; what the
firmware makes of it was read in ``lib/WUI`` of
https://github.com/prusa3d/Prusa-Firmware-Buddy.  The tests run against a stand-in.
"""

import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import requests
from requests.auth import HTTPDigestAuth

from labkit.errors import PrinterError
from labkit.printing.servers.kind import Ability, Channel, NoChannel
from labkit.printing.servers.messages import (
    End,
    Heater,
    Phase,
    Progress,
    Raw,
    RunningJob,
    Server,
    StoredFile,
)
from labkit.printing.servers.web import UPLOAD_LIMIT_S, WebPrinter, check_name, demand, picture_in

SEEN_LIMIT_S = 60.0
"""An end that is shown without a file is of the print that was seen no longer ago: for
another one in between, somebody would have had to clear the bed, start and end it."""

_PHASES: dict[str, Phase] = {
    "IDLE": "ready",
    "READY": "ready",
    "PRINTING": "busy",
    "PAUSED": "paused",
}

_ENDS: dict[str, End] = {"FINISHED": "finished", "STOPPED": "cancelled", "ERROR": "failed"}

_TO_DO = {
    "FINISHED": "the print lies on the bed: take it off and confirm at the printer",
    "STOPPED": "what was printed lies on the bed: take it off and confirm at the printer",
    "ATTENTION": "the printer waits for somebody: look at its display",
}


class PrusaLink(WebPrinter):
    """A printer that answers at ``url`` to ``user`` and ``key``: see `WebPrinter`.

    It tells no hash, no position in the file and no history, and pushes nothing.  How a
    print ended is shown until somebody confirms it at the printer, and `job` says it.
    Until then the printer is not ready for us, although its firmware would start: only
    that person knows that the bed is clear.

    Parameters
    ----------
    key : the password of ``user``; or the API key, where ``user`` is empty.
    """

    product: ClassVar[str] = "PrusaLink"
    key_is: ClassVar[str] = "the password or API key that the printer shows under PrusaLink"
    abilities: ClassVar[frozenset[Ability]] = frozenset(
        {"tells the temperatures", "shows a picture"}
    )

    def __init__(
        self, url: str, key: str, *, ca_file: Path | None = None, user: str = "maker"
    ) -> None:
        self._user = user
        super().__init__(url, key, ca_file=ca_file)
        self._session.headers["Accept"] = "application/json"  # for errors, else plain text
        self._storage = ""
        self._last: RunningJob | None = None
        self._last_at = 0.0

    def _admit(self, key: str) -> None:
        if self._user:
            self._session.auth = HTTPDigestAuth(self._user, key)
        else:
            super()._admit(key)

    def who(self) -> Server:
        """The versions of API and firmware, as far as they are told.

        Raises
        ------
        PrinterError
            No server there, something else than PrusaLink, a wrong password or key, or
            a PrusaLink without the API v1.
        """
        told = self._json("GET", "/api/version")
        if "PrusaLink" not in str(told.get("text")):
            raise self._another_product()
        if not (told.get("capabilities") or {}).get("upload-by-put"):
            raise PrinterError(
                f"{told['text']} without the API v1",
                expected="a PrusaLink that takes uploads by PUT",
                where=self.url,
                fix="update the printer's firmware",
            )
        versions = [f"API {told.get('api')}"]
        if firmware := told.get("firmware"):  # without it "server" is that of a library
            server = told.get("version") or told.get("server")
            versions += [f"server {server}", f"firmware {firmware}"]
        return Server(", ".join(versions), self._user)

    def upload(self, path: Path, name: str, progress: Progress | None = None) -> bool:
        """Store a file on the printer as ``name``; False if one of that name is there already.

        Nothing is ever overwritten.  ``progress`` is told the bytes sent and the bytes in
        all; it begins again where the printer wants to be told anew who we are.

        Raises
        ------
        PrinterError
            The printer refused, has no storage that can be written, or the connection
            broke: then nothing was stored and the upload can be repeated.
        """
        check_name(name)
        # this also brings what digest authentication needs, so that the file is sent once
        if self.file(name) is not None:
            return False
        # no Print-After-Upload: there were servers that took any value for a yes
        headers = {"Content-Type": "text/x.gcode", "Overwrite": "?0"}
        answer = self._answer(
            "PUT",
            self._place(name),
            data=Raw(path, progress),
            headers=headers,
            timeout=UPLOAD_LIMIT_S,
            also=409,
        )
        if answer.status_code != 409:
            return True
        if self.file(name) is None:
            raise self._refusal(answer)
        return False

    def file(self, name: str) -> StoredFile | None:
        """The size of a file, or None if the printer has none of that name."""
        answer = self._answer("GET", self._place(name), also=404)
        if answer.status_code == 404:
            return None
        known = self._decoded(answer)
        if (stored := _name(known)) != name:
            raise PrinterError(
                f"the printer calls the file {stored!r}",
                expected=name,
                where=self.url,
                fix="look at the printer's storage; print under another name",
            )
        return StoredFile(int(known.get("size") or 0))

    def select(self, name: str) -> None:
        """Nothing: the printer knows no such step."""

    def start(self, name: str) -> None:
        """Start exactly this file.

        The firmware would also start onto a print that nobody has taken off, so it is
        asked before.

        Raises
        ------
        PrinterError
            Refused (`was_answered`): it was not started by this request.  No
            answer: it may or may not have been started.
        """
        demand(self, "ready", to="start a print")
        self._answer("POST", self._place(name))

    def job(self) -> RunningJob:
        """What the printer does now, and how its last print ended while it shows that."""
        shown = self._shown()
        status = self._json("GET", "/api/v1/status")
        printer = status.get("printer") or {}
        state = str(printer.get("state") or "UNKNOWN")
        last = self._last if time.monotonic() - self._last_at <= SEEN_LIMIT_S else None
        goes_on = bool(shown) or (last is not None and last.is_busy)
        told = {**(status.get("job") or {}), **shown}
        ended = _ENDS.get(state)
        if state == "ERROR" and not (goes_on or (last is not None and last.ended)):
            ended = None
        job = RunningJob(
            phase=_phase(state, has_job=bool(shown), goes_on=goes_on),
            state=state,
            file_name=_name(shown.get("file") or {}),
            print_time_s=told.get("time_printing"),
            error=_complaint(state, printer.get("status_printer") or {}),
            done_share=None if told.get("progress") is None else float(told["progress"]) / 100,
            remaining_s=told.get("time_remaining"),
            ended=ended,
        )
        if job.file_name is None and last is not None and (job.is_busy or job.ended):
            job = replace(job, file_name=last.file_name)
        self._last, self._last_at = job, time.monotonic()
        return job

    def heaters(self) -> tuple[Heater, ...]:
        """Temperatures of nozzle and bed, as far as they are told."""
        told = self._json("GET", "/api/v1/status").get("printer") or {}
        return tuple(
            Heater(name, float(told[f"temp_{name}"]), float(told.get(f"target_{name}") or 0.0))
            for name in ("nozzle", "bed")
            if told.get(f"temp_{name}") is not None
        )

    def pause(self) -> None:
        """Pause the print that is going on."""
        self._answer("PUT", f"{self._current(to='pause')}/pause")

    def resume(self) -> None:
        """Resume the print that is paused."""
        self._answer("PUT", f"{self._current(to='resume')}/resume")

    def cancel(self) -> None:
        """Cancel the print that is going on or paused."""
        self._answer("DELETE", self._current(to="cancel"))

    def channel(self) -> Channel:
        """None: the printer pushes nothing."""
        return NoChannel()

    def picture(self) -> bytes | None:
        """A still of the printer's camera; None where there is none, or it does not answer."""
        with (
            suppress(PrinterError, requests.RequestException),
            self._answer("GET", "/api/v1/cameras/snap", stream=True) as answer,
        ):
            return picture_in(answer)
        return None

    def firmware_settings(self) -> str | None:
        """None: they are not told."""
        return None

    def _reason(self, answer: requests.Response) -> str:
        with suppress(requests.JSONDecodeError, AttributeError):
            told = answer.json()
            return str(told.get("text") or told.get("title") or "")
        return ""

    def _place(self, name: str) -> str:
        """The path of a file in the first storage that can be written."""
        if not self._storage:
            known = self._json("GET", "/api/v1/storage").get("storage_list") or []
            usable = [s for s in known if s.get("available") and not s.get("read_only")]
            self._storage = str(usable[0].get("path") or "").strip("/") if usable else ""
        if not self._storage:
            raise PrinterError(
                "no storage on the printer that can be written",
                expected="a USB drive or the printer's own storage",
                where=self.url,
                fix="put a USB drive into the printer",
            )
        return f"/api/v1/files/{self._storage}/{name}"

    def _shown(self) -> dict[str, Any]:
        """The job that the printer shows, {} while it shows none."""
        answer = self._answer("GET", "/api/v1/job")
        return {} if answer.status_code == 204 else self._decoded(answer)

    def _current(self, *, to: str) -> str:
        number = self._shown().get("id")
        if number is None:
            raise PrinterError(
                f"no print to {to}",
                expected="a print that is going on",
                where=self.url,
                fix="look at the printer, then run again",
            )
        return f"/api/v1/job/{number}"


def _name(file: dict[str, Any]) -> str | None:
    """The long name of a file; the short one (8.3) only where there is no other."""
    name = file.get("display_name") or file.get("name")
    return None if name is None else str(name)


def _phase(state: str, *, has_job: bool, goes_on: bool) -> Phase:
    if state == "ATTENTION":  # out of filament, or a question before the first layer
        return "paused" if has_job else "offline"
    if state == "BUSY":  # recovering from a crash or a power cut it shows no job
        return "busy" if goes_on else "offline"
    return _PHASES.get(state, "offline")


def _complaint(state: str, told: dict[str, Any]) -> str:
    message = "" if told.get("ok", True) else str(told.get("message") or "")
    return " ".join(filter(None, (_TO_DO.get(state), message)))
