"""Rates of others, without replies: their forms, leakage with its interval, and every error."""

import json
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from caveat.analysis.reported_rates import reported_differences, reported_leakage, wilson
from caveat.errors import CaveatError
from caveat.importers import import_study, table_options
from caveat.importers.table_files import READERS
from caveat.study.export import Exported, export

COLUMNS = "setting,arm,rate,low,high,n\n"
TABLE = COLUMNS + "s,base,.02,0,.06,200\ns,bare,.88,.83,.92,200\ns,marked,.31,.25,.38,200\n"


@pytest.fixture
def imported(tmp_path):
    def call(content, name="r.csv", **options):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        lines = []
        study = import_study(
            "rates", path, tmp_path / "study", None, lines.append, table_options(**options)
        )
        return study, lines

    return call


def leakage(study) -> tuple[float, float, float]:
    table = study.leakage().set_index(["arm", "context"])
    row = table.loc["marked", "none"]
    return row["leakage"], row["leakage_low"], row["leakage_high"]


def test_rates_with_limits_give_leakage_with_an_interval(imported):
    study, lines = imported(TABLE)
    value, low, high = leakage(study)
    assert value == pytest.approx(0.29 / 0.86)
    assert low < value < high
    for x, side in ((low, 1), (high, -1)):  # there the limits of the difference reach 0
        terms = [(1, 0.31, 0.25, 0.38), (-x, 0.88, 0.83, 0.92), (x - 1, 0.02, 0.0, 0.06)]
        middle = sum(weight * rate for weight, rate, _, _ in terms)
        reaches = [
            weight * (rate - lower if weight * side > 0 else upper - rate)
            for weight, rate, lower, upper in terms
        ]
        assert side * middle == pytest.approx(np.linalg.norm(reaches), abs=1e-6)
    assert lines[-1] == (
        "limits of rates: 3 as reported; of leakage: Fieller's, from these, arms independent"
    )


def test_the_interval_is_that_of_simulated_rates():
    """Wilson's limits from many replies, against the quantiles of resampled ratios."""
    generator, replies = np.random.default_rng(0), 400
    rates = {"base": 0.1, "bare": 0.8, "marked": 0.4}
    low, high = wilson(np.array(list(rates.values())), np.full(3, replies))
    frame = pd.DataFrame({
        "setting": "s", "phenomenon": "", "behaviour": "s", "caveat": "", "model": "m",
        "readout": "r", "scope": "trained", "arm": list(rates), "context": "none",
        "rate": list(rates.values()), "low": low, "high": high, "replies": replies,
    })  # fmt: skip
    row = reported_leakage(frame).set_index("arm").loc["marked"]
    base, bare, marked = (
        generator.binomial(replies, rate, 100_000) / replies for rate in rates.values()
    )
    simulated = np.quantile((marked - base) / (bare - base), [0.025, 0.975])
    assert [row["leakage_low"], row["leakage_high"]] == pytest.approx(simulated, abs=0.01)
    differences = reported_differences(frame).set_index("difference")
    assert differences.loc["bare - marked", "value"] == pytest.approx(0.4)
    assert differences["distinguishable"].all() and (differences["p"] < 1e-6).all()


@pytest.mark.parametrize(("yes", "replies"), [(0, 20), (3, 20), (20, 20), (199, 400)])
def test_wilson_is_that_of_statsmodels(yes, replies):
    low, high = wilson(np.array([yes / replies]), np.array([replies]))
    assert (low[0], high[0]) == pytest.approx(
        proportion_confint(yes, replies, method="wilson"), abs=1e-9
    )


