"""`weighbridge reclaim`: its report in every form, its commands, what is not known."""

import csv
import io
import json
import shlex
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from support.images import a_layer, an_image, an_index_of
from support.store_world import T0, World, a_result
from weighbridge.cli.main import run
from weighbridge.domain.image.platform import Platform
from weighbridge.store.schema import upgrade
from weighbridge.store.session import open_database

MB: Final = 1_000_000
BASE: Final = a_layer("base", 50 * MB)
OLD: Final = an_image([BASE, a_layer("old", 30 * MB)])
NEW: Final = an_image([BASE, a_layer("new", 20 * MB), a_layer("more", MB)])
ARM: Final = an_image([a_layer("arm", 5 * MB)], platform=Platform("linux", "arm64"))
INDEX: Final = an_index_of(ARM)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of an old image with two tags, a new one, and an index."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("WEIGHBRIDGE_CONFIG", "WEIGHBRIDGE_DATABASE_URL"):
        monkeypatch.delenv(variable, raising=False)
    configured(tmp_path)
    database = open_database("sqlite:///w.db")
    upgrade(database)
    world = World(database, url="https://registry.example:5000")
    world.keep(ARM)
    long_ago = T0 - timedelta(days=200)
    world.crawl({"1.0": OLD, "old": OLD, "pr-1": INDEX}, pushed_at=long_ago)
    world.crawl({"v2": NEW}, pushed_at=T0)
    database.close()
    return tmp_path


def configured(folder: Path, more: str = "", of_registry: str = "") -> None:
    (folder / "weighbridge.yaml").write_text(
        "database_url: sqlite:///w.db\n"
        "registries:\n"
        f'  - {{name: hub, url: "https://registry.example:5000"{of_registry}}}\n{more}'
    )


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(["reclaim", "hub/acme/app", *arguments]) == 0
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    status = run(["reclaim", *arguments])
    return status, capsys.readouterr().err


