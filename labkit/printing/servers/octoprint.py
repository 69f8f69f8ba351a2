"""One OctoPrint server over HTTP.

A thin client of our own: the ones on PyPI lack uploads with progress, time-outs
or a push channel that works with a key.  Sources: https://docs.octoprint.org/en/master/api/
and the behaviour of OctoPrint 1.11.8 and 2.0.0rc7, which the tests run against.
"""

import re
import time
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from labkit.errors import PrinterError
from labkit.printing.servers.kind import Ability, Channel
from labkit.printing.servers.messages import (
    Heater,
    Multipart,
    Progress,
    RunningJob,
    Server,
    StoredFile,
)
from labkit.printing.servers.octoprint_push import OctoPrintChannel, running_job, told_settings
from labkit.printing.servers.web import UPLOAD_LIMIT_S, WebPrinter, check_name, still

FIRMWARE_LIMIT_S = 5.0
"""How long the firmware may take to list its settings."""

OLDEST_SAFE = (1, 11, 8)
"""Older servers let anyone who may upload read the server's files (GHSA-j4h9-pm27-4rfw)."""

NEEDED_RIGHTS = frozenset(
    {"STATUS", "CONNECTION", "FILES_LIST", "FILES_UPLOAD", "FILES_SELECT", "PRINT"}
)
"""What a key must be allowed to do; more is not needed."""


