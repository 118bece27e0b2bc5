"""A stream of queries that changes topic."""

from dataclasses import dataclass

from llm_routing_env.scenarios.event import GradualEvent, Topics


@dataclass(frozen=True, kw_only=True)
class ContextShift(GradualEvent):
    """Queries come from another context; gradually, the chance that they do rises from 0 in equal stages to 1.

    A context that has no query left begins again, in the same order. The session is as long as it would be.

    Attributes:
        context: The context's name; "mixed": all of them interleaved; "next": the one after the session's own.
    """

    kind = "context_shift"
    context: str

    def __post_init__(self) -> None:
        """Check the context's type: which ones there are depends on the split."""
        super().__post_init__()
        if self.until is not None:
            raise ValueError("until has no meaning here: another context_shift ends it")
        if not isinstance(self.context, str):
            raise ValueError(f"context must be a name, got {self.context!r:.60}")

    def mixed(self, topics: Topics, step: int) -> Topics:
        """Return the shares of the contexts, with so much of this one as has come about at the step."""
        share = self.share(step)
        mixed = {name: (1 - share) * before for name, before in topics.items()}
        mixed[self.context] = mixed.get(self.context, 0.0) + share
        return {name: share for name, share in mixed.items() if share > 0}
