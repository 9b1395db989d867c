"""Every fault of a configuration is told at once, with its place and what is right."""

import contextlib
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import Settings, load_settings
from weighbridge.domain.series_budget import Budget
from weighbridge.errors import ConfigError

HUB = "registries:\n  - name: hub\n    url: https://registry.example\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(folder: Path, text: str, **environ: str) -> ConfigError:
    """The error of this file."""
    (folder / "weighbridge.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_settings(None, environ, KINDS)
    return caught.value


def test_all_faults_are_told_at_once_in_the_order_of_their_lines(folder: Path) -> None:
    text = (
        "log_level: loud\n"
        "registries:\n"
        "  - name: hub\n"
        "    url: https://registry.example\n"
        "    limits: {requests_per_sec: 3, concurrency: 0}\n"
        "  - name: hub\n"
        "    url: https://other.example\n"
        "    interval: 90\n"
        "webs: {}\n"
    )

    error = refused(folder, text)

    assert [line.split()[:2] for line in error.message.splitlines()] == [
        ["weighbridge.yaml:1", "log_level"],
        ["weighbridge.yaml:5", "registries[0].limits.concurrency"],
        ["weighbridge.yaml:5", "registries[0].limits.requests_per_sec"],
        ["weighbridge.yaml:6", "registries[1].name"],
        ["weighbridge.yaml:8", "registries[1].interval"],
        ["weighbridge.yaml:9", "webs"],
    ]


def test_of_thousands_of_faults_the_first_fifty_are_told_and_a_count(
    folder: Path,
) -> None:
    entries = [
        f"  - {{name: r{n}, url: 'https://r{n}.example', in: 1}}\n" for n in range(3000)
    ]

    error = refused(folder, "registries:\n" + "".join(entries))

    *lines, last = error.message.splitlines()
    assert [line.split()[0] for line in lines] == [
        f"weighbridge.yaml:{n}" for n in range(2, 52)
    ]
    assert last == "and 2,950 more"
    assert (error.code, error.faults) == ("unknown_key", 3000)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("registries: [{nmae: hub, url: 'https://a.example'}]", "did you mean name?"),
        ("registries: [{name: hub, ulr: 'https://a.example'}]", "did you mean url?"),
        ("routes: [{chanel: a}]", "did you mean channel?"),
    ],
)
def test_a_key_missed_by_a_letter_is_one_fault_that_says_which_is_meant(
    folder: Path, text: str, words: str
) -> None:
    error = refused(folder, text)

    assert words in error.message
    assert error.faults == 1


def test_an_unknown_key_is_told_with_the_nearest_known_one(folder: Path) -> None:
    error = refused(folder, f"{HUB}    limits:\n      requests_per_secund: 3\n")

    assert error.message == (
        "weighbridge.yaml:5  registries[0].limits.requests_per_secund  "
        "unknown key, did you mean requests_per_second?"
    )


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        pytest.param(
            "defaults:\n  intervall: 1h\n", 2, "interval?", id="config_file-003"
        ),
        pytest.param(
            "shelves: {}\n", 1, "known here are database_url", id="no near key"
        ),
    ],
)
def test_a_key_that_does_nothing_is_never_ignored(
    folder: Path, text: str, line: int, words: str
) -> None:
    error = refused(folder, text)

    assert error.code == "unknown_key"
    assert error.message.startswith(f"weighbridge.yaml:{line} ")
    assert words in error.message


def test_a_tag_of_python_runs_nothing_config_file_001(folder: Path) -> None:
    witness = folder / "witness"
    text = f"log_level: !!python/object/apply:os.mkdir ['{witness}']\n"

    error = refused(folder, text)

    assert error.code == "unsafe_yaml"
    assert error.message.startswith("weighbridge.yaml:1 ")
    assert not witness.exists()


def test_a_bomb_of_aliases_is_refused_config_file_002(folder: Path) -> None:
    lines = ["a0: &a0 [z, z, z, z, z, z, z, z]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 8)}]" for n in range(1, 10)]

    error = refused(folder, "\n".join(lines))

    assert error.code == "too_large"


