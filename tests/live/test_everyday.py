"""SmolLM2 on vLLM, where `make everyday` has fetched it: what the conversion, the template and the stop make of it."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from llm_routing_env.backends import Request, make_backend
from llm_routing_env.pools.pool import load_pool
from llm_routing_env.tables.table import OutcomeTable

POOL = load_pool("everyday")
SMOLLM2 = POOL.llms[-1]
WEIGHTS = Path(POOL.model_path(SMOLLM2))


@pytest.mark.vllm
@pytest.mark.skipif(not WEIGHTS.is_dir(), reason="needs the weights that `make everyday` fetches")
def test_it_says_what_it_says_in_transformers_and_in_the_table():
    table = OutcomeTable.read("everyday")
    rows = table.select("general", "test")[::20]
    queries = [table.queries[row] for row in rows]
    with closing(make_backend("vllm-inprocess", replace(POOL, llms=(SMOLLM2,)))) as backend:
        answers = dict(backend.ask_many((Request(query, 0) for query in queries), concurrency=1))
    said = [answers[number].response for number in range(len(queries))]
    assert said == in_transformers([query.prompt for query in queries])
    recorded = [table.text("response", row, len(POOL.llms) - 1, 0) for row in rows]
    assert sum(a == b for a, b in zip(said, recorded, strict=True)) >= len(said) - 1  # processors round differently


def in_transformers(prompts: list[str]) -> list[str]:
    """Return the first line of each answer, by the most probable token each time."""
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(WEIGHTS)
    llm = transformers.AutoModelForCausalLM.from_pretrained(WEIGHTS, dtype=torch.float32)
    said = []
    for prompt in prompts:
        asked = [{"role": "user", "content": prompt}]
        tokens = tokenizer.apply_chat_template(asked, add_generation_prompt=True, return_tensors="pt", return_dict=True)
        written = llm.generate(**tokens, max_new_tokens=SMOLLM2.max_tokens, do_sample=False)
        text = tokenizer.decode(written[0, tokens["input_ids"].shape[1] :], skip_special_tokens=True)
        said.append(text.split("\n")[0])
    return said
