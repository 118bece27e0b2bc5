"""A small Llama for fast training on a CPU; its parameters carry the names Hugging Face gives them."""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from llm_routing_env.data.nano.tokenizer import VOCABULARY_SIZE

HEAD_SIZE = 32  # vLLM's CPU attention takes 32, 64, ...
ROPE_THETA = 10_000.0
NORM_EPSILON = 1e-5
CONTEXT_LENGTH = 256


@dataclass(frozen=True)
class Shape:
    """Width of the residual stream, number of layers and width of the feed-forward layers."""

    hidden: int
    layers: int
    feed_forward: int


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Apply rotary position embedding to ``x`` of shape (batch, heads, length, head size)."""
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-second, first), dim=-1) * sin


class Attention(nn.Module):
    """Causal self-attention, written as plain matrix products."""

    def __init__(self, shape: Shape) -> None:
        """Create untrained weights."""
        super().__init__()
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = (
            nn.Linear(shape.hidden, shape.hidden, bias=False) for _ in range(4)
        )

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor) -> Tensor:
        """Mix ``x`` of shape (batch, length, hidden) over earlier positions."""
        batch, length, hidden = x.shape
        q, k, v = (
            project(x).view(batch, length, -1, HEAD_SIZE).transpose(1, 2)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        # Plain products: the fused kernel's backward pass is slow on a CPU for rows of ~20 tokens.
        scores = _rotate(q, cos, sin) @ _rotate(k, cos, sin).transpose(-1, -2) * HEAD_SIZE**-0.5
        mixed = (scores + mask).softmax(-1).to(v.dtype) @ v
        output: Tensor = self.o_proj(mixed.transpose(1, 2).reshape(batch, length, hidden))
        return output


class FeedForward(nn.Module):
    """Llama's gated feed-forward layer."""

    def __init__(self, shape: Shape) -> None:
        """Create untrained weights."""
        super().__init__()
        self.gate_proj = nn.Linear(shape.hidden, shape.feed_forward, bias=False)
        self.up_proj = nn.Linear(shape.hidden, shape.feed_forward, bias=False)
        self.down_proj = nn.Linear(shape.feed_forward, shape.hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Transform every position of ``x`` by itself."""
        output: Tensor = self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))
        return output


class Layer(nn.Module):
    """One transformer layer."""

    def __init__(self, shape: Shape) -> None:
        """Create untrained weights."""
        super().__init__()
        self.input_layernorm = nn.RMSNorm(shape.hidden, eps=NORM_EPSILON)
        self.self_attn = Attention(shape)
        self.post_attention_layernorm = nn.RMSNorm(shape.hidden, eps=NORM_EPSILON)
        self.mlp = FeedForward(shape)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor) -> Tensor:
        """Apply attention and feed-forward with residual connections."""
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, mask)
        output: Tensor = x + self.mlp(self.post_attention_layernorm(x))
        return output


class Llama(nn.Module):
    """A Llama with tied input and output embeddings."""

    def __init__(self, shape: Shape) -> None:
        """Create untrained weights."""
        super().__init__()
        self.shape = shape
        self.embed_tokens = nn.Embedding(VOCABULARY_SIZE, shape.hidden)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.norm = nn.RMSNorm(shape.hidden, eps=NORM_EPSILON)
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                # Layers start as the identity: what they add to the residual stream begins at zero.
                is_output = name.endswith(("o_proj.weight", "down_proj.weight"))
                nn.init.normal_(parameter, std=0.0 if is_output else 0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the final hidden states of ``tokens`` (batch, length): (batch, length, hidden)."""
        length = tokens.shape[1]
        frequencies = ROPE_THETA ** (-torch.arange(0, HEAD_SIZE, 2) / HEAD_SIZE)
        angles = torch.arange(length)[:, None] * frequencies.repeat(2)[None]
        mask = torch.full((length, length), float("-inf")).triu(1)
        x: Tensor = self.embed_tokens(tokens)
        for layer in self.layers:
            x = layer(x, angles.cos(), angles.sin(), mask)
        hidden: Tensor = self.norm(x)
        return hidden

    def logits(self, hidden: Tensor) -> Tensor:
        """Return the scores of all tokens for ``hidden`` states."""
        return functional.linear(hidden, self.embed_tokens.weight)


def save_llama(llama: Llama, folder: Path, end_id: int, pad_id: int) -> None:
    """Write ``config.json``, ``generation_config.json`` and bfloat16 weights in Hugging Face format."""
    folder.mkdir(parents=True, exist_ok=True)
    shape = llama.shape
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": VOCABULARY_SIZE,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.feed_forward,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.hidden // HEAD_SIZE,
        "num_key_value_heads": shape.hidden // HEAD_SIZE,
        "head_dim": HEAD_SIZE,
        "hidden_act": "silu",
        "max_position_embeddings": CONTEXT_LENGTH,
        "rms_norm_eps": NORM_EPSILON,
        "rope_theta": ROPE_THETA,
        "tie_word_embeddings": True,
        "bos_token_id": None,
        "eos_token_id": end_id,
        "pad_token_id": pad_id,
        "torch_dtype": "bfloat16",
    }
    generation = {"eos_token_id": end_id, "pad_token_id": pad_id, "do_sample": False}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (folder / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n")
    weights = {f"model.{name}": value.detach().bfloat16() for name, value in llama.state_dict().items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
