"""The keys of notification channels."""
