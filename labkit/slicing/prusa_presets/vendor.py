"""Profiles of the lab out of PrusaSlicer's: what is taken is named, what is not, too.

Read from the lab's own copy of PrusaSlicer and kept in the lab's own folder; none of its
presets is part of the kit.
"""

import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from labkit import equipment
from labkit.equipment import SourcedProfile
from labkit.errors import EquipmentError
from labkit.files import write_whole
from labkit.home import home_folder
from labkit.profiles import first_fault
from labkit.slicing.prusa_presets.presets import Bundle, Preset, read_bundle, unquoted
from labkit.slicing.prusa_presets.translation import (
    Settings,
    material_values,
    printer_values,
    quality_values,
)

_RUNS_OR_REACHES = re.compile(
    # programs after slicing (CVE-2023-47268), uploads and their passwords, rewriting of G-code
    r"post_process|print_?host.*|host_type|octoprint_.*|serial_port|gcode_substitutions"
    r"|.*_script|.*_url"
)
_NOT_SETTINGS = re.compile(
    r"inherits|renamed_from|compatible_.*|.*_settings_id|default_(print|filament)_profile|alias"
    r"|printer_(model|variant|vendor|technology)|filament_vendor"
)


@dataclass
class Imported:
    """Profiles made of PrusaSlicer's presets, and what became of each setting.

    ``refused`` would run or reach something; ``not_taken`` the kit has no place for.
    """

    profiles: dict[equipment.Kind, SourcedProfile] = field(default_factory=dict)
    taken: list[str] = field(default_factory=list)
    not_taken: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def import_profiles(
    path: Path,
    *,
    printer: str = "",
    material: str = "",
    quality: str = "",
    max_hotend_c: float | None = None,
    max_bed_c: float | None = None,
) -> Imported:
    """The kit's profiles for presets in a file of PrusaSlicer; nothing is written yet.

    Parameters
    ----------
    printer, material, quality : the presets to take out of a bundle; of a plain
        configuration, which holds one of each, the names to give them.
    max_hotend_c, max_bed_c : what the printer bears, °C: PrusaSlicer does not say.  Left
        out, the hottest temperature of the same file.

    Raises
    ------
    EquipmentError
        The file or a preset cannot be used: see the message.
    """
    bundle = read_bundle(path)
    names = {"printer": printer, "filament": material, "print": quality}
    if bundle.sections and not any(names.values()):
        counts = ", ".join(f"{len(bundle.names(kind))} {kind} presets" for kind in names)
        raise _unusable(
            bundle, f"a bundle of many: {counts}", "name one: --printer, --material, --print"
        )
    found = Imported()
    if printer or not bundle.sections:
        preset, name = _preset(bundle, "printer", printer)
        usual = unquoted(preset.get("default_filament_profile", "")).split(";")[0].strip(' "')
        filament: Preset = {}
        with contextlib.suppress(EquipmentError):  # the default may be in another bundle
            filament = bundle.preset("filament", material or usual)
        limits = {"max_hotend_c": max_hotend_c, "max_bed_c": max_bed_c}
        _take(
            found, bundle, "printers", name, preset, lambda s: printer_values(s, filament, limits)
        )
    if material or not bundle.sections:
        preset, name = _preset(bundle, "filament", material)
        _take(found, bundle, "materials", name, preset, material_values)
    if quality or not bundle.sections:
        preset, name = _preset(bundle, "print", quality)
        _take(found, bundle, "qualities", name, preset, quality_values)
    if not bundle.sections:  # one file for three profiles: what one leaves another may take
        found.not_taken = sorted(set(found.not_taken) - set(found.taken))
        found.refused = sorted(set(found.refused))
    return found


def store(imported: Imported, *, replace: bool = False) -> list[Path]:
    """Write profiles into the lab's own folder; the files.

    Raises
    ------
    EquipmentError
        A profile of that name is there already, and ``replace`` is not said.
    """
    paths = {kind: home_folder() / "profiles" / kind for kind in imported.profiles}
    for kind, profile in imported.profiles.items():
        if profile.name in equipment.known(kind) and not replace:
            raise EquipmentError(
                f"there is a profile {profile.name} among the {kind} already",
                expected="a new name",
                where=str(equipment.known(kind)[profile.name]),
                fix="say --replace, or give another name",
            )
    written = []
    for kind, profile in imported.profiles.items():
        content = profile.model_dump(mode="json", exclude_defaults=True)
        text = yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=96)
        path = paths[kind] / f"{profile.name}.yaml"
        write_whole(path, text)
        written.append(path)
    return written


def _preset(bundle: Bundle, kind: str, name: str) -> tuple[Preset, str]:
    preset = bundle.preset(kind, name)
    name = name or unquoted(preset.get(f"{kind}_settings_id", "")) or bundle.path.stem
    slug = re.sub(r"[^A-Za-z0-9_.]+", "-", name)[:32].strip("-._")
    return preset, slug or f"imported-{kind}"


def _take(
    found: Imported,
    bundle: Bundle,
    kind: equipment.Kind,
    name: str,
    preset: Preset,
    translate: Callable[[Settings], dict[str, Any]],
) -> None:
    """Make one profile of a preset and say what became of its settings."""
    model = equipment.KINDS[kind]
    settings = Settings(preset, str(bundle.path))
    about = {
        "name": name,
        "version": bundle.version,
        "description": f"imported from PrusaSlicer's {bundle.path.name}",
        "source": f"PrusaSlicer, {bundle.path.name} {bundle.version}, preset {name}",
    }
    content = about | translate(settings)
    fields = model.model_fields.items()
    if missing := [key for key, told in fields if told.is_required() and content.get(key) is None]:
        raise _unusable(
            bundle,
            f"the preset {name} does not state what the kit needs: {', '.join(missing)}",
            "complete the preset in PrusaSlicer and export it, or take another",
        )
    content = {key: value for key, value in content.items() if value is not None}
    own = {key: preset[key] for key in sorted(preset) if model.takes(key, preset[key])}
    try:
        found.profiles[kind] = model.model_validate(content | {"prusaslicer": own})
    except ValidationError as error:
        raise _unusable(
            bundle,
            f"{name} makes no valid profile: {first_fault(error)}",
            "correct the preset in PrusaSlicer and export it again",
        ) from error
    taken = (settings.asked | own.keys()) & preset.keys()
    harmful = {key for key, value in preset.items() if _RUNS_OR_REACHES.fullmatch(key)}
    found.taken += sorted(taken)
    found.refused += sorted(key for key in harmful if preset[key].strip('" '))
    found.not_taken += sorted(
        key for key in preset.keys() - taken - harmful if not _NOT_SETTINGS.fullmatch(key)
    )
    found.notes += [f"{name}: {note}" for note in settings.notes]


def _unusable(bundle: Bundle, found: str, fix: str) -> EquipmentError:
    return EquipmentError(
        found,
        expected="presets of which a printer, a material or a quality can be made",
        where=str(bundle.path),
        fix=fix,
    )


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as such, so that G-code can be read and corrected."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
