"""One check of an installation: `check_table` has every part, `running` runs them."""
