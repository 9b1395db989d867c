"""How a database is reached: a SQLite file or a PostgreSQL server, how long one waits,
what its errors mean.
"""
