from pathlib import Path

import numpy as np
import pandas as pd

from digits.core.params import load_params
from digits.core.snapshots import Snapshot
from digits.plot.units import Judged, judge, save_units
from tests import tiny


def test_there_is_a_row_for_each_unit_at_each_step(workspace: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    weights = random.normal(size=(8, 8, 3)).astype(np.float32)
    weights[..., 0] = np.add(*np.indices((8, 8)))  # a slope, whose neighbours are alike
    snapshot = Snapshot(5, weights, np.array([0, 0, -1e6], np.float32))
    judged = judge(snapshot, tiny.examples(20, size=(8, 8)), load_params(workspace).plot)
    assert judged.verdicts == ["", "noise", "dead"]
    nothing = Judged(judged.units, [""] * 3)
    save_units({5: judged, 10: nothing}, tmp_path / "units.csv")
    table = pd.read_csv(tmp_path / "units.csv", keep_default_na=False)
    assert table["step"].tolist() == [5, 5, 5, 10, 10, 10]
    assert table["verdict"].tolist() == judged.verdicts + nothing.verdicts
