"""Parameters of the stage `segmentation`: what of the volume becomes a surface."""

from typing import ClassVar, Literal

from pydantic import Field, field_validator

from labkit.parameters.fields import PLACES
from labkit.parameters.stage import StageParameters
from labkit.parameters.structures import STRUCTURES_FORM, Structure, named_structures


class Segmentation(StageParameters):
    """What of the volume becomes a surface."""

    stage: ClassVar[str] = "02_segmentation"
    rare: ClassVar[frozenset[str]] = frozenset(
        {
            *("crop_lps_mm", "seeds_lps_mm", "smallest_piece_mm3", "open_mm", "close_mm"),
            *("split_neck_mm", "fill_holes_mm3", "half_height_bound_mm", "smoothing_bound_mm"),
            *("decimation_bound_mm", "strokes", "mask_from", "mask_file", "model"),
        }
    )

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
        pattern=PLACES,
        description="two corners of a box to stay in; empty: the whole scan",
        json_schema_extra={"unit": "mm", "form": "x, y, z; x, y, z, or nothing"},
    )
    seeds_lps_mm: str = Field(
        default="",
        pattern=PLACES,
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
    structures: str = Field(
        default="",
        description="several with names, or which ones of a mask; empty: the one above, or all",
        json_schema_extra={"form": STRUCTURES_FORM},
    )
    mask_from: Literal["threshold", "file", "model"] = Field(
        default="threshold", description="what makes the mask, before corrections by hand"
    )
    mask_file: str = Field(
        default="",
        description="mask of another tool, for `file`; empty: that of the last revision",
        json_schema_extra={"path": True, "kept_as": "imported.seg.nrrd"},
    )
    model: str = Field(
        default="totalsegmentator:total",
        pattern=r"^(?:totalsegmentator|monai):\w[\w.-]*$",
        description="learned model, for `model`",
        json_schema_extra={"form": "totalsegmentator:TASK, or monai:BUNDLE of the lab's models"},
    )

    @field_validator("structures")
    @classmethod
    def _can_be_read(cls, text: str) -> str:
        named_structures(text)
        return text
