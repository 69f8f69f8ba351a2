import hashlib
import io
import json
import shutil
import zipfile
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pyrage
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from securesystemslib.dsse import Envelope

from labkit import equipment
from labkit.case import Case, Order
from labkit.cli import main
from labkit.errors import (
    ApprovalError,
    CaseError,
    EvidenceError,
    InputError,
    LabkitError,
    StorageError,
)
from labkit.printing.hubs import parcel as parcels
from labkit.printing.hubs.keys import HubKeys, own_keys
from labkit.printing.hubs.parcel import GCODE, LETTER, SHEET
from labkit.printing.hubs.registry import known_hubs
from labkit.printing.hubs.sending import receive, seal_case
from labkit.printing.hubs.sheet import sheet_of
from labkit.printing.hubs.states import change
from labkit.processes import run

from .gcode import write_gcode
from .network import entry, printer, write_hubs

Enter = Callable[[str], Path]


@pytest.fixture
def enter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Enter:
    """``enter(name)``: be at a hub from now on; both know and have onboarded each other."""
    keys = {}

    def enter(name: str) -> Path:
        monkeypatch.delenv("LABKIT_DATABASE_URL", raising=False)
        monkeypatch.setenv("LABKIT_HOME", str(tmp_path / name))
        return tmp_path / name

    for name in ("north", "south", "west"):
        enter(name)
        keys[name] = own_keys(make=True)
    for name in keys:
        home = enter(name)
        hubs = {each: entry(keys[each], here=each == name) for each in ("north", "south")}
        write_hubs(home, **hubs)
        for each in hubs:
            change("onboard", each, known_hubs(), by="qa", reason="test")
    enter("north")
    return enter


@pytest.fixture
def case(tmp_path: Path, order: Order, enter: Enter) -> Case:
    """A case whose G-code was made for the practice printer."""
    made = Case.create(tmp_path / "case", order)
    fill(made)
    return made


def fill(case: Case, **more: Any) -> None:
    folder = case.root / "04_slicing"
    folder.mkdir(exist_ok=True)
    gcode = write_gcode(folder / "part.gcode")
    about = {
        "sha256": hashlib.sha256(gcode.read_bytes()).hexdigest(),
        "profiles": {"practice": equipment.printer("practice").sha256, "PLA": "1" * 64},
        **{"slicer": "PrusaSlicer 2.5.0", "layers": 3, "height_mm": 0.9, "filament_mm": 10.5},
        **{"mass_g": 1.2, "time_s": 600, "lines": 30, "hotend_c": [210], "bed_c": [60]},
        "bounds_mm": [[10, 10, 0.2], [30, 40, 0.9]],
        "objects": [{"name": "part", "file": "not for others"}],
        **more,
    }
    result = {
        **{"schema": "labkit/result/1", "case": "C-0001", "stage": "04_slicing", "revision": 1},
        **{"started": "", "finished": "", "operator": "me", "mode": "replay", "verdict": "pass"},
        "checks": [{"name": "gate", "value": "0 warnings", "verdict": "pass"}],
        **{"metrics": {}, "warnings": [], "tools": {}, "notebook": {}, "inputs": {}},
        "outputs": {},
        "parameters": {"printer": "practice", "material": "PLA", "quality": "standard"},
    }
    (folder / "gcode.json").write_text(json.dumps(about))
    (folder / "result.json").write_text(json.dumps(result))


@pytest.fixture
def sealed(case: Case, tmp_path: Path, enter: Enter) -> Path:
    """A parcel from north to south; we are at south."""
    path = seal_case(case, "south", tmp_path / "outbox", procedure="practice")
    enter("south")
    return path


def refused(path: Path, tmp_path: Path) -> LabkitError:
    """The one error of opening, after which nothing is left and nothing counts as received."""
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(LabkitError) as caught:
        receive(path, tmp_path / "received")
    left = {each for each in tmp_path.rglob("*") if each not in before}
    assert {each.name for each in left} <= {"register.sqlite-wal", "register.sqlite-shm"}
    return caught.value


