"""`weighbridge token`: what is printed once, what is kept, and what ends."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from weighbridge.cli.main import run
from weighbridge.domain.access.roles import could_be_token, digest_of
from weighbridge.store.access import acts, all_tokens, valid_tokens
from weighbridge.store.session import Database, open_database

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An absent database in the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WEIGHBRIDGE_DATABASE_URL", "sqlite:///weighbridge.db")


def created(capsys: Capture, *arguments: str) -> str:
    assert run(["token", "create", *arguments]) == 0
    return capsys.readouterr().out.strip()


def listed(capsys: Capture) -> list[dict[str, object]]:
    capsys.readouterr()  # of what was run before
    assert run(["token", "list", "-o", "json"]) == 0
    items: list[dict[str, object]] = json.loads(capsys.readouterr().out)["items"]
    return items


def opened() -> Database:
    return open_database("sqlite:///weighbridge.db")


def valid_roles() -> dict[bytes, str]:
    database = opened()
    with database.read() as connection:
        found = valid_tokens(connection, datetime.now(UTC))
    database.close()
    return {sha256: token.role for sha256, token in found.items()}


def test_only_the_token_is_printed_and_it_opens_the_door(capsys: Capture) -> None:
    assert run(["token", "create", "--role", "read"]) == 0

    out, err = capsys.readouterr()
    assert could_be_token(out.removesuffix("\n"))
    assert out.startswith("wbr_")
    assert out.strip() not in err
    assert "read-1" in err
    assert valid_roles() == {digest_of(out.strip()): "read"}


def test_the_token_is_shown_once_and_is_in_no_list_and_no_file(
    capsys: Capture, tmp_path: Path
) -> None:
    secret = created(capsys, "--role", "admin", "--name", "ops")

    for output in ("table", "json", "csv", "markdown"):
        assert run(["token", "list", "-o", output]) == 0
        out, err = capsys.readouterr()
        assert "ops" in out
        assert secret not in out + err
    for file in tmp_path.iterdir():
        assert secret.encode() not in file.read_bytes(), file


def test_json_has_everything_that_is_known_of_a_new_token(capsys: Capture) -> None:
    text = created(
        capsys,
        *("--role", "metrics", "--name", "prometheus", "--expires", "90d"),
        *("-o", "json"),
    )

    row = json.loads(text)
    lifetime = datetime.fromisoformat(row["expires_at"]) - datetime.fromisoformat(
        row["created_at"]
    )
    assert row["token"].startswith("wbm_")
    assert (row["name"], row["role"], row["state"]) == (
        "prometheus",
        "metrics",
        "valid",
    )
    assert lifetime.days == 90


def test_several_are_valid_at_once_until_the_old_one_is_revoked(
    capsys: Capture,
) -> None:
    old = created(capsys, "--role", "webhook:harbor")
    new = created(capsys, "--role", "webhook:harbor")
    assert valid_roles().keys() == {digest_of(old), digest_of(new)}

    assert run(["token", "revoke", "webhook:harbor-1"]) == 0

    assert capsys.readouterr().out == ("revoked: webhook:harbor-1 (webhook:harbor)\n")
    assert valid_roles().keys() == {digest_of(new)}
    assert [item["state"] for item in listed(capsys)] == ["revoked", "valid"]


def test_a_token_may_be_revoked_by_its_id_and_twice(capsys: Capture) -> None:
    created(capsys, "--role", "read")

    assert run(["token", "revoke", "1"]) == 0
    assert run(["token", "revoke", "1"]) == 0

    out = capsys.readouterr().out
    assert out == "revoked: read-1 (read)\nwas revoked before: read-1 (read)\n"


def test_of_two_with_one_name_the_valid_one_is_revoked(capsys: Capture) -> None:
    created(capsys, "--role", "read", "--name", "ci")
    run(["token", "revoke", "ci"])
    created(capsys, "--role", "read", "--name", "ci")

    run(["token", "revoke", "ci"])

    assert [item["state"] for item in listed(capsys)] == ["revoked", "revoked"]
    assert valid_roles() == {}


def test_every_act_is_in_the_audit_log_with_its_actor(capsys: Capture) -> None:
    created(capsys, "--role", "admin", "--name", "ops", "--expires", "1d")
    run(["token", "revoke", "ops"])
    run(["token", "revoke", "ops"])
    run(["token", "create", "--role", "nothing"])

    database = opened()
    with database.read() as connection:
        done = acts(connection)
    database.close()

    assert [(act.act, act.subject) for act in done] == [
        ("token.create", "ops"),
        ("token.revoke", "ops"),
    ]
    assert done[0].detail.startswith("admin until ")
    assert all(act.actor.startswith("cli:") for act in done)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["create", "--role", "root"], "invalid_role"),
        (["create", "--role", "read", "--name", "7"], "invalid_token_name"),
        (["create", "--role", "read", "--expires", "0s"], "invalid_duration"),
        (["create", "--role", "read", "--expires", "soon"], "invalid_duration"),
    ],
)
def test_a_wrong_token_is_not_made(
    capsys: Capture, arguments: list[str], code: str
) -> None:
    assert run(["token", *arguments]) == 2

    out, err = capsys.readouterr()
    assert out == ""
    assert f"[{code}]" in err
    assert not Path("weighbridge.db").exists()


def test_two_tokens_never_have_one_name(capsys: Capture) -> None:
    created(capsys, "--role", "read", "--name", "ci")

    assert run(["token", "create", "--role", "admin", "--name", "ci"]) == 2

    assert "[token_exists]" in capsys.readouterr().err
    assert len(valid_roles()) == 1


def test_an_unknown_token_is_told_with_those_that_there_are(capsys: Capture) -> None:
    created(capsys, "--role", "read")

    assert run(["token", "revoke", "reed-1"]) == 2

    err = capsys.readouterr().err
    assert "[unknown_token]" in err
    assert "there are  read-1" in err


def test_without_a_database_there_is_nothing_to_list(capsys: Capture) -> None:
    assert run(["token", "list"]) == 3
    assert "[no_database]" in capsys.readouterr().err


def test_an_empty_list_tells_how_to_make_one(capsys: Capture) -> None:
    run(["db", "upgrade"])
    capsys.readouterr()

    assert run(["token", "list"]) == 0
    assert "weighbridge token create --role read" in capsys.readouterr().out


def renewed(capsys: Capture, *arguments: str) -> str:
    capsys.readouterr()
    assert run(["token", "rotate", *arguments]) == 0
    return capsys.readouterr().out.strip()


def test_a_renewed_token_is_valid_beside_the_one_before(capsys: Capture) -> None:
    old = created(capsys, "--role", "read", "--name", "people", "--team", "shop")

    new = renewed(capsys, "people")

    assert new != old
    assert valid_roles() == {digest_of(old): "read", digest_of(new): "read"}
    (row,) = listed(capsys)
    assert (row["name"], row["teams"], row["state"]) == ("people", ["shop"], "valid")
    assert row["previous_until"] is not None


def test_without_overlap_the_one_before_ends_at_once(capsys: Capture) -> None:
    created(capsys, "--role", "metrics", "--name", "prometheus")

    new = renewed(capsys, "prometheus", "--overlap", "0s")

    assert valid_roles() == {digest_of(new): "metrics"}


def test_of_a_token_renewed_twice_the_first_is_refused(capsys: Capture) -> None:
    created(capsys, "--role", "read")

    second = renewed(capsys, "read-1")
    third = renewed(capsys, "read-1")

    assert valid_roles().keys() == {digest_of(second), digest_of(third)}


def test_a_renewed_token_is_valid_as_long_as_it_was_made_for(capsys: Capture) -> None:
    old = created(capsys, "--role", "read", "--expires", "2h")

    new = renewed(capsys, "read-1", "--overlap", "90d")

    database = opened()
    later = datetime.now(UTC) + timedelta(minutes=121)
    with database.read() as connection:
        (token,) = all_tokens(connection)
        after = valid_tokens(connection, later)
    database.close()
    assert token.expires_at
    assert token.renewed_at
    assert token.previous_until
    assert token.expires_at - token.renewed_at == timedelta(hours=2)
    assert token.previous_until < token.expires_at, "no longer than it was to be"
    assert digest_of(old) not in after
    assert digest_of(new) not in after


def test_a_revoked_token_is_not_renewed_and_takes_both_texts_along(
    capsys: Capture,
) -> None:
    created(capsys, "--role", "read")
    renewed(capsys, "read-1")

    assert run(["token", "revoke", "read-1"]) == 0

    assert valid_roles() == {}
    assert run(["token", "rotate", "read-1"]) == 2
    assert "revoked" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ("--role", "admin", "--team", "shop"),
        ("--role", "metrics", "--team", "shop"),
        ("--role", "read", "--team", ""),
        ("--role", "read", "--team", "a\nb"),
        ("--role", "read", "--name", "cli:root"),
        ("--role", "read", "--name", "user:alice"),
    ],
)
def test_a_token_that_could_mean_another_is_refused(
    capsys: Capture, arguments: tuple[str, ...]
) -> None:
    assert run(["token", "create", *arguments]) == 2
    assert not Path("weighbridge.db").exists()


def test_a_team_that_no_policy_names_is_a_warning(
    capsys: Capture, tmp_path: Path
) -> None:
    (tmp_path / "weighbridge.yaml").write_text(
        "policies: [{name: shop, team: shop, max_layers: 60}]\n"
    )

    assert run(["token", "create", "--role", "read", "--team", "shop"]) == 0
    assert "warning" not in capsys.readouterr().err
    teams = ("--team", "shop", "--team", "none such")
    assert run(["token", "create", "--role", "read", *teams]) == 0
    assert "warning: no policy names the team none such" in capsys.readouterr().err


def test_who_renewed_a_token_is_kept(capsys: Capture) -> None:
    created(capsys, "--role", "read", "--team", "web", "--team", "shop")
    renewed(capsys, "read-1")

    database = opened()
    with database.read() as connection:
        kept = [(act.act, act.subject, act.detail) for act in acts(connection)]
    database.close()
    assert kept == [
        ("token.create", "read-1", "read of shop, web"),
        ("token.rotate", "read-1", "read of shop, web"),
    ]
