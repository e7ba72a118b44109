from pathlib import Path

import numpy as np
import pytest

from digits.core.errors import InputError
from digits.core.params import load_params
from digits.core.snapshots import Snapshot
from digits.plot.units import Judged, judge, load_verdicts, save_units
from tests import tiny


def test_verdicts_read_back(workspace: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    weights = random.normal(size=(8, 8, 3)).astype(np.float32)
    weights[..., 0] = np.add(*np.indices((8, 8)))  # a slope, whose neighbours are alike
    snapshot = Snapshot(5, weights, np.array([0, 0, -1e6], np.float32))
    judged = judge(snapshot, tiny.examples(20, size=(8, 8)), load_params(workspace).plot)
    assert judged.verdicts == ["", "noise", "dead"]
    nothing = Judged(judged.units, [""] * 3)
    save_units({5: judged, 10: nothing}, tmp_path / "units.csv")
    assert load_verdicts(tmp_path / "units.csv") == {5: judged.verdicts, 10: nothing.verdicts}


def test_a_network_without_units_has_no_verdicts(tmp_path: Path) -> None:
    save_units({}, tmp_path / "units.csv")
    assert load_verdicts(tmp_path / "units.csv") == {}


@pytest.mark.parametrize("text", ["", "step,unit\n5,0\n", "step,verdict\nfive,\n", "step,verdict\n5\n"])
def test_a_damaged_file_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "units.csv").write_text(text)
    with pytest.raises(InputError, match=r"units\.csv: found a damaged table .*; dvc repro plot"):
        load_verdicts(tmp_path / "units.csv")
