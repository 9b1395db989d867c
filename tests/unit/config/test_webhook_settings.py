"""Who may tell of pushes: `webhooks` of the configuration."""

from pathlib import Path

import pytest

from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import Settings, load_settings
from weighbridge.config.effective import ShownValue, effective_settings
from weighbridge.errors import ConfigError

REGISTRIES = "registries: [{name: harbor, url: 'https://harbor.example'}]\n"
SECRET = "a-secret-of-some-length"
OTHER = "another-secret-of-ours"


def loaded(folder: Path, webhook: str) -> Settings:
    return load_settings(str(written(folder, webhook)), {}, KINDS)


def written(folder: Path, webhook: str) -> Path:
    file = folder / "weighbridge.yaml"
    file.write_text(f"{REGISTRIES}webhooks:\n  - {webhook}\n", encoding="utf-8")
    return file


def refused(folder: Path, webhook: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        loaded(folder, webhook)
    return caught.value


def secrets_of(settings: Settings) -> list[str]:
    (webhook,) = settings.webhooks
    return [secret.reveal() for secret in webhook.current_secrets()]


def test_a_webhook_has_a_source_a_registry_and_a_secret(tmp_path: Path) -> None:
    settings = loaded(
        tmp_path, f"{{source: harbor, registry: harbor, secret: {SECRET}}}"
    )

    (webhook,) = settings.webhooks
    assert (webhook.source, webhook.registry) == ("harbor", "harbor")
    assert secrets_of(settings) == [SECRET]


def test_a_secret_in_a_file_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "hook"
    file.write_text(f"{SECRET}\n", encoding="utf-8")
    settings = loaded(tmp_path, "{source: harbor, registry: harbor, secret_file: hook}")
    file.write_text(OTHER, encoding="utf-8")

    assert settings.webhooks[0].files == (file,)
    assert secrets_of(settings) == [OTHER]


@pytest.mark.parametrize("key", ["secrets", "secret_files"])
def test_several_secrets_are_valid_at_once(tmp_path: Path, key: str) -> None:
    texts = [SECRET, OTHER]
    for number, text in enumerate(texts):
        (tmp_path / f"f{number}").write_text(text, encoding="utf-8")
    values = texts if key == "secrets" else ["f0", "f1"]

    settings = loaded(
        tmp_path, f"{{source: harbor, registry: harbor, {key}: [{', '.join(values)}]}}"
    )

    assert secrets_of(settings) == texts


@pytest.mark.parametrize(
    ("webhook", "code", "words"),
    [
        (
            f"{{source: gitea, registry: harbor, secret: {SECRET}}}",
            "invalid_value",
            "harbor",
        ),
        (
            f"{{source: harbor, registry: hub, secret: {SECRET}}}",
            "unknown_registry",
            "is no registry: there is harbor",
        ),
        (
            "{source: harbor, registry: harbor}",
            "missing_key",
            "secret_file  is missing (or secret)",
        ),
        (
            "{source: harbor, registry: harbor, secret: short}",
            "weak_secret",
            "at least 16 characters: openssl rand -hex 32",
        ),
        (
            "{source: harbor, registry: harbor, secret: ''}",
            "config",
            "must not be empty",
        ),
        (
            "{source: harbor, registry: harbor, secret: 'of two words and so on'}",
            "weak_secret",
            "must be ASCII without spaces",
        ),
        (
            "{source: quay, registry: harbor, secret: with/slash/and-more}",
            "weak_secret",
            "must be letters, digits, - . _ and ~",
        ),
        (
            f"{{source: zot, registry: harbor, secret: {SECRET}, secrets: [{OTHER}]}}",
            "twin_keys",
            "secret  excludes secrets: keep one",
        ),
        (
            "{source: harbor, registry: harbor, secret_file: absent}",
            "secret_file",
            "cannot be read",
        ),
        (
            f"{{source: harbor, registry: harbor, secert: {SECRET}}}",
            "unknown_key",
            "did you mean secret?",
        ),
        (
            f"{{source: harbor, registry: harbor, secrets: [{SECRET}, {SECRET}]}}",
            "duplicate_secret",
            "is another webhook's too",
        ),
        (SECRET, "invalid_value", "must hold keys"),
    ],
)
def test_a_fault_is_told_with_what_is_right_and_without_the_secret(
    tmp_path: Path, webhook: str, code: str, words: str
) -> None:
    error = refused(tmp_path, webhook)

    assert error.code == code
    assert words in error.message
    assert "webhooks[0]" in error.message
    for text in (SECRET, "short", "slash", "two words"):
        assert text not in error.message


def test_a_short_secret_in_a_file_is_told_too(tmp_path: Path) -> None:
    (tmp_path / "hook").write_text("short-one\n", encoding="utf-8")

    error = refused(tmp_path, "{source: harbor, registry: harbor, secret_file: hook}")

    assert error.code == "weak_secret"
    assert "short-one" not in error.message


def test_two_webhooks_of_a_source_have_two_secrets(tmp_path: Path) -> None:
    webhook = f"{{source: harbor, registry: harbor, secret: {SECRET}}}"

    error = refused(tmp_path, f"{webhook}\n  - {webhook}")
    other = loaded(
        tmp_path, f"{webhook}\n  - {webhook.replace('source: harbor', 'source: zot')}"
    )

    assert error.code == "duplicate_secret"
    assert "webhooks[1].secret" in error.message
    assert len(other.webhooks) == 2


@pytest.mark.parametrize("key", ["secret", "secrets"])
def test_secrets_are_not_shown(tmp_path: Path, key: str) -> None:
    value = SECRET if key == "secret" else f"[{SECRET}]"
    file = written(tmp_path, f"{{source: harbor, registry: harbor, {key}: {value}}}")

    tree = effective_settings(str(file), {}, KINDS)
    settings = load_settings(str(file), {}, KINDS)

    assert isinstance(tree, dict)
    webhooks = tree["webhooks"]
    assert isinstance(webhooks, list)
    (webhook,) = webhooks
    assert isinstance(webhook, dict)
    assert webhook[key] == ShownValue("<redacted>", f"{file}:3")
    for text in (repr(tree), repr(settings), str(settings)):
        assert SECRET not in text
