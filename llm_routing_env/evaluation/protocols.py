"""How agents take part in a comparison; tables never mix these without their label."""

PROTOCOLS = {
    "online": "a fresh learner per session, judged on every query that it routes",
    "lifelong": "one learner through many sessions, that goes on learning from what it is answered",
    "logged": "it learned from a bandit log of the train split before it is judged on the test split",
    "pretrained": "fitted on the train split, judged on the test split",
}
