"""The commands that print what was kept: one file each."""
