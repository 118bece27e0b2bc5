"""What a step tells where several LLMs may be asked each query: the keys of `Facts`, and what the asks add up to."""

from typing import TYPE_CHECKING

import numpy as np

from llm_routing_env.envs.asks import NOBODY, AskStep
from llm_routing_env.envs.facts import ANSWERED, ASKED, TERMS, Facts, Info, Ints, Mask
from llm_routing_env.envs.vector_infos import everyone, masked

if TYPE_CHECKING:  # recorded sessions need none of it
    from llm_routing_env.envs.live_answers import LiveAnswers


class FactsOfAsks(Facts):
    """Infos of asks and of accepted answers."""

    def asks(
        self, step: AskStep, next_queries: Ints, routing: Mask, *, hides: bool, live: "LiveAnswers | None" = None
    ) -> Info:
        """Return infos of one step of many sessions: every key with its mask.

        Args:
            step: What was done.
            next_queries: The queries that the observations are of.
            routing: Which sessions routed; the others are told nothing.
            hides: Whether an LLM's answer is not there yet when it is asked.
            live: What live LLMs answered; None where the table knows.
        """
        if not routing.any():
            return {}
        if self.kind == "none":
            return {} if live is None else _why(step, live, step.is_refused)
        infos: Info = {
            "query_done": step.is_accept,
            "llm_index": step.llms,
            "n_asks": step.n_asks,
            "cost_usd": step.cost_usd,
            "latency_s": step.latency_s,
        }
        if self.kind == "full":
            infos |= self._told(step, next_queries, live, hides=hides)
        if live is not None:
            infos["spent_usd"] = np.full(len(routing), live.spent_usd)
        infos = infos | everyone(infos, len(routing)) if routing.all() else masked(infos, routing)
        if live is not None and self.kind == "numbers":
            infos |= _why(step, live, step.is_refused | step.is_ask)
        if not step.is_accept.any():
            return infos
        accepted: Info = {"accuracy": step.accuracy, "query_reward": step.query_rewards, TERMS: dict(step.terms)}
        return infos | masked(accepted | dict(step.truths), step.is_accept)

    def _told(self, step: AskStep, next_queries: Ints, live: "LiveAnswers | None", *, hides: bool) -> Info:
        told = self._said(step.cells, next_queries) if live is None else self._said_live(step, next_queries, live)
        is_silent = (step.llms == NOBODY) & ~step.is_refused
        told["llm"][is_silent] = ""
        for name in ("response", "error"):
            told[name][is_silent | (step.is_ask & hides)] = ""
        return {name: told[name] for name in (*ASKED, *ANSWERED)}

    def _said_live(self, step: AskStep, next_queries: Ints, live: "LiveAnswers") -> Info:
        names = np.array(self.problem.task.llm_names, dtype=object)
        table, outcomes = self.problem.table, live.of(step.cells)
        told = self.waiting_at(step.cells // (len(names) * table.n_repeats) % table.n_queries)
        told["llm"] = names[step.cells % len(names)]
        told["response"] = np.array([outcome.response for outcome in outcomes], dtype=object)
        told["error"] = np.array([outcome.error or "" for outcome in outcomes], dtype=object)
        told["next_prompt"] = self.waiting_at(next_queries)["prompt"]
        return told


def _why(step: AskStep, live: "LiveAnswers", sessions: Mask) -> Info:
    """Return why calls failed, or nothing was sent, in those of some sessions where that is so."""
    errors = np.array([outcome.error or "" for outcome in live.of(step.cells)], dtype=object)
    sessions = sessions & (errors != "")
    return masked({"error": errors}, sessions) if sessions.any() else {}
