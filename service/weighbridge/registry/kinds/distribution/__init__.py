"""Any registry that speaks the distribution specification."""
