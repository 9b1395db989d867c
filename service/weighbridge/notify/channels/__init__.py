"""The kinds of channels, with a module for the notifier of each."""
