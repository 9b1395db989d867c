"""Schema changes, forward only. Run by `weighbridge.store.schema.upgrade`, all of them
in one transaction.

The first line of a migration's text is what `db upgrade --plan` says of it; `READS`
names the tables that were there before and whose rows it goes over.
"""
