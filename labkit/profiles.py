"""What a lab settles once and many cases use: plain YAML files, checked, hashed for the record.

The lab's own profiles lie in ``LABKIT_HOME/profiles/<kind>``; the kit brings a few.  One
of the lab's with the same name wins.  What is the lab's alone stands in one table for each
kind: ``printers.yaml`` and ``pacs.yaml``.
"""

import hashlib
import json
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from labkit.errors import InputError
from labkit.home import home_folder


class Profile(BaseModel):
    """What every profile has: a name, a version and a hash."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$")
    version: str = Field(min_length=1)
    description: str = ""

    @property
    def sha256(self) -> str:
        """SHA-256 of the content, the same however the file is laid out or commented."""
        # what is not stated does not count: a new field leaves the hashes as they were
        content = json.dumps(self.model_dump(mode="json", exclude_none=True), sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()


Kind = TypeVar("Kind", bound=Profile)
Entry = TypeVar("Entry", bound=BaseModel)


def known_profiles(kind: str, kit: Path) -> dict[str, Path]:
    """``{name: file}`` of all profiles of a kind, by name; ``kit`` holds those of the kit."""
    folders = kit, home_folder() / "profiles" / kind
    found = {path.stem: path for folder in folders for path in folder.glob("*.yaml")}
    return dict(sorted(found.items()))


def profile_named(
    model: type[Kind], kind: str, name: str, kit: Path, error: type[InputError]
) -> Kind:
    """The profile of this name: the lab's own, else the one in ``kit``.

    Raises
    ------
    InputError
        As ``error``: no such profile (the known ones are listed), or its file is not valid.
    """
    files = known_profiles(kind, kit)
    if name not in files:
        raise error(
            f"no profile {name!r} among the {kind}",
            expected="one of " + ", ".join(files),
            where=str(home_folder() / "profiles" / kind),
            fix="correct the name, or put the profile's file there",
        )
    try:
        profile = model.model_validate(yaml.safe_load(files[name].read_text(encoding="utf-8")))
        wrong = "" if profile.name == name else f"it calls itself {profile.name!r}"
    except (yaml.YAMLError, UnicodeDecodeError):
        wrong = "it cannot be read as YAML"
    except ValidationError as invalid:
        wrong = first_fault(invalid)
    if wrong:
        raise error(
            f"the profile {name} is not valid: {wrong}",
            expected=f"the fields of the kit's own {kind}",
            where=str(files[name]),
            fix=f"correct the file; {'/'.join(kit.parts[-3:])} holds examples",
        )
    return profile


def registered(
    model: type[Entry], table: str, noun: str, *, expected: str, fix: str
) -> dict[str, Entry]:
    """What a table of the lab's own holds, by name; nothing where there is no such file.

    Parameters
    ----------
    table : name of the file in the lab's folder.
    noun : what one entry stands for.
    expected, fix : for the error.

    Raises
    ------
    InputError
        The file cannot be read, or an entry is not one.
    """
    path = home_folder() / table
    if not path.is_file():
        return {}
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        if not isinstance(content, dict):
            raise TypeError("not a table")
        return {str(name): model.model_validate(told) for name, told in content.items()}
    except (yaml.YAMLError, UnicodeDecodeError, TypeError) as error:
        found = f"{table} cannot be read ({type(error).__name__})"
    except ValidationError as error:
        found = f"a {noun}'s {first_fault(error, 'entry')}"
    # not chained: the faults of a parser quote what stands in the file
    raise InputError(found, expected=expected, where=str(path), fix=fix)


def first_fault(error: ValidationError, whole: str = "") -> str:
    """The first field that is wrong, and why; ``whole`` where it is no single field."""
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"]) or whole
    return f"{field}: {first['msg']}" if field else first["msg"]
