"""The keys of this hub: an age identity that opens parcels, an Ed25519 key that signs them."""

from dataclasses import dataclass, field

import pyrage
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from filelock import FileLock
from securesystemslib.signer import CryptoSigner, SSlibKey  # type: ignore[attr-defined]

from labkit.errors import InputError
from labkit.files import storage_errors, write_whole
from labkit.home import home_folder
from labkit.secret import secret_in

AGE_FILE, SIGNING_FILE = "keys/hub.age", "keys/hub-signing.pem"


@dataclass(frozen=True)
class HubKeys:
    """The private keys of this hub, and the public halves that other hubs enter."""

    identity: pyrage.x25519.Identity = field(repr=False)
    signing: Ed25519PrivateKey = field(repr=False)

    @property
    def recipient(self) -> str:
        """``age1…``, to which others encrypt."""
        return str(self.identity.to_public())

    @property
    def signing_key(self) -> str:
        """The public key by which others know our signature, 64 hexadecimal digits."""
        return self.signing.public_key().public_bytes_raw().hex()

    @property
    def signer(self) -> CryptoSigner:
        """What signs a DSSE envelope."""
        return CryptoSigner(self.signing)


def own_keys(*, make: bool = False) -> HubKeys:
    """The keys of this hub, readable by their owner only.

    Parameters
    ----------
    make : make what is missing; what is there is never replaced.

    Raises
    ------
    InputError
        A key is missing, damaged, or others can read it.
    StorageError
        The lab's folder cannot be written.
    """
    if make:
        _complete()
    age = secret_in(home_folder() / AGE_FILE, "the hub's age identity")
    pem = secret_in(home_folder() / SIGNING_FILE, "the hub's signing key")
    try:
        identity = pyrage.x25519.Identity.from_str(age)
        signing = load_pem_private_key(pem.encode(), password=None)
    except (pyrage.IdentityError, ValueError, TypeError) as error:
        raise _damaged() from error
    if not isinstance(signing, Ed25519PrivateKey):
        raise _damaged()
    return HubKeys(identity, signing)


def public_key(signing_key: str) -> SSlibKey:
    """The key that checks the signatures of a hub, from its 64 hexadecimal digits."""
    return SSlibKey.from_crypto(Ed25519PublicKey.from_public_bytes(bytes.fromhex(signing_key)))


def _complete() -> None:
    folder = home_folder()
    with storage_errors(folder / "keys"):
        (folder / "keys").mkdir(mode=0o700, exist_ok=True)
        with FileLock(folder / "keys" / ".hub.lock"):
            if not (folder / AGE_FILE).exists():
                identity = pyrage.x25519.Identity.generate()
                write_whole(folder / AGE_FILE, f"{identity}\n", mode=0o600)
            if not (folder / SIGNING_FILE).exists():
                pem = Ed25519PrivateKey.generate().private_bytes(
                    Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
                )
                write_whole(folder / SIGNING_FILE, pem, mode=0o600)


def _damaged() -> InputError:
    return InputError(
        "a key of this hub is damaged",
        expected=f"an age identity in {AGE_FILE}, an Ed25519 key as PEM in {SIGNING_FILE}",
        where=str(home_folder() / "keys"),
        fix="restore it from the backup; without one, move both away, run `labkit hubs keys`, "
        "and have all other hubs enter the new public keys",
    )
