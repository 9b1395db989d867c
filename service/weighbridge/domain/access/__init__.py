"""Who asks, and what they may: roles, tokens, the address of a sender."""