def test_a_repeated_key_is_refused_config_file_004(folder: Path) -> None:
    error = refused(folder, "log_level: info\nlog_level: debug\n")

    assert error.code == "duplicate_key"
    assert error.message == (
        "weighbridge.yaml:2  log_level  is repeated: it stands in line 1 too"
    )


def test_two_registries_of_one_name_are_refused(folder: Path) -> None:
    error = refused(folder, f"{HUB}  - {{name: hub, url: 'https://b.example'}}\n")

    assert error.code == "duplicate_name"


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("https://acme:c4nary@registry.example", id="config_file-005"),
        pytest.param("https://c4nary@registry.example", id="token"),
        pytest.param("https://acme:c4nary/registry.example", id="forgotten @"),
    ],
)
def test_a_password_in_a_url_is_refused_and_not_repeated(
    folder: Path, url: str
) -> None:
    error = refused(folder, f"registries: [{{name: r, url: '{url}'}}]\n")

    assert error.code in ("secret_in_url", "invalid_url")
    assert "c4nary" not in repr((error.message, error.args, error.__cause__))
    assert error.__context__ is None


@pytest.mark.parametrize(
    "auth",
    [
        "{username: acme, password: [c4nary]}",
        "c4nary",
        "{username: acme, password: 4711, c4nary: 1}",
    ],
)
def test_what_may_be_a_secret_is_never_shown(folder: Path, auth: str) -> None:
    error = refused(folder, f"{HUB}    auth: {auth}\n")

    assert "= " not in error.message
    assert "4711" not in error.message


@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(lambda path: None, "No such file", id="config_file-006 missing"),
        pytest.param(lambda path: path.write_text(""), "is empty", id="empty"),
        pytest.param(lambda path: path.write_text(" \n"), "is empty", id="blank"),
        pytest.param(lambda path: path.mkdir(), "not a regular file", id="directory"),
        pytest.param(os.mkfifo, "not a regular file", id="pipe"),
        pytest.param(lambda path: path.write_bytes(b"\xff"), "not UTF-8", id="binary"),
        pytest.param(
            lambda path: path.write_bytes(b"x" * 70_000), "larger than", id="huge"
        ),
    ],
)
def test_a_secret_file_that_gives_no_secret_is_refused(
    folder: Path, make: object, words: str
) -> None:
    path = folder / "secret"
    assert callable(make)
    make(path)

    error = refused(
        folder, f"{HUB}    auth: {{username: acme, password_file: secret}}\n"
    )

    assert error.code == "secret_file"
    assert str(path) in error.message
    assert words in error.message


@pytest.mark.parametrize(
    "auth",
    [
        "{username: acme}",
        "{password: x}",
        "{}",
        "{username: acme, password: x, password_file: there}",
        "{username: acme, password: x, docker_config: there}",
        "{username: acme, token_file: there}",
        "{password_file: there, token_file: there}",
        "{docker_config: there, token_file: there}",
    ],
)
def test_credentials_are_said_in_exactly_one_way(folder: Path, auth: str) -> None:
    (folder / "there").write_text("s3cret")

    error = refused(folder, f"{HUB}    auth: {auth}\n")

    assert error.code in ("missing_key", "invalid_auth")
    assert "registries[0].auth." in error.message


@pytest.mark.parametrize("word", ["ambiant", "''", "AMBIENT"])
def test_another_word_than_ambient_is_refused(folder: Path, word: str) -> None:
    error = refused(folder, f"{HUB}    auth: {word}\n")

    assert error.code == "invalid_auth"
    assert "must be ambient, or keys such as username" in error.message


@pytest.mark.parametrize("kind", ["auto", "distribution", "harbor", "ghcr", "quay"])
def test_a_registry_without_an_ambient_way_says_which_have_one(
    folder: Path, kind: str
) -> None:
    text = "    url: https://registry.example.com\n    auth: ambient\n"
    error = refused(folder, f"registries:\n  - name: plain\n    kind: {kind}\n{text}")

    assert error.code == "invalid_auth"
    assert "cannot be ambient for this registry" in error.message
    assert "kind: google" in error.message


def test_an_empty_password_is_refused(folder: Path) -> None:
    error = refused(folder, f"{HUB}    auth: {{username: acme, password: ''}}\n")

    assert error.code == "empty_secret"


