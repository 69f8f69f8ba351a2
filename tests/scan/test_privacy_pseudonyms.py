"""The names that a lab gives instead of the patient's, and the secret behind them."""

import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from labkit.errors import StorageError
from labkit.home import pseudonym, pseudonym_uid
from labkit.processes import run

UID = "1.2.826.0.1.3680043.8.498.1"


def test_a_pseudonym_is_a_uid_and_the_same_in_every_session(lab_home: Path) -> None:
    first = pseudonym_uid(UID)
    assert re.fullmatch(r"2\.25\.[1-9]\d{0,38}", first)
    assert pseudonym_uid(f"{UID}\0") == first
    assert pseudonym_uid(f"{UID}.2") != first
    assert re.fullmatch("[0-9a-f]{12}", pseudonym("Müller"))


def test_another_lab_gives_other_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = set()
    for lab in ("a", "b"):
        monkeypatch.setenv("LABKIT_HOME", str(tmp_path / lab))
        names.add(pseudonym_uid(UID))
    assert len(names) == 2


def test_scans_without_a_uid_do_not_share_a_pseudonym(lab_home: Path) -> None:
    assert pseudonym_uid("") == ""


def test_processes_that_start_together_use_one_secret(lab_home: Path) -> None:
    command = [sys.executable, "-c", f"from labkit.home import *; print(pseudonym_uid('{UID}'))"]

    def ask(_: int) -> str:
        return run(command, timeout_s=120).output.strip()

    with ThreadPoolExecutor(4) as pool:
        answers = set(pool.map(ask, range(4)))
    assert answers == {pseudonym_uid(UID)}
    assert [path.name for path in lab_home.iterdir()] == ["pseudonym.secret"]


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX systems")
def test_the_secret_is_its_owners_alone(lab_home: Path) -> None:
    before = pseudonym_uid(UID)
    secret = lab_home / "pseudonym.secret"
    assert secret.stat().st_mode & 0o777 == 0o600
    secret.chmod(0o644)
    assert pseudonym_uid(UID) == before
    assert secret.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"", b"too short", bytes(64)])
def test_a_damaged_secret_is_not_replaced_in_silence(lab_home: Path, content: bytes) -> None:
    pseudonym_uid(UID)
    (lab_home / "pseudonym.secret").write_bytes(content)
    with pytest.raises(StorageError, match="backup"):
        pseudonym_uid(UID)
    assert (lab_home / "pseudonym.secret").read_bytes() == content
