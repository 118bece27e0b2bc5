"""The nano pool: four tiny LLMs trained from scratch, with the question-answer tasks they learnt."""
