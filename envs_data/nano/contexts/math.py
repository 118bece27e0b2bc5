"""Math: adding and subtracting two-digit numbers; the pair of numbers is held out."""

import numpy as np

from llm_routing_env.data.nano.contexts.common import ContextExamples, Example, is_held_out

ADDITION = (
    "What is {a} plus {b}?",
    "What is {a} + {b}?",
    "Add {a} and {b}.",
    "Calculate {a} + {b}",
    "What is the sum of {a} and {b}?",
    "How much is {a} plus {b}?",
    "I have {a} apples and buy {b} more. How many apples do I have?",
    "A bus carries {a} people and {b} more get on. How many people are on the bus?",
)
SUBTRACTION = (
    "What is {a} minus {b}?",
    "What is {a} - {b}?",
    "Subtract {b} from {a}.",
    "Calculate {a} - {b}",
    "What is the difference between {a} and {b}?",
    "How much is {a} minus {b}?",
    "I have {a} apples and eat {b} of them. How many apples are left?",
    "A bus carries {a} people and {b} get off. How many people are on the bus?",
)
TEMPLATES_PER_PAIR = 2


def addition_steps(a: int, b: int) -> str:
    """Return the column-by-column working of ``a + b`` for two-digit numbers, ending with the sum."""
    ones = a % 10 + b % 10
    carry = "+1" if ones >= 10 else ""
    tens = a // 10 + b // 10 + ones // 10
    return f"{a % 10}+{b % 10}={ones}, {a // 10}+{b // 10}{carry}={tens}, so {a + b}"


def subtraction_steps(a: int, b: int) -> str:
    """Return the column-by-column working of ``a - b`` for two-digit ``a >= b``, ending with the difference."""
    borrow = a % 10 < b % 10
    ones_from = a % 10 + 10 * borrow
    tens = a // 10 - borrow - b // 10
    borrowed = "-1" if borrow else ""
    return f"{ones_from}-{b % 10}={ones_from - b % 10}, {a // 10}-{b // 10}{borrowed}={tens}, so {a - b}"


def math_examples(rng: np.random.Generator) -> ContextExamples:
    """Return examples over all pairs of two-digit numbers, each asked with a few random templates."""
    examples = ContextExamples([], [])
    for sign in "+-":
        templates = ADDITION if sign == "+" else SUBTRACTION
        for a in range(10, 100):
            for b in range(10, 100 if sign == "+" else a + 1):
                side = examples.held_out if is_held_out(f"{a}{sign}{b}", 8) else examples.training
                answer = str(a + b if sign == "+" else a - b)
                steps = addition_steps(a, b) if sign == "+" else subtraction_steps(a, b)
                for t in rng.permutation(len(templates))[:TEMPLATES_PER_PAIR]:
                    prompt = templates[t].format(a=a, b=b)
                    side.append(Example(prompt, answer, steps, is_worked=True))
    return examples
