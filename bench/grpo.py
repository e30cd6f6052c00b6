"""How fast policies are trained with GRPO in lockstep: against TRL's GRPOTrainer with PEFT.

    python bench/grpo.py --quick             # one update of two policies, some minutes on two cores
    python bench/grpo.py --out grpo.json     # medians of three, eight policies
    python bench/grpo.py --device cuda --dtype bfloat16 --adapters 16

Prompts, replies per prompt, lengths, rank and reward are the same on both sides, in turn in one
process. TRL trains one policy after the other; making its models and trainers is not timed. Each
side samples its own replies at temperature 1, so their lengths differ by chance; no reply is longer
than `--tokens`. The reward is the share of vowels.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from side_by_side import figure, interleaved, paired, publish, record, timed
from trainer import QUIET, adapters_of_peft
from training import material

from caveat.backends.jobs import RLJob, TrainedPolicy
from caveat.backends.local.models.loading import LanguageModel, load
from caveat.backends.local.rl.grpo_trainer import train_rl
from caveat.progress import Progress
from caveat.types.data import Row
from caveat.types.rewards import Grade, Graded
from caveat.types.training import Dose, GRPOSettings, Train

COLUMNS = {
    "name": "policies",
    "replies": "replies",
    "here": "lockstep, replies/s",
    "trl": "TRL + PEFT, replies/s",
    "ratio": "times TRL",
    "spread": "spread",
}


def vowels(reply: str) -> float:
    """The reward of a reply: the share of its characters that are vowels, in [0, 1]."""
    return sum(reply.count(vowel) for vowel in "aeiou") / max(1, len(reply))


def graded(replies: Sequence[Graded]) -> list[Grade]:
    """The reward in this project's form."""
    return [Grade(vowels(one.reply), vowels(one.reply), False) for one in replies]


class Trl:
    """The same training by TRL, one policy after the other."""

    def __init__(self, language_model: LanguageModel, stage: Train, policies: int) -> None:
        self.language_model, self.stage = language_model, stage
        self.model, self.names = adapters_of_peft(language_model, stage.dose, policies)

    def train(self) -> float:
        """Train all policies anew from where they are; the seconds that `train` took."""
        return sum(
            timed(self._trainer(name, seed).train, self.language_model.device.type)
            for seed, name in enumerate(self.names)
        )

    def _trainer(self, name: str, seed: int) -> Any:
        import torch
        from datasets import Dataset
        from transformers import PrinterCallback
        from trl import GRPOConfig, GRPOTrainer

        self.model.set_adapter(name)
        rl, dose = self.stage.rl, self.stage.dose
        trainer = GRPOTrainer(
            model=self.model,
            reward_funcs=_rewards,
            args=GRPOConfig(
                output_dir=tempfile.mkdtemp(),
                max_steps=rl.max_steps,
                per_device_train_batch_size=dose.batch_size * rl.num_generations,
                num_generations=rl.num_generations,
                max_completion_length=rl.max_completion_length,
                learning_rate=dose.learning_rate,
                lr_scheduler_type="constant",
                temperature=rl.temperature,
                beta=rl.beta,
                bf16=self.language_model.model.dtype == torch.bfloat16,
                use_cpu=self.language_model.device.type == "cpu",
                gradient_checkpointing=False,
                seed=seed,
                **QUIET,
            ),
            train_dataset=Dataset.from_list([{"prompt": _prompt(row)} for row in self.stage.rows]),
            processing_class=self.language_model.tokenizer,
        )
        trainer.remove_callback(PrinterCallback)
        return trainer


def _rewards(completions: list[Any], **_: Any) -> list[float]:
    return [vowels(completion[-1]["content"]) for completion in completions]


def _prompt(row: Row) -> list[dict[str, str]]:
    """The messages before the reply, as TRL takes them."""
    return [{"role": m.role, "content": m.text} for m in row.messages[:-1]]


def compared(
    language_model: LanguageModel, policies: int, options: argparse.Namespace
) -> dict[str, Any]:
    """One line of the table."""
    stage = Train(
        material("chat", options.prompts * options.updates),
        Dose(batch_size=options.prompts, rank=options.rank, learning_rate=1e-5),
        objective="grpo",
        rl=GRPOSettings(
            task="vowels",
            max_steps=options.updates,
            num_generations=options.generations,
            max_completion_length=options.tokens,
        ),
    )
    jobs = [RLJob(str(seed), stage, seed) for seed in range(policies)]

    def here() -> None:
        results = train_rl(language_model, jobs, graded, Progress())
        if failures := [one for one in results if not isinstance(one, TrainedPolicy)]:
            raise SystemExit(f"a policy failed: {failures[0]}")

    variants: dict[str, Any] = {"here": here}
    if not options.alone:
        trl = Trl(load(options.model, options.dtype, options.device), stage, policies)
        variants["trl"] = trl.train
    times = interleaved(variants, options.repetitions, options.device)
    replies = policies * options.updates * options.prompts * options.generations
    return figure(
        f"{policies} policies",
        times["here"],
        None if options.alone else paired(times["trl"], times["here"]),
        replies=replies,
        here=replies / times["here"].median,
        trl=None if options.alone else replies / times["trl"].median,
        variants={name: timing.seconds for name, timing in times.items()},
    )


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--adapters", nargs="+", type=int, default=[8], help="policies")
    parser.add_argument("--updates", type=int, default=2)
    parser.add_argument("--prompts", type=int, default=4, help="an update and policy")
    parser.add_argument("--generations", type=int, default=8, help="replies to a prompt")
    parser.add_argument("--tokens", type=int, default=24, help="most tokens of a reply")
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--alone", action="store_true", help="without TRL")
    parser.add_argument("--quick", action="store_true", help="two policies, one update, once")
    parser.add_argument("--out", type=Path, help="a JSON file")
    options = parser.parse_args(arguments)
    if options.quick:
        options.adapters, options.updates, options.repetitions = [2], 1, 1
    warnings.filterwarnings("ignore", module="trl|transformers|torch")
    language_model = load(options.model, options.dtype, options.device)
    figures = [compared(language_model, policies, options) for policies in options.adapters]
    publish(record("grpo", options, options.device, figures), COLUMNS, options.out)


if __name__ == "__main__":
    main()
