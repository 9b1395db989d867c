"""How work is handed over: by name, with names and ids only."""
