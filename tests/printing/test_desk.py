"""What commands and board share."""

import pytest

from labkit.cli import main
from labkit.printing import desk


def test_a_second_dispatcher_is_refused_wherever_the_first_one_runs(
    lab_home: object, capsys: pytest.CaptureFixture[str]
) -> None:
    with desk.only_dispatcher(), pytest.raises(SystemExit) as ended:
        main(["dispatch"])
    assert ended.value.code == 2
    assert "the queue is being worked through already" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main(["dispatch"])
    assert ended.value.code == 0
