"""What names the patient, the hospital and the examination in a scan."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.valuerep import PersonName

from labkit.scan.privacy.attributes import COMMON_WORDS, DICOM_ROOT, NUMBERS, PLACES

_EMPTY_DATES = {"19000101", "00010101", "19700101", "00000000"}
_SHORTEST = 3
_SHORTEST_NUMBER = 4


@dataclass(frozen=True)
class Identifier:
    """One text that must not leave the import; it is not part of its own ``repr``.

    ``kind`` is what it is: name, number, place, date, UID or source.
    """

    kind: str
    text: str = field(repr=False)


def identifiers_of(datasets: Iterable[Dataset], source: Path | None = None) -> list[Identifier]:
    """Names with their parts, numbers, places, dates and UIDs at every depth of the headers.

    With ``source``, also what its folders and files are called.  Words that are short
    or name nobody are left out: they would be found everywhere.
    """
    found = {one for dataset in datasets for one in _of(dataset)}
    if source is not None:
        found |= {Identifier("source", name) for name in _names(source)}
    kinds = ("name", "number", "place", "source", "date", "UID")
    return sorted(found, key=lambda one: (kinds.index(one.kind), one.text))


def words_naming(dataset: Dataset) -> re.Pattern[str] | None:
    """A pattern that finds names, numbers and places of a dataset in case-folded text."""
    words = {one.text.casefold() for one in _of(dataset) if one.kind in ("name", "number", "place")}
    if not words:
        return None
    longest_first = sorted(words, key=len, reverse=True)
    return re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, longest_first)) + r")(?!\w)")


def _of(dataset: Dataset) -> Iterator[Identifier]:
    for element in _elements(dataset):
        for value in element.value if isinstance(element.value, MultiValue) else [element.value]:
            text = str(value).strip(" \0")
            if element.VR == "PN":
                yield from (Identifier("name", word) for word in _words(value))
            elif element.VR == "UI":
                if text and not text.startswith(DICOM_ROOT):
                    yield Identifier("UID", text)
            elif element.VR in ("DA", "DT"):
                if re.fullmatch(r"\d{8}", text[:8]) and text[:8] not in _EMPTY_DATES:
                    yield Identifier("date", text[:8])
            elif element.keyword in NUMBERS and _telling(text, _SHORTEST_NUMBER):
                yield Identifier("number", text)
            elif element.keyword in PLACES and _telling(text, _SHORTEST_NUMBER):
                yield Identifier("place", text)


def _elements(dataset: Dataset) -> Iterator[DataElement]:
    for tag in list(dataset.keys()):
        try:
            element = dataset[tag]
        except Exception:
            continue
        if element.VR == "SQ":
            for item in element.value:
                yield from _elements(item)
        elif element.value is not None:
            yield element


def _words(name: Any) -> Iterator[str]:
    text = str(name)
    groups = (text, *(str(part) for part in PersonName(text).components))
    for word in {*groups, *re.split(r"[\W\d_]+", text)}:
        if _telling(word, _SHORTEST):
            yield word


def _names(source: Path) -> set[str]:
    """Folder and file names, without the endings, that may tell who was scanned."""
    below = [path.relative_to(source) for path in source.rglob("*")] if source.is_dir() else []
    parts = {source.absolute().name, *(part for path in below for part in path.parts)}
    stems = {Path(part).stem for part in parts}
    words = {word for stem in stems for word in re.split(r"[\W\d_]+", stem)}
    around = source.absolute().parent.name
    return {name for name in {*stems, *words, around} if _telling(name, _SHORTEST_NUMBER)}


def _telling(text: str, shortest: int) -> bool:
    return len(text) >= shortest and text.casefold() not in COMMON_WORDS
