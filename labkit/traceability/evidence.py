"""Signed links: what each finished stage used and left, under the operator's key.

One in-toto link (DSSE envelope) per revision of a stage, in ``evidence/``, named
after the folder it vouches for.  Its materials are the order and the files the
stage took from earlier folders, its products every file of the folder.  That
the order is a material of every link binds a link to its case.

The hashes are taken here and not by in-toto, whose own recorder follows
symbolic links, skips some names in silence and changes the working directory.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Literal

from in_toto.exceptions import SignatureVerificationError
from in_toto.models.link import FILENAME_FORMAT, Link
from in_toto.models.metadata import Envelope, Metadata
from in_toto.settings import ARTIFACT_EXCLUDE_PATTERNS
from securesystemslib.exceptions import Error as SecureSystemsError
from securesystemslib.signer import CryptoSigner, SSlibKey  # type: ignore[attr-defined]

from labkit.case import STAGES, Case, read_result
from labkit.errors import CaseError, EvidenceError
from labkit.files import hashes_below, sha256_of, write_whole
from labkit.traceability.keys import OPERATOR, keys, own_public_key

ORDER = "order.yaml"
ORDER_STEP = "order"
RESULT = "result.json"
RELEASE_STAGE = STAGES[-1]

UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, SecureSystemsError)
"""What in-toto raises over a file that is not the signed document it should be."""


@dataclass(frozen=True)
class SignedStep:
    """The content of a link whose signature was good."""

    name: str
    materials: dict[str, str]
    products: dict[str, str]
    command: list[str]
    environment: dict[str, str]

    @property
    def folders_used(self) -> list[str]:
        """The stage folders that the step took files from."""
        return sorted({folder_of(path) for path in self.materials} - {ORDER})


def sign_order(case: Case) -> Path:
    """The signed link of the order; signed once, before the first stage.

    Raises
    ------
    EvidenceError
        The order is not what was signed at the beginning.
    """
    signers = keys()
    path = link_path(case.root, ORDER_STEP, signers.operator.public_key)
    found = {ORDER: sha256_of(case.root / ORDER)}
    if path.exists():
        if signed_step(case.root, ORDER_STEP, signers.operator.public_key).products != found:
            raise _order_changed(case.root)
        return path
    signers.write_public(case.evidence)
    link = Link(
        name=ORDER_STEP,
        products=_as_artifacts(found),
        command=["labkit", "new"],
        environment={"keys": "practice" if signers.practice else "lab"},
    )
    return write_link(case.root, link, signers.operator)


def sign_stage(
    case: Case,
    folder: Path,
    *,
    inputs: Mapping[str, str],
    command: Sequence[str],
    environment: Mapping[str, str],
) -> Path:
    """The signed link of one finished revision of a stage; signed once.

    The last stage is signed by `labkit.traceability.release.seal`.

    Parameters
    ----------
    folder : the published folder; its name is the name of the step.
    inputs : ``{path: sha256}`` of what it used, posix paths from the case folder.
        ``result.json`` of each folder used is added, and that of the stage
        before, so that no step stands alone.
    command : what was run, without machine paths.
    environment : words about where it ran: tools and versions.

    Raises
    ------
    EvidenceError
        The order or an input is not what was signed, a folder used was never
        signed, or this folder was signed before and altered since.
    CaseError
        The folder holds no result, or a file that no verifier would see.
    """
    stage = folder.name.partition(".r")[0]
    if folder.parent != case.root or stage not in STAGES or stage == RELEASE_STAGE:
        raise ValueError(f"{folder} is not a stage folder of this case to be signed by sign_stage")
    return sign(
        case,
        folder,
        materials=_materials(case, stage, inputs),
        products=hashes_below(folder, relative_to=case.root),
        command=command,
        environment=environment,
    )


def sign(
    case: Case,
    folder: Path,
    *,
    materials: Mapping[str, str],
    products: Mapping[str, str],
    command: Sequence[str],
    environment: Mapping[str, str],
) -> Path:
    """Sign a folder's link as it is given; an existing link is kept if it still holds.

    Raises
    ------
    EvidenceError
        The folder was signed before and altered since.
    """
    signers = keys()
    path = link_path(case.root, folder.name, signers.operator.public_key)
    if path.exists():
        if why := why_not(case, folder):
            raise EvidenceError(
                why,
                expected="a folder that is as it was signed",
                where=str(folder),
                fix="restore it from a copy, or run the stage again: it makes a new revision",
            )
        return path
    refuse_hidden_names(case.root, products)
    result = read_result(folder)
    link = Link(
        name=folder.name,
        materials=_as_artifacts(materials),
        products=_as_artifacts(products),
        command=list(command),
        byproducts={
            "verdict": result.verdict,
            "mode": result.mode,
            "operator": result.operator,
            "started": result.started,
            "finished": result.finished,
        },
        environment={**environment, "keys": "practice" if signers.practice else "lab"},
    )
    return write_link(case.root, link, signers.operator)


def holds(case: Case, folder: Path) -> bool:
    """Whether a folder is, to the byte, what this lab's operator key signed for this order."""
    return not why_not(case, folder)


