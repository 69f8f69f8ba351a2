"""Small parts of the tamper benchmark, sliced once, for the tests of fidelity and comparison."""

import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from labkit.slicing.toolpath import Toolpath, read_toolpath
from tests.conftest import PROJECT

INFILL_PERCENT = 15


@dataclass(frozen=True)
class SignedPart:
    """A part, its G-code as signed, and what makes other files of it."""

    base: Any
    path: Toolpath
    tampering: ModuleType


def tampering_module() -> ModuleType:
    """``benchmarks/tampering.py``."""
    folder = str(PROJECT / "benchmarks")
    sys.path.insert(0, folder)
    try:
        return import_module("tampering")
    finally:
        sys.path.remove(folder)


def signed_part(name: str, folder: Path) -> SignedPart:
    """One of the benchmark's parts, sliced by the kit."""
    tampering = tampering_module()
    base = tampering.signed(name, folder, infill_percent=INFILL_PERCENT)
    return SignedPart(base, read_toolpath(base.gcode), tampering)
