"""Where access keys come from; what asks a server is in tests/integration."""

from pathlib import Path

import pytest

from weighbridge.domain.text.printable import Secret
from weighbridge.errors import AuthError
from weighbridge.registry.kinds.ecr.aws_keys import AccessKey, ConfiguredKey, keys_of
from weighbridge.registry.login.credentials import Credential

REGION = "eu-central-1"


@pytest.fixture(autouse=True)
def nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without AWS credentials, on which nobody asks for an instance's."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


async def test_a_configured_key_needs_no_library_and_stays() -> None:
    keys = keys_of(Credential("AKIATEST00000001", Secret("shown")), None, REGION)

    assert isinstance(keys, ConfiguredKey)
    assert await keys.current() == AccessKey("AKIATEST00000001", Secret("shown"))
    assert not await keys.renew()
    assert "shown" not in f"{keys} {keys.key}"


async def test_the_environment_s_key_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ASIATEST00000001")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of the environment")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "for a time")

    found = await keys_of(None, None, REGION).current()

    expected = ("ASIATEST00000001", Secret("of the environment"), Secret("for a time"))
    assert (found.key_id, found.secret, found.session_token) == expected


async def test_a_profile_is_read_again_after_a_refusal(tmp_path: Path) -> None:
    file = tmp_path / "credentials"
    text = "[default]\naws_access_key_id = {}\naws_secret_access_key = x\n"
    file.write_text(text.format("AKIATEST00000001"))
    keys = keys_of(None, None, REGION)
    before = await keys.current()

    file.write_text(text.format("AKIATEST00000002"))
    assert await keys.renew()

    assert before.key_id == "AKIATEST00000001"
    assert (await keys.current()).key_id == "AKIATEST00000002"


async def test_a_machine_without_credentials_is_told_what_to_do() -> None:
    with pytest.raises(AuthError) as caught:
        await keys_of(None, None, REGION).current()

    assert "AWS_PROFILE" in caught.value.hint


async def test_without_the_library_the_way_to_get_it_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("botocore.exceptions", "botocore.credentials", "botocore.session"):
        monkeypatch.setitem(__import__("sys").modules, name, None)

    with pytest.raises(AuthError) as caught:
        await keys_of(None, None, REGION).current()

    assert caught.value.code == "missing_extra"
    assert "weighbridge[aws]" in caught.value.hint
