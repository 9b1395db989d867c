"""A message that cannot be confirmed makes the consumer connect anew."""

import pytest
from kombu.asynchronous import Hub, get_event_loop, set_event_loop

from weighbridge_workers.overrides import connect_anew


def test_f19_the_loss_is_told_to_the_consumers_loop() -> None:
    before, hub = get_event_loop(), Hub()
    set_event_loop(hub)
    try:
        connect_anew(ConnectionResetError("gone"))

        with pytest.raises(ConnectionResetError, match="gone"):
            hub.run_once()
    finally:
        hub.close()
        set_event_loop(before)


def test_f19_without_a_loop_it_is_raised_at_once() -> None:
    before = get_event_loop()
    set_event_loop(None)
    try:
        with pytest.raises(ConnectionResetError):
            connect_anew(ConnectionResetError("gone"))
    finally:
        set_event_loop(before)
