"""Backups of the database: making one, reading one, restoring one."""
