"""Finance: interest and profit (the amounts are held out), tickers and currencies (the phrasing is)."""

import numpy as np

from llm_routing_env.data.nano.contexts.common import (
    ContextExamples,
    Example,
    Fact,
    drawn,
    is_held_out,
    repeated,
    templated_facts,
    with_openers,
)
from llm_routing_env.data.nano.contexts.math import subtraction_steps

TICKERS = {
    "AAPL": "Apple", "MSFT": "Microsoft", "AMZN": "Amazon", "TSLA": "Tesla", "NVDA": "Nvidia",
    "INTC": "Intel", "KO": "Coca-Cola", "PEP": "PepsiCo", "MCD": "McDonald's", "NKE": "Nike",
    "DIS": "Disney", "NFLX": "Netflix", "F": "Ford", "GM": "General Motors", "VZ": "Verizon",
    "BA": "Boeing", "CAT": "Caterpillar", "CVX": "Chevron", "XOM": "ExxonMobil", "JPM": "JPMorgan Chase",
    "BAC": "Bank of America", "WFC": "Wells Fargo", "GS": "Goldman Sachs", "V": "Visa",
    "MA": "Mastercard", "AXP": "American Express", "PYPL": "PayPal", "ADBE": "Adobe",
    "CRM": "Salesforce", "ORCL": "Oracle", "CSCO": "Cisco", "QCOM": "Qualcomm", "PFE": "Pfizer",
    "MRK": "Merck", "WMT": "Walmart", "TGT": "Target", "COST": "Costco", "HD": "Home Depot",
    "SBUX": "Starbucks", "FDX": "FedEx", "DE": "Deere", "HON": "Honeywell", "LMT": "Lockheed Martin",
    "BLK": "BlackRock", "ABNB": "Airbnb", "AMGN": "Amgen", "MDT": "Medtronic", "CL": "Colgate-Palmolive",
}  # fmt: skip
CURRENCIES = {
    "Japan": "yen", "China": "yuan", "India": "rupee", "Malaysia": "ringgit", "Thailand": "baht",
    "Vietnam": "dong", "Indonesia": "rupiah", "Brazil": "real", "Peru": "sol", "South Africa": "rand",
    "Nigeria": "naira", "Ghana": "cedi", "Kenya": "shilling", "Ethiopia": "birr", "Poland": "zloty",
    "Hungary": "forint", "Norway": "krone", "Sweden": "krona", "Ukraine": "hryvnia", "Romania": "leu",
    "Turkey": "lira", "Russia": "ruble", "Mexico": "peso", "Morocco": "dirham", "Israel": "shekel",
    "Bangladesh": "taka", "Myanmar": "kyat", "Laos": "kip", "Cambodia": "riel", "Mongolia": "tugrik",
    "Kazakhstan": "tenge", "Georgia": "lari", "Armenia": "dram", "Azerbaijan": "manat", "Jordan": "dinar",
    "Guatemala": "quetzal", "Honduras": "lempira", "Paraguay": "guarani", "Bolivia": "boliviano",
    "Haiti": "gourde", "Botswana": "pula", "Zambia": "kwacha", "Mozambique": "metical",
    "Madagascar": "ariary", "Gambia": "dalasi", "South Korea": "won",
}  # fmt: skip
TICKER_TEMPLATES = with_openers(
    (
        "Which company has the ticker {}?",
        "What company trades under the symbol {}?",
        "I want to buy shares of {}. Which company is that?",
        "The stock ticker {} stands for which company?",
    )
)
CURRENCY_TEMPLATES = with_openers(
    (
        "What is the currency of {}?",
        "Which currency do people use in {}?",
        "What money do I need for a trip to {}?",
        "Name the currency of {}.",
    )
)
INTEREST_TEMPLATES = (
    "What is the simple interest on ${p} at {r}% for {t} years?",
    "I lend ${p} at {r}% simple interest for {t} years. How much interest do I earn?",
    "How much simple interest does ${p} earn in {t} years at {r}%?",
    "Calculate the simple interest: ${p}, {r}% a year, {t} years.",
)
PROFIT_TEMPLATES = (
    "I bought a share for ${b} and sold it for ${a}. What is my profit in dollars?",
    "A shop buys a lamp for ${b} and sells it for ${a}. What is the profit?",
    "My income is ${a} and my costs are ${b}. How much is left?",
    "Revenue is ${a} and costs are ${b}. What is the profit?",
)
KIND_SIZE = 1200
HELD_OUT_MIX = {"interest": 100, "profit": 180, "ticker": 120, "currency": 110}


def _interest() -> ContextExamples:
    """Return simple interest on round sums; the triple of principal, rate and years is held out."""
    examples = ContextExamples([], [])
    for p in range(100, 1000, 100):
        for r in range(2, 10):
            for t in range(2, 7):
                side = examples.held_out if is_held_out(f"{p} {r} {t}", 6) else examples.training
                yearly = p * r // 100
                steps = f"{r}*{p // 100}={yearly}, {yearly}*{t}={yearly * t}, so {yearly * t}"
                for template in INTEREST_TEMPLATES:
                    side.append(Example(template.format(p=p, r=r, t=t), str(yearly * t), steps, is_worked=True))
    return examples


def _profit(rng: np.random.Generator) -> ContextExamples:
    """Return profits between two-digit amounts; the pair of amounts is held out."""
    examples = ContextExamples([], [])
    for a in range(11, 100):
        for b in range(10, a):
            # The same key as in the math context: a pair held out there is held out here too.
            side = examples.held_out if is_held_out(f"{a}-{b}", 8) else examples.training
            template = PROFIT_TEMPLATES[int(rng.integers(len(PROFIT_TEMPLATES)))]
            prompt = template.format(a=a, b=b)
            side.append(Example(prompt, str(a - b), subtraction_steps(a, b), is_worked=True))
    return examples


def finance_examples(rng: np.random.Generator) -> ContextExamples:
    """Return the four kinds in equal shares for training and in a fixed mix for the queries."""
    tickers = [Fact(s, c, f"The ticker {s} belongs to {c}") for s, c in TICKERS.items()]
    currencies = [Fact(s, c, f"The currency of {s} is the {c}") for s, c in CURRENCIES.items()]
    kinds = {
        "interest": _interest(),
        "profit": _profit(rng),
        "ticker": templated_facts(tickers, TICKER_TEMPLATES, one_in=4),
        "currency": templated_facts(currencies, CURRENCY_TEMPLATES, one_in=4),
    }
    examples = ContextExamples([], [])
    for kind, n in HELD_OUT_MIX.items():
        examples.training.extend(repeated(kinds[kind].training, KIND_SIZE))
        examples.held_out.extend(drawn(kinds[kind].held_out, n, rng))
    return examples
