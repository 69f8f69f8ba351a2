"""A key for this kit at an OctoPrint server, which a person grants there in the browser.

No password leaves the browser and no administrator has to copy a key: the kit asks, a
person who is logged in on the server says yes, and the server tells the key, once.  The
key may do what that person may.
Source: https://docs.octoprint.org/en/master/bundledplugins/appkeys.html
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from labkit.errors import PrinterError
from labkit.printing.servers.octoprint import NEEDED_RIGHTS, OctoPrint
from labkit.printing.servers.web import WebPrinter, was_answered

APPLICATION = "labkit"
"""As the server lists it under Application Keys; the same user gets the same key again."""

POLL_S = 2.0
"""The server drops a request that nobody asked about for 5 s."""

CONFIRM_LIMIT_S = 600.0
"""The server drops a request that nobody decided on for 10 min."""

_REQUEST = "/plugin/appkeys/request"


@dataclass(frozen=True)
class KeyRequest:
    """A request that waits for a person.

    Parameters
    ----------
    token : what the server calls it; who has it may fetch the key.
    confirm_at : where a person says yes or no, in a browser.
    """

    token: str
    confirm_at: str

    def __repr__(self) -> str:
        """Without the token."""
        return "KeyRequest()"


class ApplicationKeys(WebPrinter):
    """Where an OctoPrint server grants keys.

    Parameters
    ----------
    url, ca_file : as for `WebPrinter`; there is no key yet.
    """

    product = OctoPrint.product
    key_is = OctoPrint.key_is

    def __init__(self, url: str, *, ca_file: Path | None = None) -> None:
        super().__init__(url, "none-yet", ca_file=ca_file)

    def _admit(self, key: str) -> None:
        """Nothing makes us known yet."""

    def ask(self, user: str = "") -> KeyRequest:
        """Ask for a key, which a person has to confirm.

        Parameters
        ----------
        user : the one whose key it shall be; empty: whoever confirms.

        Raises
        ------
        PrinterError
            No OctoPrint there, one without its plugin Application Keys, or too many
            requests of late.
        """
        probe = self._answer("GET", "/plugin/appkeys/probe", also=404)
        if probe.status_code != 204:
            raise PrinterError(
                "a server that grants no application keys",
                expected="OctoPrint with its plugin Application Keys switched on",
                where=self.url,
                fix="check the address and the prefix; or have the plugin switched on; or make "
                "a key by hand, put it into a file of mode 0600, and give that as --key-file",
            )
        asked = {"app": APPLICATION, **({"user": user} if user else {})}
        answer = self._answer("POST", _REQUEST, json=asked, also=429)
        if answer.status_code == 429:
            raise PrinterError(
                "too many requests for a key of late",
                expected="at most 3 a minute, 5 in ten minutes and 10 an hour",
                where=self.url,
                fix="wait a few minutes, then run again",
            )
        token = str(self._decoded(answer).get("app_token") or "")
        if not re.fullmatch(r"[A-Za-z0-9_-]+", token):
            raise self._another_product()
        # the address that the server tells is wrong behind a proxy
        person = f"?user={user}" if user else ""
        return KeyRequest(token, f"{self.url}/plugin/appkeys/auth/{token}{person}")

    def key(self, request: KeyRequest) -> str | None:
        """The key, None while nobody has decided; the server tells it only once.

        Raises
        ------
        PrinterError
            Refused, or dropped.
        """
        answer = self._answer("GET", f"{_REQUEST}/{request.token}", also=404)
        if answer.status_code == 202:
            return None
        if answer.status_code == 404:
            raise PrinterError(
                "the request for a key was refused, or the server dropped it",
                expected="a person to allow it in the browser",
                where=self.url,
                fix="run again, and allow the request that names labkit",
            )
        return str(self._decoded(answer).get("api_key") or "")


def granted_key(
    keys: ApplicationKeys, request: KeyRequest, waiting: Callable[[float], None]
) -> str:
    """The key, as soon as a person has allowed it.

    Breaking it off loses nothing: nothing was written, and the server forgets the request.

    Parameters
    ----------
    waiting : takes the seconds that are left, at each look.

    Raises
    ------
    PrinterError
        Refused, dropped, or nobody decided within 10 min.
    """
    give_up = time.monotonic() + CONFIRM_LIMIT_S
    while (left_s := give_up - time.monotonic()) > 0:
        try:
            if key := keys.key(request):
                return key
        except PrinterError as error:
            if was_answered(error):
                raise
        waiting(left_s)
        time.sleep(POLL_S)
    raise PrinterError(
        f"nobody allowed the request for a key within {CONFIRM_LIMIT_S / 60:.0f} min",
        expected="a person to allow it in the browser",
        where=keys.url,
        fix="run again when somebody is there who may log in on the server, as a user with only "
        + ", ".join(sorted(NEEDED_RIGHTS)),
    )
