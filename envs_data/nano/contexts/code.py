"""Code: what a line of Python prints; the line is held out."""

import numpy as np

from llm_routing_env.data.nano.contexts.common import ContextExamples, Example, is_held_out

N_LINES = 16_000
WORDS = [
    "apple", "river", "stone", "cloud", "table", "bread", "light", "green", "house", "mouse", "plant", "chair",
    "water", "sugar", "tiger", "horse", "paper", "glass", "music", "train", "north", "dream", "ocean", "spoon",
    "fruit", "storm", "beach", "candle", "garden", "window", "bridge", "silver", "orange", "planet", "summer",
    "winter", "forest", "island", "butter", "rocket", "basket", "dragon", "ticket", "pencil", "cat", "dog",
    "sun", "map", "box", "key", "red", "ice", "tree", "fish", "bird", "star", "moon", "door", "lamp", "rain",
]  # fmt: skip
TEMPLATES = (
    "What does this Python code print? print({})",
    "What is the output of print({}) in Python?",
    "Evaluate this Python expression: {}",
    "In Python, what is the value of {}?",
    "I typed {} into the Python shell. What do I get?",
    "Run this line of Python and give me the result: print({})",
)


def _number_line(rng: np.random.Generator) -> tuple[str, str]:
    """Return a random expression on whole numbers and what it prints."""
    numbers = [int(x) for x in rng.choice(np.arange(10, 100), size=3, replace=False)]
    kind = int(rng.integers(4))
    if kind == 0:
        return f"max({numbers})", str(max(numbers))
    if kind == 1:
        return f"min({numbers})", str(min(numbers))
    if kind == 2:
        i = int(rng.integers(3))
        return f"{numbers}[{i}]", str(numbers[i])
    return f"sorted({numbers})[1]", str(sorted(numbers)[1])


def _text_line(rng: np.random.Generator) -> tuple[str, str]:
    """Return a random expression on strings and what it prints."""
    word, other = (str(w) for w in rng.choice(WORDS, size=2, replace=False))
    kind = int(rng.integers(3))
    if kind == 0:
        return f"'{word}' + '{other}'", word + other
    if kind == 1:
        i = int(rng.integers(min(4, len(word))))
        return f"('{word}' + '{other}')[{i}]", word[i]
    return f"len('{word}' + '{other}')", str(len(word + other))


def code_examples(rng: np.random.Generator) -> ContextExamples:
    """Return random lines of Python, half on numbers and half on strings, each asked once."""
    lines: dict[str, str] = {}
    while len(lines) < N_LINES:
        expression, output = _number_line(rng) if rng.random() < 0.5 else _text_line(rng)
        lines[expression] = output
    examples = ContextExamples([], [])
    for expression, output in lines.items():
        side = examples.held_out if is_held_out(expression, 12) else examples.training
        prompt = TEMPLATES[int(rng.integers(len(TEMPLATES)))].format(expression)
        side.append(Example(prompt, output, f"It prints {output}"))
    return examples
