"""What a person may decide in each stage: one frozen model per stage.

From these declarations come the validation, the notebook's parameters cell (a
test compares them), the widgets' bounds and the help tables.
"""

import difflib
from collections.abc import Mapping
from math import isfinite
from typing import Any, ClassVar, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from labkit.errors import ParameterError

Structure = Literal["bone", "cortical bone", "soft tissue", "skin", "vessels", "teeth"]

_NUMBER = r"\s*-?\d+(?:\.\d*)?\s*"
_PLACE = f"{_NUMBER},{_NUMBER},{_NUMBER}"
_PLACES = f"^(?:{_PLACE}(?:;{_PLACE})*)?$"


class StageParameters(BaseModel):
    """What every stage takes."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    stage: ClassVar[str]

    case_dir: str = Field(
        default="", description="the case folder", json_schema_extra={"path": True}
    )
    operator: str = Field(default="", description="who runs the stage; empty: the login name")

    def decided(self) -> dict[str, Any]:
        """The decisions, as a record keeps them.

        Without the paths: they differ between machines, and a folder may be named
        after a patient.
        """
        paths = {name for name, field in type(self).model_fields.items() if is_path(field)}
        return self.model_dump(exclude=paths)


class Scan(StageParameters):
    """Which images become the volume."""

    stage: ClassVar[str] = "01_scan"

    source: str = Field(
        default="",
        description="folder, zip or file of the scan; empty: what `labkit run --source` names",
        json_schema_extra={"path": True},
    )
    series: str = Field(
        default="", description="key of the series in the table; empty: the one proposed"
    )
    protocol: str = Field(
        default="bone_model", description="name of the limits that the scan is judged by"
    )
    largest_gap_mm: float = Field(
        default=2.5,
        ge=0.1,
        le=10.0,
        description="images farther apart than this are not evened out but refused",
        json_schema_extra={"unit": "mm"},
    )
    interpolate_missing: bool = Field(
        default=False, description="make up single missing images; every later record says so"
    )
    keep_dicom: bool = Field(
        default=False, description="keep the images in the case too, without the patient"
    )


class Segmentation(StageParameters):
    """What of the volume becomes a surface."""

    stage: ClassVar[str] = "02_segmentation"

    structure: Structure = Field(
        default="bone", description="what to take; sets the window that the threshold must lie in"
    )
    threshold_hu: int = Field(
        default=300,
        ge=-1000,
        le=3000,
        description="grey value of the surface; lower takes thin bone too",
        json_schema_extra={"unit": "HU"},
    )
    threshold_from: Literal["set", "otsu", "half height"] = Field(
        default="set", description="the threshold set, or one measured in the scan from there on"
    )
    crop_lps_mm: str = Field(
        default="",
        pattern=_PLACES,
        description="two corners of a box to stay in; empty: the whole scan",
        json_schema_extra={"unit": "mm", "form": "x, y, z; x, y, z, or nothing"},
    )
    seeds_lps_mm: str = Field(
        default="",
        pattern=_PLACES,
        description="only the pieces at these places; empty: the largest",
        json_schema_extra={"unit": "mm", "form": "x, y, z; x, y, z …, or nothing"},
    )
    components: int = Field(
        default=1, ge=1, le=20, description="how many of the largest connected pieces are kept"
    )
    smallest_piece_mm3: float = Field(
        default=0.0,
        ge=0.0,
        le=1e6,
        description="smaller pieces are left out",
        json_schema_extra={"unit": "mm3"},
    )
    open_mm: float = Field(
        default=0.0,
        ge=0.0,
        le=20.0,
        description="bridges and spikes thinner than twice this go; 0 keeps them",
        json_schema_extra={"unit": "mm"},
    )
    close_mm: float = Field(
        default=0.0,
        ge=0.0,
        le=20.0,
        description="cracks and notches narrower than twice this are closed; 0 keeps them",
        json_schema_extra={"unit": "mm"},
    )
    split_neck_mm: float = Field(
        default=0.0,
        ge=0.0,
        le=50.0,
        description="what hangs together by narrower necks is taken apart; 0: not",
        json_schema_extra={"unit": "mm"},
    )
    fill_holes_mm3: float = Field(
        default=500.0,
        ge=0.0,
        le=1e6,
        description="enclosed cavities up to this size are filled",
        json_schema_extra={"unit": "mm3"},
    )
    half_height_bound_mm: float = Field(
        default=0.0,
        ge=0.0,
        le=1.5,
        description="how far thin bone may move to its own half height; 0: not",
        json_schema_extra={"unit": "mm"},
    )
    smoothing_bound_mm: float = Field(
        default=0.05,
        ge=0.0,
        le=0.5,
        description="how far smoothing may move the surface; 0: no smoothing",
        json_schema_extra={"unit": "mm"},
    )
    decimation_bound_mm: float = Field(
        default=0.1,
        ge=0.0,
        le=0.5,
        description="how far the lighter surface may lie from the full one",
        json_schema_extra={"unit": "mm"},
    )
    strokes: str = Field(
        default="",
        description="corrections by hand to repeat; empty: those of the last revision",
        json_schema_extra={"path": True, "kept_as": "strokes.json"},
    )


class Design(StageParameters):
    """How the surface becomes a part."""

    stage: ClassVar[str] = "03_design"

    device: Literal["anatomical model"] = Field(
        default="anatomical model", description="the family of part"
    )
    keep_from_mm: float = Field(
        default=0.0,
        ge=0.0,
        le=2000.0,
        description="the part begins so far above the surface's lowest point",
        json_schema_extra={"unit": "mm"},
    )
    keep_length_mm: float = Field(
        default=0.0,
        ge=0.0,
        le=2000.0,
        description="length kept from there; 0 keeps all",
        json_schema_extra={"unit": "mm"},
    )
    base: Literal["plate", "none"] = Field(
        default="plate", description="a plate with landing blocks and the case code under the part"
    )
    scale: float = Field(
        default=1.0,
        ge=0.1,
        le=3.0,
        description="1 is life size; anything else is warned of",
    )


class Slicing(StageParameters):
    """How the part becomes G-code."""

    stage: ClassVar[str] = "04_slicing"

    printer: str = Field(default="practice", description="name of the printer's profile")
    material: str = Field(default="PLA", description="name of the material's profile")
    layer_height_mm: float = Field(
        default=0.3,
        ge=0.05,
        le=0.6,
        description="finer follows the shape, coarser is quicker",
        json_schema_extra={"unit": "mm"},
    )
    infill_percent: int = Field(
        default=10,
        ge=0,
        le=100,
        description="how full the inside is",
        json_schema_extra={"unit": "%"},
    )
    supports: bool = Field(default=False, description="print supports under overhangs")


class Printing(StageParameters):
    """Where the G-code is printed, and on whose word."""

    stage: ClassVar[str] = "05_printing"

    printer: str = Field(
        default="practice",
        description="name of a printer; practice: nothing real prints",
    )
    attempt: int = Field(
        default=1, ge=1, le=99, description="raise it to print again, after a person has looked"
    )
    approved_sha256: str = Field(
        default="", description="hash of the G-code that a person approved; not needed for practice"
    )
    approved_by: str = Field(default="", description="who approved it; not needed for practice")
    silence_limit_s: float = Field(
        default=60.0,
        ge=5.0,
        le=600.0,
        description="alarm when the print has not moved on for so long",
        json_schema_extra={"unit": "s"},
    )


class Inspection(StageParameters):
    """How far the part may be off."""

    stage: ClassVar[str] = "06_inspection"

    measurements_csv: str = Field(
        default="",
        description="the filled table; empty: virtual calipers, for practice prints only",
        json_schema_extra={"path": True},
    )
    tolerance_mm: float = Field(
        default=1.0,
        ge=0.05,
        le=2.0,
        description="a dimension further off fails (1 mm: Ravi 2022, PMC9156585)",
        json_schema_extra={"unit": "mm"},
    )
    action_mm: float = Field(
        default=0.5,
        ge=0.05,
        le=2.0,
        description="a dimension further off is reported",
        json_schema_extra={"unit": "mm"},
    )


class Traceability(StageParameters):
    """What the record says of the whole."""

    stage: ClassVar[str] = "07_traceability"

    procedure: str = Field(default="practice", description="the procedure that was followed")
    remarks: str = Field(default="", description="a note for the record")


MODELS: dict[str, type[StageParameters]] = {
    model.stage: model
    for model in (Scan, Segmentation, Design, Slicing, Printing, Inspection, Traceability)
}
"""The model of each stage, by the stage's name."""


