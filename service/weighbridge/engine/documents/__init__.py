"""Reading what a tag or digest leads to."""
