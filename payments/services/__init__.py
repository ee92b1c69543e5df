"""What moves money and what follows from it: one module per use case.

placing    the cart becomes an order, and the buyer a way to pay
attempts   opening, repeating, adopting and closing a try to pay
settling   what Stripe says of a session becomes ledger, attempt and order
holds      ending orders that were not paid in time
reviews    answering what waits for a person
inbox      Stripe's events, stored once and processed
endpoints  where Stripe posts its events, and the secret that signs them
"""
