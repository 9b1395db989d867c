"""`tls` of the two listeners: what it takes, and what goes with it."""

from pathlib import Path

import pytest

from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import Settings, load_settings
from weighbridge.errors import ConfigError

PAIR = "{cert_file: c.pem, key_file: /k.pem}"


def loaded(folder: Path, text: str) -> Settings:
    file = folder / "weighbridge.yaml"
    file.write_text(text)
    return load_settings(str(file), {}, KINDS)


def test_files_start_at_the_configuration_and_need_not_be_there(
    tmp_path: Path,
) -> None:
    # Other commands of other users read the same configuration.
    tls = loaded(tmp_path, f"web: {{tls: {PAIR}}}").web.tls

    assert tls is not None
    assert tls.files == {"cert_file": tmp_path / "c.pem", "key_file": Path("/k.pem")}
    assert tls.client_ca_file is None


def test_each_listener_has_its_own(tmp_path: Path) -> None:
    text = f"metrics: {{bind: '127.0.0.1:9090', tls: {PAIR}}}"

    settings = loaded(tmp_path, text)

    assert settings.web.tls is None
    assert settings.metrics.tls is not None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"metrics: {{tls: {PAIR}}}", "metrics.tls  needs bind"),
        ("web: {tls: {cert_file: c.pem}}", "key_file"),
        ("web: {tls: {cert_file: '', key_file: k}}", "must be the path of a file"),
        ("web: {tls: {cert_file: c, key_file: k, ca_file: x}}", "ca_file"),
    ],
)
def test_what_is_wrong_is_told_at_its_key(
    tmp_path: Path, text: str, words: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, text)

    assert words in caught.value.message
    assert caught.value.faults == 1
