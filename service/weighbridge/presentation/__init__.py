"""Rows of reports and the forms in which they are shown; knows the domain alone."""
