"""Text as people and strangers write it: what may be printed, units, strict JSON."""
