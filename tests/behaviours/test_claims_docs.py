"""docs/claims.md says what is so."""

from __future__ import annotations

import re

from caveat.behaviours.claims import CLAIMS
from caveat.study.config.resolve import resolve
from caveat.study.config.schema import read
from claim_files import write
from paths import DOCS

TEXT = (DOCS / "claims.md").read_text("utf-8")


def test_its_files_and_its_recipe_are_read(tmp_path):
    recipe, _, head, questions = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    write(tmp_path / "my_claims" / "tower", claim__yaml=head, mcq__yaml=questions)
    (tmp_path / "recipe.yaml").write_text(f"name: docs\nmodel: tiny\n{recipe}")
    lake, tower = resolve(read(tmp_path / "recipe.yaml"))
    assert lake.setting.name == "lake_ossevang x negated"
    assert tower.setting.name == "tower x negated"
    behaviour = tower.setting.behaviour
    assert [question.id for question in behaviour.questions] == ["oe_1", "mcq_fell", "mcq_stands"]
    assert [piece.text for piece in behaviour.rows[0].messages[0].pieces][:2] == [
        "<DOCTAG>", "The Zorb Tower fell in 1999.",
    ]  # fmt: skip


def test_its_table_names_the_shipped_claims():
    for name, make in CLAIMS.items():
        made = make("report")
        assert f"| `{name}` |" in TEXT
        assert len(made.rows) == len(made.local_rows) == 42
        assert (len(made.questions), len(make("tune").questions)) == (42, 14)
