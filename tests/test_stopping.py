"""Commands that are stopped: by which signal, and what they say."""

import signal

import pytest

from llm_routing_env.stopping import Terminated, exit_code, sigterm_raises, what_was_kept


def test_sigterm_interrupts_as_ctrl_c_does_and_only_within_the_block():
    with pytest.raises(KeyboardInterrupt) as caught, sigterm_raises(Terminated):
        signal.raise_signal(signal.SIGTERM)
    assert isinstance(caught.value, Terminated)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_handler_that_somebody_set_stays():
    came = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: came.append(number))
    try:
        with sigterm_raises(Terminated):
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert came == [signal.SIGTERM]


def test_the_exit_code_names_the_signal_and_the_line_what_is_kept():
    stop = Terminated()
    stop.add_note("Three outcomes are kept.")
    stop.add_note("Go on with --resume.")
    assert (exit_code(stop), exit_code(KeyboardInterrupt())) == (143, 130)
    assert what_was_kept(stop) == "Interrupted. Three outcomes are kept. Go on with --resume."
    assert what_was_kept(KeyboardInterrupt()) == "Interrupted."
