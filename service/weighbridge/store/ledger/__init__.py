"""The ledger: who holds which blob, and every total that follows, kept by deltas."""
