"""A local twin of Stripe: a process of its own, tied to the shop by HTTP alone.

It speaks the part of Stripe's API that the shop and dj-stripe use, in the shapes of API version
2026-05-27.dahlia, shows a hosted checkout page, and sends signed webhooks. No money ever moves.
Faults can be switched on through the control API (control.py), so that the shop's promises can be
tested in bad weather.
"""
