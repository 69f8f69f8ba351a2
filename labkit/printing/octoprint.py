"""One OctoPrint server over HTTP and its push channel.

A thin client of our own: the ones on PyPI lack uploads with progress, time-outs
or a push channel that works with a key.  Sources: https://docs.octoprint.org/en/master/api/
and the behaviour of OctoPrint 1.11.8, which the tests run against.
"""

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import requests

from labkit.errors import InputError, PrinterError
from labkit.printing.messages import Multipart, RunningJob, Server, StoredFile

OLDEST_SAFE = (1, 11, 8)
"""Older servers let anyone who may upload read the server's files (GHSA-j4h9-pm27-4rfw)."""

NEEDED_RIGHTS = frozenset(
    {"STATUS", "CONNECTION", "FILES_LIST", "FILES_UPLOAD", "FILES_SELECT", "PRINT"}
)
"""What a key must be allowed to do; more is not needed."""

ANSWER_LIMIT_S = (5.0, 10.0)
"""For the connection, and for each wait for an answer."""

UPLOAD_LIMIT_S = (5.0, 120.0)


def was_answered(error: PrinterError) -> bool:
    """Whether the server itself said no; False when nothing is known of what it did."""
    return not isinstance(error.__cause__, requests.RequestException)


class OctoPrint:
    """A server that answers at ``url`` to ``key``.

    Every request has a time-out, follows no redirect (it would carry the key
    elsewhere) and ignores proxies and passwords of the environment.

    Parameters
    ----------
    url : address, with the prefix if there is one: ``https://host/octoprint``.
    key : application or user key; never an administrator's.
    ca_file : certificate that vouches for an ``https`` server of the lab's own.

    Raises
    ------
    InputError
        The address or the key cannot be one.
    """

    def __init__(self, url: str, key: str, *, ca_file: Path | None = None) -> None:
        if not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", url):
            raise InputError(
                f"the address {url!r}",
                expected="http://host:port or https://host, without a user name",
                where="the printer's url",
                fix="correct the address of the printer",
            )
        if not re.fullmatch(r"[!-~]+", key):
            raise InputError(
                "an empty key, or one with spaces or other signs",
                expected="the application key that OctoPrint shows under Application Keys",
                where=url,
                fix="put the key, alone, into the key file",
            )
        if ca_file is not None and not ca_file.is_file():
            raise InputError(
                f"no certificate file {ca_file.name}",
                expected="the certificate that vouches for the server",
                where=str(ca_file.parent),
                fix="put the file there, or correct ca_file",
            )
        self.url = url.rstrip("/")
        self.ca_file = ca_file
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["X-Api-Key"] = key
        if ca_file is not None:
            self._session.verify = str(ca_file)

    def who(self, *, allow_old: bool = False, allow_admin: bool = False) -> Server:
        """The server's version and what the key may do.

        Raises
        ------
        PrinterError
            No server there, something else than OctoPrint, a wrong key, a key of
            an administrator, a key with too few rights, or a server older than
            1.11.8.
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
            raise self._not_octoprint()
        if tuple(int(number) for number in numbers.groups()) < OLDEST_SAFE and not allow_old:
            raise PrinterError(
                f"OctoPrint {version}",
                expected="1.11.8 or later: older ones let an upload read files of the server",
                where=self.url,
                fix="update the server",
            )
        return Server(version, str(user["name"]), rights)

    def upload(
        self, path: Path, name: str, progress: Callable[[int, int], None] | None = None
    ) -> bool:
        """Store a file on the server as ``name``; False if one of that name is there already.

        Nothing is ever overwritten.  ``progress`` is told the bytes sent and the
        bytes in all.

        Raises
        ------
        PrinterError
            The server refused, or the connection broke: then nothing was stored
            and the upload can be repeated.
        """
        if not re.fullmatch(r"[A-Za-z0-9_-]+\.gcode", name):
            raise ValueError(f"a name that OctoPrint would change: {name!r}")
        body = Multipart(path, name, progress)
        answer = self._answer(
            "POST",
            "/api/files/local",
            data=body,
            headers={"Content-Type": f"multipart/form-data; boundary={body.boundary}"},
            timeout=UPLOAD_LIMIT_S,
            also=409,
        )
        if answer.status_code == 409:
            return False
        stored = self._decoded(answer).get("files", {}).get("local", {}).get("path")
        if stored != name:
            raise PrinterError(
                f"the server stored the file as {stored!r}",
                expected=name,
                where=self.url,
                fix="look at the server's upload settings and plugins",
            )
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
        return RunningJob.read(known, known.get("state", ""))

    def heating(self) -> tuple[int, ...]:
        """Temperatures of the heaters that are still more than 2 °C off their target, °C."""
        answer = self._answer("GET", "/api/printer", params={"exclude": "sd"}, also=409)
        if answer.status_code == 409:
            return ()
        heaters = self._decoded(answer).get("temperature", {}).values()
        pairs = ((heater.get("actual"), heater.get("target")) for heater in heaters)
        return tuple(
            round(actual)
            for actual, target in pairs
            if actual is not None and target and abs(actual - target) > 2
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

    def _post(self, path: str, **content: object) -> None:
        self._answer("POST", path, json=content)

    def _json(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        return self._decoded(self._answer(method, path, **options))

    def _decoded(self, answer: requests.Response) -> dict[str, Any]:
        with suppress(requests.JSONDecodeError):
            content = answer.json()
            if isinstance(content, dict):
                return content
        raise self._not_octoprint()

    def _not_octoprint(self) -> PrinterError:
        return PrinterError(
            "an answer that is not OctoPrint's",
            expected="an OctoPrint server",
            where=self.url,
            fix="check the address and the prefix",
        )

    def _answer(
        self, method: str, path: str, *, also: int | None = None, **options: Any
    ) -> requests.Response:
        """The answer if it is a yes or has the status ``also``."""
        options.setdefault("timeout", ANSWER_LIMIT_S)
        try:
            answer = self._session.request(
                method, self.url + path, allow_redirects=False, **options
            )
            if answer.status_code >= 500:
                answer.raise_for_status()
        except requests.exceptions.SSLError as error:
            raise PrinterError(
                "the server's certificate is not trusted",
                expected="one that the printer's ca_file vouches for",
                where=self.url,
                fix="give the right ca_file; checking is never switched off",
            ) from error
        except requests.HTTPError as error:
            raise PrinterError(
                f"the server failed ({error.response.status_code})",
                expected="an answer",
                where=self.url,
                fix="look at octoprint.log on the server, then run again",
            ) from error
        except requests.RequestException as error:
            raise PrinterError(
                f"no answer from the printer's server ({type(error).__name__})",
                expected="OctoPrint to answer",
                where=self.url,
                fix="check that the server is on, the network, and the address; then run again",
            ) from error
        if answer.ok and not answer.is_redirect:
            return answer
        if answer.status_code == also:
            return answer
        raise self._refusal(answer)

    def _refusal(self, answer: requests.Response) -> PrinterError:
        said = ""
        with suppress(requests.JSONDecodeError, AttributeError):
            said = str(answer.json().get("error") or "")
        known = {
            403: ("the key is wrong or lacks a right", "put a valid key into the key file"),
            404: ("the server has no such file or function", "check the address and the prefix"),
            409: ("the printer is offline or busy", "look at the printer, then run again"),
            413: ("the file is too large for the server", "raise the server's upload limit"),
            415: ("the server does not take this kind of file", "give it a .gcode file"),
        }
        found, fix = known.get(
            answer.status_code,
            (f"the server refused ({answer.status_code})", "look at octoprint.log on the server"),
        )
        if answer.is_redirect:
            found, fix = "the server sends us elsewhere", "give the address it really has"
        return PrinterError(
            f"{found}{': ' if said else ''}{said[:200]}",
            expected="the request to be accepted",
            where=self.url,
            fix=fix,
        )
