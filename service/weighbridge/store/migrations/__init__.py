"""Schema changes, forward only. Run by `weighbridge.store.schema.upgrade`."""