def why_not(case: Case, folder: Path) -> str:
    """Why a folder does not hold, in one sentence; empty when it does."""
    key = own_public_key(OPERATOR)
    if key is None:
        return f"{folder.name} was not signed by this lab, which has no keys yet"
    try:
        step = signed_step(case.root, folder.name, key)
        found = hashes_below(folder, relative_to=case.root)
    except EvidenceError as error:
        return error.found
    if step.materials.get(ORDER) != sha256_of(case.root / ORDER):
        return f"{folder.name} was made for another {ORDER} than the one in the case"
    wrong = differences(step.products, found)
    return "; ".join(sentence(what, path, folder.name) for what, path in wrong)


Difference = Literal["altered", "missing", "added"]


def sentence(what: Difference, path: str, step: str) -> str:
    """A difference in words; ``step`` may be empty for a file that no step left."""
    if what == "missing":
        return f"{path} is missing: step {step} left it"
    return f"{path} was {what} after " + (f"step {step} was signed" if step else "the signing")


def differences(
    signed: Mapping[str, str], found: Mapping[str, str]
) -> list[tuple[Difference, str]]:
    """What became of signed files, as (what, path), in order of path."""
    wrong: list[tuple[Difference, str]] = []
    for path in sorted({*signed, *found}):
        if path not in found:
            wrong.append(("missing", path))
        elif path not in signed:
            wrong.append(("added", path))
        elif signed[path] != found[path]:
            wrong.append(("altered", path))
    return wrong


def signed_step(root: Path, step: str, key: SSlibKey) -> SignedStep:
    """The link of a step, once its signature under ``key`` is found good.

    Raises
    ------
    EvidenceError
        There is no such link, it is not one, or another key signed it.
    """
    path = link_path(root, step, key)
    if not path.is_file():
        raise _bad_link(root, f"step {step} has no link signed by the key {key.keyid[:8]}")
    try:
        metadata = Metadata.load(str(path))
        metadata.verify_signature(key_as_in_toto(key))
        link = metadata.get_payload()
        if not isinstance(link, Link) or link.name != step:
            raise ValueError("not the link of this step")
        return SignedStep(
            step,
            {name: digest["sha256"] for name, digest in link.materials.items()},
            {name: digest["sha256"] for name, digest in link.products.items()},
            link.command,
            link.environment,
        )
    except SignatureVerificationError as error:
        raise _bad_link(
            root, f"the link of step {step} is not signed by the key {key.keyid[:8]}"
        ) from error
    except UNREADABLE as error:
        raise _bad_link(root, f"the link of step {step} is damaged or of another step") from error


def link_path(root: Path, step: str, key: SSlibKey) -> Path:
    """Where the link of a step under a key lies: the name that in-toto looks for."""
    name: str = FILENAME_FORMAT.format(step_name=step, keyid=key.keyid)
    return root / "evidence" / name


