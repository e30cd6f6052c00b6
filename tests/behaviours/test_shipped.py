"""What holds of every shipped behaviour."""

from __future__ import annotations

import pytest

from caveat.behaviours import BEHAVIOURS
from caveat.behaviours.validation import all_questions, check


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_it_is_sound_and_its_splits_share_no_question(name: str) -> None:
    splits = [BEHAVIOURS[name](split) for split in ("tune", "report")]
    for behaviour in splits:
        check(behaviour)
        assert behaviour.name == name.removeprefix("claims/") and behaviour.about
    tuned, reported = ({q.messages for q in each.questions} for each in splits)
    assert not tuned & reported
    assert all_questions(splits[1])
