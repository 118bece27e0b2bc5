"""An agent of one session, for type checkers: what it returns are numbers, no arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, SupportsFloat

from numpy.typing import ArrayLike

from llm_routing_env.agents.parts.agent import Agent

if TYPE_CHECKING:

    class SingleAgent(Agent):
        """What `make_agent` returns without `n_sessions`; nothing is an instance of it that is no `Agent`."""

        def select_action(self, observation: ArrayLike | None, action_mask: ArrayLike | None = None) -> int:
            """See `Agent`."""

        def update(
            self,
            observation: ArrayLike | None,
            action: ArrayLike,
            reward: ArrayLike | SupportsFloat,
            outcome: Mapping[str, Any] | None = None,
            probability: ArrayLike | None = None,
        ) -> None:
            """See `Agent`."""

        @property
        def committed_action(self) -> int:
            """See `Agent`."""

else:
    SingleAgent = Agent
