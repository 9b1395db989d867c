"""How a command runs and ends: its log, its errors, signals, broken pipes."""