# --- the way it should be ----------------------------------------------------------------


def test_a_parcel_arrives_as_it_was_sent(
    sealed: Path, case: Case, tmp_path: Path, enter: Enter
) -> None:
    assert sealed.read_bytes().startswith(b"age-encryption.org/v1")
    assert b"C-0001" not in sealed.read_bytes()
    assert list(sealed.parent.iterdir()) == [sealed]
    opened = receive(sealed, tmp_path / "received")
    assert opened.gcode.read_bytes() == case.product("04_slicing", "part.gcode").read_bytes()
    assert sorted(path.name for path in opened.folder.iterdir()) == [SHEET, LETTER, GCODE]
    letter, sheet = opened.letter, opened.sheet
    assert (letter.case, letter.attempt, letter.from_hub, letter.to_hub) == (
        *("C-0001", 1),
        *("north", "south"),
    )
    assert letter.approval.startswith("practice print") and letter.procedure == "practice"
    assert sheet.size_mm == (20, 30, 0.9) and sheet.checks[0].name == "gate"


def test_the_sheet_holds_a_closed_list_of_fields(sealed: Path, tmp_path: Path) -> None:
    receive(sealed, tmp_path / "received")
    everything = b"".join(path.read_bytes() for path in (tmp_path / "received").iterdir())
    for word in (b"not for others", b"P-1", b"distal radius", b"course leader", b"operator"):
        assert word not in everything


def test_a_parcel_opens_once(sealed: Path, case: Case, tmp_path: Path, enter: Enter) -> None:
    receive(sealed, tmp_path / "received")
    with pytest.raises(InputError, match="received already"):
        receive(sealed, tmp_path / "again")
    enter("north")  # sealed anew, it is the same attempt
    anew = seal_case(case, "south", tmp_path / "outbox")
    second = seal_case(case, "south", tmp_path / "outbox", attempt=2)
    enter("south")
    with pytest.raises(InputError, match="received already"):
        receive(anew, tmp_path / "again")
    assert not (tmp_path / "again").exists()
    assert receive(second, tmp_path / "again").letter.attempt == 2


