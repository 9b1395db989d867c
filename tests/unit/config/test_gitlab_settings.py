"""What the configuration of GitLab's registry means."""

import json
from pathlib import Path
from typing import Any

import pytest

from weighbridge.bootstrap.kinds import KINDS
from weighbridge.bootstrap.registries.sites import scope_of
from weighbridge.bootstrap.registries.targets import find_targets
from weighbridge.config import Settings, load_settings
from weighbridge.errors import ConfigError
from weighbridge.registry.kinds.gitlab.gitlab_kind import (
    GitLabSettings,
    gitlab_patterns,
    outermost,
)

URL = "https://registry.gitlab.com"


def settings(folder: Path, **more: object) -> Settings:
    entry: dict[str, Any] = {"name": "lab", "kind": "gitlab", "url": URL} | more
    path = folder / "weighbridge.yaml"
    path.write_text(json.dumps({"registries": [entry]}))
    return load_settings(str(path), {}, KINDS)


def an_entry(folder: Path, **more: object) -> GitLabSettings:
    (found,) = settings(folder, **more).registries
    assert isinstance(found, GitLabSettings)
    return found


def refused(folder: Path, **more: object) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        settings(folder, **more)
    return caught.value


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("registry.gitlab.com", "gitlab"),
        ("gitlab.com", "distribution"),
        ("registry.gitlab.example", "distribution"),
    ],
)
def test_auto_is_gitlab_at_its_own_address(host: str, expected: str) -> None:
    assert KINDS.kind_of("auto", f"https://{host}") == expected


def test_groups_and_projects_alone_are_all_that_is_looked_at(tmp_path: Path) -> None:
    (target,) = find_targets(
        settings(tmp_path, groups=["Acme"], projects=["Tools/Build"]), ["lab"]
    )
    scope = scope_of(target)

    wanted = ["acme/a", "acme/b/c", "tools/build", "tools/build/x"]
    others = ["acme", "tools/builder", "tools/other", "x/acme/a"]
    assert [n for n in wanted + others if scope.includes(n)] == wanted
    # A project may have images only below its own name.
    assert (scope.always, scope.only) == ((), None)


def test_they_come_beside_what_is_included(tmp_path: Path) -> None:
    patterns = {"include": ["other/app", "third/*"], "exclude": ["acme/tmp-*"]}
    (target,) = find_targets(
        settings(tmp_path, groups=["acme"], repositories=patterns), ["lab"]
    )
    scope = scope_of(target)

    assert scope.always == ("other/app",)
    names = ["other/app", "third/x", "acme/a", "acme/tmp-1", "other/b"]
    assert [n for n in names if scope.includes(n)] == names[:3]


def test_whole_names_need_no_discovery(tmp_path: Path) -> None:
    patterns = {"include": ["acme/app", "acme/web"]}
    (target,) = find_targets(settings(tmp_path, repositories=patterns), ["lab"])

    assert scope_of(target).only == ("acme/app", "acme/web")


def test_what_a_group_lists_is_not_listed_twice() -> None:
    groups = ("acme", "Acme/tools", "beta", "ACME")

    assert outermost(groups, groups) == ("acme", "beta")
    assert outermost(groups, ("acme/a", "gamma/b", "Gamma/b")) == ("gamma/b",)
    assert gitlab_patterns(["*"], (), ()) == ("*",)


def test_the_token_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("glpat-one\n")
    entry = an_entry(tmp_path, api_token_file=str(file))
    file.write_text("glpat-two\n")

    token = entry.current_api_token()

    assert token is not None
    assert token.reveal() == "glpat-two"


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ({"groups": ["acme"]}, "api_url"),
        ({"projects": ["acme/a"]}, "api_url"),
        ({"api_token": "glpat-x"}, "api_url"),
    ],
)
def test_another_host_says_which_gitlab_it_belongs_to(
    tmp_path: Path, more: dict[str, object], key: str
) -> None:
    """A token for one GitLab never goes to another."""
    error = refused(tmp_path, url="https://registry.lab.example", **more)

    assert error.code == "missing_key"
    assert f"registries[0].{key}" in error.message
    an_entry(tmp_path, url="https://r.lab.example", api_url="https://l.example", **more)


def test_another_host_alone_needs_nothing_else(tmp_path: Path) -> None:
    assert an_entry(tmp_path, url="https://registry.lab.example").api_url is None


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"groups": ["acme/"]}, "invalid_name"),
        ({"groups": ["*"]}, "invalid_name"),
        ({"groups": ["acme//a"]}, "invalid_name"),
        ({"groups": ["../acme"]}, "invalid_name"),
        ({"groups": ["a" * 256]}, "invalid_name"),
        ({"projects": ["acme"]}, "invalid_name"),
        ({"projects": [7]}, "invalid_name"),
        ({"api_url": "http://lab.example"}, "insecure_transport"),
        ({"api_url": "https://lab.example/gitlab"}, "invalid_url"),
        ({"api_token": ""}, "empty_secret"),
    ],
)
def test_a_wrong_value_is_told(
    tmp_path: Path, more: dict[str, object], code: str
) -> None:
    assert refused(tmp_path, **more).code == code


def test_a_token_has_one_place(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("glpat-x")

    error = refused(tmp_path, api_token="glpat-y", api_token_file="token")

    assert error.code == "invalid_auth"
    assert "glpat" not in str(error)


def test_keys_of_gitlab_are_for_gitlab(tmp_path: Path) -> None:
    error = refused(tmp_path, kind="distribution", groups=["acme"])

    assert error.code == "invalid_value"
    assert "gitlab" in error.message
