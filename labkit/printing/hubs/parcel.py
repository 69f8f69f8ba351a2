"""A frozen G-code on its way to another hub: signed by the sender, for one receiver only.

::

    CASE-1a2b3c4d.parcel.age          age, for the receiving hub's key
      └── zip
          ├── part.gcode              as it was frozen: the controlled document
          ├── gcode.json              the sheet: what printing needs
          └── parcel.json             the letter, in a DSSE envelope: who, to whom, which
                                      case and attempt, approval, SHA-256 of the other two

age tells nothing of who encrypted, so that the letter is signed.  Nothing of a parcel is
used before all of it was checked; it is opened whole or not at all, and once.
"""

import hashlib
import json
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import pyrage
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import Error as SecureSystemsError

from labkit.case import now
from labkit.errors import EvidenceError, InputError, StorageError
from labkit.files import sha256_of, storage_errors, written_whole
from labkit.printing.hubs.keys import HubKeys, public_key
from labkit.printing.hubs.received import received_once
from labkit.printing.hubs.registry import Hub, Name, own_hub
from labkit.printing.hubs.sheet import Sheet
from labkit.printing.hubs.states import Standing

SCHEMA: Literal["labkit/parcel/1"] = "labkit/parcel/1"
PAYLOAD_TYPE = "application/vnd.labkit.parcel+json"
GCODE, SHEET, LETTER = "part.gcode", "gcode.json", "parcel.json"

LARGEST_BYTES = {GCODE: 1 << 30, SHEET: 4 << 20, LETTER: 256 << 10}
"""The project's own limits; the largest G-code of a full plate is some 300 MB."""
LARGEST_PARCEL_BYTES = sum(LARGEST_BYTES.values())

_DIRECTORY_BYTES = 4096
_DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, struct.error),
    *(EOFError, OSError, NotImplementedError, RuntimeError, ValueError),
)
_NOT_A_LETTER = (
    *(ValueError, KeyError, TypeError, AttributeError, RecursionError),
    SecureSystemsError,
)

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
CaseCode = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$")]


