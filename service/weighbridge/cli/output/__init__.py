"""What commands print of values that are not the domain's."""
