"""What ``series.json`` says of an import; nothing in it names the patient."""

from typing import Any

from labkit.home import pseudonym_uid
from labkit.protocols import Protocol
from labkit.scan.discovery import Discovery
from labkit.scan.fitness import row_of
from labkit.scan.series import Series


def report_of(found: Discovery, chosen: Series, protocol: Protocol) -> dict[str, Any]:
    """What the source held, what was taken and what was done to it, as plain data.

    The UIDs are this lab's pseudonyms; the images stand in the order of the stack.
    """
    uids = {name: value for name, value in vars(chosen.facts).items() if name.endswith("_uid")}
    left_out = {*uids, "patient"}
    facts = {name: value for name, value in vars(chosen.facts).items() if name not in left_out}
    kind = uids.pop("sop_class_uid")
    used = [chosen.images[index] for index in chosen.geometry.order] if chosen.images else []
    return {
        "schema": "labkit/series/1",
        "protocol": {"name": protocol.name, "version": protocol.version, "sha256": protocol.sha256},
        "series": [row_of(one, protocol) for one in found.series],
        "other_files": found.other_files,
        "notes": list(found.notes),
        "chosen": chosen.key,
        "facts": facts | {"sop_class_uid": kind},
        "pseudonyms": {name: pseudonym_uid(uid) for name, uid in uids.items() if uid},
        "images": [
            {"sop_instance_uid": pseudonym_uid(image.sop_instance_uid), "frame": image.frame}
            for image in used
        ],
        "unit": chosen.unit,
        "geometry": chosen.geometry.as_dict(),
        "findings": list(chosen.findings),
        "cross_checks": [vars(check) for check in chosen.cross_checks],
    }