class Letter(BaseModel):
    """What the sending hub vouches for by its signature.

    Parameters
    ----------
    job : the job in the sender's register, if there is one.
    approval : who approved the G-code, in a sentence.
    transfer : why it may go to this legal entity, in words.
    files : SHA-256 of G-code and sheet; `seal` fills it in, and ``sealed``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_name: Literal["labkit/parcel/1"] = Field(default=SCHEMA, alias="schema")
    case: CaseCode
    attempt: int = Field(ge=1)
    practice: bool
    from_hub: Name
    to_hub: Name
    approval: str = Field(min_length=1, max_length=500)
    transfer: str = Field(default="", max_length=500)
    procedure: str = Field(default="", max_length=200)
    job: str = Field(default="", pattern=r"^[0-9a-f]{0,10}$")
    sealed: str = Field(default="", max_length=32)
    files: dict[str, Sha256] = Field(default_factory=dict)

    @property
    def parcel_id(self) -> str:
        """The same for the same attempt at the same G-code: it is received once."""
        told = [self.from_hub, self.to_hub, self.case, self.files[GCODE], str(self.attempt)]
        return hashlib.sha256("\n".join(told).encode()).hexdigest()


@dataclass(frozen=True)
class Parcel:
    """A parcel that was opened: its folder, the letter, and the sheet of the G-code."""

    folder: Path
    letter: Letter
    sheet: Sheet

    @property
    def gcode(self) -> Path:
        """The frozen G-code, as the sender signed it."""
        return self.folder / GCODE


def seal(
    gcode: Path, sheet: Sheet, letter: Letter, *, to: Hub, keys: HubKeys, folder: Path
) -> Path:
    """A parcel for one hub, in ``folder``, signed with this hub's key.

    Whether it may go there is for the caller to ask (`labkit.printing.hubs.sending`).

    Raises
    ------
    EvidenceError
        The G-code is not the one of its sheet.
    InputError
        The G-code is too large, or the hub's age key is none.
    StorageError
        The folder cannot be written; nothing was left in it.
    """
    if sha256_of(gcode) != sheet.sha256:
        raise _altered("the G-code is not the one of its sheet", gcode)
    if gcode.stat().st_size > LARGEST_BYTES[GCODE]:
        raise InputError(
            f"a G-code of {gcode.stat().st_size} bytes",
            expected=f"at most {LARGEST_BYTES[GCODE]} bytes",
            where=str(gcode),
            fix="print it at this hub, or in parts",
        )
    about = sheet.model_dump_json(indent=1, exclude_none=True).encode()
    files = {GCODE: sheet.sha256, SHEET: hashlib.sha256(about).hexdigest()}
    signed = letter.model_copy(update={"files": files, "sealed": now()})
    payload = signed.model_dump_json(by_alias=True, indent=1).encode()
    envelope = Envelope(payload, PAYLOAD_TYPE, {})
    envelope.sign(keys.signer)
    try:
        recipient = pyrage.x25519.Recipient.from_str(to.recipient)
    except pyrage.RecipientError as error:
        raise InputError(
            f"the age key of {letter.to_hub} is none",
            expected="age1…, as `labkit hubs keys` prints it there",
            where="hubs.yaml",
            fix="enter it again",
        ) from error
    target = folder / f"{signed.case}-{signed.parcel_id[:8]}.parcel.age"
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".parcel", dir=folder) as room:
            packed = Path(room) / "parcel.zip"
            with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.write(gcode, GCODE)
                archive.writestr(SHEET, about)
                archive.writestr(LETTER, json.dumps(envelope.to_dict(), indent=1))
            with written_whole(target) as temporary:
                try:
                    pyrage.encrypt_file(str(packed), str(temporary), [recipient])
                except (pyrage.EncryptError, OSError) as error:
                    raise _not_written(folder) from error
    return target


def open_parcel(
    path: Path,
    to: Path,
    *,
    keys: HubKeys,
    hubs: dict[str, Hub],
    standings: Mapping[str, Standing],
) -> Parcel:
    """The content of a parcel in the new folder ``to``, after all of it was checked.

    Parameters
    ----------
    hubs, standings : the sender must be among them, and onboarded; and this lab.

    Raises
    ------
    EvidenceError
        It was altered, is incomplete, not signed, signed by another than it says, or was
        encrypted for another hub.
    InputError
        No such file, the folder is there, the sender is not known or not onboarded, or
        the parcel was received before.
    StorageError
        The place cannot be written; nothing was left there.
    """
    own = own_hub(hubs)
    if not path.is_file() or path.stat().st_size > LARGEST_PARCEL_BYTES:
        found = "a file that is too large" if path.is_file() else "no such file"
        raise InputError(
            f"{found}: {path.name}",
            expected=f"a parcel of at most {LARGEST_PARCEL_BYTES >> 20} MB",
            where=str(path.parent),
            fix="check the path, or ask the sender",
        )
    if to.exists():
        raise InputError(
            f"{to.name} is there already",
            expected="the name of a new folder",
            where=str(to.parent),
            fix="choose another name",
        )
    with storage_errors(to):
        to.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".parcel", dir=to.parent) as room:
            packed, opened = Path(room) / "parcel.zip", Path(room) / "opened"
            _decrypt(path, packed, keys)
            _unpack(packed, opened, path)
            letter = _letter(opened / LETTER, hubs, standings, path)
            if letter.to_hub != own:
                raise _altered(f"it was sealed for {letter.to_hub}, and this is {own}", path)
            sheet = _checked(opened, letter, path)
            told = letter.parcel_id, letter.from_hub, letter.case, letter.files[GCODE]
            with received_once(*told):
                opened.rename(to)
    return Parcel(to, letter, sheet)


def opened_parcel(
    folder: Path, *, hubs: Mapping[str, Hub], standings: Mapping[str, Standing]
) -> Parcel:
    """A parcel that was opened before, checked once more against the sender's signature.

    Raises
    ------
    EvidenceError
        A file is not the one that was signed, or is missing.
    InputError
        The sender is not known, or not onboarded any more.
    """
    missing = [name for name in LARGEST_BYTES if not (folder / name).is_file()]
    if missing:
        raise _altered(f"{', '.join(missing)} is missing", folder)
    letter = _letter(folder / LETTER, hubs, standings, folder)
    return Parcel(folder, letter, _checked(folder, letter, folder))


def _decrypt(path: Path, packed: Path, keys: HubKeys) -> None:
    packed.touch(mode=0o600)
    try:
        # to a temporary name: of an altered file age writes what comes before the place
        pyrage.decrypt_file(str(path), str(packed), [keys.identity])
    except (pyrage.DecryptError, OSError, ValueError) as error:
        if "os error" in str(error):  # how age tells the system's refusals from its own
            raise _not_written(packed.parent.parent) from error
        raise _altered("it cannot be opened with this hub's key", path) from error


def _unpack(packed: Path, opened: Path, path: Path) -> None:
    """The three files, each within its bound whatever the archive says of its size."""
    opened.mkdir(mode=0o700)
    try:
        _check_directory(packed)
        with zipfile.ZipFile(packed) as archive:
            deflated = {each.compress_type for each in archive.infolist()} == {zipfile.ZIP_DEFLATED}
            if sorted(archive.namelist()) != sorted(LARGEST_BYTES) or not deflated:
                raise _altered("other files in it than there should be", path)
            for name, largest in LARGEST_BYTES.items():
                with archive.open(name) as source, (opened / name).open("wb") as target:
                    left = largest
                    while chunk := source.read(min(1 << 20, left + 1)):
                        left -= len(chunk)
                        if left < 0:
                            raise _altered(f"{name} is larger than {largest} bytes", path)
                        target.write(chunk)
    except _DAMAGED as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk, not the parcel
        raise _altered(f"its archive is damaged ({type(error).__name__})", path) from error


def _check_directory(packed: Path) -> None:
    """A zip with three entries and a small directory, before anything reads the directory.

    The end record of PKWARE's APPNOTE 4.3.16, without a comment and not in the form for
    large archives (4.3.15), which would be believed instead of it.
    """
    with packed.open("rb") as stream:
        stream.seek(max(0, packed.stat().st_size - 42))
        end = stream.read().rjust(42, b"\0")
    signature, entries, size = struct.unpack("<4s6xHI", end[20:36])
    large = end[:4] == b"PK\x06\x07"
    if signature != b"PK\x05\x06" or large or entries != len(LARGEST_BYTES):
        raise zipfile.BadZipFile
    if size > _DIRECTORY_BYTES:
        raise zipfile.BadZipFile


def _letter(
    file: Path, hubs: Mapping[str, Hub], standings: Mapping[str, Standing], path: Path
) -> Letter:
    """The letter, once its signature is known to be the one of the hub it names."""
    try:
        envelope = Envelope.from_dict(json.loads(file.read_bytes()))
        letter = Letter.model_validate_json(envelope.payload)
        if envelope.payload_type != PAYLOAD_TYPE or set(letter.files) != {GCODE, SHEET}:
            raise ValueError("another kind of letter")
    except _NOT_A_LETTER as error:
        raise _altered("its letter cannot be read", path) from error
    sender = letter.from_hub
    if sender not in hubs:
        raise _not_from(path, f"the sender {sender} is not known here")
    try:
        envelope.verify([public_key(hubs[sender].signing_key)], 1)
    except _NOT_A_LETTER as error:
        raise _altered(f"it is not signed by the key of {sender}", path) from error
    if why_not := standings[sender].why_not:
        raise _not_from(path, f"the sender {sender} may not send: {why_not}")
    return letter


def _checked(opened: Path, letter: Letter, path: Path) -> Sheet:
    for name, signed in letter.files.items():
        if sha256_of(opened / name) != signed:
            raise _altered(f"{name} is not what {letter.from_hub} signed", path)
    try:
        sheet = Sheet.model_validate_json((opened / SHEET).read_bytes())
    except ValidationError as error:
        raise _altered(f"{SHEET} is no sheet of a print", path) from error
    if sheet.sha256 != letter.files[GCODE]:
        raise _altered(f"{SHEET} is of another G-code", path)
    return sheet


def _not_written(folder: Path) -> StorageError:
    return StorageError(
        "the system refused to write",
        expected="room for the parcel and its content, and a folder of yours",
        where=str(folder),
        fix="free some space or choose another folder; nothing half-written was kept",
    )


def _altered(found: str, path: Path) -> EvidenceError:
    return EvidenceError(
        f"{path.name}: {found}",
        expected="a parcel as its sender sealed it, for this hub",
        where=str(path.parent),
        fix="print nothing of it; ask the sender, by a way you trust, to seal it again",
    )


def _not_from(path: Path, found: str) -> InputError:
    return InputError(
        f"{path.name}: {found}",
        expected="a hub in hubs.yaml that is onboarded",
        where="hubs.yaml",
        fix="find out who sent it; enter and onboard the hub, then open it again",
    )
