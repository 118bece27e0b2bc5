"""Pool files that are damaged or odd."""

import json
from random import Random

from mutations import damaged, fuzz, read_or_refuse

from llm_routing_env.pools.pool import load_pool
from llm_routing_env.pools.provenance import describe_pool

POOL = b"""name = "mine"
deadline_s = 30.0
environment = { OMP_NUM_THREADS = "1" }
[serve]
max-model-len = 4096
[[llm]]
name = "small"
model = "folder"
input_price_usd_per_mtok = 0.1
output_price_usd_per_mtok = 0.4
serve = { gpu-memory-utilization = 0.3, stop = ["a"] }
[[llm]]
name = "large"
base_url = "https://my-endpoint/v1"
api_key_env = "MY_KEY"
max_tokens = 16
hardware_usd_per_hour = 2
"""
KEYS = (
    *("name", "deadline_s", "environment", "serve", "llm", "llm.name", "model", "base_url", "served_name"),
    *("api_key_env", "input_price_usd_per_mtok", "hardware_usd_per_hour", "max_tokens", '"\\u001b"'),
)
VALUES = (
    *("0", "-1", "3.5", "nan", "inf", "-0.0", "1e400", "0x" + "f" * 300, "9" * 5000, "true", "2026-01-01", "07:32:00"),
    *('""', '"x"', '".."', '"\\u001b[2J"', '"http://h/v1"', '"http://a:b@h"', '"http://[::1"', "[]", "[[1], {}]"),
    *("{}", "{a = 1}", '{A = "b"}', "{a = 2026-01-01}", "{a = [nan]}", "{a = {b = {c = 1}}}", "[" * 3000, "'''", ""),
)
HEADS = ("[[llm]]", "[serve]", "[environment]", "[llm]", "#")


def load(path, content):
    path.write_bytes(content)
    pool = read_or_refuse(lambda: load_pool(path))
    if pool is not None:
        json.dumps(describe_pool(pool), allow_nan=False)  # goes into journals and tables
        for llm in pool.llms:
            pool.model_path(llm)
            assert 0 <= llm.cost_usd(2**31, 2**31, 1e6) < float("inf")


def test_damaged_pool_files_are_read_or_refused(tmp_path):
    def check(seed):
        content = damaged(POOL, seed)
        load(tmp_path / "pool.toml", content)

    fuzz(check)


def test_odd_pools_are_read_or_refused(tmp_path):
    def check(seed):
        rng = Random(seed)
        lines = POOL.decode().splitlines()
        for _ in range(rng.randint(1, 3)):
            place = rng.randrange(len(lines) + 1)
            said = rng.choice((f"{rng.choice(KEYS)} = {rng.choice(VALUES)}", rng.choice(HEADS)))
            lines[place : place + rng.randrange(2)] = [said]
        load(tmp_path / "pool.toml", "\n".join(lines).encode())

    fuzz(check)
