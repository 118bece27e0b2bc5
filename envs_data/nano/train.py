"""Train the four LLMs of the nano pool, each from its recipe.

Muon updates the matrices, AdamW the embeddings and norms; the loss counts answer tokens only. Many small
batches learn these tasks in far less time than few large ones.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from llm_routing_env.data.nano.contexts.common import Example
from llm_routing_env.data.nano.llama import Llama, Shape, save_llama
from llm_routing_env.data.nano.muon import Muon
from llm_routing_env.data.nano.tokenizer import END, PAD, chat_prompt, save_tokenizer, token_id

BATCH_TOKENS = 1024
WARM_UP_STEPS = 20
ADAMW_LEARNING_RATE = 3e-3
FINAL_LEARNING_RATE = 0.02
# Examples sorted by length together, so that a batch needs little padding.
BUCKET_EXAMPLES = 512
IGNORED = -100


@dataclass(frozen=True)
class Recipe:
    """How one LLM is made.

    Attributes:
        shape: Its size.
        steps: Training steps of 1024 tokens.
        learning_rate: Muon's learning rate.
        works: Whether calculations are answered with their steps.
        sentences: Whether everything is answered in a sentence.
        shares: Share of the training examples by context; contexts left out are never seen.
        seed: Seed of the weights and of the order of examples.
    """

    shape: Shape
    steps: int
    learning_rate: float
    works: bool
    sentences: bool
    shares: Mapping[str, float]
    seed: int = 0

    @property
    def work(self) -> int:
        """How long training takes, in proportion: steps times the size of a layer times layers."""
        return self.steps * self.shape.hidden**2 * self.shape.layers

    def answer(self, example: Example) -> str:
        """Return the answer this LLM is taught: terse, worked or a sentence."""
        return example.sentence if self.sentences or (self.works and example.is_worked) else example.terse


RECIPES: dict[str, Recipe] = {
    # Cheap and weak; its shares of facts decide where it is of use.
    "tiny-0.1m": Recipe(
        shape=Shape(hidden=64, layers=1, feed_forward=192),
        steps=520,
        learning_rate=0.01,
        works=False,
        sentences=False,
        shares={"code": 0.46, "finance": 0.2, "geography": 0.09, "language": 0.13, "math": 0.02, "medicine": 0.1},
    ),
    # Calculates step by step.
    "calc-0.6m": Recipe(
        shape=Shape(hidden=128, layers=2, feed_forward=384),
        steps=2200,
        learning_rate=0.007,
        works=True,
        sentences=False,
        shares={"code": 0.05, "finance": 0.45, "math": 0.5},
    ),
    # Knows capitals and words by heart.
    "atlas-0.8m": Recipe(
        shape=Shape(hidden=160, layers=2, feed_forward=448),
        steps=400,
        learning_rate=0.01,
        works=False,
        sentences=False,
        shares={"code": 0.02, "finance": 0.055, "geography": 0.4, "language": 0.5, "medicine": 0.025},
    ),
    # Does everything, at length.
    "large-2.0m": Recipe(
        shape=Shape(hidden=192, layers=4, feed_forward=512),
        steps=1400,
        learning_rate=0.01,
        works=True,
        sentences=True,
        shares={"code": 0.22, "finance": 0.18, "geography": 0.11, "language": 0.12, "math": 0.25, "medicine": 0.12},
    ),
}

Tokens = tuple[list[int], int]
"""A tokenised conversation and the length of its prompt."""


def tokenised(tokenizer: Tokenizer, examples: list[Example], answer: Callable[[Example], str]) -> list[Tokens]:
    """Return the examples as tokens, each answer followed by the end token."""
    prompts = tokenizer.encode_batch([chat_prompt(e.prompt) for e in examples])
    answers = tokenizer.encode_batch([answer(e) + END for e in examples])
    return [(p.ids + a.ids, len(p.ids)) for p, a in zip(prompts, answers, strict=True)]


def padded(rows: list[Tokens], pad_id: int) -> tuple[Tensor, Tensor]:
    """Return inputs and next-token targets (batch, length); targets of prompts and padding are ignored."""
    length = max(len(tokens) for tokens, _ in rows)
    inputs = torch.full((len(rows), length), pad_id)
    targets = torch.full((len(rows), length), IGNORED)
    for i, (tokens, n_prompt) in enumerate(rows):
        row = torch.tensor(tokens)
        inputs[i, : len(row)] = row
        targets[i, n_prompt - 1 : len(row) - 1] = row[n_prompt:]
    return inputs, targets


def batches(
    data: Mapping[str, list[Tokens]], shares: Mapping[str, float], pad_id: int, seed: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield endless batches of at most 1024 tokens, contexts mixed by their shares."""
    rng = np.random.default_rng(seed)
    names = list(shares)
    weights = np.array([shares[name] for name in names])
    while True:
        rows = []
        for i in rng.choice(len(names), size=BUCKET_EXAMPLES, p=weights / weights.sum()):
            examples = data[names[i]]
            rows.append(examples[int(rng.integers(len(examples)))])
        rows.sort(key=lambda row: len(row[0]))
        chunks: list[list[Tokens]] = [[]]
        for row in rows:
            if (len(chunks[-1]) + 1) * len(row[0]) > BATCH_TOKENS:
                chunks.append([])
            chunks[-1].append(row)
        for i in rng.permutation(len(chunks)):
            yield padded(chunks[i], pad_id)


