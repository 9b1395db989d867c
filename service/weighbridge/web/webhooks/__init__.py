"""Webhooks: who sends is checked, what it tells is kept, then the sender is answered.

`receiver` is the way of a request, `hooks` knows the senders and their secrets, `body`
reads under a cap, `admission` says how many at once, `inbox` commits and asks for the
look at what was kept.
"""
