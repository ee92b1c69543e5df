"""What moves money and what follows from it: one module per use case.

placing        the cart becomes an order, and the buyer a way to pay
attempts       opening, repeating, adopting and closing a try to pay
settling       what Stripe says of a session becomes ledger, attempt and order
canceling      calling an unpaid order off, by its buyer or staff
reminding      writing to whom the card was declined
holds          ending orders that were not paid in time
refunds        giving money back
refund_news    what Stripe says of refunds
sums           what an order's money comes to
fulfilling     handing goods over
reviews        answering what waits for a person
resolving      what follows once the last review is answered
manual         money that moved outside of Stripe
inbox          Stripe's events, stored once and processed
news           what an event is about, read again at Stripe
reconciliation what no event told, found by asking
retention      letting go of what Stripe wrote to us
counters       what is not at its end, in figures
endpoints      where Stripe posts its events, and the secret that signs them
"""
