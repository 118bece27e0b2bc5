"""Agents that route queries, by name. To add one: its file, one line in `AGENTS`, its test."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if __name__ == "agents":
    raise ImportError(
        "Import the agents as `llm_routing_env.agents`: a top-level `agents` would be a second copy of them."
    )

from llm_routing_env.agents.parts.logged import LoggedData
from llm_routing_env.agents.parts.task import LLMInfo, RoutingTask
from llm_routing_env.agents.parts.training import TrainingTable

if TYPE_CHECKING:
    from llm_routing_env.agents.parts.agent import Agent
    from llm_routing_env.agents.parts.pretrained import PretrainedAgent
    from llm_routing_env.agents.parts.registry import agent_class, describe_agents, make_agent, observation_of

__all__ = [
    "AGENTS",
    "ASKING_AGENTS",
    "Agent",
    "LLMInfo",
    "LoggedData",
    "PretrainedAgent",
    "RoutingTask",
    "TrainingTable",
    "agent_class",
    "describe_agents",
    "make_agent",
    "observation_of",
]

AGENTS: dict[str, str] = {
    "learning_automaton": "llm_routing_env.agents.learning_automaton:LearningAutomaton",
    "epsilon_greedy_q": "llm_routing_env.agents.epsilon_greedy_q:EpsilonGreedyQ",
    "linear_reward_penalty": "llm_routing_env.agents.linear_reward_penalty:LinearRewardPenalty",
    "pursuit": "llm_routing_env.agents.pursuit:Pursuit",
    "explore_then_commit": "llm_routing_env.agents.explore_then_commit:ExploreThenCommit",
    "softmax": "llm_routing_env.agents.softmax:Softmax",
    "gradient_bandit": "llm_routing_env.agents.gradient_bandit:GradientBandit",
    "ucb1": "llm_routing_env.agents.ucb1:UCB1",
    "kl_ucb": "llm_routing_env.agents.kl_ucb:KLUCB",
    "thompson_beta": "llm_routing_env.agents.thompson_beta:ThompsonBeta",
    "thompson_gaussian": "llm_routing_env.agents.thompson_gaussian:ThompsonGaussian",
    "exp3": "llm_routing_env.agents.exp3:EXP3",
    "sliding_window_ucb": "llm_routing_env.agents.sliding_window_ucb:SlidingWindowUCB",
    "discounted_ucb": "llm_routing_env.agents.discounted_ucb:DiscountedUCB",
    "linucb": "llm_routing_env.agents.linucb:LinUCB",
    "lin_ts": "llm_routing_env.agents.lin_ts:LinTS",
    "neural_linear": "llm_routing_env.agents.neural_linear:NeuralLinear",
    "budget_pacer": "llm_routing_env.agents.budget_pacer:BudgetPacer",
    "knn_bandit": "llm_routing_env.agents.knn_bandit:KNNBandit",
    "per_context_q": "llm_routing_env.agents.per_context_q:PerContextQ",
    "outcome_thompson": "llm_routing_env.agents.outcome_thompson:OutcomeThompson",
    "outcome_ucb": "llm_routing_env.agents.outcome_ucb:OutcomeUCB",
    "outcome_linear": "llm_routing_env.agents.outcome_linear:OutcomeLinear",
    "knn_router": "llm_routing_env.agents.knn_router:KNNRouter",
    "linear_router": "llm_routing_env.agents.linear_router:LinearRouter",
    "mlp_router": "llm_routing_env.agents.mlp_router:MLPRouter",
    "matrix_factorisation": "llm_routing_env.agents.matrix_factorisation:MatrixFactorisation",
    "uniroute": "llm_routing_env.agents.uniroute:UniRoute",
    "hull_router": "llm_routing_env.agents.hull_router:HullRouter",
    "awr_router": "llm_routing_env.agents.awr_router:AWRRouter",
    "barp": "llm_routing_env.agents.barp:BaRP",
    "ipo_router": "llm_routing_env.agents.ipo_router:IPORouter",
    "tier_router": "llm_routing_env.agents.tier_router:TierRouter",
    "pairwise_mf": "llm_routing_env.agents.pairwise_mf:PairwiseMF",
    "llm_bandit": "llm_routing_env.agents.llm_bandit:LLMBandit",
    "smoothie": "llm_routing_env.agents.smoothie:Smoothie",
    "zero_router": "llm_routing_env.agents.zero_router:ZeroRouter",
    "random": "llm_routing_env.agents.random:Random",
    "round_robin": "llm_routing_env.agents.round_robin:RoundRobin",
    "fixed": "llm_routing_env.agents.fixed:Fixed",
    "cheapest": "llm_routing_env.agents.cheapest:Cheapest",
}

# Those of PickLLM-Multi-v0, which may ask several LLMs about a query.
ASKING_AGENTS: dict[str, str] = {
    "advisor_gate": "llm_routing_env.agents.advisor_gate:AdvisorGate",
    "automix": "llm_routing_env.agents.automix:AutoMix",
    "best_of_n": "llm_routing_env.agents.best_of_n:BestOfN",
    "cascade": "llm_routing_env.agents.cascade:Cascade",
    "re_propose": "llm_routing_env.agents.re_propose:RePropose",
    "smoothie_pick": "llm_routing_env.agents.smoothie_pick:SmoothiePick",
    "subset_vote": "llm_routing_env.agents.subset_vote:SubsetVote",
}

# An environment needs none of these, and starts sooner without.
_LATER = {
    "Agent": "agent",
    "PretrainedAgent": "pretrained",
    **dict.fromkeys(("agent_class", "describe_agents", "make_agent", "observation_of"), "registry"),
}


def __getattr__(name: str) -> Any:
    """Import what makes agents when it is asked for."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.parts.{_LATER[name]}"), name)
