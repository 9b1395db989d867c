"""A check in each form: for people, programs and CI services."""