def test_what_could_not_be_written_was_not_received(
    sealed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:

        def no(*_: object) -> None:
            raise PermissionError(13, "no")

        patch.setattr(Path, "rename", no)
        assert isinstance(refused(sealed, tmp_path), StorageError)
    assert receive(sealed, tmp_path / "received").letter.case == "C-0001"


def test_age_itself_opens_it(sealed: Path, tmp_path: Path) -> None:
    age = shutil.which("age")
    if age is None:
        pytest.skip("the program age is not installed")
    key = tmp_path / "south" / "keys" / "hub.age"
    done = run([age, "-d", "-i", key, "-o", tmp_path / "out.zip", sealed], timeout_s=30)
    assert done.exit_code == 0, done.errors
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert sorted(archive.namelist()) == [SHEET, LETTER, GCODE]


def test_a_full_disk_is_no_forgery(
    sealed: Path, case: Case, tmp_path: Path, enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("No space left on device (os error 28)")

    with monkeypatch.context() as patch:
        patch.setattr(pyrage, "decrypt_file", full)
        assert isinstance(refused(sealed, tmp_path), StorageError)
        patch.setattr(pyrage, "encrypt_file", full)
        enter("north")
        with pytest.raises(StorageError):
            seal_case(case, "south", tmp_path / "other")
    assert list((tmp_path / "other").iterdir()) == []


# --- what must not be opened -------------------------------------------------------------


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_a_flipped_byte_anywhere(sealed: Path, tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(sealed.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    bad = tmp_path / "bad.age"
    bad.write_bytes(content)
    assert isinstance(refused(bad, tmp_path), EvidenceError)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_truncated_file(sealed: Path, tmp_path: Path, share: float) -> None:
    content = sealed.read_bytes()
    bad = tmp_path / "bad.age"
    bad.write_bytes(content[: int(share * len(content))])
    assert isinstance(refused(bad, tmp_path), EvidenceError)


def test_more_behind_the_end(sealed: Path, tmp_path: Path) -> None:
    sealed.write_bytes(sealed.read_bytes() + b"x")
    assert isinstance(refused(sealed, tmp_path), EvidenceError)


def test_the_wrong_receiver(sealed: Path, tmp_path: Path, enter: Enter) -> None:
    enter("north")
    assert "this hub's key" in refused(sealed, tmp_path).found


class Forgery:
    """A parcel taken apart at south, to be put together in another way."""

    def __init__(self, sealed: Path) -> None:
        self.keys = own_keys()
        plain = pyrage.decrypt(sealed.read_bytes(), [self.keys.identity])
        with zipfile.ZipFile(io.BytesIO(plain)) as archive:
            self.files = {name: archive.read(name) for name in archive.namelist()}
        self.path = sealed.with_name("forged.age")
        self.letter = json.loads(Envelope.from_dict(json.loads(self.files[LETTER])).payload)

    def sign(self, keys: HubKeys, **other: Any) -> None:
        envelope = Envelope(json.dumps(self.letter | other).encode(), parcels.PAYLOAD_TYPE, {})
        envelope.sign(keys.signer)
        self.files[LETTER] = json.dumps(envelope.to_dict()).encode()

    def send(self, *more: tuple[str, bytes], way: int = zipfile.ZIP_DEFLATED) -> Path:
        plain = io.BytesIO()
        with zipfile.ZipFile(plain, "w", way) as archive:
            for name, content in [*self.files.items(), *more]:
                archive.writestr(name, content)
        return self.send_bytes(plain.getvalue())

    def send_bytes(self, plain: bytes) -> Path:
        recipient = pyrage.x25519.Recipient.from_str(self.keys.recipient)
        self.path.write_bytes(pyrage.encrypt(plain, [recipient]))
        return self.path


@pytest.fixture
def forgery(sealed: Path) -> Forgery:
    return Forgery(sealed)


@pytest.fixture
def north(enter: Enter) -> HubKeys:
    enter("north")
    keys = own_keys()
    enter("south")
    return keys


def test_put_together_again_it_is_the_parcel(forgery: Forgery, tmp_path: Path) -> None:
    assert receive(forgery.send(), tmp_path / "received").letter.case == "C-0001"


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_byte_of_any_file_inside(forgery: Forgery, tmp_path: Path, data: st.DataObject) -> None:
    kept = dict(forgery.files)
    name = data.draw(st.sampled_from(sorted(kept)))
    content = bytearray(kept[name])
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] = data.draw(st.integers(0, 255).filter(lambda byte: byte != content[at]))
    forgery.files = kept | {name: bytes(content)}
    path = forgery.send()
    forgery.files = kept
    if name == LETTER and _same_envelope(kept[name], bytes(content)):
        return  # white space of the envelope, or of its base64, is no part of what was signed
    assert isinstance(refused(path, tmp_path), LabkitError)


def _same_envelope(one: bytes, other: bytes) -> bool:
    try:
        return Envelope.from_dict(json.loads(one)) == Envelope.from_dict(json.loads(other))
    except (ValueError, KeyError, TypeError, AttributeError):
        return False


def test_not_signed(forgery: Forgery, tmp_path: Path) -> None:
    envelope = json.loads(forgery.files[LETTER])
    forgery.files[LETTER] = json.dumps(envelope | {"signatures": []}).encode()
    error = refused(forgery.send(), tmp_path)
    assert isinstance(error, EvidenceError) and "not signed" in error.found


def test_signed_by_another_than_it_says(forgery: Forgery, tmp_path: Path) -> None:
    forgery.sign(forgery.keys)
    error = refused(forgery.send(), tmp_path)
    assert isinstance(error, EvidenceError) and "key of north" in error.found


@pytest.mark.parametrize(
    ("other", "kind", "told"),
    [
        ({"from_hub": "west"}, InputError, "west is not known"),
        ({"to_hub": "north"}, EvidenceError, "sealed for north, and this is south"),
        ({"case": "../../etc"}, EvidenceError, "letter cannot be read"),
        ({"attempt": 0}, EvidenceError, "letter cannot be read"),
        ({"more": 1}, EvidenceError, "letter cannot be read"),
        ({"files": {"part.gcode": "0" * 64}}, EvidenceError, "letter cannot be read"),
    ],
)
def test_another_letter_of_a_good_signer(
    forgery: Forgery,
    north: HubKeys,
    tmp_path: Path,
    other: dict[str, Any],
    kind: type[LabkitError],
    told: str,
) -> None:
    forgery.sign(north, **other)
    error = refused(forgery.send(), tmp_path)
    assert isinstance(error, kind) and told in error.found


def test_a_sheet_that_is_none(forgery: Forgery, north: HubKeys, tmp_path: Path) -> None:
    for content, told in ((b"{}", "no sheet"), (b"[" * 10**6, "no sheet")):
        forgery.files[SHEET] = content
        files = forgery.letter["files"] | {SHEET: hashlib.sha256(content).hexdigest()}
        forgery.sign(north, files=files)
        assert told in refused(forgery.send(), tmp_path).found


def test_a_letter_too_deep_to_read(forgery: Forgery, tmp_path: Path) -> None:
    forgery.files[LETTER] = b"[" * 200_000
    assert "letter cannot be read" in refused(forgery.send(), tmp_path).found


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "part.gcode", "a/b", "..\\evil"])
def test_other_names_in_the_archive(forgery: Forgery, tmp_path: Path, name: str) -> None:
    with pytest.warns(UserWarning) if name == "part.gcode" else nullcontext():
        path = forgery.send((name, b"x"))
    assert isinstance(refused(path, tmp_path), EvidenceError)
    del forgery.files[SHEET]
    if name != "part.gcode":
        assert "other files" in refused(forgery.send((name, b"x")), tmp_path).found


def test_a_bomb(forgery: Forgery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forgery.files[LETTER] = b"0" * (50 << 20)
    assert f"larger than {256 << 10} bytes" in refused(forgery.send(), tmp_path).found
    monkeypatch.setitem(parcels.LARGEST_BYTES, GCODE, 10)
    assert "part.gcode is larger" in refused(forgery.send(), tmp_path).found


@pytest.mark.parametrize("way", [zipfile.ZIP_LZMA, zipfile.ZIP_STORED])
def test_another_way_to_pack(forgery: Forgery, tmp_path: Path, way: int) -> None:
    assert isinstance(refused(forgery.send(way=way), tmp_path), EvidenceError)


@pytest.mark.parametrize("plain", [b"", b"x", b"PK\x05\x06" + bytes(18), b"PK\x06\x07" + bytes(38)])
def test_no_archive_in_it(forgery: Forgery, tmp_path: Path, plain: bytes) -> None:
    assert "archive is damaged" in refused(forgery.send_bytes(plain), tmp_path).found


def test_a_large_directory_is_not_read(forgery: Forgery, tmp_path: Path) -> None:
    many = [(f"f{number}", b"") for number in range(5000)]
    assert "archive is damaged" in refused(forgery.send(*many), tmp_path).found


def test_a_sender_that_is_paused(sealed: Path, tmp_path: Path) -> None:
    change("pause", "north", known_hubs(), by="qa", reason="keys lost")
    error = refused(sealed, tmp_path)
    assert isinstance(error, InputError) and "keys lost" in error.found


def test_a_place_that_is_there_and_a_file_that_is_not(sealed: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there already"):
        receive(sealed, tmp_path)
    with pytest.raises(InputError, match="no such file"):
        receive(tmp_path / "none.age", tmp_path / "received")


# --- what must not be sealed -------------------------------------------------------------


def test_nothing_is_sealed_for_a_hub_that_may_not_print(
    case: Case, tmp_path: Path, enter: Enter
) -> None:
    out = tmp_path / "outbox"
    for to, told in (("north", "is this hub"), ("west", "no hub")):
        with pytest.raises(InputError, match=told):
            seal_case(case, to, out)
    with pytest.raises(InputError, match="not qualified for the procedure guide"):
        seal_case(case, "south", out, procedure="guide")
    change("pause", "south", known_hubs(), by="qa", reason="water")
    with pytest.raises(InputError, match="water"):
        seal_case(case, "south", out)
    change("pause", "north", known_hubs(), by="qa", reason="water")
    with pytest.raises(InputError, match="north may not send"):
        seal_case(case, "south", out)
    assert not out.exists()


def test_another_legal_entity_needs_more(case: Case, tmp_path: Path, enter: Enter) -> None:
    home = enter("north")
    hubs = known_hubs()
    told = {name: hub.model_dump(mode="json", exclude_none=True) for name, hub in hubs.items()}
    told["south"]["legal_entity"] = "South Trust"
    told["south"]["printers"] = [printer("bench-1")]
    write_hubs(home, **told)
    change("onboard", "south", known_hubs(), by="qa", reason="another trust")
    with pytest.raises(InputError, match=r"Art\. 5\(5\)"):
        seal_case(case, "south", tmp_path / "outbox", consent="the board")
    path = seal_case(
        case, "south", tmp_path / "outbox", pathway="no device", consent="head, 2026-01-02"
    )
    enter("south")
    letter = receive(path, tmp_path / "received").letter
    assert letter.transfer == "no device: head, 2026-01-02"


def test_what_is_no_practice_was_approved(
    tmp_path: Path, order: Order, case: Case, enter: Enter
) -> None:
    real = Case.create(tmp_path / "real", order.model_copy(update={"practice": False}))
    fill(real)
    with pytest.raises(ApprovalError):
        seal_case(real, "south", tmp_path / "outbox")
    digest = sheet_of(real).sha256
    path = seal_case(real, "south", tmp_path / "outbox", approved_by="QA-2", approved_sha256=digest)
    enter("south")
    assert receive(path, tmp_path / "received").letter.approval == f"approved by QA-2: {digest}"


def test_gcode_that_is_not_the_one_of_its_record(case: Case, tmp_path: Path) -> None:
    gcode = case.product("04_slicing", "part.gcode")
    sheet = sheet_of(case)
    gcode.write_text("M0\n")
    with pytest.raises(EvidenceError, match="not the one in its record"):
        seal_case(case, "south", tmp_path / "outbox")
    letter = parcels.Letter(
        case="C-1", attempt=1, practice=True, from_hub="north", to_hub="south", approval="x"
    )
    south, keys = known_hubs()["south"], own_keys()
    with pytest.raises(EvidenceError, match="not the one of its sheet"):
        parcels.seal(gcode, sheet, letter, to=south, keys=keys, folder=tmp_path)
    fill(case, layers="many")
    with pytest.raises(CaseError, match="layers"):
        sheet_of(case)


def test_commands(
    case: Case, tmp_path: Path, enter: Enter, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(*words: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main(["hubs", *map(str, words)])
        said = capsys.readouterr()
        return int(left.value.code or 0), said.out, said.err

    out = tmp_path / "outbox"
    code, told, _ = command("seal", case.root, "--to", "south", "--out", out, "--json")
    path = Path(json.loads(told)["parcel"])
    assert code == 0 and path.is_file()
    assert "only south" in command("seal", case.root, "--to", "south", "--out", out)[1]
    enter("south")
    code, told, _ = command("open", path, "--to", tmp_path / "received")
    assert code == 0 and "C-0001, attempt 1, from north" in told
    code, told, _ = command("open", path, "--to", tmp_path / "again", "--json")
    assert code == 2 and json.loads(told)["error"]["type"] == "InputError"
    path.write_bytes(path.read_bytes()[:-1])
    assert command("open", path, "--to", tmp_path / "again")[0] == 4
