"""Schema changes, forward only. Run by `weighbridge.store.session.upgrade`."""
