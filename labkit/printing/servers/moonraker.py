"""One Moonraker server, the web service of Klipper, over its own API.

Not over its imitation of OctoPrint, which starts prints but neither lists nor follows
them.  Sources: https://moonraker.readthedocs.io/en/latest/external_api/introduction/ and
the behaviour of Moonraker 0.11.0, which the tests run against.
"""

import hashlib
import json
from contextlib import suppress
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote, urljoin, urlsplit

import requests

from labkit.errors import PrinterError
from labkit.files import sha256_of
from labkit.printing.servers.kind import Ability, Channel
from labkit.printing.servers.messages import (
    Heater,
    Multipart,
    Progress,
    RunningJob,
    Server,
    StoredFile,
)
from labkit.printing.servers.moonraker_history import past_prints, stored_file
from labkit.printing.servers.moonraker_push import FOLLOWED, MoonrakerChannel, running_job
from labkit.printing.servers.web import UPLOAD_LIMIT_S, WebPrinter, check_name, demand, still

ACT_LIMIT_S = (5.0, 60.0)
"""Pausing and cancelling are answered when the printer has done it, its macros included."""

HISTORY_PAGE = 100
HISTORY_MARGIN_S = 86_400.0
"""How much earlier than its file, by the server's clock, a print could have begun."""

_AS_STORED = {"Accept-Encoding": "identity"}  # a proxy that compresses hides the size


