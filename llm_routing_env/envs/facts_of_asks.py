"""What a step tells where several LLMs may be asked each query: the keys of `Facts`, and what the asks add up to."""

from llm_routing_env.envs.asks import NOBODY, AskStep
from llm_routing_env.envs.facts import ANSWERED, ASKED, TERMS, Facts, Info, Ints, Mask
from llm_routing_env.envs.vector_infos import everyone, masked


class FactsOfAsks(Facts):
    """Infos of asks and of accepted answers."""

    def asks(self, step: AskStep, next_queries: Ints, routing: Mask, *, hides: bool) -> Info:
        """Return infos of one step of many sessions: every key with its mask.

        Args:
            step: What was done.
            next_queries: The queries that the observations are of.
            routing: Which sessions routed; the others are told nothing.
            hides: Whether an LLM's answer is not there yet when it is asked.
        """
        if self.kind == "none" or not routing.any():
            return {}
        infos: Info = {
            "query_done": step.is_accept,
            "llm_index": step.llms,
            "n_asks": step.n_asks,
            "cost_usd": step.cost_usd,
            "latency_s": step.latency_s,
        }
        if self.kind == "full":
            infos |= self._told(step, next_queries, hides=hides)
        infos = infos | everyone(infos, len(routing)) if routing.all() else masked(infos, routing)
        if not step.is_accept.any():
            return infos
        accepted: Info = {"accuracy": step.accuracy, "query_reward": step.query_rewards, TERMS: dict(step.terms)}
        return infos | masked(accepted | dict(step.truths), step.is_accept)

    def _told(self, step: AskStep, next_queries: Ints, *, hides: bool) -> Info:
        told = self._said(step.cells, next_queries)
        is_silent = step.llms == NOBODY
        told["llm"][is_silent] = ""
        for name in ("response", "error"):
            told[name][is_silent | (step.is_ask & hides)] = ""
        return {name: told[name] for name in (*ASKED, *ANSWERED)}
