"""Serves a pool of stand-ins (`fake`) or a real pool until a signal comes; a process for tests to kill.

python serve_script.py fake FOLDER MODEL...  |  python serve_script.py POOL
"""

import sys
from pathlib import Path

import fake_vllm

from llm_routing_env.pools.pool import load_pool
from llm_routing_env.serving.display import run_until_signal

if __name__ == "__main__":
    if sys.argv[1] == "fake":
        fake_vllm.install()
        served = fake_vllm.pool(Path(sys.argv[2]), *sys.argv[3:])
    else:
        served = load_pool(sys.argv[1])
    sys.exit(run_until_signal(served, as_json=True))
