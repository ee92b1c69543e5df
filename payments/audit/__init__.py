"""What must always be true, looked up in the database and at Stripe.

checks       each invariant of the design as a query that finds what breaks it: of orders, of money
sql          what a check is, and its offenders, streamed
stripe_side  the ledger against what Stripe lists
fixes        mending what two sources agree on, or what only has to be asked again
"""
