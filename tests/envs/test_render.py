"""Rendering: what a session looks like, as text, pixels and video."""

import gymnasium as gym
import numpy as np
from gymnasium.wrappers import RenderCollection

from llm_routing_env.envs.render import SessionPicture
from llm_routing_env.tables.outcome import Outcome
from llm_routing_env.tables.queries import Query

EVIL = "\x1b[31m\x1b]0;title\x07[bold red]$\\frac{1$"
QUERY = Query("q", "art", "test", "Who painted it?", ("Dürer",))


def picture() -> SessionPicture:
    drawn = SessionPicture(("small", "big"))
    for llm, response in ((0, "Dürer"), (1, "Cranach"), (0, "\x1b[2JDürer\n")):
        drawn.add(QUERY, llm, Outcome(response, 5, 2, 1e-5, 0.05, accuracy=1.0), 0.5)
    return drawn


def test_the_text_says_what_was_asked_who_answered_and_the_shares():
    text = picture().text()
    for part in ("Who painted it?", "[art]", "small: ", "accuracy 1.00", "50 ms", "66.7%", "33.3%", "$3.00e-05"):
        assert part in text


def test_no_text_can_steer_a_terminal_or_break_a_picture():
    drawn = SessionPicture((EVIL, "big"))
    query = Query("q", EVIL, "test", EVIL, ("Dürer",))
    drawn.add(query, 0, Outcome(EVIL, 5, 2, 1e-5, 0.05, accuracy=1.0), 0.5)
    shown = drawn.text()
    drawn.add(query, 0, Outcome("", 0, 0, 0.0, 1.0, accuracy=0.0, error=EVIL), 0.5)
    for text in (shown, drawn.text()):
        assert text.replace("\n", "").isprintable()
        assert text.count(r"\x1b[31m\x1b]0;title\x07[bold red]") == 5  # prompt, context, twice the LLM, what it said
    assert drawn.pixels().shape == (360, 640, 3)


def test_a_failed_call_shows_its_error():
    drawn = SessionPicture(("small", "big"))
    drawn.add(QUERY, 1, Outcome("", 0, 0, 0.0, 1.0, accuracy=0.0, error="connection refused"), -1.0)
    assert "connection refused" in drawn.text()


def test_pixels_change_as_the_session_goes_on():
    empty, drawn = SessionPicture(("small", "big")).pixels(), picture().pixels()
    assert empty.shape == drawn.shape == (360, 640, 3)
    assert empty.dtype == np.uint8
    assert (empty != drawn).any()


def test_frames_can_be_collected_as_recordvideo_does():
    env = RenderCollection(gym.make("PickLLM-v0", render_mode="rgb_array", max_episode_steps=5, observation="none"))
    env.reset(seed=0)
    for _ in range(5):
        env.step(0)
    frames = env.render()
    assert len(frames) == 6
    assert all(frame.shape == (360, 640, 3) for frame in frames)