@pytest.mark.parametrize(
    "interval",
    [
        pytest.param("0s", id="config_file-009 nothing"),
        pytest.param("-2m", id="config_file-009 negative"),
        pytest.param("3ns", id="config_file-009 nanoseconds"),
        pytest.param("9000y", id="config_file-009 years"),
        pytest.param("400d", id="config_file-009 too long"),
        pytest.param("'* * * * *'", id="config_file-009 cron"),
        pytest.param("true", id="no text"),
    ],
)
def test_an_interval_that_could_spin_or_never_end_is_refused(
    folder: Path, interval: str
) -> None:
    error = refused(folder, f"defaults: {{interval: {interval}}}\n")

    assert error.code in ("invalid_interval", "invalid_value")


def test_a_number_without_a_unit_is_told_what_it_lacks(folder: Path) -> None:
    error = refused(folder, "defaults:\n  interval: 3600\n")

    assert error.message == (
        "weighbridge.yaml:2  defaults.interval = 3600  needs a unit: 90s, 15m, 1h or 1d"
    )


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param("(b+)+$", id="config_file-010 expression"),
        pytest.param("[", id="config_file-010 bracket"),
        pytest.param("a" * 300, id="config_file-010 long"),
        pytest.param("", id="empty"),
    ],
)
def test_what_is_no_pattern_is_refused(folder: Path, pattern: str) -> None:
    error = refused(folder, f"{HUB}    repositories: {{include: ['{pattern}']}}\n")

    assert error.code == "bad_pattern"


def test_an_empty_list_of_patterns_would_crawl_nothing_and_is_refused(
    folder: Path,
) -> None:
    error = refused(folder, f"{HUB}    tags: {{include: []}}\n")

    assert "registries[0].tags.include  must name at least one" in error.message


def test_http_beyond_loopback_has_to_be_said_config_file_011(folder: Path) -> None:
    error = refused(folder, "registries: [{name: r, url: 'http://registry.example'}]\n")

    assert error.code == "insecure_transport"
    assert "plain_http: true" in error.message


def test_loopback_beyond_a_proxy_is_another_machines(folder: Path) -> None:
    keys = "name: r, url: 'http://127.0.0.1:5000', proxy: {url: 'http://p.example:1'}"

    error = refused(folder, f"registries: [{{{keys}}}]\n")

    assert error.code == "insecure_transport"
    assert "plain_http: true" in error.message


def test_plain_http_contradicts_an_https_url(folder: Path) -> None:
    error = refused(folder, f"{HUB}    plain_http: true\n")

    assert error.code == "insecure_transport"


@pytest.mark.parametrize(
    "url",
    [
        "registry.example",
        "ftp://registry.example",
        "https://",
        "https://registry.example/v2/",
        "https://registry.example?x=1",
        "https://registry.example#x",
        "https://registry.example:99999",
        "https://registry.example:0",
        "https://regis try.example",
        "https://régistry.example",
    ],
)
def test_a_url_is_scheme_host_and_port(folder: Path, url: str) -> None:
    error = refused(folder, f"registries: [{{name: r, url: '{url}'}}]\n")

    assert error.code == "invalid_url"


@pytest.mark.parametrize("name", ["a.b", "a:b", "localhost", "a/b", "''", "-a"])
def test_a_name_can_never_be_taken_for_a_host(folder: Path, name: str) -> None:
    text = f"registries: [{{name: {name}, url: 'https://registry.example'}}]\n"

    assert refused(folder, text).code == "invalid_name"


def test_a_kind_that_does_not_exist_yet_is_told_which_do(folder: Path) -> None:
    error = refused(folder, f"{HUB}    kind: nexus\n")

    assert error.code == "unknown_kind"
    assert "kind = nexus" in error.message
    assert "auto, distribution" in error.message


