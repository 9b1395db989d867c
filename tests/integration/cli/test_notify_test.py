"""`weighbridge notify test` against a receiver that takes it, and one that does not."""

import json
from pathlib import Path

import pytest

from support.message_sink import message_sink
from weighbridge.cli.main import run


def test_what_became_of_each_channel_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with message_sink() as good, message_sink() as bad:
        bad.fault = lambda: 410
        channels = [
            {"name": name, "kind": "webhook", "url": sink.url, "allow_private": True}
            for name, sink in (("good", good), ("bad", bad))
        ]
        Path("weighbridge.yaml").write_text(json.dumps({"channels": channels}))

        alone = run(["notify", "test", "good"])
        first = capsys.readouterr().out
        both = run(["notify", "test", "--all", "-o", "json"])
        out, err = capsys.readouterr()

        assert (alone, both) == (0, 3)
        assert len(good.received) == 2
        assert good.received[0].key.startswith("test_")
    assert first.splitlines()[1].split()[:3] == ["good", "webhook", "taken"]
    rows = {row["channel"]: row for row in json.loads(out)["items"]}
    assert (rows["good"]["result"], rows["bad"]["result"]) == ("taken", "failed")
    assert rows["bad"]["message"] == "channel bad: HTTP 410"
    assert err == "bad: check the url, and whether the channel still exists\n"
