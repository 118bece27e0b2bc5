"""Pools: reading TOML, prices, and refusals."""

from pathlib import Path

import pytest

from llm_routing_env.pools.pool import LLMSpec, load_pool

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


def test_a_model_folder_that_was_fetched_is_found_where_that_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PICKLLM_CACHE_DIR", str(tmp_path / "kept"))
    pool = load_pool(write(tmp_path, f'name = "p"\n{LLM}'))
    assert pool.model_path(pool.llms[0]) == "m"
    (tmp_path / "kept" / "weights" / "m").mkdir(parents=True)
    assert pool.model_path(pool.llms[0]) == str(tmp_path / "kept" / "weights" / "m")
    (tmp_path / "m").mkdir()
    assert pool.model_path(pool.llms[0]) == str(tmp_path / "m")


def test_an_llm_with_a_hardware_rate_needs_no_token_price(tmp_path: Path):
    text = 'name = "p"\n[[llm]]\nname = "a"\nmodel = "m"\nhardware_usd_per_hour = 2\n'
    assert load_pool(write(tmp_path, text)).llms[0].cost_usd(1, 1, 1800) == pytest.approx(1.0)


def test_features_are_free_numbers(tmp_path: Path):
    text = f'name = "p"\n{LLM}[llm.features]\nmmlu = 0.7\nparameters = 8_000_000_000\n'
    assert load_pool(write(tmp_path, text)).llms[0].features == {"mmlu": 0.7, "parameters": 8e9}


def test_the_shipped_pool_has_four_llms_with_spread_prices():
    prices = [llm.output_price_usd_per_mtok for llm in load_pool("nano").llms]
    assert len(prices) == 4
    assert max(prices) >= 10 * min(prices)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f'name = "p"\ncolour = 1\n{LLM}', "Unknown key 'colour'"),
        (f'name = "p"\n{LLM}[llm.features]\nfamily = "llama"', "features.family must be a finite number, got 'llama'"),
        (f'name = "p"\n{LLM}[llm.features]\nsize = 1{"0" * 400}', "features.size must be a finite number"),
        (f'name = "p"\n{LLM}pricey = 1\n', "Unknown key 'pricey'"),
        (LLM, "key 'name' is missing"),
        ('name = "p"\n', r"at least one \[\[llm\]\]"),
        ('name = "p"\n[[llm]]\nname = "a"\nmodel = "m"\ninput_price_usd_per_mtok = 1.0\n', "output_price_usd_per_mtok"),
        (f'name = "p"\n{LLM}base_url = "localhost:80"\n', "base_url must look like"),
        (f'name = "p"\n{LLM}max_tokens = 0\n', "max_tokens must be a number from 1 to"),
        (f'name = "p"\n{LLM}max_tokens = "many"\n', "'max_tokens' must be a whole number"),
        (f'name = "p"\n{LLM.replace("= 2.0", "= -2.0")}', "output_price_usd_per_mtok must be a number from 0 to"),
        (f'name = "p"\n{LLM.replace("= 2.0", "= nan")}', "output_price_usd_per_mtok must be a number from 0 to"),
        (f'name = "p"\n{LLM}{LLM}', "names must be unique"),
        (f'name = "p"\n{LLM.replace("model", "served_name")}', r"give model .* or base_url"),
        (f'name = "p"\ndeadline_s = 0\n{LLM}', "deadline_s must be a number from 0.001 to"),
        (f'name = "p"\nmax_retries = -1\n{LLM}', "max_retries must be a number from 0 to 100, got -1"),
        (f'name = "p"\nmax_retries = 0.5\n{LLM}', "'max_retries' must be a whole number"),
        ('name = "p"\nllm = 3\n', r"at least one \[\[llm\]\]"),
        ("name = ", "not a TOML file"),
        (f'name = "p"\n{LLM}environment = {{ A = 1 }}\n', "environment.A must be text"),
        (f'name = "p"\n{LLM}max_in_flight = -1\n', "max_in_flight must be a number from 0 to"),
        (f'name = "p"\ndeadline_s = inf\n{LLM}', "deadline_s must be a number"),
        (f'name = "p"\n{LLM.replace("= 2.0", "= 0x1" + "0" * 300)}', "output_price_usd_per_mtok must be a number"),
        (f'name = "p"\n{LLM}serve = {{ since = 2026-01-01 }}\n', "serve may hold texts"),
        (f'name = "p"\n{LLM}serve = {{ share = [nan] }}\n', "serve may hold texts"),
        (f'name = ".."\n{LLM}', "not only dots"),
        (f'name = ""\n{LLM}', "1 to 100 characters"),
        (f'name = "{"p" * 101}"\n{LLM}', "1 to 100 characters"),
        (f'name = "\\u001b[2J"\n{LLM}', "without control characters"),
        (f'name = "p"\n{LLM}base_url = "http://host:many/v1"\n', "base_url must look like"),
        (f'name = "p"\n{LLM}base_url = "http://[::1/v1"\n', "base_url must look like"),
        (f'name = "p"\n{LLM}base_url = "http://:80/v1"\n', "base_url must look like"),
        (f'name = "p"\n{LLM}base_url = "http://me:sesame@host/v1"\n', "may hold no '@'"),
        (f'name = "p"\n{LLM}base_url = "http://host/v1?key=sesame"\n', "may hold no"),
        ("x = " + "[" * 20_000, "not a TOML file"),
        (".".join(["a"] * 20_000) + " = 1", "nested too deeply"),
        ("#" * 65_537, "at most 65536 bytes"),
    ],
)
def test_a_malformed_pool_is_refused_with_the_key(tmp_path: Path, text: str, message: str):
    with pytest.raises(ValueError, match=message):
        load_pool(write(tmp_path, text))


