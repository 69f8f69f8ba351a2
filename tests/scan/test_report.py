import json
from pathlib import Path

import pydicom
import pytest

from labkit.scan import choose, discover, protocol_named, report_of
from tests.conftest import SAMPLE


@pytest.fixture(autouse=True)
def _home(lab_home: Path) -> None:
    """Each test has its own lab."""


def test_it_holds_all_that_was_found_and_no_uid_of_the_source() -> None:
    found, protocol = discover(SAMPLE), protocol_named("bone_model")
    chosen = choose(found.series)
    told = report_of(found, chosen, protocol)
    text = json.dumps(told)
    assert told["protocol"]["sha256"] == protocol.sha256
    assert [row["verdict"] for row in told["series"]] == ["pass", "refused"]
    assert told["chosen"] == chosen.key
    assert told["facts"]["kernel"] == "BINOMIAL"
    assert json.loads(text)["geometry"]["shape"] == [104, 200, 256]
    source = pydicom.dcmread(next(SAMPLE.glob("*.dcm")), stop_before_pixels=True)
    uids = {str(e.value) for e in source if e.VR == "UI" and e.keyword != "SOPClassUID"}
    assert len(uids) > 3
    assert not [uid for uid in uids if uid in text]
    assert str(source.PatientID) not in text
    assert chosen.facts.patient
    assert chosen.facts.patient not in text


def test_the_images_stand_in_the_order_of_the_stack() -> None:
    found = discover(SAMPLE)
    chosen = choose(found.series)
    images = report_of(found, chosen, protocol_named("any"))["images"]
    again = report_of(discover(SAMPLE), chosen, protocol_named("any"))["images"]
    assert len({image["sop_instance_uid"] for image in images}) == 104
    assert images == again
