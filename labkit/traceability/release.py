"""The release of a case: a manifest of all files, and a layout that any in-toto verifier judges.

The layout is made for one case from its procedure and signed by the ``qa`` key:
one step for each revision of a stage, and one inspection of the folder itself.
in-toto's MATCH and DISALLOW never notice a file that is gone, so each line of
the manifest is also a literal REQUIRE.  The manifest is not checked by a
``sha256sum`` command in the inspection, though that looks simpler: in-toto runs
commands before rules and hides what they print, so a failing one would end the
verification without a word about which file is meant.  The inspection's command
looks only for what in-toto's recorder cannot see.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from in_toto.models.layout import Inspection, Layout, Step
from in_toto.models.metadata import Envelope
from in_toto.settings import ARTIFACT_EXCLUDE_PATTERNS

from labkit.case import STAGES, Case
from labkit.errors import CaseError, EvidenceError
from labkit.files import hashes_below, sha256_of, write_whole
from labkit.traceability.evidence import (
    ORDER,
    ORDER_STEP,
    RELEASE_STAGE,
    RESULT,
    SignedStep,
    differences,
    folder_of,
    holds,
    key_as_in_toto,
    link_path,
    refuse_hidden_names,
    sentence,
    sign,
    signed_step,
    why_not,
    write_envelope,
)
from labkit.traceability.keys import NOTICE, LabKeys, keys
from labkit.traceability.procedure import Procedure

LAYOUT = "root.layout"
MANIFEST = "release/manifest.sha256"
INSPECTION = "case-folder"

# in-toto's recorder skips these names and follows links.  The names found are written
# to the verifier's own error stream where the system has one at that place.  No braces:
# in-toto formats its message with the command in it.
_LOOK_FOR_HIDDEN = (
    "found=$(find . -path ./evidence -prune -o -path ./"
    + INSPECTION
    + ".link -prune -o '(' -type l "
    + " ".join(f"-o -name '{pattern}'" for pattern in ARTIFACT_EXCLUDE_PATTERNS)
    + " ')' -print) || exit 2; "
    '[ -z "$found" ] && exit 0; '
    '(echo "added, not signed:"; echo "$found") 2>/dev/null >>"/proc/$PPID/fd/2"; exit 1'
)


@dataclass(frozen=True)
class Release:
    """What the release of a case wrote.

    ``set_aside`` names superseded folders that are no longer, or never were, as
    signed: the release covers their files as they are now, not as evidence.
    """

    manifest: Path
    layout: Path
    set_aside: tuple[str, ...]


def seal(
    case: Case,
    procedure: Procedure,
    *,
    command: Sequence[str],
    environment: Mapping[str, str],
) -> Release:
    """Release a case: manifest, link of the last stage, layout.  Its evidence is then complete.

    Called once ``07_traceability`` is published, in place of ``sign_stage``.  The
    manifest lists every file of the case but itself and ``evidence/``, in the
    form that ``sha256sum --check`` reads.

    Raises
    ------
    CaseError
        A stage was not done, was made from an older revision of another than the
        newest, or a file lies in the case that belongs to no stage.
    EvidenceError
        The order or a current folder is not what was signed.
    """
    signers = keys()
    current = _current(case, procedure)
    folder = current.pop(RELEASE_STAGE)
    steps = _steps(case, signers, leave_out=folder)
    for path in current.values():
        if path.name not in steps:
            raise _not_as_signed(path, why_not(case, path) or f"{path.name} uses an altered folder")
        _refuse_stale(steps[path.name], {path.name for path in current.values()})

    manifest = folder / MANIFEST
    files = _files(case, leave_out=manifest)
    if not link_path(case.root, folder.name, signers.operator.public_key).exists():
        lines = (f"{digest}  {path}\n" for path, digest in sorted(files.items()))
        write_whole(manifest, "".join(lines))
    elsewhere = {path: d for path, d in files.items() if folder_of(path) != folder.name}
    sign(
        case,
        folder,
        materials=elsewhere,
        products=hashes_below(folder, relative_to=case.root),
        command=command,
        environment=environment,
    )
    release = signed_step(case.root, folder.name, signers.operator.public_key)
    if changed := differences(release.materials, elsewhere):
        raise _not_as_signed(folder, sentence(*changed[0], folder.name))

    steps[folder.name] = release
    set_aside = tuple(sorted({folder_of(path) for path in files} - steps.keys()))
    layout = _layout(
        case, procedure, signers=signers, steps=steps, release=release, set_aside=set_aside
    )
    envelope = Envelope.from_signable(layout)
    envelope.create_signature(signers.qa)
    signers.write_public(case.evidence)
    write_envelope(case.evidence / LAYOUT, envelope)
    return Release(manifest, case.evidence / LAYOUT, set_aside)


def _current(case: Case, procedure: Procedure) -> dict[str, Path]:
    """The newest folder of each stage of the procedure."""
    current: dict[str, Path] = {}
    for entry in procedure.stages:
        folder = case.current(entry.stage)
        if folder is None:
            raise CaseError(
                f"stage {entry.stage} was not done",
                expected=f"all stages of the procedure {procedure.name}",
                where=str(case.root),
                fix=f"run {entry.stage}, then the release again",
            )
        current[entry.stage] = folder
    return current


def _steps(case: Case, signers: LabKeys, *, leave_out: Path) -> dict[str, SignedStep]:
    """The order and every folder that is as signed and stands on such folders, in order."""
    key = signers.operator.public_key
    order = signed_step(case.root, ORDER_STEP, key)
    if order.products != {ORDER: sha256_of(case.root / ORDER)}:
        raise _not_as_signed(case.root / ORDER, f"{ORDER} was altered after it was signed")
    steps = {ORDER: order}
    for stage in STAGES:
        for folder in case.revisions(stage):
            if folder != leave_out and holds(case, folder):
                step = signed_step(case.root, folder.name, key)
                if all(name in steps for name in step.folders_used):
                    steps[folder.name] = step
    return steps


def _refuse_stale(step: SignedStep, current: set[str]) -> None:
    for name in step.folders_used:
        if name not in current:
            raise CaseError(
                f"{step.name} was made from {name}, and a newer revision is there",
                expected="every stage made from the newest of the others",
                where=step.name,
                fix=f"run {step.name.partition('.r')[0]} and the stages after it again",
            )


def _files(case: Case, *, leave_out: Path) -> dict[str, str]:
    """The hash of every file of the case outside ``evidence/``."""
    known = {folder.name for stage in STAGES for folder in case.revisions(stage)}
    files = {ORDER: sha256_of(case.root / ORDER)}
    for entry in sorted(case.root.iterdir()):
        if entry.name in known:
            files |= hashes_below(entry, relative_to=case.root)
        elif entry.name not in (ORDER, case.evidence.name, f"{INSPECTION}.link"):
            raise CaseError(
                f"{entry.name} lies in the case and belongs to no stage",
                expected=f"{ORDER}, the folders of the stages and {case.evidence.name}",
                where=str(case.root),
                fix=f"move {entry.name} elsewhere, then release again",
            )
    files.pop(leave_out.relative_to(case.root).as_posix(), None)
    refuse_hidden_names(case.root, files)
    return files


def _layout(
    case: Case,
    procedure: Procedure,
    *,
    signers: LabKeys,
    steps: Mapping[str, SignedStep],
    release: SignedStep,
    set_aside: Sequence[str],
) -> Layout:
    words = [
        f"Case {case.order.case}, procedure {procedure.name} {procedure.version} "
        f"({procedure.status}).",
        *([NOTICE] if signers.practice else []),
        *(f"{name} is kept as it is now, not as evidence." for name in set_aside),
    ]
    expires = datetime.now(UTC) + timedelta(days=round(365.25 * procedure.layout_expiry_years))
    layout = Layout(readme=" ".join(words), expires=expires.strftime("%Y-%m-%dT%H:%M:%SZ"))
    operator = layout.add_functionary_key(key_as_in_toto(signers.operator.public_key))
    layout.steps = [
        _layout_step(step, operator["keyid"], set_aside if step is release else ())
        for step in steps.values()
    ]
    layout.inspect = [_layout_inspection(steps, release, set_aside)]
    layout.validate()
    return layout


def _layout_step(step: SignedStep, key_id: str, set_aside: Sequence[str]) -> Step:
    """One revision of a stage: what it must have used, from where, and what it may leave."""
    rules = Step(name=step.name, pubkeys=[key_id], expected_command=step.command)
    if step.name == ORDER_STEP:
        rules.expected_materials = [["DISALLOW", "*"]]
        rules.expected_products = [["REQUIRE", ORDER], ["ALLOW", ORDER], ["DISALLOW", "*"]]
        return rules
    used = [name for name in step.folders_used if name not in set_aside]
    rules.expected_materials = [
        ["REQUIRE", ORDER],
        *(["REQUIRE", f"{name}/{RESULT}"] for name in used),
        _match(ORDER, ORDER_STEP),
        *(_match(f"{name}/*", name) for name in used),
        *(["ALLOW", f"{name}/*"] for name in set_aside),
        ["DISALLOW", "*"],
    ]
    manifest = f"{step.name}/{MANIFEST}"
    rules.expected_products = [
        ["REQUIRE", f"{step.name}/{RESULT}"],
        *([["REQUIRE", manifest]] if manifest in step.products else []),
        ["CREATE", f"{step.name}/*"],
        ["DISALLOW", "*"],
    ]
    return rules


def _layout_inspection(
    steps: Mapping[str, SignedStep], release: SignedStep, set_aside: Sequence[str]
) -> Inspection:
    """The folder on disk: every file of the release is there, as signed, and nothing else."""
    inspection = Inspection(name=INSPECTION, run=["sh", "-c", _LOOK_FOR_HIDDEN])
    inspection.expected_products = [
        *(["REQUIRE", path] for path in sorted({*release.materials, *release.products})),
        _match(ORDER, ORDER_STEP),
        *(_match(f"{name}/*", name) for name in steps if name != ORDER),
        *(_match(f"{name}/*", release.name, "MATERIALS") for name in set_aside),
        ["ALLOW", "evidence/*"],
        ["DISALLOW", "*"],
    ]
    return inspection


def _match(pattern: str, step: str, of: str = "PRODUCTS") -> list[str]:
    return ["MATCH", pattern, "WITH", of, "FROM", step]


def _not_as_signed(path: Path, found: str) -> EvidenceError:
    return EvidenceError(
        found,
        expected="files that are as they were signed",
        where=str(path),
        fix=f"restore {path.name} from a copy, or run the stage again: it makes a new revision",
    )
