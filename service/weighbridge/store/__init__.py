"""The database: tables, facts, the ledger of tags, and the read model."""