class Moonraker(WebPrinter):
    """A server that answers at ``url`` to ``key``: see `WebPrinter`.

    A key is always sent, and the server refuses a wrong one also where it trusts the
    address; that it would have asked for none is in `who`'s note.

    Parameters
    ----------
    key : the server's API key; there is one for all, and it may do everything.
    snapshot_url : where the camera's stills are, as seen from here; empty: as the server says.
    """

    product: ClassVar[str] = "Moonraker"
    key_is: ClassVar[str] = "the API key that Mainsail and Fluidd show in their settings"
    abilities: ClassVar[frozenset[Ability]] = frozenset(
        {
            *("tells a hash", "tells the position", "tells the temperatures", "pushes"),
            *("keeps a history", "shows a picture", "tells firmware settings"),
        }
    )

    def __init__(
        self, url: str, key: str, *, ca_file: Path | None = None, snapshot_url: str = ""
    ) -> None:
        super().__init__(url, key, ca_file=ca_file)
        self._snapshot_url = snapshot_url
        self._hashes: dict[str, tuple[tuple[str, str], str]] = {}

    def who(self) -> Server:
        """The server's version, and whether it would have answered without the key.

        Raises
        ------
        PrinterError
            No server there, something else than Moonraker, a wrong key, or Klipper is
            not ready or not configured for printing files.
        """
        told = self._result("/server/info")
        if "moonraker_version" not in told:
            raise self._another_product()
        if (state := told.get("klippy_state")) != "ready":
            raise PrinterError(
                f"Klipper is not ready ({state}): {self._klippers_words()}",
                expected="Klipper to be ready",
                where=self.url,
                fix="put right what it says and restart the firmware; then run again",
            )
        if missing := told.get("missing_klippy_requirements"):
            raise PrinterError(
                "Klipper's configuration lacks " + ", ".join(f"[{name}]" for name in missing),
                expected="the sections that printing a file needs",
                where=self.url,
                fix="add them to printer.cfg and restart the firmware",
            )
        user = self._if_there("/access/user").get("username") or ""
        trusted = self._if_there("/access/info").get("trusted", True)
        note = "the server asks nobody at this address for a key" if trusted else ""
        return Server(str(told["moonraker_version"]), str(user), note=note)

    def upload(self, path: Path, name: str, progress: Progress | None = None) -> bool:
        """Store a file on the server as ``name``; False if one of that name is there already.

        Moonraker itself would replace it, so it is asked before.  ``progress`` is told
        the bytes sent and the bytes in all.

        Raises
        ------
        PrinterError
            The server refused, other bytes arrived than were sent, or the connection
            broke: then nothing was stored and the upload can be repeated.
        """
        check_name(name)
        if self._stored(name) is not None:
            return False
        body = Multipart(path, name, {"root": "gcodes", "checksum": sha256_of(path)}, progress)
        answer = self._answer(
            "POST",
            "/server/files/upload",
            data=body,
            headers={"Content-Type": body.content_type},
            timeout=UPLOAD_LIMIT_S,
            also=422,
        )
        if answer.status_code == 422:
            raise PrinterError(
                "the server received other bytes than were sent; it kept nothing",
                expected="the file with its SHA-256",
                where=self.url,
                fix="run again; if it comes back, look for what changes data on the way",
            )
        stored = (self._decoded(answer).get("item") or {}).get("path")
        self._check_stored(stored, name, fix="look at the server's configuration")
        return True

    def file(self, name: str) -> StoredFile | None:
        """What the server knows of a file, or None if it has none of that name.

        Moonraker keeps no hash of a file, so the file is fetched for it, once for each
        state of it.
        """
        stored = self._stored(name)
        if stored is None:
            return None
        size, changed = stored
        prints = past_prints(name, self._history(changed), self.job)
        return stored_file(int(size), self._sha256(name, stored), prints)

    def select(self, name: str) -> None:
        """Nothing: Klipper knows no such step."""

    def start(self, name: str) -> None:
        """Start exactly this file.

        Klipper would give up a paused print for it, so it is asked before.

        Raises
        ------
        PrinterError
            Refused (`was_answered`): it was not started by this request.  No
            answer: it may or may not have been started.
        """
        demand(self, "ready", to="start a print")
        self._post("/printer/print/start", filename=name)

    def job(self) -> RunningJob:
        """What the printer does now."""
        known = self._klipper(*FOLLOWED)
        if known is None:
            return RunningJob("offline", "disconnected", error="Klipper's process is not there")
        return running_job(known)

    def heaters(self) -> tuple[Heater, ...]:
        """Temperatures; empty while Klipper is not there."""
        known = (self._klipper("heaters") or {}).get("heaters") or {}
        names = known.get("available_heaters") or ()
        told = (self._klipper(*names) if names else None) or {}
        return tuple(
            Heater(str(name), float(heater["temperature"]), float(heater.get("target") or 0.0))
            for name, heater in told.items()
            if heater.get("temperature") is not None
        )

    def pause(self) -> None:
        """Pause the print that is going on."""
        demand(self, "busy", to="pause")
        self._answer("POST", "/printer/print/pause", timeout=ACT_LIMIT_S)

    def resume(self) -> None:
        """Resume the print that is paused."""
        demand(self, "paused", to="resume")
        self._answer("POST", "/printer/print/resume", timeout=ACT_LIMIT_S)

    def cancel(self) -> None:
        """Cancel the print that is going on or paused."""
        demand(self, "busy", "paused", to="cancel")
        self._answer("POST", "/printer/print/cancel", timeout=ACT_LIMIT_S)

    def channel(self) -> Channel:
        """What the server pushes, to be entered."""
        key = str(self._session.headers["X-Api-Key"])
        return MoonrakerChannel(self.url, key, self.ca_file)

    def picture(self) -> bytes | None:
        """A still of the first camera that is on; None without one.

        Where the server gives only a path, it is looked for at the server's address with
        its port and, as the web interfaces do, without.
        """
        address = self._snapshot_url
        if not address:
            cameras = self._if_there("/server/webcams/list").get("webcams") or ()
            told = (c.get("snapshot_url") for c in cameras if c.get("enabled", True))
            address = str(next(filter(None, told), ""))
        if not address:
            return None
        here = urlsplit(self.url)
        places = (self.url + "/", f"{here.scheme}://{here.hostname}/")
        tried = dict.fromkeys(urljoin(place, address) for place in places)
        return next(filter(None, (still(place, self.ca_file) for place in tried)), None)

    def firmware_settings(self) -> str | None:
        """Klipper's configuration as it understood it, and the active spool of Spoolman."""
        known = self._klipper("configfile")
        if known is None:
            return None
        lines = [
            f"[{section}] {setting}: {_line(value)}"
            for section, settings in known.get("configfile", {}).get("settings", {}).items()
            for setting, value in settings.items()
        ]
        spool = self._if_there("/server/spoolman/spool_id").get("spool_id")
        if spool is not None:
            lines.append(f"spoolman active spool: {spool}")
        return "\n".join(sorted(lines)) or None

    def _reason(self, answer: requests.Response) -> str:
        with suppress(requests.JSONDecodeError, KeyError, TypeError):
            return str(answer.json()["error"]["message"])
        return ""

    def _result(self, path: str) -> dict[str, Any]:
        return self._unwrapped(self._answer("GET", path))

    def _unwrapped(self, answer: requests.Response) -> dict[str, Any]:
        result = self._decoded(answer).get("result")
        if isinstance(result, dict):
            return result
        raise self._another_product()

    def _if_there(self, path: str) -> dict[str, Any]:
        """The same, {} where the server lacks that part."""
        answer = self._answer("GET", path, also=404)
        return {} if answer.status_code == 404 else self._unwrapped(answer)

    def _ask_klipper(self, path: str) -> dict[str, Any] | None:
        """What Klipper answers, None if Moonraker says that it is not there."""
        answer = self._answer("GET", path, also=503)
        if answer.status_code != 503:
            return self._unwrapped(answer)
        if self._reason(answer):
            return None
        try:
            answer.raise_for_status()
        except requests.HTTPError as error:  # not Moonraker's: of a proxy before it
            raise self._unanswered(error) from error
        return None

    def _klipper(self, *objects: str) -> dict[str, Any] | None:
        """The state of objects of Klipper, None if it is not there."""
        asked = self._ask_klipper("/printer/objects/query?" + "&".join(map(quote, objects)))
        return None if asked is None else dict(asked.get("status") or {})

    def _klippers_words(self) -> str:
        info = self._ask_klipper("/printer/info")
        return str((info or {}).get("state_message") or "its process is not there")

    def _stored(self, name: str) -> tuple[str, str] | None:
        """Size and time of change of a file, as the server words them."""
        path = f"/server/files/gcodes/{name}"
        answer = self._answer("HEAD", path, headers=_AS_STORED, also=404)
        if answer.status_code == 404:
            return None
        size = answer.headers.get("Content-Length", "")
        if not size.isdecimal():
            raise self._another_product()
        return size, answer.headers.get("Last-Modified", "")

    def _sha256(self, name: str, state: tuple[str, str]) -> str:
        known = self._hashes.get(name)
        if known is not None and known[0] == state:
            return known[1]
        path, digest = f"/server/files/gcodes/{name}", hashlib.sha256()
        try:
            with self._answer("GET", path, headers=_AS_STORED, stream=True) as answer:
                for piece in answer.iter_content(1 << 18):
                    digest.update(piece)
        except requests.RequestException as error:
            raise self._unanswered(error) from error
        self._hashes[name] = state, digest.hexdigest()
        return digest.hexdigest()

    def _history(self, changed: str) -> list[dict[str, Any]]:
        """The jobs since about the time when a file was changed, the last one first."""
        since = ""
        with suppress(ValueError, TypeError):
            began = parsedate_to_datetime(changed).timestamp() - HISTORY_MARGIN_S
            since = f"&since={began:.0f}"
        rows: list[dict[str, Any]] = []
        while True:
            page = f"?order=desc&limit={HISTORY_PAGE}&start={len(rows)}{since}"
            more = self._if_there("/server/history/list" + page).get("jobs") or []
            rows += more
            if len(more) < HISTORY_PAGE:
                return rows


def _line(value: object) -> str:
    if isinstance(value, str) and "\n" not in value:
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
