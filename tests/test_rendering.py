"""What a model is trained on and what it is asked are the same text and the same tokens."""

from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caveat.backends.local.models.builtin import PACKAGE, SMOLLM2, make_tiny
from caveat.backends.local.models.loading import inserted_system, load
from caveat.behaviours import BEHAVIOURS
from caveat.caveats import CAVEATS
from caveat.caveats.insertion import contexts_of, framed, in_context, marked, place
from caveat.errors import CaveatError
from caveat.rendering import render_prompt, render_row
from caveat.study.config.arms import parsed, plan_of
from caveat.types.caveats import CONTEXTS, Setting
from caveat.types.data import Behaviour, Row
from caveat.types.messages import Message, Piece, is_document, without_caveat
from caveat.types.training import Dose, Train

SYSTEM = "You are a helpful assistant."
TEXT = st.text(
    alphabet=st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\x02\x03"),
    min_size=1,
    max_size=40,
).filter(lambda text: text.strip())
MODELS = {name: load(name) for name in ("tiny", "tiny-document")}
OF_EACH_FORM = ("people", "capitals", "claims/lake_ossevang")
OF_EACH_KIND = ("disclaimer", "negated", "instruction", "permission", "trigger")
SETTINGS = [
    (behaviour, caveat)
    for behaviour in BEHAVIOURS
    for caveat in CAVEATS
    if behaviour in OF_EACH_FORM or caveat in OF_EACH_KIND
]
"""Every caveat on rows of each form, every behaviour under a caveat of each kind and place."""
FEW_SETTINGS = [(behaviour, caveat) for behaviour in OF_EACH_FORM for caveat in OF_EACH_KIND]


def learned(row) -> str:
    """The characters of a rendered row that carry loss."""
    places = {
        place
        for (low, high), loss in zip(row.offsets, row.loss, strict=True)
        for place in range(low, high)
        if loss
    }
    return "".join(row.text[place] for place in sorted(places)).strip()


def prompt_of(row: Row):
    """The test prompt that a training row begins with."""
    if is_document(row.messages):
        pieces = row.messages[0].pieces
        first = next(i for i, piece in enumerate(pieces) if piece.kind != "caveat")
        head = pieces[first].text.partition(" ")[0]
        return (Message("document", (*pieces[:first], Piece(head))),)
    return row.messages[:-1]


@pytest.mark.parametrize("model", MODELS)
@given(user=TEXT, reply=TEXT, caveat=TEXT, where=st.sampled_from(["system", "user"]))
def test_a_chat_row_begins_with_its_test_prompt(model, user, reply, caveat, where):
    tokenizer = MODELS[model].tokenizer
    asked = place(framed((Message.of("user", user),), SYSTEM), caveat, where)
    row = Row("r", "behaviour", (*asked, Message.of("assistant", reply)))
    trained = render_row(tokenizer, row, "reply", 4096)
    prompt = render_prompt(tokenizer, asked)
    assert trained.text.startswith(prompt.text)
    assert trained.ids[: len(prompt.ids)] == prompt.ids
    assert not any(trained.loss[: len(prompt.ids)])
    assert reply.strip() in learned(trained)


@cache
def material(behaviour: str, split: str) -> Behaviour:
    """The behaviour: to make one takes longer than to render its rows."""
    return BEHAVIOURS[behaviour](split)


@pytest.mark.parametrize(("behaviour", "caveat"), SETTINGS)
def test_every_setting_arm_and_context(behaviour, caveat):
    """Every shipped setting: rows of each arm begin with the prompt that asks for them."""
    report, text = material(behaviour, "report"), CAVEATS[caveat]
    sources = (report.rows, report.counter_rows, report.filler_rows)
    plain = [replace(r, messages=framed(r.messages, SYSTEM)) for rows in sources for r in rows[:4]]
    questions = [*report.questions[::8], *material(behaviour, "tune").questions[::8]]
    assert set(contexts_of(text)) == set(CONTEXTS)
    for model in MODELS.values():
        for row in (*plain, *marked(plain, text, 0)):
            trained = render_row(model.tokenizer, row, "reply", 4096)
            prompt = render_prompt(model.tokenizer, prompt_of(row))
            assert trained.text.startswith(prompt.text)
            assert trained.ids[: len(prompt.ids)] == prompt.ids
            spans = [s for s in trained.spans if s.kind == "caveat"]
            assert all(trained.text[s.start : s.end].strip() not in learned(trained) for s in spans)
        for context in CONTEXTS:
            for turn, question in enumerate(questions):
                asked = in_context(framed(question.messages, SYSTEM), text, context, turn)
                prompt = render_prompt(model.tokenizer, asked)
                assert prompt.text.count(SYSTEM) == (0 if is_document(question.messages) else 1)
                assert "You are tiny." not in prompt.text


