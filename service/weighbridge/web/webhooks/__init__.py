"""Webhooks: who sends is checked, what it tells is kept, then the sender is answered.

`receiver` knows the senders and their secrets, and is the way of a request; `inbox`
says how many at once, reads their bodies under a cap, commits, and asks for the look at
what was kept.
"""