def write_link(root: Path, link: Link, signer: CryptoSigner) -> Path:
    """Sign a link and put it into ``evidence/``; its path."""
    envelope = Envelope.from_signable(link)
    envelope.create_signature(signer)
    path = link_path(root, str(link.name), signer.public_key)
    write_envelope(path, envelope)
    return path


def write_envelope(path: Path, envelope: Envelope) -> None:
    """Write signed metadata whole or not at all (in-toto's own writer does not)."""
    write_whole(path, json.dumps(envelope.to_dict(), sort_keys=True) + "\n")


def key_as_in_toto(key: SSlibKey) -> dict[str, object]:
    """A public key in the form that in-toto's layouts and verifier take."""
    return {"keyid": key.keyid, **key.to_dict()}


def folder_of(path: str) -> str:
    """The stage folder that a path from the case folder lies in, or the file itself."""
    return PurePosixPath(path).parts[0]


def refuse_hidden_names(root: Path, paths: Iterable[str]) -> None:
    """Refuse names that in-toto skips or that a manifest cannot carry.

    Raises
    ------
    CaseError
        Such a file is there.
    """
    for path in paths:
        parts = PurePosixPath(path).parts
        if any(fnmatchcase(part, bad) for part in parts for bad in ARTIFACT_EXCLUDE_PATTERNS) or (
            {"\n", "\r", "\\"} & set(path)
        ):
            raise CaseError(
                f"a file named {path!r}, which verifiers do not look at",
                expected="names without " + ", ".join(ARTIFACT_EXCLUDE_PATTERNS) + ", line breaks "
                "or backslashes",
                where=str(root),
                fix="remove or rename the file, then run the stage again",
            )


def _materials(case: Case, stage: str, inputs: Mapping[str, str]) -> dict[str, str]:
    """The order, the inputs, and the result of each folder used; all as they were signed."""
    key = keys().operator.public_key
    order = signed_step(case.root, ORDER_STEP, key).products
    if order != {ORDER: sha256_of(case.root / ORDER)}:
        raise _order_changed(case.root)
    used = {folder_of(path) for path in inputs} - {ORDER}
    earlier = STAGES[: STAGES.index(stage)]
    for name in used:
        if name.partition(".r")[0] not in earlier:
            raise ValueError(f"an input of {stage} from {name}, not from an earlier stage")
    if earlier and earlier[-1] not in {name.partition(".r")[0] for name in used}:
        before = case.current(earlier[-1])
        if before is None:
            raise CaseError(
                f"{stage} is to be signed, but {earlier[-1]} was not done",
                expected="the stages in order",
                where=str(case.root),
                fix=f"run {earlier[-1]} first",
            )
        used.add(before.name)
    signed = dict(order)
    for name in used:
        signed |= signed_step(case.root, name, key).products
    for path, digest in inputs.items():
        if signed.get(path) != digest:
            raise EvidenceError(
                f"{stage} used a {path} that is not what was signed",
                expected=f"the file that {folder_of(path)} left",
                where=str(case.root),
                fix=f"run {folder_of(path).partition('.r')[0]} again, then {stage}",
            )
    results = {f"{name}/{RESULT}" for name in used}
    return {path: signed[path] for path in sorted({ORDER, *results, *inputs})}


def _as_artifacts(hashes: Mapping[str, str]) -> dict[str, dict[str, str]]:
    return {path: {"sha256": digest} for path, digest in hashes.items()}


def _order_changed(root: Path) -> EvidenceError:
    return EvidenceError(
        f"{ORDER} was altered after it was signed",
        expected="the order that the case began with",
        where=str(root),
        fix="restore the order; for another order make another case with `labkit new`",
    )


def _bad_link(root: Path, found: str) -> EvidenceError:
    return EvidenceError(
        found,
        expected="a link as the operator's key signed it",
        where=str(root / "evidence"),
        fix="restore the folder evidence from a copy, or run the stage again",
    )
