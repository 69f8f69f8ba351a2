"""Printers, materials and qualities of the lab, as profiles."""

from pathlib import Path
from typing import Literal

from labkit.equipment.material_profile import MaterialProfile, Sterilisation, Suitability
from labkit.equipment.printer_profile import PrinterProfile
from labkit.equipment.quality_profile import QualityProfile, Speeds
from labkit.equipment.sourced import SourcedProfile
from labkit.errors import EquipmentError
from labkit.profiles import known_profiles, profile_named

__all__ = [
    "KINDS",
    "KIT",
    "Kind",
    "MaterialProfile",
    "PrinterProfile",
    "QualityProfile",
    "SourcedProfile",
    "Speeds",
    "Sterilisation",
    "Suitability",
    "known",
    "material",
    "printer",
    "profile",
    "quality",
]

KIT = Path(__file__).parent
"""The folder of the kit's own, by kind."""

Kind = Literal["printers", "materials", "qualities"]

KINDS: dict[Kind, type[SourcedProfile]] = {
    "printers": PrinterProfile,
    "materials": MaterialProfile,
    "qualities": QualityProfile,
}


def profile(kind: Kind, name: str) -> SourcedProfile:
    """The profile of a kind and name: the lab's own, else the kit's.

    Raises
    ------
    EquipmentError
        No such profile (the known ones are listed), or its file is not valid.
    """
    return profile_named(KINDS[kind], kind, name, KIT / kind, EquipmentError)


def printer(name: str) -> PrinterProfile:
    """The printer profile of this name: the lab's own, else the kit's.

    Raises
    ------
    EquipmentError
        No such profile (the known ones are listed), or its file is not valid.
    """
    return profile_named(PrinterProfile, "printers", name, KIT / "printers", EquipmentError)


def material(name: str) -> MaterialProfile:
    """The material profile of this name: the lab's own, else the kit's.

    Raises
    ------
    EquipmentError
        No such profile (the known ones are listed), or its file is not valid.
    """
    return profile_named(MaterialProfile, "materials", name, KIT / "materials", EquipmentError)


def quality(name: str) -> QualityProfile:
    """The quality profile of this name: the lab's own, else the kit's.

    Raises
    ------
    EquipmentError
        No such profile (the known ones are listed), or its file is not valid.
    """
    return profile_named(QualityProfile, "qualities", name, KIT / "qualities", EquipmentError)


def known(kind: Kind) -> dict[str, Path]:
    """``{name: file}`` of all profiles of a kind, by name."""
    return known_profiles(kind, KIT / kind)
