"""The rows that the planned orders of a batch left in each table, as the services write them."""

TABLES = (
    "accounts_user",
    "cart_cart",
    "cart_cartline",
    "orders_fulfillment",
    "orders_fulfillmentline",
    "orders_order",
    "orders_orderevent",
    "orders_orderline",
    "orders_ordermail",
    "orders_review",
    "payments_dispute",
    "payments_inboxevent",
    "payments_ledgerentry",
    "payments_paymentattempt",
    "payments_refund",
    "payments_refundline",
    "shop_stockmovement",
    "shop_variant",
)

# Two of three visitors leave their cart behind.
_CARTS = """
    INSERT INTO cart_cart (id, public_id, created_at)
    SELECT cart_id, gen_random_uuid(),
           placed_at - interval '20 minutes' * pg_temp.dice('cart', n)
      FROM seed_order WHERE has_own_cart;

    WITH left_behind AS (
        INSERT INTO cart_cart (public_id, created_at)
        SELECT gen_random_uuid(), placed_at - interval '1 day' * pg_temp.dice('left ' || cart, n)
          FROM seed_order, generate_series(1, 2) cart
         WHERE placed_at > %(at)s - %(lately)s
        RETURNING id, created_at
    )
    INSERT INTO cart_cartline (cart_id, variant_id, quantity, seen_price_minor, added_at)
    SELECT cart.id, goods.id, 1, goods.price_minor, cart.created_at
      FROM left_behind cart
      JOIN seed_goods goods
        ON goods.place = 1 + floor(pg_temp.dice('left', cart.id) * %(goods)s)::bigint;
"""

_ORDERS = """
    INSERT INTO orders_order (
           id, number, user_id, email, locale, currency, subtotal_minor, discount_minor,
           shipping_minor, tax_minor, total_minor, tax_included_minor, shipping_address, cart_id,
           cart_due_at, cart_emptied_at, fingerprint, placed_by, status, placed_at, hold_until,
           pay_until)
    SELECT id, number, user_id, email, 'en', %(currency)s, subtotal, 0, shipping, 0, total, 0,
           jsonb_build_object(
               'name', pg_temp.buyer_name(buyer),
               'line1', 1 + floor(pg_temp.dice('house', buyer) * 200)::int || ' '
                        || pg_temp.buyer_place(buyer + 1) || ' Road',
               'line2', '',
               'postal_code', lpad(floor(pg_temp.dice('code', buyer) * 100000)::text, 5, '0'),
               'city', pg_temp.buyer_place(buyer),
               'region', '',
               'country', pg_temp.pick(%(countries)s::text[], 'country', buyer)),
           cart_id, due_at, due_at + interval '3 seconds', %(mark)s || n,
           CASE fate WHEN 'asked' THEN 'staff' ELSE 'buyer' END, status, placed_at,
           CASE fate WHEN 'asked' THEN placed_at + %(staff_pay_within)s
                     WHEN 'failed' THEN ended_at + %(pay_within)s
                     ELSE placed_at + %(hold)s END,
           CASE fate WHEN 'asked' THEN placed_at + %(staff_pay_within)s
                     WHEN 'failed' THEN ended_at + %(pay_within)s
                     ELSE placed_at + %(pay_within)s END
      FROM seed_order, LATERAL (
           SELECT CASE WHEN cart_id IS NULL THEN NULL
                       WHEN fate = 'failed' THEN placed_at + interval '3 minutes'
                       ELSE paid_at END AS due_at) due;

    INSERT INTO orders_orderline (
           id, order_id, variant_id, title, sku, quantity, unit_price_minor, discount_minor,
           tax_minor, tax_included_minor)
    SELECT l.id, o.id, l.variant_id, l.title, l.sku, l.quantity, l.price_minor, 0, 0, 0
      FROM seed_line l JOIN seed_order o USING (n);
"""

