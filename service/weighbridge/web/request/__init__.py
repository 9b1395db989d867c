"""What every handler shares: reading, waiting, finding, answering, refusing."""
