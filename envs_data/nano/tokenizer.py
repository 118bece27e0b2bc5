"""The nano pool's tokenizer: byte-level BPE in which digits and capitals in a row stay single tokens."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from llm_routing_env.data.nano.contexts.common import Example

VOCABULARY_SIZE = 1024
EXAMPLES_PER_CONTEXT = 3000
USER, ASSISTANT, END, PAD = "<|user|>", "<|assistant|>", "<|end|>", "<|pad|>"
# Digits one by one let arithmetic carry over to unseen numbers; capitals in a row let str.upper be spelt.
SINGLE_CHARACTERS = r"\d|[A-Z](?![a-z])"
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'user' %}" + USER + "{{ message['content'] }}"
    "{% elif message['role'] == 'assistant' %}" + ASSISTANT + "{{ message['content'] }}" + END + "{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}" + ASSISTANT + "{% endif %}"
)


def train_tokenizer(texts: Iterable[str]) -> Tokenizer:
    """Return a tokenizer of 1024 tokens trained on ``texts``; the same texts give the same tokenizer."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SINGLE_CHARACTERS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE,
        special_tokens=[PAD, USER, ASSISTANT, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def pool_tokenizer(training: Mapping[str, Sequence[Example]]) -> Tokenizer:
    """Return the tokenizer that all LLMs of the pool share, trained on a part of every context."""
    return train_tokenizer(
        text
        for examples in training.values()
        for example in examples[:EXAMPLES_PER_CONTEXT]
        for text in (example.prompt, example.terse, example.sentence)
    )


def token_id(tokenizer: Tokenizer, token: str) -> int:
    """Return the id of a token that the tokenizer has."""
    found = tokenizer.token_to_id(token)
    if found is None:
        raise ValueError(f"Expected a tokenizer with the token {token!r}; train it with train_tokenizer.")
    return int(found)


def chat_prompt(prompt: str) -> str:
    """Return ``prompt`` as the chat template renders it, up to where the LLM answers."""
    return f"{USER}{prompt}{ASSISTANT}"


def save_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """Write ``tokenizer.json`` and ``tokenizer_config.json`` with the chat template to ``folder``."""
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END, pad_token=PAD)
    wrapped.chat_template = CHAT_TEMPLATE
    wrapped.model_max_length = 256
    # One file: vLLM and transformers both read the template from tokenizer_config.json.
    wrapped.save_pretrained(folder, save_jinja_files=False)
