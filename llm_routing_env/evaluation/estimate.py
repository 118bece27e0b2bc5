"""What a live comparison will come to, before anything is sent."""

import numpy as np

from llm_routing_env.evaluation.drawn import contexts_of, draw_sessions, session_seeds
from llm_routing_env.evaluation.setting import Setting
from llm_routing_env.pools.estimate import Estimate, one_llm


def estimated(setting: Setting, n_agents: int, n_sessions: int) -> Estimate:
    """Return what so many agents come to on the sessions that they would be compared in.

    Each session's queries are known, but not which LLMs an agent will ask. What is recorded costs nothing.

    Args:
        setting: What the agents face.
        n_agents: How many there are.
        n_sessions: Sessions per context.

    Raises:
        ServingError: If the live pool is not being served.
    """
    if setting.live is None or n_sessions < 1:
        return Estimate()
    problem, queries = setting.problem(), []
    for context in contexts_of(problem):
        seeds = session_seeds(setting.seed, context, n_sessions)
        queries.append(draw_sessions(problem, seeds, context=context, length=setting.length).queries.ravel())
    times = n_agents * np.bincount(np.concatenate(queries), minlength=problem.table.n_queries).astype(np.float64)
    return one_llm(setting.live.pool_for(setting.table), problem.table.queries, times, recorded=problem.table)