class OctoPrint(WebPrinter):
    """A server that answers at ``url`` to ``key``: see `WebPrinter`.

    Parameters
    ----------
    key : application or user key; never an administrator's.
    old_server_accepted : who accepts a server older than 1.11.8, and why; empty: nobody.
    snapshot_url : where the camera's stills are, as seen from here; empty: as the server says.
    """

    product: ClassVar[str] = "OctoPrint"
    key_is: ClassVar[str] = "the application key that OctoPrint shows under Application Keys"
    abilities: ClassVar[frozenset[Ability]] = frozenset(
        {
            *("tells a hash", "tells the position", "tells the temperatures", "pushes"),
            *("keeps a history", "shows a picture", "tells firmware settings"),
        }
    )

    def __init__(
        self,
        url: str,
        key: str,
        *,
        ca_file: Path | None = None,
        old_server_accepted: str = "",
        snapshot_url: str = "",
    ) -> None:
        super().__init__(url, key, ca_file=ca_file)
        self._old_accepted, self._snapshot_url = old_server_accepted, snapshot_url
        self._rights: frozenset[str] | None = None

    def who(self, *, allow_admin: bool = False) -> Server:
        """The server's version and what the key may do.

        Raises
        ------
        PrinterError
            No server there, something else than OctoPrint, a wrong key, a key of
            an administrator, a key with too few rights, or a server older than
            1.11.8 that nobody accepted.
        """
        user = self._json("GET", "/api/currentuser")
        if user.get("name") is None:
            raise PrinterError(
                "the server does not know this key",
                expected="a valid application key",
                where=self.url,
                fix="make a new key in OctoPrint (Settings, Application Keys) "
                "and put it into the printer's key file",
            )
        rights = frozenset(str(right) for right in user.get("permissions", []))
        is_admin = user["name"] == "_api" or "ADMIN" in rights or "admins" in user.get("groups", [])
        if is_admin and not allow_admin:
            raise PrinterError(
                "a key with administrator rights",
                expected="a key of a user who may upload, select and print, and nothing else",
                where=self.url,
                fix="make a user with only "
                + ", ".join(sorted(NEEDED_RIGHTS))
                + " and use its key",
            )
        if not is_admin and not rights >= NEEDED_RIGHTS:
            raise PrinterError(
                "the key may not " + ", ".join(sorted(NEEDED_RIGHTS - rights)),
                expected="the rights " + ", ".join(sorted(NEEDED_RIGHTS)),
                where=self.url,
                fix="give the key's user these rights in OctoPrint (Settings, Access Control)",
            )
        version = str(self._json("GET", "/api/version").get("server", ""))
        numbers = re.match(r"(\d+)\.(\d+)\.(\d+)", version)
        if numbers is None:
            raise self._another_product()
        too_old = tuple(int(number) for number in numbers.groups()) < OLDEST_SAFE
        if too_old and not self._old_accepted:
            raise PrinterError(
                f"OctoPrint {version}",
                expected="1.11.8 or later: older ones let an upload read files of the server",
                where=self.url,
                fix="update the server, or let somebody answer for it in writing: "
                "old_server_accepted in printers.yaml",
            )
        self._rights = rights
        note = f"OctoPrint {version} is older than 1.11.8, accepted: {self._old_accepted}"
        return Server(version, str(user["name"]), rights, note if too_old else "")

    def upload(self, path: Path, name: str, progress: Progress | None = None) -> bool:
        """Store a file on the server as ``name``; False if one of that name is there already.

        Nothing is ever overwritten.  ``progress`` is told the bytes sent and the
        bytes in all.

        Raises
        ------
        PrinterError
            The server refused, or the connection broke: then nothing was stored
            and the upload can be repeated.
        """
        check_name(name)
        body = Multipart(path, name, {"noOverwrite": "true"}, progress)
        answer = self._answer(
            "POST",
            "/api/files/local",
            data=body,
            headers={"Content-Type": body.content_type},
            timeout=UPLOAD_LIMIT_S,
            also=409,
        )
        if answer.status_code == 409:
            return False
        stored = self._decoded(answer).get("files", {}).get("local", {}).get("path")
        self._check_stored(stored, name, fix="look at the server's upload settings and plugins")
        return True

    def file(self, name: str) -> StoredFile | None:
        """What the server knows of a file, or None if it has none of that name."""
        answer = self._answer("GET", f"/api/files/local/{name}", also=404)
        if answer.status_code == 404:
            return None
        known = self._decoded(answer)
        prints = known.get("prints") or {}
        last = prints.get("last") or {}
        return StoredFile(
            size_bytes=int(known.get("size") or 0),
            sha1=known.get("hash"),
            prints_done=int(prints.get("success") or 0),
            prints_failed=int(prints.get("failure") or 0),
            last_succeeded=last.get("success"),
            last_print_time_s=last.get("printTime"),
        )

    def select(self, name: str) -> None:
        """Load a stored file, without starting it."""
        self._post(f"/api/files/local/{name}", command="select", print=False)

    def start(self, name: str) -> None:
        """Start exactly this file.

        The request names the file, so that a file which somebody selected in the
        meantime cannot be started by mistake.

        Raises
        ------
        PrinterError
            Refused (`was_answered`): it was not started by this request.  No
            answer: it may or may not have been started.
        """
        self._post(f"/api/files/local/{name}", command="select", print=True)

    def job(self) -> RunningJob:
        """What the server does now."""
        known = self._json("GET", "/api/job")
        return running_job(known, known.get("state", ""))

    def heaters(self) -> tuple[Heater, ...]:
        """Temperatures; empty while the printer is not connected."""
        answer = self._answer("GET", "/api/printer", params={"exclude": "sd"}, also=409)
        if answer.status_code == 409:
            return ()
        told = self._decoded(answer).get("temperature", {}).items()
        return tuple(
            Heater(str(name), float(heater["actual"]), float(heater.get("target") or 0.0))
            for name, heater in told
            if heater.get("actual") is not None
        )

    def pause(self) -> None:
        """Pause the print that is going on."""
        self._post("/api/job", command="pause", action="pause")

    def resume(self) -> None:
        """Resume the print that is paused."""
        self._post("/api/job", command="pause", action="resume")

    def cancel(self) -> None:
        """Cancel the print that is going on or paused."""
        self._post("/api/job", command="cancel")

    def connect_printer(self) -> None:
        """Let the server open its line to the printer, with its own settings."""
        self._post("/api/connection", command="connect")

    def port(self) -> str | None:
        """The port through which the server reaches its printer, or None."""
        port = self._json("GET", "/api/connection").get("current", {}).get("port")
        return None if port is None else str(port)

    def session(self) -> str:
        """A session for the push channel, as ``name:secret``."""
        user = self._json("POST", "/api/login", json={"passive": True})
        return f"{user.get('name')}:{user.get('session')}"

    def channel(self) -> Channel:
        """What the server pushes, to be entered."""
        return OctoPrintChannel(self.url, self.session, self.ca_file)

    def picture(self) -> bytes | None:
        """A still of the camera; None without one, or where the key may not learn of it.

        To learn of it takes SETTINGS_READ and WEBCAM.

        OctoPrint does not hand stills through: it says where they are.  On a printer's own
        computer that is often ``http://127.0.0.1``, which only means something there: the
        lab gives ``snapshot_url`` then.
        """
        address = self._snapshot_url
        if not address:
            answer = self._answer("GET", "/api/settings", also=403)
            if answer.status_code == 403:
                return None
            address = str((self._decoded(answer).get("webcam") or {}).get("snapshotUrl") or "")
            if _is_loopback(address) and not _is_loopback(self.url):
                return None  # the server's own camera: here it would be another one, or none
        return still(address) if address else None

    def firmware_settings(self) -> str | None:
        """What the firmware answers to M503; None where the key may not ask.

        That takes CONTROL, and MONITOR_TERMINAL to read the answer.
        """
        if self._rights is not None and not self._rights >= {"CONTROL", "MONITOR_TERMINAL"}:
            return None
        heard: list[str] = []
        with OctoPrintChannel(self.url, self.session, self.ca_file, terminal=heard) as channel:
            answer = self._answer(
                "POST", "/api/printer/command", json={"command": "M503"}, also=403
            )
            if answer.status_code == 403:
                return None
            give_up = time.monotonic() + FIRMWARE_LIMIT_S
            while time.monotonic() < give_up and not told_settings(heard):
                channel.read(timeout_s=0.2)
        return told_settings(heard) or None


def _is_loopback(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")
