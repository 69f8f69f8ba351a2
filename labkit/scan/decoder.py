"""A program of its own that decodes compressed images: ``python -P decoder.py``.

What comes from outside is decoded apart from the kit: a decoder written in C that a
damaged file crashes, or sends into gigabytes, takes this small program with it and not
the notebook.  It imports nothing but GDCM, so that it starts at once.

It reads requests from its input and answers each on its output::

    request  {"syntax", "rows", "columns", "allocated", "stored", "signed", "bytes"} ⏎ frame
    answer   {"bytes", "bits"} ⏎ pixels, little endian      or      {"error"} ⏎
"""

import json
import os
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import gdcm

MEMORY_BYTES = 1536 * 2**20
"""What it may take beyond what it has at the start."""

_JPEG_2000 = ("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91")
_SIZ = b"\xff\x4f\xff\x51"


def decoded(request: dict[str, Any], frame: bytes) -> tuple[bytes, int]:
    """The pixels of one frame, little endian, and how many bits each takes.

    Raises
    ------
    ValueError
        They cannot be decoded.
    """
    stored, allocated = request["stored"], request["allocated"]
    if request["syntax"] in _JPEG_2000:
        if frame[:4] != _SIZ or len(frame) < 43:
            raise ValueError("no JPEG 2000 code stream")
        # GDCM goes by the code stream's own precision (ISO/IEC 15444-1 A.5.1, Ssiz)
        stored = (frame[42] & 0x7F) + 1
        allocated = 8 if stored <= 8 else 16
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(frame)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((request["columns"], request["rows"], 1))
    image.SetDataElement(element)
    kind = gdcm.PhotometricInterpretation.GetPIType("MONOCHROME2")
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(kind))
    syntax = gdcm.TransferSyntax.GetTSType(request["syntax"])
    image.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    image.SetPixelFormat(gdcm.PixelFormat(1, allocated, stored, stored - 1, request["signed"]))
    buffer = image.GetBuffer()
    if buffer is None:
        raise ValueError("the compressed pixels are damaged")
    pixels: bytes = buffer.encode("utf-8", "surrogateescape")
    expected = request["rows"] * request["columns"] * allocated // 8
    if len(pixels) != expected:
        raise ValueError(f"{len(pixels)} bytes of pixels where its matrix takes {expected}")
    return pixels, allocated


def _bound_memory() -> None:
    with suppress(ImportError, OSError):  # where the system has no such limits
        resource = import_module("resource")
        now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY_BYTES,) * 2)


def main() -> None:
    """Answer requests until there are no more."""
    # GDCM writes remarks to the output, among the answers
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _bound_memory()
    requests = sys.stdin.buffer
    while line := requests.readline():
        request = json.loads(line)
        frame = requests.read(request["bytes"])
        try:
            pixels, bits = decoded(request, frame)
            answer: dict[str, Any] = {"bytes": len(pixels), "bits": bits}
        except Exception as error:
            answer, pixels = {"error": str(error) or type(error).__name__}, b""
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.write(pixels)
        answers.flush()


if __name__ == "__main__":
    main()
