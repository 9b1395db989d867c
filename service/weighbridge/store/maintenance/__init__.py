"""What keeps a database whole and small: pruning, forgetting, counting anew."""
