"""Tampered and honest G-code (table B7): found by hash, comparison, gate and fidelity.

``python benchmarks/tamper.py [--seeds N]``: writes ``benchmarks/data/tamper.csv`` (one row a
file), prints a row a method.  Parts, methods and honest encodings are in ``tampering.py``;
strengths are drawn at random by seed.  About 10 s a dozen files on two processors.

Against the signed file: its SHA-256, and the semantic comparison.  Without it: the gate, and
the fidelity to the part's mesh with the material and the infill that were asked for.
"""

import argparse
import csv
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import tampering
from tampering import Base

from labkit.errors import LabkitError
from labkit.files import sha256_of, written_whole
from labkit.slicing.comparison import compare
from labkit.slicing.fidelity import fidelity
from labkit.slicing.gate import check_gcode
from labkit.slicing.toolpath import Toolpath, read_toolpath

Row = dict[str, str]

INFILL_PERCENT = {"box": 15, "ball": 20, "bone": 15, "guide": 25}
EACH = 5
"""Files of each method and seed."""

TABLE = Path(__file__).parent / "data" / "tamper.csv"


def judged(base: Base, signed: Toolpath, file: Path, believed: Toolpath | None = None) -> Row:
    """What each way of looking says of a file."""
    printer, material = tampering.profiles()
    path = read_toolpath(file)
    compared = compare(believed or signed, path)
    blocked = {f.rule for f in check_gcode(file, printer, material) if f.severity == "block"}
    try:
        found = fidelity(
            path,
            base.mesh,
            base.shift_mm,
            material=material,
            infill_percent=base.infill_percent,
        )
        rules = sorted({one.rule for one in found.deviations if one.severity == "fail"})
    except LabkitError:
        rules = ["not possible"]
    return {
        "hash": "no" if sha256_of(file) == sha256_of(base.gcode) else "yes",
        "comparison": compared.verdict,
        "differences": " ".join(sorted({one.rule for one in compared.differences})),
        "gate": " ".join(sorted(blocked)),
        "fidelity": " ".join(rules),
    }


def tampered_rows(
    bases: dict[str, Base], methods: Iterable[str], seeds: Iterable[int], each: int, folder: Path
) -> Iterator[Row]:
    """A row for each tampered file."""
    signed = {name: read_toolpath(base.gcode) for name, base in bases.items()}
    names = list(bases)
    for seed in seeds:
        for number, method in enumerate(methods):
            for turn in range(each):
                name = names[(turn + number) % len(names)]
                rng = np.random.default_rng([seed, number, turn])
                target = folder / f"{method.replace(' ', '-')}-{seed}-{turn}.gcode"
                what, file = tampering.METHODS[method](bases[name], rng, target)
                row = {"kind": "tampered", "method": method, "part": name, "seed": str(seed)}
                yield row | {"what": what} | judged(bases[name], signed[name], file)
                file.unlink()


def honest_rows(bases: dict[str, Base], seeds: Iterable[int], folder: Path) -> Iterator[Row]:
    """A row for each honest file: written in other ways, and sliced again."""
    for name, base in bases.items():
        signed = read_toolpath(base.gcode)
        row = {"kind": "honest", "part": name, "seed": "0"}
        for way in tampering.ENCODINGS:
            file = tampering.encoded(base, way, np.random.default_rng(0), folder / "honest.gcode")
            yield row | {"method": "written", "what": way} | judged(base, signed, file)
        for seed in seeds:
            rng = np.random.default_rng([seed, len(name)])
            ways = [str(way) for way in rng.choice(list(tampering.ENCODINGS), 3, replace=False)]
            lines = base.gcode.read_text(encoding="utf-8").splitlines()
            for way in sorted(ways, key=("line ends of Windows").__eq__):
                lines = tampering.ENCODINGS[way](lines, rng)
            file = folder / "honest.gcode"
            file.write_bytes(("\n".join(lines) + "\n").encode())
            said = {"method": "written", "seed": str(seed), "what": ", ".join(ways)}
            yield row | said | judged(base, signed, file)
        for arachne in (False, True):
            first = tampering.resliced(base, folder / "a.gcode", arachne=arachne, processors=2)
            believed = read_toolpath(first)
            for processors in (2, 1, 2):
                file = tampering.resliced(
                    base, folder / "b.gcode", arachne=arachne, processors=processors
                )
                walls = "Arachne" if arachne else "classic"
                said = {"method": "sliced again", "what": f"{walls}, {processors} processors"}
                yield row | said | judged(base, signed, file, believed)


def found_without_golden_file(row: Row) -> bool:
    """Whether gate or fidelity speak against a file."""
    return bool(row["gate"]) or row["fidelity"] not in ("", "not possible")


def summary(rows: list[Row]) -> list[Row]:
    """A row for each method, and one for each of tampered and honest."""
    out = []
    groups = [(r["kind"], r["method"]) for r in rows] + [("tampered", ""), ("honest", "")]
    for kind, method in dict.fromkeys(groups):
        mine = [r for r in rows if r["kind"] == kind and method in ("", r["method"])]
        if mine:
            counts = {
                "files": len(mine),
                "hash differs": sum(r["hash"] == "yes" for r in mine),
                "comparison: different": sum(r["comparison"] == "different" for r in mine),
                "gate": sum(bool(r["gate"]) for r in mine),
                "fidelity": sum(r["fidelity"] not in ("", "not possible") for r in mine),
                "gate or fidelity": sum(map(found_without_golden_file, mine)),
            }
            name = f"{kind}: {method or 'all'}"
            out.append({"method": name} | {key: str(value) for key, value in counts.items()})
    return out


def main() -> None:
    """Make all files, write the table, print the summary and what was missed."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seeds", type=int, default=2)
    seeds = range(101, 101 + arguments.parse_args().seeds)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bases = {
            part: tampering.signed(part, folder, infill_percent=percent)
            for part, percent in INFILL_PERCENT.items()
        }
        rows = list(tampered_rows(bases, tampering.METHODS, seeds, EACH, folder))
        rows += honest_rows(bases, range(101, 104), folder)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with written_whole(TABLE) as temporary, temporary.open("w", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    lines = summary(rows)
    print("| " + " | ".join(lines[0]) + " |\n|" + "---|" * len(lines[0]))
    for line in lines:
        print("| " + " | ".join(line.values()) + " |")
    for row in rows:
        missed = row["comparison"] != "different" or not found_without_golden_file(row)
        alarm = row["comparison"] == "different" or found_without_golden_file(row)
        if missed if row["kind"] == "tampered" else alarm:
            print("look at: " + ", ".join(f"{key} {value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
