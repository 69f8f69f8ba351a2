"""Scans damaged in every way that a disc, a network or a bad export damages them."""

import io
import random
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import pydicom
from pydicom.dataset import Dataset

from tests.scan.whole_scans import BASES, base

Random = random.Random
Mutation = Callable[[bytes, Random], bytes]


@dataclass(frozen=True)
class Mutated:
    """A damaged scan: its files, and what was done to which base."""

    files: dict[str, bytes]
    told: str


def _flip(content: bytes, rng: Random, first: int, last: int, count: int) -> bytes:
    damaged = bytearray(content)
    for _ in range(count):
        damaged[rng.randrange(first, last)] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def bits_flipped(content: bytes, rng: Random) -> bytes:
    return _flip(content, rng, 0, len(content), rng.choice([1, 3, 16, 100]))


def bits_flipped_at_the_start(content: bytes, rng: Random) -> bytes:
    start = 128 if content[128:132] == b"DICM" else 0
    return _flip(content, rng, start, min(len(content), start + 900), rng.choice([1, 2, 8, 30]))


def bits_flipped_at_the_end(content: bytes, rng: Random) -> bytes:
    return _flip(content, rng, len(content) // 2, len(content), rng.choice([1, 2, 8, 60]))


def cut_short(content: bytes, rng: Random) -> bytes:
    return content[: rng.randrange(len(content))]


def a_block_overwritten(content: bytes, rng: Random) -> bytes:
    start, size = rng.randrange(len(content)), rng.choice([4, 64, 512])
    block = rng.choice([b"\0" * size, b"\xff" * size, rng.randbytes(size)])
    return content[:start] + block + content[start + size :]


def a_block_lost_or_doubled(content: bytes, rng: Random) -> bytes:
    start, size = rng.randrange(len(content)), rng.choice([1, 2, 16, 512])
    block = content[start : start + size]
    return content[:start] + rng.choice([b"", 2 * block]) + content[start + size :]


ANY: list[Mutation] = [
    bits_flipped,
    bits_flipped_at_the_start,
    bits_flipped_at_the_end,
    cut_short,
    a_block_overwritten,
    a_block_lost_or_doubled,
]


def _elements(content: bytes) -> list[tuple[int, int, bool, str]]:
    """Where each value begins, its length, whether VRs are explicit, and the byte order."""
    dataset = pydicom.dcmread(io.BytesIO(content))
    order = "<" if dataset.original_encoding[1] else ">"
    explicit = not dataset.original_encoding[0]
    raw: list[Any] = [dataset.get_item(tag) for tag in dataset.keys()]  # noqa: SIM118
    return [
        (int(element.value_tell), len(element.value or b""), explicit, order)
        for element in raw
        if getattr(element, "value_tell", 0)
    ]


_LONG = (b"OB", b"OW", b"SQ", b"UN", b"UT", b"OF", b"OD", b"UC", b"UR", b"OL")


def a_wrong_length(content: bytes, rng: Random) -> bytes:
    tell, length, explicit, order = rng.choice(_elements(content))
    short = explicit and content[tell - 8 : tell - 6][:2] not in _LONG
    layout, top = (f"{order}H", 2**16) if short else (f"{order}L", 2**32)
    wrong = rng.choice([0, 1, top - 1, top - 2, top // 2, length + 2, length + 1, length * 9])
    size = struct.calcsize(layout)
    return content[: tell - size] + struct.pack(layout, wrong % top) + content[tell:]


def a_wrong_vr(content: bytes, rng: Random) -> bytes:
    tell, _, _, _ = rng.choice(_elements(content))
    kind = rng.choice([b"SQ", b"DS", b"IS", b"US", b"OW", b"UI", b"PN", b"AT", b"FD", b"zz", b"UN"])
    place = tell - (8 if content[tell - 8 : tell - 6] in _LONG else 4)
    return content[:place] + kind + content[place + 2 :]


def cut_at_an_element(content: bytes, rng: Random) -> bytes:
    tell, length, _, _ = rng.choice(_elements(content))
    return content[: tell + rng.choice([-8, -4, 0, length])]


def deep_sequences(content: bytes, rng: Random) -> bytes:
    tell, _, explicit, order = rng.choice(_elements(content))
    depth = rng.choice([50, 1500, 10000])
    tag, item, ends = (
        struct.pack(f"{order}{len(numbers)}H", *numbers)
        for numbers in (
            (0x0008, 0x1140),
            (0xFFFE, 0xE000, 0xFFFF, 0xFFFF),
            (0xFFFE, 0xE00D, 0, 0, 0xFFFE, 0xE0DD, 0, 0),
        )
    )
    head = tag + (b"SQ\0\0" if explicit else b"") + b"\xff" * 4
    place = tell - (12 if content[tell - 8 : tell - 6] in _LONG else 8)
    closed = ends * depth if rng.random() < 0.7 else b""
    return content[:place] + (head + item) * depth + closed + content[place:]


_HOSTILE_TEXTS = [
    "1e400",
    "NaN",
    "",
    "12\\13",
    "1,5",
    "-",
    "inf",
    "-1e308",
    "abc",
    "0",
    "1\\" * 30000,
]
_HOSTILE_COUNTS = ["0", "-1", "2147483647", "99999999999999999999", "x", "1.5", "", "1\\2", "5000"]
_TEXT_TAGS = {
    "PixelSpacing": b"DS",
    "ImagePositionPatient": b"DS",
    "ImageOrientationPatient": b"DS",
    "RescaleSlope": b"DS",
    "RescaleIntercept": b"DS",
    "SliceThickness": b"DS",
    "SpacingBetweenSlices": b"DS",
    "ReconstructionDiameter": b"DS",
    "GantryDetectorTilt": b"DS",
    "KVP": b"DS",
    "NumberOfFrames": b"IS",
    "InstanceNumber": b"IS",
    "AcquisitionNumber": b"IS",
}
_NUMBER_TAGS = {
    "Rows": [0, 1, 25, 65535],
    "Columns": [0, 1, 21, 65535],
    "BitsAllocated": [0, 1, 7, 8, 12, 17, 32, 64, 65535],
    "BitsStored": [0, 1, 8, 16, 17, 65535],
    "HighBit": [0, 7, 12, 15, 65535],
    "SamplesPerPixel": [0, 2, 3, 65535],
    "PixelRepresentation": [1, 2, 65535],
    "PlanarConfiguration": [0, 1, 9],
}


def _rewritten(content: bytes, change: Callable[[Dataset], object]) -> bytes:
    dataset = pydicom.dcmread(io.BytesIO(content))
    change(dataset)
    stream = io.BytesIO()
    dataset.save_as(stream)
    return stream.getvalue()


def a_hostile_text(content: bytes, rng: Random) -> bytes:
    name = rng.choice(list(_TEXT_TAGS))
    text = rng.choice(_HOSTILE_COUNTS if _TEXT_TAGS[name] == b"IS" else _HOSTILE_TEXTS)

    def change(dataset: Dataset) -> None:
        implicit, little = dataset.original_encoding
        dataset[pydicom.datadict.tag_for_keyword(name)] = pydicom.dataelem.RawDataElement(  # type: ignore[index]
            pydicom.tag.Tag(name),
            _TEXT_TAGS[name].decode(),
            len(text),
            text.encode(),
            0,
            bool(implicit),
            bool(little),
        )

    return _rewritten(content, change)


def an_absurd_number(content: bytes, rng: Random) -> bytes:
    names = rng.sample(list(_NUMBER_TAGS), rng.choice([1, 1, 2, 3]))

    def change(dataset: Dataset) -> None:
        for name in names:
            setattr(dataset, name, rng.choice(_NUMBER_TAGS[name]))

    return _rewritten(content, change)


def absurd_sizes(content: bytes, rng: Random) -> bytes:
    def change(dataset: Dataset) -> None:
        dataset.Rows = dataset.Columns = rng.choice([65535, 30000])
        if rng.random() < 0.5:
            dataset.NumberOfFrames = rng.choice([2, 100000, 2**31 - 1])

    return _rewritten(content, change)


def a_tag_lost(content: bytes, rng: Random) -> bytes:
    def change(dataset: Dataset) -> None:
        for _ in range(rng.choice([1, 1, 3])):
            del dataset[rng.choice(list(dataset.keys()))]

    return _rewritten(content, change)


def a_wrong_character_set(content: bytes, rng: Random) -> bytes:
    sets = [b"ISO_IR 192", b"ISO 2022 IR 87", b"ISO_IR 999", b"\\\\", b"\xff\xfe", b"GB18030"]
    return content.replace(b"ISO_IR 100", rng.choice(sets)[:10].ljust(10), 1)


_SYNTAXES = [
    *("1.2.840.10008.1.2" + end for end in ("", ".1", ".1.99", ".2", ".5")),
    *(f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 57, 70, 80, 81, 90, 91, 92, 100, 102, 201)),
    "1.2.3",
    "",
    "x",
]


def a_wrong_transfer_syntax(content: bytes, rng: Random) -> bytes:
    """The name alone: the bytes stay what they were."""
    tell = content.find(b"\x02\x00\x10\x00UI") + 8
    length = int.from_bytes(content[tell - 2 : tell], "little")
    uid = rng.choice(_SYNTAXES).encode()
    uid += b"\0" * (len(uid) % 2)
    return content[: tell - 2] + struct.pack("<H", len(uid)) + uid + content[tell + length :]


def wrong_fragments(content: bytes, rng: Random) -> bytes:
    """Compressed values whose items or offsets are wrong; others get bits flipped."""
    items, place = [], content.find(b"\xe0\x7f\x10\x00")
    while (place := content.find(b"\xfe\xff\x00\xe0", place + 1)) > 0:
        items.append(place)
    if not items:
        return bits_flipped_at_the_end(content, rng)
    place = rng.choice(items)
    length = struct.unpack_from("<L", content, place + 4)[0]
    wrong = rng.choice([0, 2, length + 2, length - 2, 0x7FFFFFFE, 0xFFFFFFFE])
    with_length = content[: place + 4] + struct.pack("<L", wrong % 2**32) + content[place + 8 :]
    offsets = struct.pack("<4L", *(rng.choice([0, 7, 2**31, 2**32 - 1]) for _ in range(4)))
    with_table = (
        content[: items[0] + 4]
        + struct.pack("<L", len(offsets))
        + offsets
        + content[items[0] + 8 + struct.unpack_from("<L", content, items[0] + 4)[0] :]
    )
    without_end = content.replace(b"\xfe\xff\xdd\xe0\0\0\0\0", b"")
    empty = content[:place] + b"\xfe\xff\x00\xe0\0\0\0\0" * 5 + content[place:]
    return rng.choice([with_length, with_table, without_end, empty])


ZEROS_GIB = 3


@cache
def zeros_deflated(gibibytes: int) -> bytes:
    """The end of a deflated stream: this much of nothing."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(b"\0" * 2**26) + packer.flush(zlib.Z_FULL_FLUSH)
    return block * (16 * gibibytes) + packer.flush()


def a_deflated_bomb(content: bytes, rng: Random) -> bytes:
    """Zeros without end behind the whole image, deflated."""
    tell = content.find(b"\x02\x00\x10\x00UI") + 8
    end = tell + int.from_bytes(content[tell - 2 : tell], "little")
    uid = b"1.2.840.10008.1.2.1.99"
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    whole = packer.compress(content[end:]) + packer.flush(zlib.Z_FULL_FLUSH)
    return (
        content[: tell - 2] + struct.pack("<H", len(uid)) + uid + whole + zeros_deflated(ZEROS_GIB)
    )


DICOM: list[Mutation] = [
    a_wrong_length,
    a_wrong_vr,
    cut_at_an_element,
    deep_sequences,
    a_hostile_text,
    an_absurd_number,
    absurd_sizes,
    a_tag_lost,
    a_wrong_character_set,
    a_wrong_transfer_syntax,
    wrong_fragments,
]


def a_hostile_word(content: bytes, rng: Random) -> bytes:
    """A number in a text header replaced; in a binary one bits flipped."""
    head = content[:600]
    digits = [n for n in range(len(head)) if head[n : n + 1].isdigit()]
    if content[:4] != b"NRRD" and content[:6] != b"Object":
        return bits_flipped_at_the_start(content, rng)
    word = rng.choice([b"1e400", b"nan", b"-1", b"0", b"99999999999", b"", b"x", b"inf", b"1 2"])
    place = rng.choice(digits)
    return content[:place] + word + content[place + 1 :]


def a_gzip_bomb(content: bytes, rng: Random) -> bytes:
    """Three GiB of zeros after the values that belong there."""
    return content + b"\x1f\x8b\x08\0\0\0\0\0\0\3" + zeros_deflated(ZEROS_GIB)


OTHER: list[Mutation] = [a_hostile_word]
BOMB_EVERY = 200


def case_of(seed: int) -> Mutated:
    """The damaged scan of this seed, the same on every run: one file damaged, or all."""
    rng = random.Random(seed)
    name = rng.choice(list(BASES))
    files = dict(base(name))
    dicom = next(iter(files.values()))[128:132] == b"DICM"
    special = [] if name == "deflated" else 2 * DICOM if dicom else 4 * OTHER
    mutation = rng.choice(ANY + special)
    damaged = rng.choice([list(files), [rng.choice(list(files))]])
    if seed % BOMB_EVERY == 0:
        mutation, damaged = a_deflated_bomb if dicom else a_gzip_bomb, damaged[:1]
    for file in damaged:
        files[file] = mutation(files[file], rng)
    return Mutated(files, f"{name}, {mutation.__name__.replace('_', ' ')}")