@pytest.mark.parametrize(
    "text",
    [
        "web: {bind: '127.0.0.1:9000'}\nmetrics: {bind: '127.0.0.1:9000'}\n",
        "metrics: {bind: '127.0.0.1:8080'}\n",
        "metrics: {bind: 'localhost:8080'}\n",
        "metrics: {bind: '0.0.0.0:8080'}\n",
        "web: {bind: '0.0.0.0:9000'}\nmetrics: {bind: 'scale.example:9000'}\n",
        "web: {bind: '[::]:9000'}\nmetrics: {bind: 'localhost:9000'}\n",
    ],
)
def test_two_listeners_never_have_one_address(folder: Path, text: str) -> None:
    error = refused(folder, text)

    assert error.code == "address_in_use"
    assert "metrics.bind" in error.message


@pytest.mark.parametrize(
    ("web", "metrics"),
    [
        ("0.0.0.0:9000", "0.0.0.0:9001"),
        ("0.0.0.0:0", "0.0.0.0:0"),
        ("10.0.0.1:9000", "127.0.0.1:9000"),
        ("[::]:9000", "0.0.0.0:9000"),
    ],
)
def test_two_listeners_may_share_a_port_or_a_host(
    folder: Path, web: str, metrics: str
) -> None:
    (folder / "weighbridge.yaml").write_text(
        f"web: {{bind: '{web}'}}\nmetrics: {{bind: '{metrics}'}}\n"
    )

    assert load_settings(None, {}, KINDS).metrics.bind == metrics


@pytest.mark.parametrize("bind", ["8080", ":8080", "localhost", "::1:80", "a:70000"])
def test_a_listener_needs_host_and_port(folder: Path, bind: str) -> None:
    assert refused(folder, f"web: {{bind: '{bind}'}}\n").code == "invalid_bind"
    assert refused(folder, f"metrics: {{bind: '{bind}'}}\n").code == "invalid_bind"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- a\n", "must hold keys"),
        ("just text\n", "must hold keys"),
        ("registries: hub\n", "must be a list"),
        ("registries: [hub]\n", "must hold keys"),
        ("registries: [{name: hub}]\n", "registries[0].url  is missing"),
        (f"{HUB}    ca_file: nowhere.pem\n", "cannot be read"),
        (f"{HUB}    platforms: [linux]\n", "os/architecture"),
        (f"{HUB}    address_class: secret\n", "one of public, private, loopback"),
        (f"{HUB}    trusted_realm_hosts: ['https://a.example']\n", "host or host:port"),
        (f"{HUB}    limits: {{concurrency: 2.5}}\n", "must be a whole number"),
        (f"{HUB}    limits: {{requests_per_second: -1}}\n", "must be more than 0"),
        ("web: {anonymous_read: 'yes'}\n", "must be true or false"),
        ("web: {trusted_proxies: [0.0.0.0/0]}\n", "and not of all addresses"),
        ("database_url: nonsense\n", "is no URL"),
        ("database_url: a://b\ndatabase_url_file: c\n", "keep one"),
    ],
)
def test_a_value_of_the_wrong_shape_is_told_the_right_one(
    folder: Path, text: str, words: str
) -> None:
    assert words in refused(folder, text).message


def test_a_file_that_was_asked_for_has_to_be_there() -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml") as caught:
        load_settings("/nonexistent/nowhere.yaml", {}, KINDS)

    assert caught.value.code == "unreadable_file"


def test_a_folder_is_no_configuration(folder: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(str(folder), {}, KINDS)

    assert caught.value.code == "unreadable_file"


@pytest.mark.parametrize(
    ("environ", "place"),
    [
        ({"WEIGHBRIDGE_BIND": "0.0.0.0"}, "WEIGHBRIDGE_BIND  web.bind = 0.0.0.0"),
        ({"WEIGHBRIDGE_LOG_LEVEL": "x"}, "WEIGHBRIDGE_LOG_LEVEL  log_level = x"),
        ({"WEIGHBRIDGE_LOG_FORMAT": "x"}, "WEIGHBRIDGE_LOG_FORMAT  log_format = x"),
        ({"WEIGHBRIDGE_DATABASE_URL": ""}, "WEIGHBRIDGE_DATABASE_URL  database_url"),
        (
            {"WEIGHBRIDGE_DATABASE_URL_FILE": "/nonexistent/x"},
            "WEIGHBRIDGE_DATABASE_URL_FILE  database_url_file  /nonexistent/x",
        ),
        (
            {"WEIGHBRIDGE_DATABASE_URL": "a:b", "WEIGHBRIDGE_DATABASE_URL_FILE": "c"},
            "WEIGHBRIDGE_DATABASE_URL  database_url  excludes",
        ),
    ],
)
def test_a_wrong_variable_is_named(
    folder: Path, environ: dict[str, str], place: str
) -> None:
    assert refused(folder, "", **environ).message.startswith(place)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(
    text=st.text(max_size=60)
    | st.dictionaries(
        st.sampled_from(
            ["registries", "web", "defaults", "database_url", "log_level", "x"]
        ),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=8),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["name", "url", "auth", "limits", "bind", "tags"]),
                    inner,
                    max_size=3,
                )
            ),
            max_leaves=8,
        ),
        max_size=3,
    ).map(str)
)
def test_any_file_gives_settings_or_a_configuration_error(
    tmp_path: Path, text: str
) -> None:
    file = tmp_path / "any.yaml"
    file.write_bytes(text.encode(errors="surrogatepass"))

    with contextlib.suppress(ConfigError):
        assert isinstance(load_settings(str(file), {}, KINDS), Settings)