def validated(stage: str, values: Mapping[str, object]) -> StageParameters:
    """The parameters of a stage, from plain values.

    Raises
    ------
    ParameterError
        A name that the stage does not know, or a value out of range: named, with
        the nearest that would do.
    """
    model = MODELS[stage]
    for name in values:
        if name not in model.model_fields:
            raise ParameterError(
                f"{stage} has no parameter {name!r}",
                expected="one of " + ", ".join(model.model_fields),
                where=stage,
                fix=_nearest_name(name, list(model.model_fields)),
            )
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        field = model.model_fields[name]
        raise ParameterError(
            f"{name} = {values[name]!r}",
            expected=_allowed(field),
            where=stage,
            fix=_nearest_value(name, field, values[name]),
        ) from error


def bounds(field: FieldInfo) -> tuple[float | None, float | None]:
    """The lowest and highest value a field allows; None where it is open."""
    low = next((rule.ge for rule in field.metadata if hasattr(rule, "ge")), None)
    high = next((rule.le for rule in field.metadata if hasattr(rule, "le")), None)
    return low, high


def unit(field: FieldInfo) -> str:
    """The unit of a field, or an empty string."""
    return _extra(field, "unit")


def is_path(field: FieldInfo) -> bool:
    """Whether a field names a place on this machine."""
    extra = field.json_schema_extra
    return isinstance(extra, dict) and bool(extra.get("path"))


