"""What is measured against: transformers' Trainer with PEFT, one adapter after the other."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from side_by_side import timed
from torch.nn.utils.rnn import pad_sequence
from transformers import PrinterCallback, Trainer, TrainingArguments

from caveat.backends.local.lora.stacked import adapted_modules
from caveat.backends.local.models.loading import LanguageModel
from caveat.rendering import RenderedRow
from caveat.types.training import Dose

IGNORED = -100
QUIET: dict[str, Any] = {
    "save_strategy": "no",
    "report_to": "none",
    "logging_strategy": "no",
    "disable_tqdm": True,
    "dataloader_pin_memory": False,
}
"""Arguments with which a trainer does nothing but train."""


class OneAfterAnother:
    """Adapters of one PEFT model, made beforehand: only `Trainer.train` is timed.

    Hands the model over to PEFT: nothing else may use it.
    """

    def __init__(self, language_model: LanguageModel, dose: Dose, adapters: int) -> None:
        self.language_model, self.dose = language_model, dose
        self.model, self.names = adapters_of_peft(language_model, dose, adapters)

    def train(self, rows: Sequence[RenderedRow], steps: int, adapters: int | None = None) -> float:
        """Train the adapters; the seconds that it took. Rows are rendered, in no fixed order."""
        data, seconds = [_item(row) for row in rows], 0.0
        for seed, name in enumerate(self.names[:adapters]):
            self.model.set_adapter(name)
            trainer = Trainer(
                model=self.model,
                args=_arguments(self.language_model, self.dose, seed, steps),
                train_dataset=data,
                data_collator=_collated,
            )
            trainer.remove_callback(PrinterCallback)
            seconds += timed(trainer.train, self.language_model.device.type)
        return seconds


def adapters_of_peft(
    language_model: LanguageModel, dose: Dose, adapters: int
) -> tuple[Any, list[str]]:
    """A model of PEFT with so many new adapters, and their names."""
    names = [f"adapter-{number}" for number in range(adapters)]
    config = _config(language_model, dose)
    model = get_peft_model(language_model.model, config, names[0])
    for name in names[1:]:
        model.add_adapter(name, config)
    return model, names


def _item(row: RenderedRow) -> dict[str, list[int]]:
    labels = [token if loss else IGNORED for token, loss in zip(row.ids, row.loss, strict=True)]
    return {"input_ids": list(row.ids), "labels": labels}


def _collated(items: list[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
    def side_by_side(name: str, fill: int) -> torch.Tensor:
        rows = [torch.tensor(item[name]) for item in items]
        return pad_sequence(rows, batch_first=True, padding_value=fill)

    ids = side_by_side("input_ids", 0)
    mask = pad_sequence([torch.ones(len(each["input_ids"])).long() for each in items], True)
    return {"input_ids": ids, "attention_mask": mask, "labels": side_by_side("labels", IGNORED)}


def _config(language_model: LanguageModel, dose: Dose) -> LoraConfig:
    return LoraConfig(
        r=dose.rank,
        lora_alpha=dose.alpha,
        target_modules=adapted_modules(language_model.model, dose.layers),
        task_type="CAUSAL_LM",
    )


def _arguments(
    language_model: LanguageModel, dose: Dose, seed: int, steps: int
) -> TrainingArguments:
    dtype: Any = language_model.model.dtype
    return TrainingArguments(
        output_dir=tempfile.mkdtemp(),
        max_steps=steps,
        per_device_train_batch_size=dose.batch_size,
        learning_rate=dose.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=max(1, round(dose.warmup * steps)),
        max_grad_norm=dose.clip,
        bf16=dtype == torch.bfloat16,
        use_cpu=language_model.device.type == "cpu",
        seed=seed,
        **QUIET,
    )