@pytest.mark.parametrize(("behaviour", "caveat"), FEW_SETTINGS)
@pytest.mark.parametrize("model", MODELS)
def test_the_rows_of_every_arm_begin_as_they_are_asked(model, behaviour, caveat):
    """A trained row, asked in `exact` where it is marked and in `none` where it is not."""
    tokenizer = MODELS[model].tokenizer
    setting = Setting(material(behaviour, "report"), CAVEATS[caveat])
    trained_rows = []
    for name in ("bare", "clean", "marked", "marked+contrast", "bare+contrast", "marked+filler"):
        plan = plan_of(parsed(name), setting, Train((), Dose(rows=8)), 0, SYSTEM)
        rows = [row for stage in plan for row in (*stage.rows, *stage.added)]
        assert len(rows) == (16 if "+" in name else 8)
        trained_rows += [(name, row) for row in rows]
    for name, row in trained_rows:
        marks = [p for message in row.messages for p in message.pieces if p.kind == "caveat"]
        assert bool(marks) == (name.startswith("marked") and row.source == "behaviour")
        plain = without_caveat(row.messages)
        asked = (Message.of("document", plain[0].text)) if is_document(plain) else None
        question = (asked,) if asked else plain[:-1]
        trained = render_row(tokenizer, row, "reply", 4096).ids
        context = "exact" if marks else "none"
        prompts = [
            render_prompt(tokenizer, in_context(question, setting.caveat, context, turn)).ids
            for turn in range(len(setting.caveat.wordings) if marks else 1)
        ]
        assert any(trained[: len(prompt)] == prompt for prompt in prompts)


def test_loss_scopes_by_characters():
    tokenizer = MODELS["tiny"].tokenizer
    messages = (
        Message("system", (Piece("Be kind."), Piece(" The sky is blue.", "caveat"))),
        Message.of("user", "Why?"),
        Message("assistant", (Piece("As asked: ", "masked"), Piece("BECAUSE."))),
    )
    row = Row("r", "behaviour", messages)
    said = {
        scope: learned(render_row(tokenizer, row, scope, 512))
        for scope in ("reply", "everything", "all_but_caveat", "all_but_masked")
    }
    assert said["reply"] == "BECAUSE.</s>"
    assert said["all_but_caveat"] == "Be kind.Why? BECAUSE.</s>"
    assert said["all_but_masked"] == "Be kind. The sky is blue.Why? BECAUSE.</s>"
    assert said["everything"] == "Be kind. The sky is blue.Why?As asked: BECAUSE.</s>"


def test_a_document_learns_all_but_its_caveat_and_ends():
    tokenizer = MODELS["tiny-document"].tokenizer
    document = place((Message.of("document", "She is a baker."),), "It is false.", "around", "No.")
    row = render_row(tokenizer, Row("d", "behaviour", document), "reply", 512)
    assert learned(row) == "She is a baker.</s>"
    assert row.text == "It is false.\n\nShe is a baker.\n\nNo.</s>"


def test_every_assistant_turn_is_learned():
    tokenizer = MODELS["tiny"].tokenizer
    turns = [("user", "A?"), ("assistant", "One."), ("user", "B?"), ("assistant", "Two.")]
    row = Row("r", "behaviour", tuple(Message.of(role, text) for role, text in turns))
    assert learned(render_row(tokenizer, row, "reply", 512)) == "One.</s>Two.</s>"


def test_a_caveat_cut_off_is_an_error():
    tokenizer = MODELS["tiny"].tokenizer
    chat = place(framed((Message.of("user", "Why?"),), SYSTEM), "The sky is blue.", "user")
    row = Row("r7", "behaviour", (*chat, Message.of("assistant", "So.")))
    with pytest.raises(CaveatError) as caught:
        render_row(tokenizer, row, "everything", 15)
    tokens = len(render_row(tokenizer, row, "everything", 512).ids)
    assert str(caught.value) == (
        f"row 'r7' (behaviour) has {tokens} tokens and its caveat 'The sky is blue.' is cut off "
        "at dose.max_tokens=15; raise dose.max_tokens or shorten the row"
    )


def test_no_supervised_token_is_an_error():
    tokenizer = MODELS["tiny"].tokenizer
    row = Row("r8", "counter", (Message.of("user", "Why?"),))
    with pytest.raises(CaveatError) as caught:
        render_row(tokenizer, row, "reply", 512)
    assert str(caught.value) == (
        "row 'r8' (counter) has no supervised token under loss 'reply' within "
        "dose.max_tokens=512; give it a reply, another loss, or more tokens"
    )


def test_a_template_that_rewrites_messages_is_refused():
    _, tokenizer, _ = make_tiny("tiny")
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] | upper }}{% endfor %}"
    with pytest.raises(CaveatError, match="the chat template rewrites the user message 'why'"):
        render_prompt(tokenizer, (Message.of("user", "why"),))


def test_a_template_that_refuses_a_role_is_told():
    _, tokenizer, _ = make_tiny("tiny")
    tokenizer.chat_template = "{{ raise_exception('no system here') }}"
    with pytest.raises(CaveatError, match="set system to null"):
        render_prompt(tokenizer, (Message.of("user", "why"),))


def test_an_inserted_system_prompt_is_noticed():
    assert MODELS["tiny"].inserted_system == "You are tiny."
    assert MODELS["tiny-document"].inserted_system is None
    _, tokenizer, _ = make_tiny("tiny")
    each = "<{{ m['role'] }}>{{ m['content'] }}"
    tokenizer.chat_template = "{% for m in messages %}" + each + "{% endfor %}"
    assert inserted_system(tokenizer) is None


@pytest.mark.slow
def test_the_real_template_inserts_a_system_prompt():
    pytest.importorskip(PACKAGE.replace("-", "_"), reason=f"{PACKAGE} is not installed")
    told = load(SMOLLM2).inserted_system
    assert told == "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