_ATTEMPTS = """
    INSERT INTO payments_paymentattempt (
           id, key, order_id, kind, state, closed_as, params, amount_minor, currency, session_id,
           intent_id, url, created_at, deadline_at)
    SELECT attempt_id, attempt_key, id, 'checkout',
           CASE WHEN paid_at IS NULL THEN 'closed' ELSE 'succeeded' END,
           CASE fate WHEN 'failed' THEN 'failed' WHEN 'expired' THEN 'expired'
                     WHEN 'canceled' THEN 'canceled' ELSE '' END,
           jsonb_build_object(
               'mode', 'payment',
               'client_reference_id', number,
               'metadata', tags,
               'payment_intent_data', jsonb_build_object('metadata', tags),
               'customer_email', email,
               'line_items', items.of_order,
               'shipping_options', jsonb_build_array(jsonb_build_object(
                   'shipping_rate_data', jsonb_build_object(
                       'type', 'fixed_amount',
                       'fixed_amount', jsonb_build_object(
                           'amount', shipping * %(scale)s, 'currency', lower(%(currency)s)))))),
           total, %(currency)s, session_id,
           CASE WHEN fate NOT IN ('expired', 'canceled') THEN intent_id END, '', placed_at,
           date_trunc('second', placed_at + %(session_lasts)s)
      FROM seed_order
     CROSS JOIN LATERAL (SELECT jsonb_build_object(
           'app', %(tag)s, 'order', number, 'attempt', attempt_key) AS tags) tagged
      JOIN (SELECT n, jsonb_agg(jsonb_build_object(
                   'quantity', quantity,
                   'price_data', jsonb_build_object(
                       'currency', lower(%(currency)s),
                       'unit_amount', price_minor * %(scale)s,
                       'product_data', jsonb_build_object('name', title))) ORDER BY id) AS of_order
              FROM seed_line GROUP BY n) items USING (n)
     WHERE fate <> 'asked';
"""

_GOODS = """
    INSERT INTO orders_fulfillment (
           id, order_id, handed_over_at, carrier, tracking_number, tracking_url, delivered_at)
    SELECT fulfillment_id, id, sent_at, coalesce(carrier, ''), coalesce(tracked, ''),
           coalesce(replace(page, '{number}', tracked), ''), delivered_at
      FROM seed_order
     CROSS JOIN LATERAL (SELECT
           CASE WHEN pg_temp.dice('tracked', n) < 0.6
                THEN 1 + floor(pg_temp.dice('carrier', n) * cardinality(%(carriers)s::text[]))::int
           END AS place) chosen
     CROSS JOIN LATERAL (SELECT
           (%(carriers)s::text[])[place] AS carrier,
           (%(pages)s::text[])[place] AS page,
           CASE WHEN (%(carriers)s::text[])[place] IS NOT NULL
                THEN 'SEED' || lpad(n::text, 10, '0') END AS tracked) parcel
     WHERE fulfillment_id IS NOT NULL;

    INSERT INTO orders_fulfillmentline (fulfillment_id, line_id, quantity)
    SELECT o.fulfillment_id, l.id, l.quantity
      FROM seed_order o JOIN seed_line l USING (n)
     WHERE o.fulfillment_id IS NOT NULL AND (o.fate <> 'due' OR l.place = 1);
"""

# What is ordered was delivered to the house before, so that nothing runs out by it.
_STOCK = """
    INSERT INTO shop_stockmovement (
           variant_id, kind, on_hand_delta, reserved_delta, reference, moved_at)
    WITH moved AS (
        SELECT o.fate, o.status, o.number, o.is_sold, o.placed_at, o.paid_at, o.ended_at,
               o.returned_at, l.variant_id, l.quantity
          FROM seed_order o JOIN seed_line l USING (n)
    )
    SELECT variant_id, 'received' AS kind, sum(quantity)::int, 0, 'delivery',
           (SELECT min(placed_at) FROM seed_order) - interval '1 hour' AS moved_at
      FROM moved WHERE status NOT IN ('canceled', 'refunded') GROUP BY variant_id
     UNION ALL
    SELECT variant_id, 'reserved', 0, quantity, number, placed_at FROM moved
     UNION ALL
    SELECT variant_id, 'sold', -quantity, -quantity, number, paid_at FROM moved WHERE is_sold
     UNION ALL
    SELECT variant_id, 'released', 0, -quantity, number, ended_at FROM moved
     WHERE status = 'canceled'
     UNION ALL
    SELECT variant_id, 'returned', quantity, 0, number, returned_at FROM moved
     WHERE status = 'refunded'
     ORDER BY moved_at;

    UPDATE shop_variant v SET on_hand = on_hand + held.units, reserved = reserved + held.units
      FROM (SELECT l.variant_id, sum(l.quantity) AS units
              FROM seed_order o JOIN seed_line l USING (n)
             WHERE o.status = 'pending' GROUP BY l.variant_id) held
     WHERE v.id = held.variant_id;
"""

