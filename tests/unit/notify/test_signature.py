"""Signatures as standard-webhooks.com defines them."""

import pytest

from weighbridge.domain.text.printable import Secret
from weighbridge.notify.channels.webhook.notifier import signature
from weighbridge.notify.channels.webhook.webhook_channel import signing_key

SECRET = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")


def test_the_vector_of_the_reference_libraries_is_reproduced() -> None:
    signed = signature(
        signing_key(SECRET),
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1_614_265_330,
        b'{"test": 2432232314}',
    )

    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    ("message_id", "timestamp", "body"),
    [("b", 1, b"x"), ("a", 2, b"x"), ("a", 1, b"y")],
)
def test_id_time_and_body_are_all_signed(
    message_id: str, timestamp: int, body: bytes
) -> None:
    key = signing_key(SECRET)

    other = signature(key, message_id, timestamp, body)

    assert other != signature(key, "a", 1, b"x")


@pytest.mark.parametrize(
    "text",
    [
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_",
        "whsec_c2hvcnQ=",
        "whsec_QrTwj is not base64 but long enough",
        "whsec_" + "QrTwj" + "A" * 95,
        "whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    ],
)
def test_what_is_no_secret_of_the_standard_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no whsec_ secret") as caught:
        signing_key(Secret(text))

    assert "QrTwj" not in repr((caught.value, caught.value.__context__))
