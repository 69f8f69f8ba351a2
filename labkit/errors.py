"""What can go wrong in the lab, as opposed to in the code.

Every error here says what was found, what was expected, where, and what to do
next, in words a technician can act on.  A fault of the code stays a
``TypeError`` or ``ValueError``.

::

    LabkitError                    exit code
    ├── InputError                 2    bad input or usage
    │   ├── CaseError                   the case folder or its order
    │   ├── ParameterError              an unknown or out-of-range parameter
    │   ├── ScanError                   images that cannot be a true volume
    │   ├── SegmentationError           no usable structure at this threshold
    │   ├── DesignError                 a part that cannot be made as asked
    │   ├── SlicingError                a mesh or setting the slicer cannot use
    │   ├── EquipmentError              an unknown printer or material, or a faulty profile
    │   ├── InspectionError             a plan or measurements that do not fit
    │   └── ApprovalError               a person's decision is missing
    ├── RefusedError               1    done, and the verdict is no (unsafe G-code)
    ├── ToolError                  3    a tool, printer or server failed
    │   ├── ToolMissingError            not installed
    │   ├── PrinterError                printer or its server
    │   ├── PacsError                   a PACS refused, failed, or gave less than it listed
    │   └── StorageError                disk full, not writable
    └── EvidenceError              4    evidence altered or missing
"""

from collections.abc import Sequence
from typing import ClassVar


class LabkitError(Exception):
    """One paragraph for a person: what was found, expected, where, and the way out.

    Parameters
    ----------
    found : what is there instead of what should be.
    expected : what would have been accepted.
    where : file, stage, parameter or server; never a patient identifier.
    fix : what to do next.
    """

    exit_code: ClassVar[int] = 2

    def __init__(self, found: str, *, expected: str, where: str = "", fix: str) -> None:
        super().__init__(found, expected, where, fix)
        self.found, self.expected, self.where, self.fix = (
            " ".join(text.split()) for text in (found, expected, where, fix)
        )

    def __str__(self) -> str:
        return ". ".join(line.removesuffix(".") for line in self._lines())

    def _lines(self) -> list[str]:
        lines = [f"Found: {self.found}", f"Expected: {self.expected}"]
        if self.where:
            lines.append(f"Where: {self.where}")
        return [*lines, f"Do next: {self.fix}"]

    def as_dict(self) -> dict[str, str]:
        """The ``error`` object of every command's ``--json``."""
        return {
            "type": type(self).__name__,
            "found": self.found,
            "expected": self.expected,
            "where": self.where,
            "fix": self.fix,
        }

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows instead of a traceback (IPython calls this)."""
        return [type(self).__name__, *self._lines()]

    @classmethod
    def from_notebook(cls, name: str, lines: Sequence[str]) -> "LabkitError | None":
        """The error that a notebook cell recorded, or None if it was not one of ours.

        ``lines`` is the ``traceback`` list of a notebook's error output: what
        `_render_traceback_` wrote there.
        """
        kinds = {kind.__name__: kind for kind in _tree(LabkitError)}
        if name not in kinds or not lines or lines[0] != name:
            return None
        said = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
        return kinds[name](
            said.get("Found", ""),
            expected=said.get("Expected", ""),
            where=said.get("Where", ""),
            fix=said.get("Do next", ""),
        )


def _tree(kind: type[LabkitError]) -> list[type[LabkitError]]:
    return [kind, *(k for child in kind.__subclasses__() for k in _tree(child))]


class InputError(LabkitError):
    """Bad input or usage."""


class CaseError(InputError):
    """The case folder or its order is not what it should be."""


class ParameterError(InputError):
    """An unknown or out-of-range parameter."""


class ScanError(InputError):
    """Images that cannot become one true volume."""


class SegmentationError(InputError):
    """No usable structure came out."""


class DesignError(InputError):
    """A part that cannot be made as asked."""


class SlicingError(InputError):
    """A mesh or setting that the slicer cannot use."""


class EquipmentError(InputError):
    """A printer or a material that the lab does not have, or whose profile is not valid."""


class InspectionError(InputError):
    """A plan or measurements that do not fit the part."""


class ApprovalError(InputError):
    """A person's decision is missing or names something else."""


class RefusedError(LabkitError):
    """Work was done and the verdict is no."""

    exit_code = 1


class ToolError(LabkitError):
    """A tool, printer or server failed."""

    exit_code = 3


class ToolMissingError(ToolError):
    """A program the stage needs is not installed."""


class PrinterError(ToolError):
    """A printer or its server refused, failed or went silent."""


class PacsError(ToolError):
    """A PACS refused, failed, went silent, or gave less than it listed."""


class StorageError(ToolError):
    """The disk is full or the place is not writable."""


class EvidenceError(LabkitError):
    """Evidence was altered or is missing."""

    exit_code = 4
