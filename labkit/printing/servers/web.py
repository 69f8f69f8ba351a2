"""HTTP to a printer's server: time-outs, no redirects, and errors in words."""

import re
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import requests
from urllib3.exceptions import HTTPError

from labkit.errors import InputError, PrinterError
from labkit.printing.servers.kind import Printer
from labkit.printing.servers.messages import Phase

ANSWER_LIMIT_S = (5.0, 10.0)
"""For the connection, and for each wait for an answer."""

UPLOAD_LIMIT_S = (5.0, 120.0)


def was_answered(error: PrinterError) -> bool:
    """Whether the server itself said no; False when nothing is known of what it did."""
    return not isinstance(error.__cause__, requests.RequestException)


LARGEST_STILL_BYTES = 20_000_000
STILL_LIMIT_S = 10.0
"""For all of a still; a camera that only streams never comes to an end."""

_PICTURES = (b"\xff\xd8", b"\x89PNG")


def still(address: str, ca_file: Path | None = None) -> bytes | None:
    """A JPEG or PNG from a camera's address, asked for without any key; None if there is none."""
    with suppress(requests.RequestException, ValueError), requests.Session() as session:
        session.trust_env = False
        if ca_file is not None:
            session.verify = str(ca_file)
        with session.get(address, timeout=(2.0, 5.0), allow_redirects=False, stream=True) as answer:
            return picture_in(answer)
    return None


def picture_in(answer: requests.Response) -> bytes | None:
    """The JPEG or PNG that an answer brings, read piece by piece; None if it is neither."""
    give_up = time.monotonic() + STILL_LIMIT_S
    picture = b""
    if answer.status_code != 200:
        return None
    with suppress(HTTPError):
        while piece := answer.raw.read1(1 << 16, decode_content=True):
            picture += piece
            is_picture = len(picture) < 4 or picture.startswith(_PICTURES)
            too_much = len(picture) > LARGEST_STILL_BYTES or time.monotonic() > give_up
            if too_much or not is_picture:
                return None
        return picture if picture.startswith(_PICTURES) else None
    return None


def demand(printer: Printer, *phases: Phase, to: str) -> None:
    """Refuse what a printer is in no state for; it was asked for nothing yet.

    A server that does not answer is a refusal too, so that a start which was not even asked
    for is never taken for one without an answer.

    Raises
    ------
    PrinterError
        The printer is in none of ``phases``, or its server does not answer.
    """
    try:
        job = printer.job()
    except PrinterError as error:
        raise PrinterError(
            error.found, expected=error.expected, where=error.where, fix=error.fix
        ) from None
    if job.phase not in phases:
        raise PrinterError(
            f"the printer cannot {to} now: {' '.join((job.state, job.error)).strip()}",
            expected="a printer that is " + " or ".join(phases),
            where=printer.url,
            fix="look at the printer, then run again",
        )


def check_name(name: str) -> None:
    """Refuse a file name that some server would change, or that has its own meaning there.

    Raises
    ------
    ValueError
        It holds other signs than letters, digits, ``_`` and ``-``, or does not end in ``.gcode``.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]+\.gcode", name):
        raise ValueError(f"a name that a server would change: {name!r}")


class WebPrinter:
    """A printer's server that answers at ``url``.

    Every request has a time-out, follows no redirect (it would carry the key
    elsewhere) and ignores proxies and passwords of the environment.

    Parameters
    ----------
    url : address, with the prefix if there is one: ``https://host/octoprint``.
    key : what the server knows us by.
    ca_file : certificate that vouches for an ``https`` server of the lab's own.

    Raises
    ------
    InputError
        The address or the key cannot be one.
    """

    product: ClassVar[str]
    key_is: ClassVar[str]
    """What the key is called on this kind of server, and where it is found."""

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
                expected=self.key_is,
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
        if ca_file is not None:
            self._session.verify = str(ca_file)
        self._admit(key)

    def _admit(self, key: str) -> None:
        """Give the session what the server knows us by."""
        self._session.headers["X-Api-Key"] = key

    def _post(self, path: str, **content: object) -> None:
        self._answer("POST", path, json=content)

    def _json(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        return self._decoded(self._answer(method, path, **options))

    def _decoded(self, answer: requests.Response) -> dict[str, Any]:
        with suppress(requests.JSONDecodeError):
            content = answer.json()
            if isinstance(content, dict):
                return content
        raise self._another_product()

    def _another_product(self) -> PrinterError:
        return PrinterError(
            f"an answer that is not {self.product}'s",
            expected=f"a server of the kind {self.product}",
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
            if answer.status_code >= 500 and answer.status_code != also:
                answer.raise_for_status()
        except requests.RequestException as error:
            raise self._unanswered(error) from error
        if answer.ok and not answer.is_redirect:
            return answer
        if answer.status_code == also:
            return answer
        raise self._refusal(answer)

    def _unanswered(self, error: requests.RequestException) -> PrinterError:
        """What to say when the server did not say yes or no."""
        if isinstance(error, requests.exceptions.SSLError):
            return PrinterError(
                "the server's certificate is not trusted",
                expected="one that the printer's ca_file vouches for",
                where=self.url,
                fix="give the right ca_file; checking is never switched off",
            )
        if isinstance(error, requests.HTTPError):
            return PrinterError(
                f"the server failed ({error.response.status_code})",
                expected="an answer",
                where=self.url,
                fix=f"look at the log of {self.product} on the server, then run again",
            )
        return PrinterError(
            f"no answer from the printer's server ({type(error).__name__})",
            expected=f"{self.product} to answer",
            where=self.url,
            fix="check that the server is on, the network, and the address; then run again",
        )

    def _check_stored(self, stored: object, name: str, *, fix: str) -> None:
        """Refuse a server that stored a file under another name than it was given."""
        if stored != name:
            raise PrinterError(
                f"the server stored the file as {stored!r}", expected=name, where=self.url, fix=fix
            )

    def _reason(self, answer: requests.Response) -> str:
        """The server's own words for its no."""
        with suppress(requests.JSONDecodeError, AttributeError):
            return str(answer.json().get("error") or "")
        return ""

    def _refusal(self, answer: requests.Response) -> PrinterError:
        said = self._reason(answer)
        known = {
            401: ("the key is wrong", "put a valid key into the key file"),
            403: ("the key is wrong or lacks a right", "put a valid key into the key file"),
            404: ("the server has no such file or function", "check the address and the prefix"),
            409: ("the printer is offline or busy", "look at the printer, then run again"),
            413: ("the file is too large for the server", "raise the server's upload limit"),
            415: ("the server does not take this kind of file", "give it a .gcode file"),
        }
        found, fix = known.get(
            answer.status_code,
            (
                f"the server refused ({answer.status_code})",
                f"look at the log of {self.product} on the server",
            ),
        )
        if answer.is_redirect:
            found, fix = "the server sends us elsewhere", "give the address it really has"
        return PrinterError(
            f"{found}{': ' if said else ''}{said[:200]}",
            expected="the request to be accepted",
            where=self.url,
            fix=fix,
        )
