"""The keys that sign a case: one for the steps, one for the release."""

import json
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from filelock import FileLock
from securesystemslib.signer import CryptoSigner, SSlibKey  # type: ignore[attr-defined]

from labkit.case import now
from labkit.errors import EvidenceError
from labkit.files import storage_errors, write_whole
from labkit.home import home_folder

OPERATOR, QA = "operator", "qa"
"""``operator`` signs what a stage left, ``qa`` signs the layout that releases the case."""

NOTICE = (
    "PRACTICE KEYS: made by the kit on first use, on this computer, without a password. "
    "They show that files are as they were signed; they do not show who signed."
)


@dataclass(frozen=True)
class LabKeys:
    """The two signers of this lab, and whether they are only for practice."""

    operator: CryptoSigner
    qa: CryptoSigner
    practice: bool

    def write_public(self, folder: Path) -> None:
        """Write ``operator.pub`` and ``qa.pub`` (PEM) into ``folder``, for any verifier."""
        for role in (OPERATOR, QA):
            public = (_folder() / f"{role}.pub").read_bytes()
            target = folder / f"{role}.pub"
            if not target.is_file() or target.read_bytes() != public:
                write_whole(target, public)


def keys() -> LabKeys:
    """The signers of this lab; practice keys are made on first use.

    Ed25519 (RFC 8032), PKCS #8 PEM, readable by the owner only.  They stay
    practice keys until ``keys.json`` beside them says ``"kind": "lab"``.

    Raises
    ------
    EvidenceError
        A key file is damaged, or a key of the lab is missing.
    StorageError
        The lab's folder cannot be written.
    """
    folder = _folder()
    with storage_errors(folder):
        folder.mkdir(mode=0o700, exist_ok=True)
        with FileLock(folder / ".lock"):
            practice = _kind(folder) != "lab"
            if practice:
                _complete_practice_keys(folder)
    operator, qa = (CryptoSigner(_private_key(folder, role)) for role in (OPERATOR, QA))
    return LabKeys(operator, qa, practice)


def own_public_key(role: str) -> SSlibKey | None:
    """This lab's public key of a role, or None if the lab has no keys yet.

    Raises
    ------
    EvidenceError
        The key file is damaged.
    """
    folder = _folder()
    if not (folder / f"{role}.pem").exists():
        return None
    return SSlibKey.from_crypto(_private_key(folder, role).public_key())


def public_key(path: Path) -> SSlibKey:
    """The public key in a PEM file.

    Raises
    ------
    EvidenceError
        No such file, or no key in it.
    """
    try:
        return SSlibKey.from_crypto(load_pem_public_key(path.read_bytes()))
    except (OSError, ValueError) as error:
        raise EvidenceError(
            f"{path.name} is not a readable public key",
            expected="a public key as PEM",
            where=str(path),
            fix="take it again from the lab that signed the case",
        ) from error


def _folder() -> Path:
    return home_folder() / "keys"


def _kind(folder: Path) -> str:
    path = folder / "keys.json"
    if not path.exists():
        return "practice"
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["kind"])
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(path) from error


def _complete_practice_keys(folder: Path) -> None:
    """Make what is missing, so that a first use that was cut short is finished by the next."""
    for role in (OPERATOR, QA):
        if not (folder / f"{role}.pem").exists():
            pem = Ed25519PrivateKey.generate().private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
            )
            write_whole(folder / f"{role}.pem", pem, mode=0o600)
        if not (folder / f"{role}.pub").exists():
            public = _private_key(folder, role).public_key()
            pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            write_whole(folder / f"{role}.pub", pem)
    if not (folder / "keys.json").exists():
        described = {"kind": "practice", "notice": NOTICE, "made": now()}
        write_whole(folder / "keys.json", json.dumps(described, indent=2) + "\n")


def _private_key(folder: Path, role: str) -> Ed25519PrivateKey:
    path = folder / f"{role}.pem"
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise _damaged(path) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _damaged(path)
    return key


def _damaged(path: Path) -> EvidenceError:
    return EvidenceError(
        f"{path.name} is missing or cannot be read",
        expected="an Ed25519 key as PKCS #8 PEM without a password, and its keys.json",
        where=str(path.parent),
        fix="restore the folder from a backup; without one, move it away: new practice keys are "
        "made, and cases signed with the old ones no longer count as this lab's",
    )
