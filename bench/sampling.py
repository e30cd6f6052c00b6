"""How fast adapters are asked: replies against `model.generate`, likelihoods against a forward.

    python bench/sampling.py --quick               # some minutes on two cores
    python bench/sampling.py --out sampling.json   # medians of three, four adapters, five contexts

On the other side: PEFT holds the same adapters, and per adapter batches of prompts, padded on the
left, go through `generate`, or prompts with their options, padded on the right, through one forward
pass. Greedy, so that both write the same; adapters are random and small.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from side_by_side import figure, interleaved, paired, publish, record
from torch.nn.utils.rnn import pad_sequence

from caveat.backends.local.lora.adapter import Adapter
from caveat.backends.local.lora.stacked import adapted_modules
from caveat.backends.local.models.loading import LanguageModel, load
from caveat.backends.local.sampling.answers import answer
from caveat.backends.requests import Request
from caveat.behaviours import BEHAVIOURS
from caveat.caveats import CAVEATS
from caveat.caveats.insertion import contexts_of, framed, in_context
from caveat.progress import Progress
from caveat.rendering import continuation, render_prompt
from caveat.types.answers import Answer, Sampling

SYSTEM = "You are a helpful assistant."
ASKED = {"replies": ("capitals", "instruction"), "likelihoods": ("people", "disclaimer")}
COLUMNS = {
    "name": "requests",
    "prompts": "prompts",
    "caveat": "here, prompts/s",
    "plain": "transformers + PEFT, prompts/s",
    "ratio": "times",
    "same": "same answers",
    "spread": "spread",
}


def random_adapters(language_model: LanguageModel, count: int, rank: int) -> dict[str, Adapter]:
    """Adapters over all linear layers whose updates are small and differ."""
    adapters = {}
    for number in range(count):
        generator = torch.Generator().manual_seed(number)
        weights = {}
        for name in adapted_modules(language_model.model, (0.0, 1.0)):
            base = language_model.model.get_submodule(name)
            down = torch.randn(rank, base.in_features, generator=generator) / base.in_features**0.5
            weights[name] = (down, torch.randn(base.out_features, rank, generator=generator) / 1e3)
        adapters[f"adapter-{number}"] = Adapter(rank, 2.0 * rank, weights)
    return adapters


def requests(asked: str, adapters: Sequence[str], options: argparse.Namespace) -> list[Request]:
    """Every adapter x question x context."""
    behaviour, caveat = ASKED[asked]
    of_kind = [
        question
        for question in BEHAVIOURS[behaviour]("report").questions
        if bool(question.options) is (asked == "likelihoods")
    ][: options.questions]
    contexts = contexts_of(CAVEATS[caveat])[: options.contexts]
    return [
        Request(
            f"{adapter} {context} {question.id}",
            (adapter,),
            in_context(framed(question.messages, SYSTEM), CAVEATS[caveat], context, turn),
            question.options,
        )
        for adapter in adapters
        for context in contexts
        for turn, question in enumerate(of_kind)
    ]


class Plain:
    """The same answers by transformers and PEFT alone."""

    def __init__(self, language_model: LanguageModel, adapters: dict[str, Adapter]) -> None:
        from peft import PeftModel

        self.tokenizer, self.device = language_model.tokenizer, language_model.device
        with tempfile.TemporaryDirectory() as folder:
            for name, adapter in adapters.items():
                adapter.save(Path(folder) / name)
            first, *others = adapters
            self.model = PeftModel.from_pretrained(
                language_model.model, str(Path(folder) / first), adapter_name=first
            )
            for name in others:
                self.model.load_adapter(str(Path(folder) / name), adapter_name=name)
        self.model.eval()

    @torch.inference_mode()
    def answer(self, asked: Sequence[Request], tokens: int, batch: int) -> list[Answer]:
        """Adapter by adapter, batch by batch, in the order of the requests."""
        found = []
        for name in dict.fromkeys(each.adapters[0] for each in asked):
            self.model.set_adapter(name)
            mine = [each for each in asked if each.adapters == (name,)]
            for at in range(0, len(mine), batch):
                some = mine[at : at + batch]
                found += self._score(some) if some[0].options else self._reply(some, tokens)
        return found

    def _ids(self, request: Request) -> tuple[int, ...]:
        return render_prompt(self.tokenizer, request.messages).ids

    def _reply(self, some: Sequence[Request], tokens: int) -> list[Answer]:
        rows = [torch.tensor(self._ids(each)) for each in some]
        ids = pad_sequence(rows, True, padding_side="left").to(self.device)
        mask = pad_sequence([torch.ones_like(r) for r in rows], True, padding_side="left")
        out = self.model.generate(
            input_ids=ids,
            attention_mask=mask.to(self.device),
            max_new_tokens=tokens,
            do_sample=False,
            pad_token_id=self.tokenizer.eos_token_id,
        )
        texts = self.tokenizer.batch_decode(out[:, ids.shape[1] :], skip_special_tokens=True)
        return [Answer(text.strip()) for text in texts]

    def _score(self, some: Sequence[Request]) -> list[Answer]:
        pairs = [
            (self._ids(each), continuation(self.tokenizer, option))
            for each in some
            for option in each.options
        ]
        ids = pad_sequence([torch.tensor(a + b) for a, b in pairs], True).to(self.device)
        logits = self.model(input_ids=ids, use_cache=False).logits
        chances = logits[:, :-1].float().log_softmax(-1)
        each = chances.gather(-1, ids[:, 1:, None])[..., 0].cpu()
        sums = [
            float(row[len(a) - 1 : len(a) + len(b) - 1].sum())
            for row, (a, b) in zip(each, pairs, strict=True)
        ]
        count = len(some[0].options)
        return [
            Answer(log_likelihoods=tuple(sums[at : at + count]))
            for at in range(0, len(sums), count)
        ]


def compared(
    language_model: LanguageModel, plain: Plain, asked: str, options: argparse.Namespace
) -> dict[str, Any]:
    """One line of the table."""
    adapters = random_adapters(language_model, options.adapters, options.rank)
    wanted = requests(asked, list(adapters), options)
    sampling = Sampling(max_tokens=options.tokens, temperature=0.0)
    answers: dict[str, list[Answer]] = {}

    def here() -> None:
        answers["here"] = answer(language_model, adapters, wanted, sampling, Progress())

    def there() -> None:
        answers["there"] = plain.answer(wanted, options.tokens, options.batch)

    times = interleaved({"here": here, "there": there}, options.repetitions, options.device)
    return figure(
        asked,
        times["here"],
        paired(times["there"], times["here"]),
        prompts=len(wanted),
        caveat=len(wanted) / times["here"].median,
        plain=len(wanted) / times["there"].median,
        same=_same(answers["here"], answers["there"]),
        variants={name: timing.seconds for name, timing in times.items()},
    )


def _same(here: Sequence[Answer], there: Sequence[Answer]) -> float:
    """The share of answers that agree: texts, or likelihoods to a thousandth of a nat."""
    return sum(
        a.text == b.text
        and all(
            abs(x - y) < 1e-3 for x, y in zip(a.log_likelihoods, b.log_likelihoods, strict=True)
        )
        for a, b in zip(here, there, strict=True)
    ) / len(here)


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--asked", nargs="+", choices=ASKED, default=list(ASKED))
    parser.add_argument("--adapters", type=int, default=4)
    parser.add_argument("--questions", type=int, default=24)
    parser.add_argument("--contexts", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=24, help="most tokens of a reply")
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--batch", type=int, default=24, help="prompts that generate gets at once")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="two adapters, six questions, once")
    parser.add_argument("--out", type=Path, help="a JSON file")
    options = parser.parse_args(arguments)
    if options.quick:
        options.adapters, options.questions, options.repetitions = 2, 6, 1
    language_model = load(options.model, options.dtype, options.device)
    own = load(options.model, options.dtype, options.device)
    plain = Plain(own, random_adapters(own, options.adapters, options.rank))
    figures = [compared(language_model, plain, asked, options) for asked in options.asked]
    publish(record("sampling", options, options.device, figures), COLUMNS, options.out)


if __name__ == "__main__":
    main()