def test_rules_over_several_keys_are_told_beside_other_faults(folder: Path) -> None:
    text = (
        "registries:\n"
        "  - name: near\n"
        "    url: http://registry.example\n"
        "    auth: {username: a, password: c4nary, password_file: nowhere}\n"
        "    intervall: 1h\n"
        "metrics:\n"
        "  bind: 127.0.0.1:8080\n"
        "  families: [all]\n"
    )

    error = refused(folder, text)

    assert [line.split(maxsplit=2)[:2] for line in error.message.splitlines()] == [
        ["weighbridge.yaml:3", "registries[0].url"],
        ["weighbridge.yaml:4", "registries[0].auth.password"],
        ["weighbridge.yaml:4", "registries[0].auth.password_file"],
        ["weighbridge.yaml:5", "registries[0].intervall"],
        ["weighbridge.yaml:7", "metrics.bind"],
        ["weighbridge.yaml:8", "metrics.families[0]"],
    ]
    assert "c4nary" not in error.message


@pytest.mark.parametrize("url", ["http://a b", "17", "http://u:c4nary@r.example"])
def test_a_value_that_is_wrong_itself_is_told_once(folder: Path, url: str) -> None:
    error = refused(folder, f"registries:\n  - {{name: r, url: '{url}'}}\n")

    assert len(error.message.splitlines()) == 1
    assert "not encrypted" not in error.message


def test_a_slip_in_a_name_is_not_told_as_a_missing_key_too(folder: Path) -> None:
    error = refused(folder, f"{HUB}    auth: {{username: a, pasword: c4nary}}\n")

    assert error.code == "unknown_key"
    assert len(error.message.splitlines()) == 1


@pytest.mark.parametrize(
    ("metrics", "code", "words"),
    [
        ("{max_series: 99}", "invalid_value", "100"),
        ("{max_series: 1000001}", "invalid_value", "1000000"),
        ("{max_series: 20k}", "invalid_value", "whole number"),
        ("{families: [everything]}", "invalid_value", "one of largest, tags"),
        ("{families: tags}", "invalid_value", "list"),
        ("{pin: ['shop/[a-z]']}", "bad_pattern", "no expressions"),
        ("{pins: ['shop/*']}", "unknown_key", "did you mean pin?"),
        (
            f"{{max_series: 100, pin: {[f'shop/r{n}' for n in range(13)]}}}",
            "too_many_pins",
            "13 repositories of 6 series each",
        ),
    ],
)
def test_a_budget_that_cannot_be_is_refused(
    folder: Path, metrics: str, code: str, words: str
) -> None:
    error = refused(folder, f"metrics: {metrics}\n")

    assert error.code == code
    assert words in error.message


def test_pins_that_just_fit_are_taken(folder: Path) -> None:
    pins = [f"shop/r{n}" for n in range(12)]
    (folder / "weighbridge.yaml").write_text(
        f"metrics: {{max_series: 100, pin: {[*pins, 'shop/*']}, families: [tags]}}\n"
    )

    budget = load_settings(None, {}, KINDS).metrics.budget

    assert budget == Budget(100, (*pins, "shop/*"), ("tags",))
