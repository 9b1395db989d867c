"""Messages are confirmed, or given back; where neither is possible, the consumer
connects anew."""

import pytest
from billiard.einfo import ExceptionInfo
from billiard.exceptions import WorkerLostError
from kombu import Message
from kombu.asynchronous import Hub, get_event_loop, set_event_loop

from weighbridge.ports.job_names import DELIVER, QUEUE_OF, SETTLE, TICK
from weighbridge_workers.app import Application
from weighbridge_workers.workarounds import ConfirmedRequest, connect_anew


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


@pytest.mark.parametrize("job", QUEUE_OF)
def test_what_ends_its_process_is_given_back_unless_it_is_sent_again_anyway(
    app: Application, job: str
) -> None:
    confirmed: list[str] = []
    message = Message(
        body='[[""], {}, {}]',
        content_type="application/json",
        content_encoding="utf-8",
        headers={"id": "1", "task": job, "lang": "py"},
        properties={"delivery_tag": "1"},
        delivery_info={},
    )
    assert app.tasks[job].Request.endswith(":ConfirmedRequest")
    request = ConfirmedRequest(
        message,
        app=app,
        task=app.tasks[job],
        on_ack=lambda *_: confirmed.append("done"),
        on_reject=lambda *_: confirmed.append("given back"),
    )
    try:
        raise WorkerLostError("killed")
    except WorkerLostError:
        lost = ExceptionInfo()

    request.on_failure(lost, send_failed_event=False)

    assert confirmed == ["done" if job in (TICK, SETTLE, DELIVER) else "given back"]
