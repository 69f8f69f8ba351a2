"""A network of two hubs for tests: this lab (north) and another (south)."""

from pathlib import Path
from typing import Any

import yaml

from labkit.printing.hubs.keys import HubKeys, own_keys


def printer(name: str, **more: Any) -> dict[str, Any]:
    told = {"name": name, "profile": "practice", "materials": ["PLA"], "procedures": ["practice"]}
    return {**told, "calibration_due": "2099-01-01", **more}


def keys_in(home: Path, patch: Any) -> HubKeys:
    """The keys of the lab in another folder."""
    with patch.context() as there:
        there.setenv("LABKIT_HOME", str(home))
        return own_keys(make=True)


def entry(keys: HubKeys, *printers: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "legal_entity": "North Trust",
        "site": "a room",
        "recipient": keys.recipient,
        "signing_key": keys.signing_key,
        "printers": list(printers) or [printer("bench-1")],
        **more,
    }


def write_hubs(home: Path, **hubs: dict[str, Any]) -> None:
    home.mkdir(parents=True, exist_ok=True)
    (home / "hubs.yaml").write_text(yaml.safe_dump(hubs), encoding="utf-8")
