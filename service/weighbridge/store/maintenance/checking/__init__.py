"""Counting everything anew: to say what is wrong (`verify`), and to mend it."""