def test_an_unknown_pool_names_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'nano'"):
        load_pool("nanoo")


def test_a_password_in_an_address_is_not_repeated(tmp_path: Path):
    with pytest.raises(ValueError, match="api_key_env") as refused:
        load_pool(write(tmp_path, f'name = "p"\n{LLM}base_url = "http://me:sesame@host/v1"\n'))
    assert "sesame" not in str(refused.value)


@pytest.mark.parametrize("name", ["../pool", "nano/../nano", "/etc", ".", "", "a\0b", "x" * 5_000])
def test_a_name_does_not_lead_out_of_the_shipped_pools(name: str):
    with pytest.raises(ValueError, match="Unknown pool"):
        load_pool(name)


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ('headers = "sk-sesame"', "'headers' must be a table"),
        ('headers = { X = "sk-sesame\\u0000" }', "headers.X"),
        ('headers_env = ["sk-sesame"]', "'headers_env' must be a table"),
        ('headers_env = { api-key = "sk-sesame" }', "headers_env.api-key must be the name of an environment variable"),
        ('headers_env = { api-key = "" }', "headers_env.api-key must be the name of an environment variable"),
        ('query = "sk-sesame"', "'query' must be a table"),
        ('query = { code = ["sk-sesame"] }', "query.code must be text"),
        ('environment = "sk-sesame"', "'environment' must be a table"),
        ('environment = { A = ["sk-sesame"] }', "environment.A must be text"),
        ('serve = "sk-sesame"', "'serve' must be a table"),
        ('request = "sk-sesame"', "'request' must be a table"),
        ('api_key_env = ["sk-sesame"]', "'api_key_env' must be a text"),
        ('api_key_env = "sk-sesame\\u0000"', "'api_key_env' must be text without control characters"),
        ('api_key_env = "sk-sesame"', "api_key_env must be the name of an environment variable, never the key"),
        ('api_key_env = "1sesame"', "api_key_env must be the name of an environment variable, never the key"),
    ],
)
def test_what_may_be_a_secret_is_refused_without_being_quoted(tmp_path: Path, line: str, named: str):
    with pytest.raises(ValueError, match=named) as refused:
        load_pool(write(tmp_path, f'name = "p"\n{LLM}{line}\n'))
    assert "sesame" not in str(refused.value)


@pytest.mark.parametrize("llm", ['[llm]\nheaders = { X = "sesame" }\n', 'llm = ["sesame"]\n', 'llm = "sesame"\n'])
def test_neither_is_a_table_of_llms_that_is_none(tmp_path: Path, llm: str):
    with pytest.raises(ValueError, match="table, got a ") as refused:
        load_pool(write(tmp_path, f'name = "p"\n{llm}'))
    assert "sesame" not in str(refused.value)


PAID = LLM.replace('model = "m"', 'base_url = "http://host/v1"')


@pytest.mark.parametrize(
    "keys",
    [
        'omit = ["max_tokens"]',
        'omit = ["max_tokens", "max_completion_tokens"]\nrequest = { max_completion_tokens = 9 }',
        'omit = ["max_tokens"]\nrequest = { max_tokens = 9 }',
    ],
)
def test_a_request_that_may_cost_any_price_is_refused(tmp_path: Path, keys: str):
    with pytest.raises(ValueError, match=r"\[\[llm\]\] 1: no max_tokens is sent.*max_request_usd\.$"):
        load_pool(write(tmp_path, f'name = "p"\n{PAID}{keys}\n'))
    by_the_hour = PAID + "hardware_usd_per_hour = 3.6\n"  # its deadline bounds it
    for llm in (f"{PAID}max_request_usd = 0.01\n", by_the_hour, PAID.replace("1.0", "0").replace("2.0", "0")):
        assert not load_pool(write(tmp_path, f'name = "p"\n{llm}{keys}\n')).llms[0].is_limited


def test_the_longest_completion_is_one_that_is_sent():
    request = {"max_completion_tokens": 9, "max_tokens": 5000}
    assert LLMSpec("a", 1.0, 2.0, request=request).most_tokens == 5000  # an endpoint may heed either
    assert LLMSpec("a", 1.0, 2.0, request=request, omit=["max_tokens"]).most_tokens == 9
    assert LLMSpec("a", 1.0, 2.0, request=request, omit=["max_completion_tokens"]).most_tokens == 5000