_MONEY = """
    INSERT INTO payments_refund (
           key, order_id, charge_id, intent_id, amount_minor, currency, source, why, note,
           is_restocked, state, failure, stripe_id, created_at, asked_at)
    SELECT refund_key, id, charge_id, intent_id, returned, %(currency)s, 'staff',
           'requested_by_customer', '', fate = 'refunded',
           CASE fate WHEN 'refund failed' THEN 'failed' ELSE 'succeeded' END,
           CASE fate WHEN 'refund failed' THEN 'lost_or_stolen_card' ELSE '' END,
           refund_id, returned_at, returned_at
      FROM seed_order WHERE returned_at IS NOT NULL;

    INSERT INTO payments_refundline (refund_id, line_id, quantity, handed_over)
    SELECT r.id, l.id, l.quantity, CASE WHEN o.fulfillment_id IS NULL THEN 0 ELSE l.quantity END
      FROM seed_order o JOIN seed_line l USING (n) JOIN payments_refund r ON r.order_id = o.id
     WHERE o.fate = 'refunded';

    INSERT INTO payments_dispute (
           stripe_id, order_id, charge_id, amount_minor, currency, reason, status, due_at,
           opened_at)
    SELECT 'du_seed_' || n, id, charge_id, total, %(currency)s, 'product_not_received',
           'needs_response', %(at)s + interval '7 days', %(at)s - interval '1 day'
      FROM seed_order WHERE fate = 'disputed';

    INSERT INTO payments_ledgerentry (
           order_id, attempt_id, kind, amount_minor, currency, stripe_id, charge_id, occurred_at,
           booked_at)
    SELECT o.id, o.attempt_id, entry.kind, entry.amount, %(currency)s, entry.stripe_id,
           o.charge_id, entry.moved_at, entry.moved_at + interval '2 seconds'
      FROM seed_order o CROSS JOIN LATERAL (VALUES
           (o.paid_at IS NOT NULL, 'capture', o.total + o.excess, o.charge_id, o.paid_at),
           (o.paid_at IS NOT NULL, 'fee', -(o.total * 15 / 1000 + %(flat_fee)s),
            'txn_seed_' || o.n, o.paid_at + interval '5 seconds'),
           (o.fate = 'disputed', 'dispute', -o.total, 'txn_seed_dispute_' || o.n,
            %(at)s - interval '1 day'),
           (o.fate = 'disputed', 'fee', -%(dispute_fee)s::bigint, 'txn_seed_dispute_' || o.n,
            %(at)s - interval '1 day'),
           (o.fate IN ('refunded', 'partly refunded'), 'refund', -o.returned, o.refund_id,
            o.returned_at)
      ) entry (is_so, kind, amount, stripe_id, moved_at)
     WHERE entry.is_so ORDER BY entry.moved_at;
"""

_QUESTIONS = """
    INSERT INTO orders_review (order_id, reason, cause, detail, opened_at, resolution)
    SELECT id, 'mismatch', charge_id,
           format('amount: asked %%s, got %%s', total * %(scale)s, (total + excess) * %(scale)s),
           paid_at, ''
      FROM seed_order WHERE fate = 'mismatch'
     UNION ALL
    SELECT id, 'refund', refund_key::text, 'A refund came to nothing: lost_or_stolen_card.',
           returned_at, ''
      FROM seed_order WHERE fate = 'refund failed';

    INSERT INTO payments_inboxevent (
           event_id, type, payload, made_at, api_version, livemode, source, state, attempts,
           last_error, received_at)
    SELECT 'evt_seed_' || n, 'charge.refund.updated',
           jsonb_build_object('id', 'evt_seed_' || n, 'object', 'event',
                              'type', 'charge.refund.updated'),
           %(at)s - interval '5 hours', '', false, 'webhook', 'failed', 5,
           'UnknownAttempt: pi_seed_0 names no attempt of this shop',
           %(at)s - interval '5 hours'
      FROM seed_order WHERE n = 1;
"""

