"""One epsilon-greedy session in each other library, as its documentation does it.

Each function sets up and returns the run, which routes the stream and returns the mean reward.
"""

import random
from collections.abc import Callable

Stream = list[tuple[float, ...]]  # the reward of each LLM, query by query
Run = Callable[[], float]


def coba_run(stream: Stream, epsilon: float) -> Run:
    """An environment of simulated interactions, judged by coba's own evaluator."""
    import coba

    class Recorded(coba.Environment):
        def __init__(self) -> None:
            self.interactions = [coba.SimulatedInteraction(None, range(len(row)), list(row)) for row in stream]

        def read(self) -> list[coba.SimulatedInteraction]:
            return self.interactions

    environment, evaluator = Recorded(), coba.SequentialCB(record=["reward"])
    learner = coba.BanditEpsilonLearner(epsilon, seed=0)
    return lambda: sum(row["reward"] for row in evaluator.evaluate(environment, learner)) / len(stream)


def mabwiser_run(stream: Stream, epsilon: float) -> Run:
    """Predict and fit partially, after the first fit that MABWiser asks for: here one pull of each arm."""
    from mabwiser.mab import MAB, LearningPolicy

    arms = list(range(len(stream[0])))
    bandit = MAB(arms, LearningPolicy.EpsilonGreedy(epsilon), seed=0)
    bandit.fit(arms, [stream[arm][arm] for arm in arms])

    def run() -> float:
        total = 0.0
        for rewards in stream:
            arm = bandit.predict()
            bandit.partial_fit([arm], [rewards[arm]])
            total += rewards[arm]
        return total / len(stream)

    return run


def river_run(stream: Stream, epsilon: float) -> Run:
    """Pull and update."""
    from river.bandit import EpsilonGreedy

    policy, arms = EpsilonGreedy(epsilon, seed=0), range(len(stream[0]))

    def run() -> float:
        total = 0.0
        for rewards in stream:
            arm = policy.pull(arms)
            policy.update(arm, rewards[arm])
            total += rewards[arm]
        return total / len(stream)

    return run


def vowpalwabbit_run(stream: Stream, epsilon: float) -> Run:
    """Probabilities of the actions from predict, the action by the caller, its cost and probability to learn."""
    from vowpalwabbit import Workspace

    workspace = Workspace(f"--cb_explore {len(stream[0])} --epsilon {epsilon} --quiet")
    draw, arms = random.Random(0).choices, range(len(stream[0]))

    def run() -> float:
        total = 0.0
        for rewards in stream:
            probabilities = workspace.predict("|")
            arm = draw(arms, probabilities)[0]
            workspace.learn(f"{arm + 1}:{-rewards[arm]}:{probabilities[arm]} |")
            total += rewards[arm]
        return total / len(stream)

    return run


# By the name of the distribution.
PEERS: dict[str, Callable[[Stream, float], Run]] = {
    "coba": coba_run,
    "mabwiser": mabwiser_run,
    "river": river_run,
    "vowpalwabbit": vowpalwabbit_run,
}
