"""Jobs: a contestant with the sessions or lives that it runs, or the training that it is judged by."""

import traceback
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

from llm_routing_env.backends.budget import BudgetError
from llm_routing_env.evaluation.contestants import Contestant, Result, Work
from llm_routing_env.evaluation.setting import Setting


@dataclass(frozen=True)
class Job:
    """What one contestant is to do.

    Attributes:
        contestant: The contestant.
        work: Sessions, lives, or a training.
        journal: Where the sessions' live outcomes are kept.
    """

    contestant: Contestant
    work: Work
    journal: Path | None = None

    def setting(self, setting: Setting) -> Setting:
        """Return the setting with the journal of these sessions."""
        if setting.live is None:
            return setting
        return replace(setting, live=replace(setting.live, journal=self.journal))


@dataclass(frozen=True)
class Failure:
    """What an agent raised, in one line.

    Attributes:
        line: The line.
        is_of_budget: Whether the agent is not to blame: the budget was used up, and with a larger one it goes on.
    """

    line: str
    is_of_budget: bool = False


class Attempt:
    """A job under way: what the agent raises is its result, so that the others go on.

    Attributes:
        result: What came of it.
    """

    result: Result | Failure

    def __enter__(self) -> "Attempt":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> bool:
        if not isinstance(error, Exception):
            return False
        if isinstance(error, BudgetError):
            self.result = Failure(f"{error}", is_of_budget=True)
        else:
            where = traceback.extract_tb(at)[-1]
            place = f"{Path(where.filename).name}:{where.lineno}"
            self.result = Failure(f"{type(error).__name__}: {' '.join(str(error).split())} ({place})")
        return True
