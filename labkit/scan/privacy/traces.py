"""Search for identifiers in everything that a case holds, also in what is packed."""

import base64
import io
import json
import re
import unicodedata
import urllib.parse
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from labkit.scan.privacy.identifiers import Identifier

LARGEST_UNPACKED_BYTES = 1 << 30
_DEEPEST = 3
_SHORT_BYTES = 6
"""A shorter word turns up by chance in grey values; there it counts only inside text."""

_GREY_BYTES = 1 << 24
"""So much of what is no text is grey values: not searched for UTF-16."""

_UID = re.compile(rb"\d+(?:\.\d+){3,}")
_BASE64 = re.compile(rb"[A-Za-z0-9+/]{32,}={0,2}")
_ZLIB = re.compile(rb"\x78[\x01\x5e\x9c\xda]")
_TEXT_RUN = 16
_TRIAL_BYTES = 4096


@dataclass(frozen=True)
class Trace:
    """Where an identifier was found; it does not repeat the identifier.

    Parameters
    ----------
    kind : what was found: name, number, place, date, UID or source.
    file : relative to the folder that was searched; ``…`` for a name that is one itself.
    place : ``name`` of the file, ``content``, or what had to be unpacked to find it.
    """

    kind: str
    file: str
    place: str


def traces_of(identifiers: Iterable[Identifier], folder: Path) -> list[Trace]:
    """Every place below ``folder`` where one of the identifiers stands, names of files too.

    Looked for as UTF-8, Latin-1 and UTF-16, in any case, with JSON and URL escapes, dates
    also as people write them; inside gzip, zip, zlib and base64.  Pictures are not read.
    """
    search = _Search(identifiers)
    found: dict[Trace, None] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        called = search.kinds_in(name.encode())
        shown = "…" if called else name
        found |= dict.fromkeys(Trace(kind, shown, "name") for kind in called)
        if path.is_file():
            for place, content in _contents(path.read_bytes()):
                kinds = search.kinds_in(content)
                found |= dict.fromkeys(Trace(kind, shown, place) for kind in kinds)
    return list(found)


def traces_in(identifiers: Iterable[Identifier], content: bytes, name: str) -> list[Trace]:
    """The identifiers that stand in what a program printed, or in any other bytes."""
    search = _Search(identifiers)
    found = {
        Trace(kind, name, place): None
        for place, part in _contents(content)
        for kind in search.kinds_in(part)
    }
    return list(found)


class _Search:
    def __init__(self, identifiers: Iterable[Identifier]) -> None:
        self.uids: set[bytes] = set()
        self.patterns: dict[bytes, str] = {}
        for one in identifiers:
            if one.kind == "UID":
                self.uids.add(one.text.encode())
            else:
                self.patterns |= dict.fromkeys(_spellings(one), one.kind)

    def kinds_in(self, content: bytes) -> list[str]:
        lower = content.lower()
        text = _is_text(lower)
        grey = not text and len(lower) > _GREY_BYTES
        kinds = {
            kind
            for pattern, kind in self.patterns.items()
            if not (grey and b"\0" in pattern)
            and any(_stands(pattern, lower, at, text) for at in _places(pattern, lower))
        }
        plain = lower.replace(b"\0", b"") if b".\0" in lower else b""
        if self.uids & ({*_UID.findall(lower)} | {*_UID.findall(plain)}):
            kinds.add("UID")
        return sorted(kinds)


def _spellings(one: Identifier) -> set[bytes]:
    texts = {one.text}
    if one.kind == "date":
        year, month, day = one.text[:4], one.text[4:6], one.text[6:]
        texts |= {f"{year}-{month}-{day}", f"{day}.{month}.{year}", f"{month}/{day}/{year}"}
        texts |= {f"{int(day)}.{int(month)}.{year}", f"{year}/{month}/{day}"}
    texts |= {form for text in texts for form in (text.lower(), text.upper())}
    texts |= {unicodedata.normalize("NFD", text) for text in texts}
    texts |= {json.dumps(text)[1:-1] for text in texts} | {urllib.parse.quote(t) for t in texts}
    encoded = set()
    for encoding in ("utf-8", "latin-1", "utf-16-le", "utf-16-be"):
        encoded |= {text.encode(encoding, "ignore").lower() for text in texts}
    return {pattern for pattern in encoded if len(pattern) >= 3}


