"""Forecasts beside what was measured: one row a marked arm of a setting."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pandas as pd

CELL = ["setting", "model", "dose", "arm"]
"""What a forecast and a measured leakage are joined by."""


def forecast_cells(forecasts: Sequence[dict[str, Any]], leakage: pd.DataFrame) -> pd.DataFrame:
    """The forecasts, each with its `place` among them and the `leakage` measured without caveat.

    Leakage is NaN where it is undefined or was not measured; `left_out` then says which, else it is
    "". Where a setting has several readouts or scopes, it is that of scope `trained` with the most
    question clusters. Of a cell that is there twice, in forecasts or in studies, the first counts.

    Args:
        forecasts: Records as `caveat forecast --json` prints them.
        leakage: Rows of `Study.leakage()`, of one study or several.
    """
    table = pd.DataFrame(forecasts)
    named = table.assign(dose=table["dose"].map(_canonical), place=range(len(table)))
    cells = named.drop_duplicates(CELL)
    asked = (leakage["context"] == "none") & leakage["arm"].isin(cells["arm"])
    measured = _main(leakage[asked])
    measured = measured.assign(dose=measured["dose"].map(json.loads).map(_canonical))
    measured = measured.drop_duplicates(CELL)[[*CELL, "leakage", "undefined"]]
    measured = measured.rename(columns={"undefined": "left_out"})
    joined = cells.merge(measured, on=CELL, how="left", indicator=True)
    missing = joined["_merge"] == "left_only"
    undefined = ~missing & joined["leakage"].isna()
    reasons = missing.map({True: "not measured", False: ""}).where(~undefined, "leakage undefined")
    return joined.assign(left_out=reasons).drop(columns="_merge")


def _canonical(dose: dict[str, Any]) -> str:
    return json.dumps(dose, sort_keys=True)


def _main(leakage: pd.DataFrame) -> pd.DataFrame:
    """Of each arm, the readout and scope that stands for its setting: as `main_panels` chooses."""
    order = leakage.assign(
        broad=leakage["scope"] != "trained", fewer=-leakage["clusters"].astype(int)
    ).sort_values(["broad", "fewer", "readout"], kind="stable")
    return order.drop_duplicates(CELL)
