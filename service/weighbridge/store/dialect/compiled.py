"""What SQLAlchemy has compiled: kept for all databases of a kind in a process.

Compiling a statement costs several times what running it does, and SQLAlchemy keeps
what it compiled with one engine, for that engine's own instance of the dialect.
"""

from typing import Any, Final, TypeAlias

from sqlalchemy import Dialect, Engine
from sqlalchemy.util import LRUCache

# Any: as SQLAlchemy's own.
_Cache: TypeAlias = LRUCache[Any, Any]

_MOST: Final = 1_000
"""Statements; there are some hundreds."""
_KEPT: Final[dict[str, tuple[Dialect, _Cache]]] = {}


def share(engine: Engine) -> None:
    """Have it use what others compiled, and the other way round. It is connected: a
    dialect learns from the first server that it meets."""
    first = (engine.dialect, LRUCache[Any, Any](_MOST))
    engine.dialect, cache = _KEPT.setdefault(engine.dialect.name, first)
    engine.update_execution_options(compiled_cache=cache)
