"""The comment on a pull request that the example workflow writes."""

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from support.ci_jobs import Ended, run_comment
from support.missing import skip_or_fail
from weighbridge.presentation.check.csv_json_markdown import MARKER

GH: Final = """
import json, subprocess, sys
arguments = sys.argv[1:]
with open("asked", "a") as asked:
    asked.write(json.dumps(arguments) + "\\n")
if "--jq" in arguments:
    pages = json.load(open("pages.json"))
    if not pages:
        sys.exit("gh: Resource not accessible by integration (HTTP 403)")
    wanted = arguments[arguments.index("--jq") + 1]
    for page in pages:
        text = json.dumps(page)
        subprocess.run(["jq", "-r", wanted], input=text, text=True, check=True)
"""
BOT: Final = "github-actions[bot]"
Comment = Mapping[str, object]


def a_comment(number: int, body: str, author: str = BOT) -> Comment:
    return {"id": number, "body": body, "user": {"login": author}}


def write(folder: Path, pages: Sequence[Sequence[Comment]]) -> Ended:
    """Run the step beside these comments. No page: they cannot be read."""
    if shutil.which("jq") is None:
        skip_or_fail("jq is not installed, by which this gh filters")
    program = folder / "bin" / "gh"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\n{GH}")
    program.chmod(0o755)
    (folder / "pages.json").write_text(json.dumps(pages))
    variables = {
        "GH_TOKEN": "x",
        "GITHUB_REPOSITORY": "acme/app",
        "NUMBER": "7",
        "COMMENT": "a folder/check.md",
    }
    return run_comment(variables, folder)


def written(folder: Path) -> list[list[str]]:
    """What gh was asked to do, but for the listing of comments."""
    asked = [json.loads(line) for line in (folder / "asked").read_text().splitlines()]
    return [arguments for arguments in asked if "--jq" not in arguments]


def test_the_first_push_writes_a_comment(tmp_path: Path) -> None:
    others = [
        a_comment(1, "please look"),
        a_comment(2, f"{MARKER}\nof somebody else", "mallory"),
        a_comment(3, "coverage 93 %"),
        a_comment(4, f"it says {MARKER}"),
    ]

    ended = write(tmp_path, [others])

    assert ended.code == 0, ended.said
    place = "repos/acme/app/issues/7/comments"
    assert written(tmp_path) == [
        ["api", "--silent", place, "--field", "body=@a folder/check.md"]
    ]


def test_the_next_push_changes_its_comment_and_no_other(tmp_path: Path) -> None:
    pages = [
        [a_comment(1, f"{MARKER}\n### Fine"), a_comment(2, "coverage 93 %")],
        [a_comment(3, "coverage 94 %"), a_comment(4, f"{MARKER}\n", "mallory")],
    ]

    ended = write(tmp_path, pages)

    assert ended.code == 0, ended.said
    ((*arguments, place, _, body),) = written(tmp_path)
    assert arguments == ["api", "--silent", "--method", "PATCH"]
    assert place == "repos/acme/app/issues/comments/1"
    assert body == "body=@a folder/check.md"


def test_of_two_comments_the_last_one_is_changed(tmp_path: Path) -> None:
    ended = write(tmp_path, [[a_comment(1, MARKER)], [a_comment(2, MARKER)]])

    assert ended.code == 0, ended.said
    assert "repos/acme/app/issues/comments/2" in written(tmp_path)[0]


def test_comments_that_cannot_be_read_are_not_written_twice(tmp_path: Path) -> None:
    ended = write(tmp_path, [])

    assert ended.code != 0
    assert "HTTP 403" in ended.said
    assert written(tmp_path) == []
