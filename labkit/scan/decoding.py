"""Compressed frames, decoded side by side in programs of their own."""

import json
import os
import sys
import threading
from io import BytesIO
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import numpy.typing as npt
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels.decoders.base import RLELosslessDecoder
from pydicom.uid import RLELossless

from labkit.processes import Conversation
from labkit.scan.image import PixelFormat

Pixels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

DECODER = Path(__file__).with_name("decoder.py")

SECONDS_PER_MEGAPIXEL = 8
"""A decoder that has not answered by then hangs; a loaded machine takes a tenth."""


def workers() -> int:
    """How many images are worked on side by side."""
    return min(8, os.cpu_count() or 1)


def frames_in(content: bytes, offset: int, number_of_frames: int) -> list[bytes]:
    """The compressed frames that start at an offset table (PS3.5 A.4), each put together.

    Raises
    ------
    ValueError
        Damaged fragments, or other than this number of frames.
    """
    stream = BytesIO(content)
    stream.seek(offset)
    frames = list(generate_frames(stream, number_of_frames=number_of_frames))
    if len(frames) != number_of_frames:
        raise ValueError(f"{len(frames)} frames of pixels instead of {number_of_frames}")
    return frames


class Decoders:
    """Programs that decode, one for each thread that asks; closed at the end.

    Used as a context: ``with Decoders() as decoders: decoders.decode(…)``.
    """

    def __init__(self) -> None:
        self._local = threading.local()
        self._open: list[Conversation] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._open:
            one.end()

    def decode(self, frame: bytes, form: PixelFormat, shape: tuple[int, int]) -> Pixels:
        """(rows, columns) uint8 or uint16: the bits of a frame's pixels, sign not yet told.

        Raises
        ------
        ValueError
            They cannot be decoded, or the decoder crashed or hung.
        """
        if form.transfer_syntax == RLELossless:
            return _run_length(frame, form, shape)
        request = {
            "syntax": form.transfer_syntax,
            "rows": shape[0],
            "columns": shape[1],
            "allocated": form.bits_allocated,
            "stored": form.bits_stored,
            "signed": int(form.signed),
            "bytes": len(frame),
        }
        limit_s = SECONDS_PER_MEGAPIXEL * max(1.0, shape[0] * shape[1] / 2**20)
        program = self._program()
        with program.within(limit_s):
            program.say(json.dumps(request).encode() + b"\n" + frame)
            try:
                answer = json.loads(program.line())
                pixels = program.read(answer.get("bytes", 0))
            except (ValueError, AttributeError):
                answer, pixels = {}, b""
        if "error" in answer:
            raise ValueError(answer["error"])
        if len(pixels) != answer.get("bytes"):
            del self._local.program
            raise ValueError("the decoder crashed or hung on it")
        return np.frombuffer(pixels, f"<u{answer['bits'] // 8}").reshape(shape)

    def _program(self) -> Conversation:
        if not hasattr(self._local, "program"):
            self._local.program = Conversation([sys.executable, "-P", DECODER])
            self._open.append(self._local.program)
        return cast(Conversation, self._local.program)


def _run_length(frame: bytes, form: PixelFormat, shape: tuple[int, int]) -> Pixels:
    options: dict[str, Any] = {
        "rows": shape[0],
        "columns": shape[1],
        "number_of_frames": 1,
        "samples_per_pixel": 1,
        "bits_allocated": form.bits_allocated,
        "bits_stored": form.bits_stored,
        "photometric_interpretation": "MONOCHROME2",
        "pixel_representation": 0,
        "pixel_keyword": "PixelData",
    }
    try:
        array, _ = RLELosslessDecoder.as_array(encapsulate([frame]), raw=True, **options)
    except Exception as error:  # damaged data can make the decoder raise anything
        raise ValueError("the compressed pixels are damaged") from error
    return array.reshape(shape)
