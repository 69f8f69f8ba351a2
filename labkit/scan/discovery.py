"""The series that a source holds, each with its verdict."""

import warnings
from collections import defaultdict
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from labkit.errors import ScanError
from labkit.scan.discdirectory import listed_images
from labkit.scan.facts import SeriesFacts, facts_of, series_of
from labkit.scan.geometry import Limits
from labkit.scan.headers import header_of, is_dicom, is_directory
from labkit.scan.image import Image
from labkit.scan.images import images_of
from labkit.scan.other_formats import OtherVolume, format_of, other_volume
from labkit.scan.parts import parts_of
from labkit.scan.planes import counted
from labkit.scan.series import Series, judged, judged_other, patients, preference
from labkit.scan.sources import File, each_read, files_of
from labkit.scan.strays import name_strays

Progress = Callable[[int, int], None]
"""Called with (done, total)."""


@dataclass(frozen=True)
class Discovery:
    """What a source holds.

    Parameters
    ----------
    series : the best first.
    other_files : how many files are no images.
    notes : what a person should know of the source as a whole, a sentence each.
    """

    series: list[Series]
    other_files: int
    notes: tuple[str, ...] = ()


@dataclass
class _Found:
    """What the files have told so far."""

    images: dict[str, list[Image]] = field(default_factory=lambda: defaultdict(list))
    facts: dict[tuple[object, ...], SeriesFacts] = field(default_factory=dict)
    listed: dict[str, set[str]] = field(default_factory=dict)
    volumes: list[OtherVolume] = field(default_factory=list)
    others: int = 0
    without_images: int = 0
    archives: int = 0
    empty: int = 0
    unnamed: int = 0

    def add(self, file: File, content: bytes | None) -> None:
        """Take in one file; ``content`` is None where it is no DICOM file."""
        if content is None and format_of(file.name):
            self.volumes.append(other_volume(file))
            return
        if content is None:
            self.others += 1
            self.archives += file.name.lower().endswith(".zip")
            self.empty += file.is_empty
            return
        if is_directory(content):
            self.others += 1
            for uid, images in listed_images(file, content).items():
                self.listed[uid] = self.listed.get(uid, set()) | images
            return
        header = header_of(file, content)
        if header is None:
            self.others += 1
            self.without_images += 1
            return
        file.kept.keep(file.number, content)
        for image, dataset in images_of(file, header):
            name = series_of(dataset)
            self.images[name].append(image)
            which = _which(name, image)
            if which not in self.facts:
                self.facts[which] = facts_of(dataset)
            self.unnamed += not self.facts[which].series_instance_uid

    def series(self, limits: Limits) -> list[Series]:
        """All stacks, judged, the best first."""
        every = [judged_other(volume, limits) for volume in self.volumes]
        for name, images in self.images.items():
            missing = len(self.listed.get(name, set()) - {one.sop_instance_uid for one in images})
            parts = parts_of(images)
            every += [
                judged(
                    name,
                    part,
                    number,
                    len(parts),
                    self.facts[_which(name, part.images[0])],
                    missing,
                    limits,
                )
                for number, part in enumerate(parts, 1)
            ]
        name_strays(every)
        return sorted(every, key=preference)

    def notes(self) -> tuple[str, ...]:
        """What a person should know of the source as a whole."""
        held = {image.sop_instance_uid for images in self.images.values() for image in images}
        listed = {uid for images in self.listed.values() for uid in images}
        absent = [uid for uid in self.listed if uid and uid not in self.images]
        said = {
            f"{counted(self.empty, 'empty file')}: perhaps images that were not copied": self.empty,
            f"{counted(self.without_images, 'DICOM file')} without images "
            "(reports, plans, contours)": self.without_images,
            f"{counted(self.unnamed, 'image')} without Series Instance UID, put together by "
            "patient, study, modality, frame of reference, series number and size: look whether "
            "they belong together": self.unnamed,
            f"{self.archives} zip files inside were not opened: name them by themselves": (
                self.archives
            ),
            f"the disc's directory (DICOMDIR) lists {len(listed)} images, "
            f"{len(listed - held)} of them are not here": len(listed - held),
            f"{len(absent)} series that the disc's directory lists are not here at all": len(
                absent
            ),
        }
        return tuple(sentence for sentence, count in said.items() if count)


def discover(
    source: Path | None, progress: Progress | None = None, limits: Limits | None = None
) -> Discovery:
    """All image series of a source, each with its verdict.

    Parameters
    ----------
    source : a folder with folders in it, a zip, a DICOMDIR or an image file.
    progress : called after each file.
    limits : what the lab lets the import correct.

    Raises
    ------
    ScanError
        No such source, an empty one, one without any DICOM image, or a DICOM file
        that is damaged.
    """
    files = files_of(source)
    found = _Found()
    with warnings.catch_warnings(), closing(each_read(files, _read_dicom)) as contents:
        warnings.simplefilter("ignore")  # pydicom's quote values of the header
        for file, content in zip(files, contents, strict=True):
            found.add(file, content)
            del content
            if progress:
                progress(file.number, file.total)
        series = found.series(limits or Limits()) if found.images or found.volumes else []
    if not series:
        raise ScanError(
            "; ".join((f"no DICOM image among {counted(len(files), 'file')}", *found.notes()))
            if files
            else "an empty folder",
            expected="the images of a CT or MR series",
            where="the scan's source",
            fix="export the series again from the PACS as DICOM, uncompressed or lossless",
        )
    people = len(patients(series))
    several = (f"the images are of {people} patients: take care to choose",) if people > 1 else ()
    return Discovery(series, found.others, several + found.notes())


def _read_dicom(file: File) -> bytes | None:
    return file.read_if(is_dicom)


def _which(name: str, image: Image) -> tuple[object, ...]:
    return name, image.sop_class_uid, image.stack
