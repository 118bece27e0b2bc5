"""What the context generators share: the example type, the held-out rule and templated facts."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

# Ways in which a user leads into a question; combined with a context's own templates.
OPENERS = ("", "Quick question: ", "Hello! ", "Please help me. ")


@dataclass(frozen=True, slots=True)
class Example:
    """A question with its two right answers.

    Attributes:
        prompt: The question as a user would ask it.
        terse: The answer alone; a right response ends with it.
        sentence: A full sentence, or the worked steps, that ends with the terse answer.
        is_worked: Whether ``sentence`` shows a calculation step by step.
    """

    prompt: str
    terse: str
    sentence: str
    is_worked: bool = False


@dataclass(frozen=True, slots=True)
class ContextExamples:
    """Everything one context offers: what LLMs may train on, and what they never see."""

    training: list[Example]
    held_out: list[Example]


@dataclass(frozen=True, slots=True)
class Fact:
    """Something to know by heart, such as a country and its capital.

    Attributes:
        subject: What the question names.
        answer: The terse answer.
        sentence: The statement that ends with the answer.
    """

    subject: str
    answer: str
    sentence: str


def is_held_out(key: str, one_in: int) -> bool:
    """Tell whether ``key`` belongs to the held-out share of one in ``one_in`` (a hash decides)."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % one_in == 0


def with_openers(cores: Sequence[str]) -> list[str]:
    """Return every opener followed by every template."""
    return [opener + core for opener in OPENERS for core in cores]


def templated_facts(facts: Iterable[Fact], templates: Sequence[str], one_in: int) -> ContextExamples:
    """Ask every fact with every template; each (template, fact) pair is held out by its hash.

    Args:
        facts: The facts.
        templates: Questions with one ``{}`` for the subject.
        one_in: One pair in so many is held out; the fact stays in training in other phrasings.
    """
    examples = ContextExamples([], [])
    for fact in facts:
        for template in templates:
            example = Example(template.format(fact.subject), fact.answer, fact.sentence)
            side = examples.held_out if is_held_out(example.prompt, one_in) else examples.training
            side.append(example)
    return examples


def drawn(examples: Sequence[Example], n: int, rng: np.random.Generator) -> list[Example]:
    """Draw ``n`` different examples in random order.

    Raises:
        ValueError: When there are fewer than ``n``.
    """
    if len(examples) < n:
        raise ValueError(f"Expected at least {n} examples, got {len(examples)}: add facts or templates.")
    return [examples[i] for i in rng.permutation(len(examples))[:n]]


def repeated(examples: Sequence[Example], n: int) -> list[Example]:
    """Repeat the examples in order until there are ``n``, so that small kinds weigh as much as large ones."""
    return [examples[i % len(examples)] for i in range(n)]
