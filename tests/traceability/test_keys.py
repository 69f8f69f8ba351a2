"""Practice keys: made once, private, and named as what they are."""

import json
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from labkit.errors import EvidenceError
from labkit.traceability.keys import OPERATOR, QA, keys, own_public_key, public_key


def test_made_on_first_use_and_kept(lab: Path) -> None:
    assert own_public_key(QA) is None
    first, second = keys(), keys()
    assert first.practice
    assert first.operator.public_key == second.operator.public_key == own_public_key(OPERATOR)
    assert first.qa.public_key != first.operator.public_key
    assert "PRACTICE" in json.loads((lab / "keys" / "keys.json").read_text())["notice"]
    for role in (OPERATOR, QA):
        path = lab / "keys" / f"{role}.pem"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.read_text().startswith("-----BEGIN PRIVATE KEY-----")


def test_public_keys_for_a_case(tmp_path: Path) -> None:
    signers = keys()
    signers.write_public(tmp_path)
    assert public_key(tmp_path / "qa.pub") == signers.qa.public_key
    assert public_key(tmp_path / "operator.pub") == signers.operator.public_key


def test_first_use_cut_short_is_finished_by_the_next(lab: Path) -> None:
    operator = keys().operator.public_key
    for name in ("qa.pem", "qa.pub", "keys.json"):
        (lab / "keys" / name).unlink()
    again = keys()
    assert again.operator.public_key == operator
    assert public_key(lab / "keys" / "qa.pub") == again.qa.public_key
    assert again.practice


def test_keys_of_the_lab_are_never_replaced_by_practice_keys(lab: Path) -> None:
    keys()
    (lab / "keys" / "keys.json").write_text('{"kind": "lab"}')
    assert not keys().practice
    (lab / "keys" / "qa.pem").unlink()
    with pytest.raises(EvidenceError, match=r"qa\.pem"):
        keys()


@pytest.mark.parametrize("content", ["", "no key", "{}"])
@pytest.mark.parametrize("name", ["operator.pem", "keys.json"])
def test_a_damaged_file_is_named(lab: Path, name: str, content: str) -> None:
    keys()
    (lab / "keys" / name).write_text(content)
    with pytest.raises(EvidenceError, match=name.replace(".", r"\.")):
        keys()


def test_a_key_of_another_kind_is_refused(lab: Path) -> None:
    keys()
    other = generate_private_key(SECP256R1())
    pem = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (lab / "keys" / "qa.pem").write_bytes(pem)
    with pytest.raises(EvidenceError, match="Ed25519"):
        keys()


def test_a_public_key_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "qa.pub").write_text("nothing")
    with pytest.raises(EvidenceError, match=r"qa\.pub"):
        public_key(tmp_path / "qa.pub")
