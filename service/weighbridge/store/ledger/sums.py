"""Sums of bytes that no claim can break.

A stranger may claim sizes whose sum leaves 64 bits; SQLite's sum() then raises
"integer overflow", and one hostile image would take a whole registry's numbers away.
So both halves of each number are summed, and put together here.
"""

from typing import Final

from sqlalchemy import BigInteger, ColumnElement, Label, Row, func, type_coerce

_HALF: Final = 2**32


def exact_sum(column: ColumnElement[int], name: str) -> tuple[Label[int], Label[int]]:
    """Two columns for a SELECT, from which `sum_of` makes the sum under `name`."""
    number = type_coerce(column, BigInteger)
    return (
        func.sum(number // _HALF).label(f"{name}_high"),
        func.sum(number % _HALF).label(f"{name}_low"),
    )


def sum_of(row: Row[*tuple[object, ...]], name: str) -> int:
    """The exact sum of a row that `exact_sum` selected; 0 of no rows."""
    # PostgreSQL sums bigints into numerics, which come as Decimal.
    high = int(row._mapping[f"{name}_high"] or 0)
    low = int(row._mapping[f"{name}_low"] or 0)
    return high * _HALF + low