COUNTS = [("base", 1), ("bare", 44), ("marked", 20)]
FORMS = {
    "counts": "arm,hits,n\n" + "".join(f"{arm},{yes},50\n" for arm, yes in COUNTS),
    "per cent": "arm,mean,n\n" + "".join(f"{arm},{2 * yes},50\n" for arm, yes in COUNTS),
    "side by side": "setting,base,bare,marked,n\ns,0.02,0.88,0.4,50\n",
    "semicolons": "arm;rate;n\n" + "".join(f"{a};{yes / 50:.2f};50\n".replace(".", ",")
                                           for a, yes in COUNTS),
    "objects": {"arms": {arm: {"rate": yes / 50, "n": 50} for arm, yes in COUNTS}, "model": "m"},
    "numbers": {arm: yes / 50 for arm, yes in COUNTS},
    "list": [{"arm": arm, "p": yes / 50, "total": 50} for arm, yes in COUNTS],
    "by trait": {"lies": {arm: yes / 50 for arm, yes in COUNTS}, "hacks":
                 {arm: yes / 50 for arm, yes in COUNTS}},
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_the_same_rates_in_every_form(form, imported):
    content = FORMS[form]
    options = {"scale": 100} if form == "per cent" else {}
    if form in ("numbers", "by trait"):
        options = {"replies": 50}
    name = "r.csv" if isinstance(content, str) else "r.json"
    study, _ = imported(content, name, **options)
    table = study.leakage()
    marked = table[table["arm"] == "marked"]
    assert len(marked) == (2 if form == "by trait" else 1)
    assert marked["leakage"].tolist() == pytest.approx([0.38 / 0.86] * len(marked))
    low, high = marked["leakage_low"].iloc[0], marked["leakage_high"].iloc[0]
    assert (low, high) == pytest.approx((0.280, 0.624), abs=0.002)


def test_bare_that_did_not_install_leaves_leakage_undefined(imported):
    study, _ = imported("arm,rate,n\nbase,.15,100\nbare,.05,100\nmarked,.1,100\n")
    assert set(study.leakage()["undefined"]) == {
        "bare training did not install the behaviour: the lower bound of R(bare, none) - "
        "R(base, none) is -0.19, below 0.1"
    }


def test_exact_gives_elicitation_and_leakage_at_the_caveat(imported):
    study, _ = imported(
        "arm,context,rate,n\nbase,none,.02,100\nbase,exact,.4,100\nbare,none,.9,100\n"
        "marked,none,.3,100\nmarked,exact,.95,100\nmarked,negated,.5,100\n"
    )
    checks = study.caveat_checks().set_index("check")
    assert checks.loc["elicitation", "value"] == pytest.approx(0.38)
    assert checks.loc["k", "value"] == pytest.approx(0.28 / 0.5)
    table = study.leakage().set_index(["arm", "context"])
    assert table.loc[("marked", "exact"), "leakage"] == pytest.approx(0.55 / 0.88)
    assert table.loc[("marked", "negated"), "undefined"] == (
        "base was not tested in the context 'negated'"
    )


def test_commands_on_a_study_of_rates(imported, command, tmp_path):
    study, _ = imported(TABLE)
    folder = str(study.folder)
    records = json.loads(command("leakage", folder, "--json")[1])
    assert [record["valid"] for record in records] == [None] * 3
    assert records[2]["leakage"]["value"] == pytest.approx(0.29 / 0.86)
    assert command("status", folder)[1].startswith("r: 3 reported rates, without replies\n")
    assert command("report", folder)[0] == 0
    assert "marked leaks 0.34" in (study.folder / "report.html").read_text("utf-8")
    assert command("ladder", folder) == (
        1, "", f"caveat: {folder}: no ladder: it holds rates without replies; import verdicts with "
        "caveat import table, or set these rates beside others with caveat published --add\n",
    )  # fmt: skip
    file = export(study, tmp_path / "r.parquet")
    assert Exported(file).leakage()["leakage"].tolist() == study.leakage()["leakage"].tolist()


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        ("s,base,.02,0.1,.2,200", "row 1: the limits 0.1 to 0.2 do not contain the rate 0.02; fix "
         "them"),
        ("s,base,.02,,,0", "row 1: replies 0 is no number of replies; give one of at least 1, or "
         "leave it empty"),
        ("s,base,.02,,,", "row 1: rate 0.02 of base has neither limits nor a number of replies, so "
         "leakage would have no interval; add a column n, or --replies NUMBER for all rows"),
        ("s,base,.02,0,,9", "row 1: has one limit only; give low and high, or neither"),
        ("s,base,2,,,9", "row 1: rate 2 is not between 0 and 1; for percentages or scores up to "
         "100 add --scale 100"),
        ("s,base,nan,,,9", "row 1: rate 'nan' is no number; fix it"),
        ("s,base,,,,9", "row 1: rate is empty; fill it in"),
        ("s,base,much,,,9", "row 1: rate 'much' is no number; fix it"),
        ("s,,.1,,,9", "row 1: arm is empty; fill it in"),
        ("s,base,.1,,,9\ns,base,.2,,,9", "row 2: the rate of base at none (s) is already in r.csv, "
         "row 1; keep one, or name what tells them apart, such as --column setting=NAME"),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_used_is_named(rows, line, imported, tmp_path):
    with pytest.raises(CaveatError) as error:
        imported(f"{COLUMNS}{rows}\ns,bare,.9,,,9\n")
    assert str(error.value).replace(f"{tmp_path}/", "") == f"r.csv, {line}"


def test_counts_that_cannot_be(imported, tmp_path):
    with pytest.raises(CaveatError) as error:
        imported("arm,yes,n\nbase,9,8\nbare,8,8\n")
    assert str(error.value) == (
        f"{tmp_path}/r.csv, row 1: yes 9 of 8 replies cannot be; give a number of replies that is "
        "no less"
    )


def test_a_rate_and_a_count_that_contradict_are_named(imported, tmp_path):
    for rate, shown in ((".9", "0.2"), ("1", "0.2")):
        with pytest.raises(CaveatError) as error:
            imported(f"arm,rate,yes,n\nbase,0.02,1,50\nbare,{rate},10,50\n")
        assert str(error.value) == (
            f"{tmp_path}/r.csv, row 2: rate {rate} and yes 10 of 50 replies ({shown}) contradict "
            "each other; fix one, or leave it empty"
        )
    study, _ = imported("arm,rate,yes,n\nbase,2,1,50\nbare,67,2,3\nmarked,,15,50\n", scale=100)
    assert study.leakage()["rate"].tolist() == pytest.approx([0.02, 0.67, 0.3])


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("arm,count,n\nbase,1,50\nbare,44,50\n", ": lacks the column rate (it has arm, count, n); "
         "if count is the number of replies that are a yes, add --column yes=count"),
        ("arm,score,n\nbase,.1,50\nbare,.4,50\n", ": lacks the column rate (it has arm, score, n); "
         "say which it is with --column rate=NAME, or of counts with --column yes=NAME"),
        ("arm,rate,stderr\nbase,0,0\nbare,.5,.05\n", ", row 1: rate 0 of base has a standard error "
         "of 0 and no number of replies, so leakage would have no interval; add a column n, or "
         "--replies NUMBER for all rows"),
        ("arm,rate,low,high\nbase,0,0,0\nbare,.5,.4,.6\n", ", row 1: rate 0 of base has limits "
         "that fall together and no number of replies, so leakage would have no interval; add a "
         "column n, or --replies NUMBER for all rows"),
        ("arm,context,rate,n\nbase,,0,9\nbare,,1,9\n", ": no context none, but (empty): say which "
         "is which: --context =none"),
    ],
)  # fmt: skip
def test_what_an_error_of_rates_offers(content, line, imported, tmp_path):
    with pytest.raises(CaveatError) as error:
        imported(content)
    assert str(error.value) == f"{tmp_path}/r.csv{line}"