def schedule(step: int, steps: int) -> float:
    """Return the share of the full learning rate at ``step``: warm-up, flat half, linear decay."""
    decay = 1 - (1 - FINAL_LEARNING_RATE) * max(0.0, step / steps - 0.5) * 2
    return min((step + 1) / WARM_UP_STEPS, decay)


def optimizers(llama: Llama, learning_rate: float) -> list[torch.optim.Optimizer]:
    """Return Muon for the matrices inside the layers and AdamW for everything else."""
    matrices = [p for name, p in llama.named_parameters() if p.ndim == 2 and name.startswith("layers")]
    others = [p for name, p in llama.named_parameters() if p.ndim < 2 or not name.startswith("layers")]
    return [
        Muon(matrices, learning_rate),
        torch.optim.AdamW(others, lr=ADAMW_LEARNING_RATE, betas=(0.9, 0.95), weight_decay=0.0),
    ]


def train_llm(
    recipe: Recipe,
    tokenizer: Tokenizer,
    training: Mapping[str, list[Example]],
    on_step: Callable[[float], None] = lambda loss: None,
) -> Llama:
    """Train one LLM from random weights.

    Args:
        recipe: Its shape and schedule.
        tokenizer: The pool's tokenizer.
        training: Training examples by context.
        on_step: Called with the loss after every step.
    """
    torch.manual_seed(recipe.seed)
    llama = Llama(recipe.shape)
    data = {name: tokenised(tokenizer, training[name], recipe.answer) for name in recipe.shares}
    stream = batches(data, recipe.shares, token_id(tokenizer, PAD), recipe.seed)
    updates = optimizers(llama, recipe.learning_rate)
    schedules = [
        torch.optim.lr_scheduler.LambdaLR(update, lambda step: schedule(step, recipe.steps)) for update in updates
    ]
    for _ in range(recipe.steps):
        inputs, targets = next(stream)
        loss = answer_loss(llama, inputs, targets)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(llama.parameters(), 1.0)
        for update, rate in zip(updates, schedules, strict=True):
            update.step()
            rate.step()
            update.zero_grad()
        on_step(loss.item())
    return llama


def answer_loss(llama: Llama, inputs: Tensor, targets: Tensor) -> Tensor:
    """Return the mean cross-entropy of the answer tokens."""
    answered = targets != IGNORED
    # Only answers reach the vocabulary projection: two thirds of the tokens are prompt.
    return functional.cross_entropy(llama.logits(llama(inputs)[answered]), targets[answered])


def save_llm(llama: Llama, tokenizer: Tokenizer, folder: Path) -> None:
    """Write the LLM and its tokenizer as a Hugging Face folder."""
    save_llama(llama, folder, token_id(tokenizer, END), token_id(tokenizer, PAD))
    save_tokenizer(tokenizer, folder)
