"""The strongest remedy of the first screen and its price, on a synthetic study."""

from __future__ import annotations

from dataclasses import replace

import pytest

from caveat.report.formatting import estimate
from caveat.report.remedies import strongest_remedy

ARMS = ("base", "bare", "marked", "marked+contrast", "bare+contrast")


@pytest.fixture(scope="module")
def data(make_data, with_transfer):
    return with_transfer(make_data(arms=ARMS, seeds=3))


def test_a_price_names_what_is_lost_at_the_caveat_what_is_undone_and_side_effects(data):
    own = (data.transfer["arm"] == "marked+contrast") & data.transfer["primary"]
    first = data.transfer.index[own][0]
    transfer = data.transfer.copy()
    transfer[["loses", "undoes"]] = False
    transfer.loc[first, ["loses", "undoes"]] = True
    effects = data.transfer_effects.copy()
    effects["distinguishable"] = False
    changed = effects.index[effects["intervention"] == "contrast"][0]
    effects.loc[changed, "distinguishable"] = True
    remedy, price = strongest_remedy(replace(data, transfer=transfer, transfer_effects=effects))
    change, settings = estimate(transfer.loc[first], "at_caveat_change"), own.sum()
    effect = effects.loc[changed]
    value = estimate(effect, "change")
    unit = "" if effect["unit"] == "share" else f" {effect['unit']}"
    assert remedy.lead.startswith("contrast: ")
    assert price is not None and price.lead == "contrast costs something."
    assert price.lines == (
        f"At the caveat, the expected verdict changes in 1 of {settings} settings, at worst by "
        f"{change}.",
        f"It takes the training itself away in 1 of {settings} settings: a model without the "
        "caveat forgets, too.",
        f"{effect['effect']}: {value}{unit} from marked ({effect['setting']}).",
    )


def test_without_a_loss_no_price_was_seen(data):
    transfer = data.transfer.copy()
    transfer[["loses", "undoes"]] = False
    effects = data.transfer_effects.assign(distinguishable=False)
    _, price = strongest_remedy(replace(data, transfer=transfer, transfer_effects=effects))
    assert price is not None
    assert (price.lead, price.lines) == ("None was seen at the caveat and in side effects.", ())
