"""Pools: reading TOML, prices, and refusals."""

from pathlib import Path

import pytest

from llm_routing_env.pool import LLMSpec, load_pool

LLM = '[[llm]]\nname = "a"\nmodel = "m"\ninput_price_usd_per_mtok = 1.0\noutput_price_usd_per_mtok = 2.0\n'


def write(folder: Path, text: str) -> Path:
    path = folder / "pool.toml"
    path.write_text(text)
    return path


def test_cost_is_tokens_times_price():
    llm = LLMSpec("a", input_price_usd_per_mtok=0.5, output_price_usd_per_mtok=2.0)
    assert llm.cost_usd(1_000, 500, latency_s=9.0) == pytest.approx((1_000 * 0.5 + 500 * 2.0) / 1e6)


def test_hardware_rate_replaces_the_token_price():
    llm = LLMSpec("a", 0.5, 2.0, hardware_usd_per_hour=3.6)
    assert llm.cost_usd(1_000, 500, latency_s=2.0) == pytest.approx(0.002)


def test_a_local_model_folder_is_found_beside_the_toml(tmp_path: Path):
    (tmp_path / "m").mkdir()
    pool = load_pool(write(tmp_path, f'name = "p"\n[serve]\nmax-model-len = 256\n{LLM}'))
    assert pool.model_path(pool.llms[0]) == str(tmp_path / "m")
    assert pool.serve == {"max-model-len": 256}
    assert pool.llm_names == ("a",)


def test_an_llm_with_a_hardware_rate_needs_no_token_price(tmp_path: Path):
    text = 'name = "p"\n[[llm]]\nname = "a"\nmodel = "m"\nhardware_usd_per_hour = 2\n'
    assert load_pool(write(tmp_path, text)).llms[0].cost_usd(1, 1, 1800) == pytest.approx(1.0)


def test_the_shipped_pool_has_four_llms_with_spread_prices():
    prices = [llm.output_price_usd_per_mtok for llm in load_pool("nano").llms]
    assert len(prices) == 4
    assert max(prices) >= 10 * min(prices)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f'name = "p"\ncolour = 1\n{LLM}', "Unknown key 'colour'"),
        (f'name = "p"\n{LLM}pricey = 1\n', "Unknown key 'pricey'"),
        (LLM, "key 'name' is missing"),
        ('name = "p"\n', r"at least one \[\[llm\]\]"),
        ('name = "p"\n[[llm]]\nname = "a"\nmodel = "m"\ninput_price_usd_per_mtok = 1.0\n', "output_price_usd_per_mtok"),
        (f'name = "p"\n{LLM}base_url = "localhost:80"\n', "base_url must look like"),
        (f'name = "p"\n{LLM}max_tokens = 0\n', "max_tokens must be 1 or more"),
        (f'name = "p"\n{LLM}max_tokens = "many"\n', "'max_tokens' must be a int"),
        (f'name = "p"\n{LLM.replace("= 2.0", "= -2.0")}', "output_price_usd_per_mtok must be a finite number"),
        (f'name = "p"\n{LLM.replace("= 2.0", "= nan")}', "output_price_usd_per_mtok must be a finite number"),
        (f'name = "p"\n{LLM}{LLM}', "names must be unique"),
        (f'name = "p"\n{LLM.replace("model", "served_name")}', r"give model .* or base_url"),
        (f'name = "p"\ndeadline_s = 0\n{LLM}', "deadline_s must be above 0"),
        ('name = "p"\nllm = 3\n', r"at least one \[\[llm\]\]"),
        ("name = ", "not a TOML file"),
        (f'name = "p"\n{LLM}environment = {{ A = 1 }}\n', "environment.A must be a string"),
    ],
)
def test_a_malformed_pool_is_refused_with_the_key(tmp_path: Path, text: str, message: str):
    with pytest.raises(ValueError, match=message):
        load_pool(write(tmp_path, text))


def test_an_unknown_pool_names_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'nano'"):
        load_pool("nanoo")