_STORY = """
    INSERT INTO orders_orderevent (
           order_id, from_status, to_status, reason, cause, by_user_id, happened_at)
    SELECT o.id, event.was, event.becomes, event.reason, event.cause, event.by, event.at
      FROM seed_order o CROSS JOIN LATERAL (VALUES
           (1, true, '', 'pending', 'placed', '', o.user_id, o.placed_at),
           (2, o.fate = 'failed', 'pending', 'pending', 'processing', o.session_id, NULL,
            o.placed_at + interval '3 minutes'),
           (3, o.fate = 'failed', 'pending', 'pending', 'payment_failed', o.session_id, NULL,
            o.ended_at),
           (4, o.fate = 'mismatch', 'pending', 'pending', 'money_booked', o.session_id, NULL,
            o.paid_at),
           (5, o.fate = 'mismatch', 'pending', 'pending', 'review_opened', o.charge_id, NULL,
            o.paid_at),
           (6, o.is_sold, 'pending', 'paid', 'capture', o.session_id, NULL, o.paid_at),
           (7, o.fate = 'expired', 'pending', 'canceled', 'expiry', '', NULL, o.ended_at),
           (8, o.fate = 'canceled', 'pending', 'canceled', 'buyer', '', o.user_id, o.ended_at),
           (9, o.sent_at IS NOT NULL, 'paid', 'paid', 'handed_over', o.fulfillment_id::text, NULL,
            o.sent_at),
           (10, o.sent_at IS NOT NULL AND o.fate <> 'due', 'paid', 'fulfilled', 'fulfilled',
            o.fulfillment_id::text, NULL, o.sent_at),
           (11, o.delivered_at IS NOT NULL, 'fulfilled', 'fulfilled', 'delivered',
            o.fulfillment_id::text, NULL, o.delivered_at),
           (12, o.fate = 'disputed', 'fulfilled', 'fulfilled', 'disputed', 'du_seed_' || o.n, NULL,
            %(at)s - interval '1 day'),
           (13, o.returned_at IS NOT NULL, o.status_once_sent, o.status_once_sent, 'refund_asked',
            o.refund_key::text, NULL, o.returned_at),
           (14, o.fate = 'partly refunded', 'fulfilled', 'fulfilled', 'partly_refunded',
            o.refund_id, NULL, o.returned_at),
           (15, o.fate = 'refunded', o.status_once_sent, 'refunded', 'refunded', o.refund_id, NULL,
            o.returned_at),
           (16, o.fate = 'refund failed', 'fulfilled', 'fulfilled', 'refund_failed', o.refund_id,
            NULL, o.returned_at),
           (17, o.fate = 'refund failed', 'fulfilled', 'fulfilled', 'review_opened',
            o.refund_key::text, NULL, o.returned_at)
      ) event (place, is_so, was, becomes, reason, cause, by, at)
     WHERE event.is_so ORDER BY o.n, event.place;
"""

_MAILS = """
    INSERT INTO orders_ordermail (order_id, kind, cause, facts, due_at, sent_at)
    SELECT o.id, mail.kind, mail.cause, mail.facts, mail.due_at, mail.due_at + interval '4 seconds'
      FROM seed_order o
     CROSS JOIN LATERAL (SELECT jsonb_build_object(
           'amount_minor', o.returned, 'currency', %(currency)s,
           'why', 'requested_by_customer') AS refund) facts
     CROSS JOIN LATERAL (VALUES
           (o.fate = 'asked', 'payment_link', 'placed', '{}'::jsonb, o.placed_at),
           (o.fate = 'failed', 'processing', o.attempt_key::text, '{}',
            o.placed_at + interval '3 minutes'),
           (o.fate = 'failed', 'payment_failed', o.attempt_key::text, '{}', o.ended_at),
           (o.fate = 'mismatch', 'in_review', o.charge_id, '{}', o.paid_at),
           (o.is_sold, 'confirmation', 'paid', '{}', o.paid_at),
           (o.fate = 'expired', 'canceled', 'expiry', '{"reason": "expiry"}', o.ended_at),
           (o.fate = 'canceled', 'canceled', 'buyer', '{"reason": "buyer"}', o.ended_at),
           (o.sent_at IS NOT NULL, 'sent', o.fulfillment_id::text,
            jsonb_build_object('fulfillment', o.fulfillment_id), o.sent_at),
           (o.returned_at IS NOT NULL, 'refund', o.refund_key::text, facts.refund, o.returned_at),
           (o.fate = 'refund failed', 'refund_failed', o.refund_key::text, facts.refund,
            o.returned_at)
      ) mail (is_so, kind, cause, facts, due_at)
     WHERE mail.is_so ORDER BY o.n, mail.due_at;
"""

STATEMENTS = (_CARTS, _ORDERS, _ATTEMPTS, _GOODS, _STOCK, _MONEY, _QUESTIONS, _STORY, _MAILS)
