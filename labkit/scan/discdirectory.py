"""What the directory of a disc (DICOMDIR) says should be there."""

from io import BytesIO
from typing import Any

import pydicom

from labkit.errors import ScanError
from labkit.scan.sources import File


def listed_images(file: File, content: bytes) -> dict[str, set[str]]:
    """SOP Instance UIDs of the images that a DICOMDIR lists, by Series Instance UID.

    Records form a tree by offsets, not by their order (PS3.3 F.2.2).

    Raises
    ------
    ScanError
        It cannot be read.
    """
    try:
        dataset = pydicom.dcmread(BytesIO(content))
        records = {record.seq_item_tell: record for record in dataset.DirectoryRecordSequence}
        # empty in what some scanners leave beside their images
        root = dataset.get("OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity")
        _siblings(records, int(root or 0))
        listed: dict[str, set[str]] = {}
        for record in records.values():
            if record.DirectoryRecordType != "SERIES":
                continue
            images = listed.setdefault(str(record.SeriesInstanceUID or ""), set())
            below = int(record.get("OffsetOfReferencedLowerLevelDirectoryEntity") or 0)
            for one in _siblings(records, below):
                if one.get("DirectoryRecordType") == "IMAGE" and one.get("RecordInUseFlag") != 0:
                    images.add(str(one.get("ReferencedSOPInstanceUIDInFile") or ""))
        return {uid: images - {""} for uid, images in listed.items() if images - {""}}
    except Exception as error:  # a damaged file can make the parser raise anything
        raise ScanError(
            "a DICOMDIR that cannot be read",
            expected="a whole directory of the disc",
            where=file.where,
            fix="copy the disc again, or take the DICOMDIR out: then nothing tells what is missing",
        ) from error


def _siblings(records: dict[int, Any], offset: int) -> list[Any]:
    found: dict[int, Any] = {}
    while offset and offset not in found:
        found[offset] = records[offset]
        offset = int(records[offset].get("OffsetOfTheNextDirectoryRecord") or 0)
    return list(found.values())