def test_the_report_has_what_each_image_frees_alone_and_all_together(
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = shown(capsys, "--tag", "1.0", "--tag", "old", "--tag", "pr-1")

    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines[0] == (
        "hub/acme/app tags that were named nothing is deleted: this is a report"
    )
    assert lines[2:6] == [
        "FREES ALONE",
        "MB SINCE, UTC TAGS THAT GO",
        "30.0 2025-08-13 12:00 1.0, old",
        "5.0 2025-08-13 12:00 pr-1",
    ]
    assert lines[7] == (
        "3 tags together free 35.0 MB of 106 MB that the repository stores: "
        "3 manifests, 7 blobs that nothing else in hub refers to"
    )
    assert lines[8].startswith("distribution: `registry garbage-collect` removes")
    assert lines[9].startswith("not seen, so not counted: manifests that no tag")


def test_the_report_says_why_one_alias_frees_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = shown(capsys, "--tag", "1.0")

    assert "\n  old names the same digest\n" in out
    assert "  nothing is freed: old names the same digest" in out


def test_json_has_the_api_s_keys_beside_the_rows(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = json.loads(shown(capsys, "--tag", "1.0", "--tag", "old", "-o", "json"))

    documents = OLD.manifest.manifest_bytes + OLD.manifest.config.content_bytes
    assert found["freed_bytes"] == 30 * MB + documents
    assert found["manifests"] == [OLD.digest]
    assert (found["blobs"], found["reason"], found["rules"]) == (3, None, None)
    assert found["items"] == [
        {
            "tags": ["1.0", "old"],
            "digest": OLD.digest,
            "since": "2025-08-13T12:00:00Z",
            "freed_bytes": 30 * MB + documents,
            "stays": [],
            "reason": None,
        }
    ]
    assert found["collector"]["kind"] == "distribution"


def test_csv_has_a_row_for_each_image(capsys: pytest.CaptureFixture[str]) -> None:
    out = shown(capsys, "--tag", "1.0", "--tag", "v2", "-o", "csv")

    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["tags"] for row in rows] == ["v2", "1.0"]
    assert rows[1]["reason"] == "old names the same digest"


def test_of_an_image_with_very_many_tags_a_table_names_some_and_csv_all(
    capsys: pytest.CaptureFixture[str],
) -> None:
    database = open_database("sqlite:///w.db")
    builds = dict.fromkeys([f"build-{n}" for n in range(3000)], INDEX)
    World(database, url="https://registry.example:5000").crawl(builds)
    database.close()
    configured(Path(), "reclaim: {keep_newest: null, keep_days: null, keep: ['v2']}\n")

    table, rows = shown(capsys), shown(capsys, "-o", "csv")

    assert "build-0, build-1, build-10, build-100, " in table
    assert " and 2,989 more\n" in table
    assert len(table) < 3_000
    assert rows.count("build-") == 3000


def test_without_a_tag_the_rules_of_the_configuration_decide(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configured(folder, "reclaim: {keep_newest: 1, keep_days: null, keep: ['old']}\n")

    out = shown(capsys)

    assert "rules: keep newest 1, keep old" in out
    assert "2 tags together free 5.00 MB" in out


def test_options_replace_the_rules_of_the_configuration(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = json.loads(shown(capsys, "--keep", "v*", "-o", "json"))

    assert found["rules"] == "keep v*"
    assert found["tags"] == 3


def test_the_commands_delete_what_nothing_leads_to_and_untag_what_stays(
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = shown(capsys, "--tag", "1.0", "--tag", "pr-1", "--commands")

    image = "registry.example:5000/acme/app"
    commands = [line for line in out.splitlines() if not line.startswith("#")]
    assert commands == [
        f"regctl tag delete {image}:1.0",
        f"regctl manifest delete {image}@{INDEX.digest}",
        f"regctl manifest delete {image}@{ARM.digest}",
    ]
    assert all(shlex.split(command)[0] == "regctl" for command in commands)
    assert "a tag that came to one of these images since" in out.splitlines()[1]


def test_of_a_repository_that_was_not_seen_whole_there_is_a_reason_and_no_number(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = open_database("sqlite:///w.db")
    result = a_result(complete=False, state="partial", reason="too_many_tags")
    World(database, repository="acme/part", url="https://registry.example:5000").crawl(
        {"1": OLD}, result=result
    )
    database.close()
    arguments = ["reclaim", "hub/acme/part", "--tag", "1"]

    assert run([*arguments, "-o", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert run(arguments) == 0
    out = capsys.readouterr().out
    status, err = refused(capsys, *arguments[1:], "--commands")

    assert (found["freed_bytes"], found["blobs"]) == (None, None)
    assert found["reason"] == "its last crawl did not see all of it (too_many_tags)"
    assert "not known: its last crawl did not see all of it (too_many_tags)" in out
    assert status == 3
    assert "[reclaim_unknown]" in err


def test_of_a_registry_whose_tags_are_partly_left_out_nothing_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configured(folder, of_registry=', tags: {exclude: ["*-dev"]}')

    assert "not known: not all tags of its registry are read" in shown(
        capsys, "--tag", "v2"
    )


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["hub/acme/ap"], 3, "nearest  hub/acme/app"),
        (["hub/acme/app", "--tag", "v1"], 3, "nearest  v2"),
        (["hub/acme/app:v2"], 2, "weighbridge reclaim hub/acme/app --tag TAG"),
        (["hub/acme/app", "--tag", "v2", "--keep", "v*"], 2, "--tag takes no rule"),
        (["hub/acme/app", "--commands", "-o", "json"], 2, "leave out --output"),
        (["hub/acme/app", "--keep-days", "0"], 2, "is no number from 1 to 3660"),
        (["hub/acme/app", "--keep", ""], 2, "'' is no pattern"),
        (["hub/acme/app", "--keep", "v1,v2"], 2, "'v1,v2' is no pattern"),
    ],
)
def test_what_is_wrong_is_told_with_what_to_do(
    capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, words: str
) -> None:
    found, err = refused(capsys, *arguments)

    assert found == status
    assert words in err


def test_a_repository_is_found_by_its_address_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["reclaim", "registry.example:5000/acme/app", "--tag", "v2"]) == 0

    assert capsys.readouterr().out.startswith("hub/acme/app")
