"""The only way out of this process: guarded HTTP with budgets and deadlines."""
