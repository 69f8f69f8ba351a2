"""What slicers call the kinds of lines they lay, and the few kinds there are."""

from typing import Literal

Role = Literal["outer wall", "inner wall", "solid", "infill", "support", "beside the part"]

_ROLES: dict[Role, tuple[str, ...]] = {
    # PrusaSlicer; Orca; Cura
    "outer wall": (
        *("external perimeter", "overhang perimeter", "thin wall"),
        *("outer wall", "overhang wall"),
        "wall-outer",
    ),
    "inner wall": ("perimeter", "inner wall", "wall-inner", "gap fill", "gap infill"),
    "solid": (
        *("solid infill", "top solid infill", "bridge infill", "ironing"),
        *("top surface", "bottom surface", "internal solid infill", "bridge", "internal bridge"),
        "skin",
    ),
    "infill": ("internal infill", "sparse infill", "internal bridge infill", "fill"),
    "support": (
        *("support material", "support material interface"),
        *("support", "support interface", "support transition"),
        *("support-interface",),
    ),
    "beside the part": (
        *("", "custom", "skirt", "brim", "skirt/brim"),
        *("wipe tower", "prime tower", "prime-tower"),
    ),
}
_ROLE_OF = {name: role for role, names in _ROLES.items() for name in names}
ROLES: tuple[Role, ...] = tuple(_ROLES)


def role_of(feature: str) -> Role:
    """The kind of a ``;TYPE:feature`` of PrusaSlicer, Orca or Cura.

    A name that none of them uses counts as an inner wall, so as something of the part.
    """
    return _ROLE_OF.get(feature.strip().casefold(), "inner wall")


def stays_on_part(feature: str) -> bool:
    """Whether what is marked ``;TYPE:feature`` is left on the part."""
    return role_of(feature) not in ("support", "beside the part")
