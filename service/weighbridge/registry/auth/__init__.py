"""How a client signs in: challenges, tokens, credentials."""