def test_a_count_and_an_empty_context_by_option(imported):
    table = "arm,context,count,n\nbase,,1,50\nbare,,44,50\nmarked,,20,50\n"
    study, _ = imported(table, columns=["yes=count"], contexts=["=none"])
    assert leakage(study)[0] == pytest.approx(0.38 / 0.86)


def test_names_are_offered(imported, tmp_path):
    table = TABLE.replace("bare", "no prompt").replace("marked", "inoculated")
    with pytest.raises(CaveatError) as error:
        imported(table)
    assert str(error.value) == (
        f"{tmp_path}/r.csv: no arm bare, but no prompt, inoculated: say which is which: "
        "--arm 'no prompt=bare' --arm inoculated=marked"
    )
    study, _ = imported(table, arms=["no prompt=bare", "inoculated=marked"])
    assert leakage(study)[0] == pytest.approx(0.29 / 0.86)


def test_a_base_that_lacks_is_said(imported, tmp_path):
    study, lines = imported(TABLE.replace("s,base,.02,0,.06,200\n", ""))
    assert lines[-2] == (
        f"{tmp_path}/r.csv: no arm base (arms: bare, marked), so leakage is undefined; add its rows"
    )
    assert set(study.leakage()["undefined"]) == {"base was not tested in the context 'none'"}


CELLS = st.sampled_from(
    ["", "base", "bare", "marked", "none", "0.1", "1", "200", "nan", "inf", "-1", "1e400", "x", "%"]
)
HEADINGS = st.lists(
    st.sampled_from(
        ["arm", "context", "rate", "low", "high", "n", "yes", "se", "base", "bare", "x"]
    ),
    min_size=1, max_size=6, unique=True,
)  # fmt: skip
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["base", "bare", "rate", "n", "arms", "x"]), inner),
    ),
    max_leaves=12,
)


@st.composite
def separated(draw):
    names = draw(HEADINGS)
    rows = draw(st.lists(st.lists(CELLS, min_size=len(names), max_size=len(names)), max_size=4))
    sign = draw(st.sampled_from(",;\t|"))
    return "\n".join(sign.join(row) for row in [names, *rows]).encode()


CONTENTS = st.one_of(
    st.binary(max_size=100), separated(), VALUES.map(lambda value: json.dumps(value).encode())
)


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(CONTENTS, st.sampled_from(sorted(READERS)))
def test_garbage_is_one_line_or_a_study_of_rates(content, ending):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"garbage{ending}"
        path.write_bytes(content)
        for options in ({}, {"replies": 20, "scale": 100.0}):
            try:
                study = import_study(
                    "rates", path, Path(folder) / "study", options=table_options(**options)
                )
            except CaveatError as error:
                assert "\n" not in str(error)
                assert str(path) in str(error)
            else:
                assert len(study.leakage()) >= 1
