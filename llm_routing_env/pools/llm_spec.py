"""One LLM of a pool: where it is served, what it costs, and what is sent to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

FlagValue = str | int | float | bool
# Parameters of an address that are no secret; any other may be a key or a signature.
TOLD_PARAMETERS = frozenset({"api-version", "version"})
# A prompt has at most as many tokens as bytes; this is for what a chat template puts around it.
_TEMPLATE_TOKENS = 256


@dataclass(frozen=True)
class LLMSpec:
    """One LLM of a pool: an arm.

    Attributes:
        name: The arm's name, unique in the pool.
        input_price_usd_per_mtok: US dollars per million prompt tokens.
        output_price_usd_per_mtok: US dollars per million completion tokens.
        cached_price_usd_per_mtok: US dollars per million prompt tokens that the endpoint had cached; None: as others.
        model: What vLLM loads: a folder relative to the TOML file, or a Hugging Face id.
        base_url: OpenAI-compatible endpoint, ending in "/v1". When given, the LLM is used there and never started.
        served_name: The model's name in requests; the arm's name when empty.
        api_key_env: Environment variable that holds the endpoint's key.
        max_tokens: Longest completion asked for.
        system: System message before each prompt.
        request: Further keys of a request's body, such as {"top_p": 0.9, "reasoning_effort": "low"}; they replace
            `temperature` and `max_tokens`, the latter also as `max_completion_tokens`.
        omit: Keys of the body that the endpoint does not take, such as ["temperature"].
        headers: HTTP headers; for secrets use `headers_env`.
        headers_env: HTTP headers by the environment variable that holds the value, such as {"api-key": "AZURE_KEY"}.
        query: Parameters behind the address, such as {"api-version": "2025-01-01"}.
        deadline_s: Longest time one request may take; None: the pool's.
        max_retries: How often a request is sent again; None: the pool's.
        max_in_flight: Above 0, most requests that this LLM gets at once, whatever the others get.
        requests_per_minute: Most requests a minute, evenly spaced; 0: no bound.
        tokens_per_minute: Most tokens a minute, read and written; 0: no bound.
        max_request_usd: Most that one request can cost; None: by its tokens, see `worst_usd`.
        hardware_usd_per_hour: Above 0, a call costs its time on this hardware instead of its tokens.
        serve: vLLM flags of this LLM, over the pool's.
        environment: Environment variables of this LLM's server, over the pool's.
        features: Numbers that agents may know of it beside its prices, such as its parameters or a benchmark's score.
    """

    name: str
    input_price_usd_per_mtok: float
    output_price_usd_per_mtok: float
    cached_price_usd_per_mtok: float | None = None
    model: str = ""
    base_url: str = ""
    served_name: str = ""
    api_key_env: str = ""
    max_tokens: int = 256
    system: str = ""
    request: Mapping[str, Any] = field(default_factory=dict)
    omit: Sequence[str] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    headers_env: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    deadline_s: float | None = None
    max_retries: int | None = None
    max_in_flight: int = 0
    requests_per_minute: float = 0.0
    tokens_per_minute: float = 0.0
    max_request_usd: float | None = None
    hardware_usd_per_hour: float = 0.0
    serve: Mapping[str, FlagValue] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    features: Mapping[str, float] = field(default_factory=dict)

    def cost_usd(
        self, prompt_tokens: int, completion_tokens: int, latency_s: float, *, cached_tokens: int = 0
    ) -> float:
        """Return what one call costs in US dollars; `cached_tokens` are those of the prompt that were cached."""
        if self.hardware_usd_per_hour > 0:
            return self.hardware_usd_per_hour * latency_s / 3600
        cached_price = self.cached_price_usd_per_mtok
        if cached_price is None or not cached_tokens:
            prompt_usd = prompt_tokens * self.input_price_usd_per_mtok
        else:
            prompt_usd = (prompt_tokens - cached_tokens) * self.input_price_usd_per_mtok + cached_tokens * cached_price
        return (prompt_usd + completion_tokens * self.output_price_usd_per_mtok) / 1e6

    @property
    def is_priced_by_token(self) -> bool:
        """Whether what a call costs depends on its tokens."""
        prices = (self.input_price_usd_per_mtok, self.output_price_usd_per_mtok, self.cached_price_usd_per_mtok or 0)
        return self.hardware_usd_per_hour <= 0 and any(price > 0 for price in prices)

    @property
    def is_free(self) -> bool:
        """Whether a call costs nothing."""
        return not self.is_priced_by_token and self.hardware_usd_per_hour <= 0

    @property
    def is_limited(self) -> bool:
        """Whether an endpoint is told how long a completion may be: `omit` may leave it out."""
        return bool(self._limits())

    @property
    def most_tokens(self) -> int:
        """The longest completion that is really asked for: `request` may replace `max_tokens`."""
        return max(self._limits(), default=self.max_tokens)

    def _limits(self) -> list[int]:
        body = self.body(())
        return [body[key] for key in ("max_completion_tokens", "max_tokens") if key in body]

    def worst_usd(self, prompt: str, deadline_s: float) -> float:
        """Return the most that one request can cost in US dollars, if the endpoint heeds its longest completion."""
        if self.max_request_usd is not None:
            return self.max_request_usd
        n_bytes = len(prompt.encode(errors="replace")) + len(self.system.encode())
        return self.cost_usd(n_bytes + _TEMPLATE_TOKENS, self.most_tokens, self.deadline_s or deadline_s)

    def body(self, chat: Sequence[Mapping[str, str]]) -> dict[str, Any]:
        """Return what is sent for a chat: the body of a chat completion request, at temperature 0."""
        system = [{"role": "system", "content": self.system}] if self.system else []
        limit = {} if "max_completion_tokens" in self.request else {"max_tokens": self.max_tokens}
        body = {"model": self.served_name or self.name, "messages": [*system, *chat], "temperature": 0, **limit}
        return {key: value for key, value in (body | dict(self.request)).items() if key not in self.omit}