def kept_as(field: FieldInfo) -> str:
    """The product that holds what a path parameter named; empty where none does."""
    return _extra(field, "kept_as")


def places(text: str) -> tuple[tuple[float, float, float], ...]:
    """The places that ``x, y, z; x, y, z`` names."""
    found = []
    for place in text.split(";") if text.strip() else []:
        x, y, z = (float(number) for number in place.split(","))
        found.append((x, y, z))
    return tuple(found)


def choices(field: FieldInfo) -> tuple[str, ...]:
    """What a field of fixed words allows; empty for any other field."""
    return tuple(str(word) for word in get_args(field.annotation))


def _extra(field: FieldInfo, name: str) -> str:
    extra = field.json_schema_extra
    return str(extra.get(name, "")) if isinstance(extra, dict) else ""


def _allowed(field: FieldInfo) -> str:
    if words := choices(field):
        return "one of " + ", ".join(words)
    if form := _extra(field, "form"):
        return form
    low, high = bounds(field)
    kinds: dict[object, str] = {int: "a whole number", float: "a number", bool: "true or false"}
    kind = kinds.get(field.annotation, "text")
    if low is None or high is None:
        return kind
    return f"{kind} from {low:g} to {high:g} {unit(field)}".rstrip()


def _nearest_name(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
    return f"the nearest name is {close[0]}" if close else "leave it out"


def _nearest_value(name: str, field: FieldInfo, value: Any) -> str:
    if words := choices(field):
        close = difflib.get_close_matches(str(value), words, n=1, cutoff=0.0)
        return f"the nearest valid value is {name} = {close[0]!r}"
    low, high = bounds(field)
    if (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and isfinite(value)
        and low is not None
        and high is not None
    ):
        nearest = min(max(value, low), high)
        if field.annotation is int:
            nearest = round(nearest)
        return f"the nearest valid value is {name} = {nearest:g}"
    return f"the default is {name} = {field.default!r}"
