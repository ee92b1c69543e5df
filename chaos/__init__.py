"""`make chaos`: the real shop under load, in every weather, with its processes killed.

town      the processes, killed and started again
shoppers  browse, order, pay, try again, give up
staff     refund, cancel, hand over, answer reviews; a process that is killed too
weather   faults on the wire, and what banks and Stripe's dashboard do
rest      calm, until nothing moves any more
books     a script that knows nothing of the shop: the other side's books against the database
"""
