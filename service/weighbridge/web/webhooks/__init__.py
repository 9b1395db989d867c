"""Webhooks: who sends is checked, what it tells is kept, then the sender is answered.

`receiver` is the way of a request, `hooks` knows the senders and their secrets,
`admission` says how many at once and reads their bodies under a cap, `inbox` commits
and asks for the look at what was kept.
"""
