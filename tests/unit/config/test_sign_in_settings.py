"""`web.auth_proxy`: which header names whom, and from where."""

from pathlib import Path

import pytest

from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import load_settings
from weighbridge.domain.access.sign_in import SignInProxy
from weighbridge.errors import ConfigError

GOOD = (
    "web:\n"
    "  trusted_proxies: [10.0.0.7]\n"
    "  auth_proxy: {user_header: X-Auth-Request-Email, groups_header: "
    "X-Auth-Request-Groups, admin_groups: [ops, 'platform admins']}\n"
)


def test_the_headers_are_those_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "weighbridge.yaml"
    file.write_text(GOOD)

    settings = load_settings(str(file), {}, KINDS)

    assert settings.web.sign_in_proxy == SignInProxy(
        "x-auth-request-email",
        "x-auth-request-groups",
        frozenset({"ops", "platform admins"}),
    )


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("  trusted_proxies: [10.0.0.7]\n", "", "needs trusted_proxies"),
        ("X-Auth-Request-Groups", "x-auth-request-email", "is user_header too"),
        ("X-Auth-Request-Email", "Authorization", "a header of its own"),
        ("X-Auth-Request-Email", "'X Email'", "a header of its own"),
        (", groups_header: X-Auth-Request-Groups", "", "groups_header"),
        ("[ops,", "['ops,dev',", "no comma"),
        ("[ops,", "[' ',", "no comma"),
        ("admin_groups", "admin_group", "did you mean admin_groups?"),
    ],
)
def test_what_could_let_in_another_is_a_fault(
    tmp_path: Path, before: str, after: str, words: str
) -> None:
    assert before in GOOD
    file = tmp_path / "weighbridge.yaml"
    file.write_text(GOOD.replace(before, after))

    with pytest.raises(ConfigError, match=words.replace("?", r"\?")):
        load_settings(str(file), {}, KINDS)
