"""What an administrator does on an OctoPrint, for the tests: users, keys, settings, faults."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import requests
import yaml

KEY = "a-global-key-of-the-tests-alone"
PASSWORD = "a-password-of-the-tests"
LIMIT_S = 20


def with_global_key(config: str) -> str:
    """A server's configuration that knows our global key; OctoPrint 2 makes none by itself."""
    return yaml.safe_dump({**yaml.safe_load(config), "api": {"key": KEY}})


@dataclass(frozen=True)
class Administrator:
    """The one who holds the server's global key."""

    url: str
    key: str = KEY

    def ask(self, method: str, path: str, content: object = None) -> Any:
        answer = requests.request(
            method,
            self.url + path,
            json=content,
            headers={"X-Api-Key": self.key},
            timeout=LIMIT_S,
        )
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def user(self, name: str, rights: Collection[str], *, groups: Collection[str] = ()) -> str:
        """The key of a user with exactly these rights, who is made where there is none."""
        known = {user["name"] for user in self.ask("GET", "/api/access/users")["users"]}
        asked = {"permissions": sorted(rights), "groups": [*groups], "active": True, "admin": False}
        if name in known:
            self.ask("PUT", f"/api/access/users/{name}", asked)
        else:
            wanted = {"name": name, "password": PASSWORD, **asked}
            self.ask("POST", "/api/access/users", wanted)
        return str(self.ask("POST", f"/api/access/users/{name}/apikey")["apikey"])

    def decide(self, user: str, *, allow: bool) -> None:
        """Log in as a user, as a browser would, and decide on the request for a key."""
        with requests.Session() as session:
            session.get(f"{self.url}/login/", timeout=LIMIT_S).raise_for_status()
            token = next(cookie.value for cookie in session.cookies if "csrf" in cookie.name)
            session.headers["X-CSRF-Token"] = token or ""
            who = {"user": user, "pass": PASSWORD}
            session.post(f"{self.url}/api/login", json=who, timeout=LIMIT_S).raise_for_status()
            (pending,) = session.get(f"{self.url}/api/plugin/appkeys", timeout=LIMIT_S).json()[
                "pending"
            ]
            session.post(
                f"{self.url}/plugin/appkeys/decision/{pending}",
                json={"decision": allow},
                timeout=LIMIT_S,
            ).raise_for_status()

    def camera(self, snapshot_url: str) -> None:
        """Say where the camera's stills are."""
        told = {"plugins": {"classicwebcam": {"snapshot": snapshot_url}}}
        self.ask("POST", "/api/settings", told)

    def serial(self, settings: dict[str, float]) -> None:
        """Change how the server speaks to its printer; counts from the next connection on."""
        self.ask("POST", "/api/settings", {"serial": settings})
        for command in ("disconnect", "connect"):
            self.ask("POST", "/api/connection", {"command": command})

    def inject(self, fault: str) -> None:
        """Have the virtual printer do something wrong."""
        self.ask("POST", "/api/printer/command", {"command": f"!!DEBUG:{fault}"})
