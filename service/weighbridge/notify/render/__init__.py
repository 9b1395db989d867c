"""One model of what a message says, and one small renderer for each medium."""
