"""What a G-code is to do, layer by layer, as stage 04_slicing read it from the frozen file."""

import json
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from labkit.errors import CaseError
from labkit.printing.servers.messages import Heater

Window = tuple[float, float]


@dataclass(frozen=True)
class Plan:
    """Where each layer begins in the file, how long each takes, and how hot it may be.

    Parameters
    ----------
    offset_bytes, z_mm, time_s : one value for each layer, from the bed up: first byte,
        top above the bed, planned time.
    planned_s : the whole print, with what comes before the first layer.
    hotend_c, bed_c : the material's window, lowest and highest; None where it is not stated.
    lot_required : the material asks for the lot that it came from.
    """

    offset_bytes: tuple[int, ...]
    z_mm: tuple[float, ...]
    time_s: tuple[float, ...]
    planned_s: float
    hotend_c: Window | None = None
    bed_c: Window | None = None
    lot_required: bool = False

    def __len__(self) -> int:
        return len(self.offset_bytes)

    def layer_at(self, filepos_bytes: int) -> int:
        """The layer that is printed at this byte, from 1; 0 before the first."""
        return bisect_right(self.offset_bytes, filepos_bytes)

    def left_s(self, filepos_bytes: int, elapsed_s: float | None) -> float:
        """Time left, s: as planned, scaled by how the layers so far compared with their plan."""
        layer = self.layer_at(filepos_bytes)
        left = sum(self.time_s[max(layer, 1) - 1 :])
        done = self.planned_s - left
        return left * (elapsed_s / done if elapsed_s and done > 0 else 1.0)

    def place(self, filepos_bytes: int) -> str:
        """Where that is, in words; "" without layers."""
        layer = self.layer_at(filepos_bytes)
        if not len(self):
            return ""
        if layer == 0:
            return f"before layer 1 of {len(self)}"
        return f"layer {layer} of {len(self)}, {self.z_mm[layer - 1]:.2f} mm"

    def outside(self, heater: Heater) -> str:
        """What is wrong with a heater's temperature for this material, in words; "" if nothing."""
        window = self.hotend_c if heater.is_hotend else self.bed_c
        if window is None or not heater.target_c:
            return ""
        low, high = window
        if low <= heater.actual_c <= high:
            return ""
        return (
            f"{heater.name} is at {heater.actual_c:.0f} °C, "
            f"outside the material's {low:g} to {high:g} °C"
        )

    @classmethod
    def read(cls, gcode_json: Path) -> Self:
        """The plan in ``gcode.json`` of stage 04_slicing.

        Raises
        ------
        CaseError
            The file holds none: it was sliced by an earlier version.
        """
        try:
            told: dict[str, Any] = json.loads(gcode_json.read_text(encoding="utf-8"))
            layers, window = told["layer_index"], told["window_c"]
            hotend, bed = window["hotend"], window["bed"]
            return cls(
                tuple(int(value) for value in layers["offset_bytes"]),
                tuple(float(value) for value in layers["z_mm"]),
                tuple(float(value) for value in layers["time_s"]),
                float(told["time_s"]),
                (float(hotend[0]), float(hotend[1])),
                (float(bed[0]), float(bed[1])),
                bool(told["lot_required"]),
            )
        except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
            raise CaseError(
                f"no index of the layers in {gcode_json.name}",
                expected="layer_index and window_c, as stage 04_slicing writes them",
                where=gcode_json.parent.name,
                fix="run stage 04_slicing again",
            ) from error
