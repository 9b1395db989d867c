"""A next version of the program, as it is released one day: the same with one migration
more, in a folder of its own."""

import re
import shutil
from pathlib import Path
from typing import Final

import weighbridge
import weighbridge_workers
from weighbridge.store.schema import REVISION

NEXT: Final = f"{int(REVISION) + 1:04d}"
_MIGRATION: Final = f'''"""Keep a note beside each registry."""

import sqlalchemy as sa
from alembic import op

revision: str = "{NEXT}"
down_revision: str | None = "{REVISION}"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("registries", sa.Column("note", sa.Text()))
'''
_FAILS: Final = """    op.execute("UPDATE registries SET nothing = 1")
"""


def newer_version(folder: Path, *, fails: bool = False) -> dict[str, str]:
    """Write it below the folder; what processes of it have in their environment.

    fails: its migration does, after it has changed something
    """
    for package in (weighbridge, weighbridge_workers):
        source = Path(str(package.__file__)).parent
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source, folder / source.name, ignore=ignored)
    store = folder / "weighbridge/store"
    text = _MIGRATION + (_FAILS if fails else "")
    (store / f"migrations/versions/{NEXT}_notes.py").write_text(text)
    schema = store / "schema.py"
    newer = re.sub(
        rf'^(REVISION: Final = )"{REVISION}"$',
        rf'\1"{NEXT}"',
        schema.read_text(),
        flags=re.MULTILINE,
    ).replace("frozenset(\n    {", f'frozenset(\n    {{"{REVISION}", ', 1)
    assert newer.count(f'"{NEXT}"') == 1
    schema.write_text(newer)
    return {"PYTHONPATH": str(folder)}
