"""A past for the shop: invented orders, in numbers to measure with, each with all that it left."""

from backoffice.seeding.runs import NotHere, invent_orders, require_sandbox

__all__ = ["NotHere", "invent_orders", "require_sandbox"]