def _places(pattern: bytes, content: bytes) -> Iterator[int]:
    at = content.find(pattern)
    while at >= 0:
        yield at
        at = content.find(pattern, at + 1)


def _stands(pattern: bytes, content: bytes, at: int, text: bool) -> bool:
    """Whether it stands there as a word, and not by chance among binary values."""
    end = at + len(pattern)
    before, after = content[max(at - 1, 0) : at], content[end : end + 1]
    if _continues(pattern[:1], before) or _continues(pattern[-1:], after):
        return False
    if text or len(pattern) >= _SHORT_BYTES:
        return True
    around = content[max(at - _TEXT_RUN, 0) : end + _TEXT_RUN]
    return any(pattern in run for run in re.findall(rb"[\x20-\x7e]{%d,}" % _TEXT_RUN, around))


def _continues(edge: bytes, neighbour: bytes) -> bool:
    """Whether a number goes on as a number, or a word as a word."""
    return neighbour.isdigit() if edge.isdigit() else neighbour.isalnum()


def _is_text(content: bytes) -> bool:
    sample = content[: 1 << 16]
    return sum(sample.count(bytes([c])) for c in range(9)) <= len(sample) // 100


def _contents(
    content: bytes, place: str = "content", depth: int = 0
) -> Iterator[tuple[str, bytes]]:
    """The bytes, and what is packed in them."""
    head = _dicom_header(content)
    if head:
        yield place, re.sub(rb"[\0-\x1f]", b" ", content[:head])
    yield place, content[head:]
    if depth >= _DEEPEST:
        return
    for kind, packed in _unpacked(content):
        yield from _contents(packed, f"{place}, {kind}" if depth else kind, depth + 1)


def _unpacked(content: bytes) -> Iterator[tuple[str, bytes]]:
    if content[:2] == b"\x1f\x8b":
        yield "gzip", _inflated(content, 31)
    elif content[:4] == b"NRRD":
        yield "NRRD data", _inflated(content.partition(b"\n\n")[2], 31)
    elif content[:4] == b"PK\3\4":
        yield from _members(content)
    elif content[128:132] == b"DICM":
        length = 144 + int.from_bytes(content[140:144], "little")
        if b"1.2.840.10008.1.2.1.99" in content[:length]:
            yield "deflated DICOM", _inflated(content[length:], -15)
    else:
        whole = memoryview(content)
        for match in _ZLIB.finditer(content):
            if _inflated(whole[match.start() : match.start() + _TRIAL_BYTES], 15):
                packed = _inflated(whole[match.start() :], 15)
                yield "zlib", packed
        if _is_text(content):
            for match in _BASE64.finditer(content):
                packed = match[0].rstrip(b"=")
                yield "base64", base64.b64decode(packed[: len(packed) // 4 * 4])


def _inflated(content: bytes | memoryview, bits: int) -> bytes:
    """What comes out before the end or the first fault."""
    try:
        return zlib.decompressobj(bits).decompress(content, LARGEST_UNPACKED_BYTES)
    except zlib.error:
        return b""


def _members(content: bytes) -> Iterator[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for entry in archive.infolist():
                yield "name in zip", entry.filename.encode()
                if not entry.flag_bits & 1 and entry.file_size < LARGEST_UNPACKED_BYTES:
                    yield "zip", archive.read(entry)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError):
        return


def _dicom_header(content: bytes) -> int:
    """How many bytes come before the pixel data of a DICOM file; 0 for any other file."""
    if content[128:132] != b"DICM":
        return 0
    at = content.rfind(b"\xe0\x7f\x10\x00")
    return at if at > 0 else len(content)
