"""PrusaSlicer's ini files: a plain configuration, or a bundle whose presets inherit."""

import difflib
import re
from dataclasses import dataclass
from pathlib import Path

from labkit.errors import EquipmentError
from labkit.processes import tools_folder

LARGEST_FILE_BYTES = 32 << 20

Preset = dict[str, str]

_KINDS = {"printer": "printer", "filament": "material", "print": "quality"}
"""PrusaSlicer's word for each kind, and the kit's."""


@dataclass(frozen=True)
class Bundle:
    """An ini file: ``plain`` settings, or ``sections`` by ``kind:name``."""

    path: Path
    plain: Preset
    sections: dict[str, Preset]
    version: str

    def names(self, kind: str) -> list[str]:
        """The presets of a kind that can be chosen (``*common*`` ones are for others)."""
        found = (name.removeprefix(f"{kind}:") for name in self.sections if _is(name, kind))
        return [name for name in found if not name.startswith("*")]

    def preset(self, kind: str, name: str) -> Preset:
        """All settings of a preset: its own over those it inherits, the last parent first.

        Raises
        ------
        EquipmentError
            No such preset, one that inherits from one that is not there, or from itself.
        """
        if not self.sections:
            return self.plain
        return self._resolved(kind, name, ())

    def _resolved(self, kind: str, name: str, below: tuple[str, ...]) -> Preset:
        key = self._key(kind, name)
        if key in below:
            raise _unusable(self.path, f"the preset {name!r} inherits from itself")
        own = self.sections[key]
        settings: Preset = {}
        for parent in re.split(r"\s*;\s*", own.get("inherits", "").strip('" ')):
            if parent:
                settings |= self._resolved(kind, parent, (*below, key))
        settings |= own
        settings.pop("inherits", None)
        return settings

    def _key(self, kind: str, name: str) -> str:
        if f"{kind}:{name}" in self.sections:
            return f"{kind}:{name}"
        for key, settings in self.sections.items():  # presets are renamed between releases
            older = [old.strip(' "') for old in settings.get("renamed_from", "").split(";")]
            if _is(key, kind) and name in older:
                return key
        near = difflib.get_close_matches(name, self.names(kind), n=5, cutoff=0.0)
        raise EquipmentError(
            f"no {_KINDS[kind]} {name!r} in {self.path.name}",
            expected="one of its own, such as " + "; ".join(near) if near else "a preset of it",
            where=str(self.path.parent),
            fix="name it as the file does",
        )


def read_bundle(path: Path) -> Bundle:
    """A PrusaSlicer configuration (*Export Config*), config bundle or vendor bundle.

    Raises
    ------
    EquipmentError
        No such file, one that is no text, or holds no settings of PrusaSlicer.
    """
    if not path.is_file():
        bundles = installed_bundles()
        own = f"; PrusaSlicer's own lie in {bundles[0].parent}" if bundles else ""
        raise _unusable(path, f"no file {path.name}{own}")
    if path.stat().st_size > LARGEST_FILE_BYTES:
        raise _unusable(path, f"{path.name} has {path.stat().st_size >> 20} MB")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise _unusable(path, f"{path.name} is no text")
    plain: Preset = {}
    sections: dict[str, Preset] = {}
    into = plain
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        if line[0] == "[" and line[-1] == "]":
            into = sections.setdefault(line[1:-1], {})
        elif "=" in line:
            key, _, value = line.partition("=")
            into[key.strip()] = value.strip()
    if sections:
        plain = {}
    presets = {name for name in sections if any(_is(name, kind) for kind in _KINDS)}
    if not presets and not plain.keys() & {"nozzle_diameter", "filament_diameter", "layer_height"}:
        raise _unusable(path, f"{path.name} holds no settings of PrusaSlicer")
    version = sections.get("vendor", {}).get("config_version", "") or "1"
    return Bundle(path, plain, sections, version)


def installed_bundles() -> list[Path]:
    """The bundles that came with this machine's PrusaSlicer, by name."""
    places = Path("/usr/share/PrusaSlicer/profiles"), tools_folder() / "prusa-slicer" / "profiles"
    return next((found for place in places if (found := sorted(place.glob("*.ini")))), [])


def unquoted(text: str) -> str:
    """A text as PrusaSlicer means it: without quotation marks, with its line ends."""
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1]
    return re.sub(
        r"\\(.)", lambda found: {"n": "\n", "r": "", "t": " "}.get(found[1], found[1]), text
    )


def _is(section: str, kind: str) -> bool:
    return section.startswith(f"{kind}:")


def _unusable(path: Path, found: str) -> EquipmentError:
    return EquipmentError(
        found,
        expected="a configuration or a bundle of PrusaSlicer (.ini)",
        where=str(path.parent),
        fix="export it in PrusaSlicer: File, Export, Export Config",
    )
