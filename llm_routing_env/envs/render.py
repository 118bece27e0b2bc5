"""What a session looks like: the last query, who answered, what it cost, and each LLM's share so far."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.tables.outcome import Outcome
from llm_routing_env.tables.queries import Query
from llm_routing_env.text import printable

BAR_WIDTH = 30


@dataclass(frozen=True)
class _LastStep:
    query: Query
    llm: int
    outcome: Outcome
    reward: float


class SessionPicture:
    """Collects a session's steps and draws them as text or pixels."""

    def __init__(self, llm_names: tuple[str, ...], what: str = "queries") -> None:
        """Draw sessions over these LLMs; `what`: of what they get shares."""
        self._what = what
        self._llm_names = tuple(map(printable, llm_names))
        self.clear()

    def clear(self) -> None:
        """Forget the session."""
        self._counts = np.zeros(len(self._llm_names), dtype=np.int64)
        self._cost_usd = 0.0
        self._last: _LastStep | None = None

    def add(self, query: Query, llm: int, outcome: Outcome, reward: float) -> None:
        """Add one step."""
        self._counts[llm] += 1
        self._cost_usd += outcome.cost_usd
        self._last = _LastStep(query, llm, outcome, reward)

    def text(self) -> str:
        """Return the picture as plain text; control characters are spelled out."""
        lines = []
        if self._last:
            step = self._last
            said = step.outcome.error or step.outcome.response
            lines += [
                f"query    {printable(step.query.prompt)}  [{printable(step.query.context)}]",
                f"{self._llm_names[step.llm]}: {printable(said)}",
                f"accuracy {step.outcome.accuracy:.2f}  cost ${step.outcome.cost_usd:.2e}  "
                f"latency {step.outcome.latency_s * 1000:.0f} ms  reward {step.reward:.3f}",
            ]
        total = max(int(self._counts.sum()), 1)
        width = max(map(len, self._llm_names))
        for name, count in zip(self._llm_names, self._counts, strict=True):
            bar = "#" * round(BAR_WIDTH * count / total)
            lines.append(f"{name:<{width}} {bar:<{BAR_WIDTH}} {count / total:6.1%}")
        lines.append(f"{self._counts.sum()} {self._what}, ${self._cost_usd:.2e}")
        return "\n".join(lines)

    def show(self) -> None:
        """Print the picture."""
        print(self.text(), end="\n\n", flush=True)

    def pixels(self) -> NDArray[np.uint8]:
        """Return the picture as an image, shape (360, 640, 3)."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6.4, 3.6), dpi=100)
        canvas = FigureCanvasAgg(figure)
        axes = figure.add_axes((0.25, 0.16, 0.7, 0.48))
        shares = self._counts / max(int(self._counts.sum()), 1)
        colours = [f"C{index}" for index in range(len(shares))]
        axes.barh(list(map(_drawable, self._llm_names)), shares, color=colours)
        axes.set(xlim=(0, 1), xlabel=f"share of the {self._what} so far")
        axes.invert_yaxis()
        head = "\n".join(line[:85] for line in self.text().splitlines()[:3]) if self._last else "new session"
        figure.text(0.03, 0.95, _drawable(head), va="top", fontsize=9, family="monospace")
        canvas.draw()
        return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()


def _drawable(text: str) -> str:
    """Return text that matplotlib does not read as a formula."""
    return text.replace("$", r"\$")
