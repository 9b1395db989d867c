"""What the modules of tables share: one collection of tables, one kind of id."""

from typing import Final

from sqlalchemy import BigInteger, Integer, MetaData

# SQLite gives ids of its own only to a column of the type INTEGER.
Id: Final = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
