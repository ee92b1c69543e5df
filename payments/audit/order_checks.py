"""What must hold of stock, orders, their attempts and their mails."""

from payments.audit.sql import Check

ORDER_CHECKS = (
    Check(
        "stock_range",
        1,
        "no variant has less on hand than is reserved, or less than nothing",
        """
        SELECT 'variant ' || sku, format('on hand %%s, reserved %%s', on_hand, reserved)
          FROM shop_variant WHERE reserved < 0 OR on_hand < reserved
        """,
    ),
    Check(
        "stock_held",
        1,
        "what is reserved is what pending orders hold",
        """
        SELECT 'variant ' || v.sku, format('reserved %%s, pending orders hold %%s', v.reserved,
                                           coalesce(held.units, 0))
          FROM shop_variant v
          LEFT JOIN (SELECT l.variant_id, sum(l.quantity) AS units FROM orders_orderline l
                       JOIN orders_order o ON o.id = l.order_id AND o.status = 'pending'
                      GROUP BY l.variant_id) held ON held.variant_id = v.id
         WHERE v.reserved <> coalesce(held.units, 0)
        """,
    ),
    Check(
        "stock_moved",
        1,
        "both counters are the sums of their movements",
        """
        SELECT 'variant ' || v.sku,
               format('on hand %%s, reserved %%s; movements say %%s, %%s', v.on_hand, v.reserved,
                      coalesce(moved.on_hand, 0), coalesce(moved.reserved, 0))
          FROM shop_variant v
          LEFT JOIN (SELECT variant_id, sum(on_hand_delta) AS on_hand,
                            sum(reserved_delta) AS reserved
                       FROM shop_stockmovement GROUP BY variant_id) moved
                 ON moved.variant_id = v.id
         WHERE (v.on_hand, v.reserved)
               IS DISTINCT FROM (coalesce(moved.on_hand, 0), coalesce(moved.reserved, 0))
        """,
    ),
    Check(
        "story",
        2,
        "an order's events form a chain that ends in its status",
        """
        SELECT 'order ' || o.number,
               coalesce(broken.why, format('the story ends in %%s, the status is %%s',
                                           coalesce(last.to_status, 'nothing'), o.status))
          FROM orders_order o
          LEFT JOIN (SELECT order_id, min(format('entry %%s goes on from %%s, not from %%s', id,
                                                 from_status, before)) AS why
                       FROM (SELECT id, order_id, from_status,
                                    coalesce(lag(to_status) OVER (
                                        PARTITION BY order_id ORDER BY id), '') AS before
                               FROM orders_orderevent) steps
                      WHERE from_status <> before GROUP BY order_id) broken
                 ON broken.order_id = o.id
          LEFT JOIN LATERAL (SELECT to_status FROM orders_orderevent e
                              WHERE e.order_id = o.id ORDER BY id DESC LIMIT 1) last ON true
         WHERE broken.why IS NOT NULL OR last.to_status IS DISTINCT FROM o.status
        """,
    ),
    Check(
        "units",
        3,
        "no more was handed over than bought and paid, and a fulfilled order is owed nothing",
        # What a bank kept the money of is put back on the shelf. A refund that fails after the
        # order was fulfilled leaves it so, and asks a person. Units that had been handed over
        # before they were refunded count once.
        """
        SELECT 'order ' || o.number,
               format('%%s, %%s: %%s bought, %%s handed over, %%s refunded', o.status, l.sku,
                      l.quantity, coalesce(out.units, 0), coalesce(back.units, 0))
          FROM orders_orderline l JOIN orders_order o ON o.id = l.order_id
          LEFT JOIN (SELECT line_id, sum(quantity) AS units FROM orders_fulfillmentline
                      GROUP BY line_id) out ON out.line_id = l.id
          LEFT JOIN (SELECT rl.line_id, sum(rl.quantity) AS units,
                            sum(rl.quantity - rl.handed_over) AS unsent
                       FROM payments_refundline rl JOIN payments_refund r ON r.id = rl.refund_id
                      WHERE r.state NOT IN ('failed', 'canceled')
                      GROUP BY rl.line_id) back ON back.line_id = l.id
         WHERE coalesce(out.units, 0) + coalesce(back.unsent, 0) > l.quantity
            OR back.units > l.quantity
            OR o.status IN ('pending', 'canceled') AND out.units > 0
            OR o.status = 'fulfilled'
               AND l.quantity > coalesce(out.units, 0) + coalesce(back.unsent, 0)
               AND NOT EXISTS (SELECT 1 FROM orders_orderevent e
                                WHERE e.order_id = o.id AND e.reason = 'put_back')
               AND NOT EXISTS (SELECT 1 FROM orders_review w WHERE w.order_id = o.id)
               AND NOT EXISTS (SELECT 1 FROM payments_refund r
                                WHERE r.order_id = o.id
                                  AND r.state IN ('created', 'pending', 'requires_action'))
        """,
    ),
    Check(
        "totals",
        4,
        "lines - discount + shipping + tax = total = what Stripe was asked for",
        """
        SELECT 'order ' || o.number,
               format('lines %%s - %%s, tax %%s; the order says %%s - %%s + %%s + %%s = %%s',
                      lines.subtotal, lines.discount, lines.tax, o.subtotal_minor,
                      o.discount_minor, o.shipping_minor, o.tax_minor, o.total_minor)
          FROM orders_order o
          LEFT JOIN (SELECT order_id, sum(quantity * unit_price_minor) AS subtotal,
                            sum(discount_minor) AS discount, sum(tax_minor) AS tax
                       FROM orders_orderline GROUP BY order_id) lines ON lines.order_id = o.id
         WHERE (o.subtotal_minor, o.discount_minor)
               IS DISTINCT FROM (lines.subtotal, lines.discount)
            OR o.total_minor
               <> o.subtotal_minor - o.discount_minor + o.shipping_minor + o.tax_minor
         UNION ALL
        SELECT 'order ' || o.number,
               format('attempt %%s is for %%s %%s and asks Stripe for %%s; the total is %%s %%s',
                      a.key, a.amount_minor, a.currency, asked.amount, o.total_minor, o.currency)
          FROM payments_paymentattempt a JOIN orders_order o ON o.id = a.order_id
         CROSS JOIN LATERAL (SELECT CASE a.kind WHEN 'intent' THEN (a.params ->> 'amount')::bigint
               ELSE (SELECT sum((line ->> 'quantity')::bigint
                                * (line #>> '{price_data,unit_amount}')::bigint)
                       FROM jsonb_array_elements(a.params -> 'line_items') line)
                  + (SELECT sum((rate #>> '{shipping_rate_data,fixed_amount,amount}')::bigint)
                       FROM jsonb_array_elements(a.params -> 'shipping_options') rate)
               END AS amount) asked
         WHERE a.kind <> 'manual'
           AND ((a.amount_minor, a.currency) <> (o.total_minor, o.currency)
                -- Stripe counts in hundredths of a krona, which ISO does not have.
                OR asked.amount <> a.amount_minor * CASE a.currency WHEN 'ISK' THEN 100 ELSE 1 END)
        """,
    ),
    Check(
        "overdue",
        6,
        "no pending order is more than ten minutes past its hold",
        """
        SELECT 'order ' || o.number, format('its hold ended %%s', o.hold_until)
          FROM orders_order o
         WHERE o.status = 'pending' AND o.hold_until < %(at)s - interval '10 minutes'
           AND NOT EXISTS (SELECT 1 FROM payments_paymentattempt a
                            WHERE a.order_id = o.id AND (a.state = 'processing'
                               OR a.close_failed_at > %(at)s - interval '10 minutes'))
           AND NOT EXISTS (SELECT 1 FROM orders_review r
                            WHERE r.order_id = o.id AND r.resolved_at IS NULL)
        """,
    ),
    Check(
        "payable",
        6,
        "ten minutes after an order was paid or canceled nothing more can be paid for it",
        """
        SELECT 'order ' || o.number, format('%%s, yet attempt %%s is %%s', o.status, a.key, a.state)
          FROM payments_paymentattempt a JOIN orders_order o ON o.id = a.order_id
         WHERE a.state IN ('created', 'open') AND o.status <> 'pending'
           AND (SELECT max(e.happened_at) FROM orders_orderevent e
                 WHERE e.order_id = o.id AND e.from_status <> e.to_status)
               < %(at)s - interval '10 minutes'
           AND coalesce(a.close_failed_at < %(at)s - interval '10 minutes', true)
        """,
    ),
    Check(
        "mails",
        8,
        "mails tell of facts, once, within a day, and none is missing",
        # Version 0.2.0 wrote confirmations alone; it has ended an hour after another is owed.
        """
        WITH others AS (
            SELECT min(due_at) + interval '1 hour' AS since FROM orders_ordermail
             WHERE kind <> 'confirmation'
        ), owed AS (
            SELECT id AS order_id, 'confirmation' AS kind, 'paid' AS cause FROM orders_order
             WHERE status IN ('paid', 'fulfilled', 'refunded')
             UNION ALL
            SELECT order_id, 'refund', key::text FROM payments_refund
             WHERE state IN ('pending', 'requires_action', 'succeeded')
             UNION ALL
            SELECT r.order_id, 'refund_failed', m.cause FROM payments_refund r
              JOIN orders_ordermail m ON m.order_id = r.order_id
                   AND m.kind = 'refund' AND m.cause = r.key::text
             WHERE r.state IN ('failed', 'canceled')
             UNION ALL
            SELECT order_id, 'canceled', reason FROM orders_orderevent, others
             WHERE from_status <> 'canceled' AND to_status = 'canceled'
               AND reason <> 'replacement' AND happened_at > since
             UNION ALL
            SELECT order_id, 'processing', key::text FROM payments_paymentattempt, others
             WHERE state = 'processing' AND created_at > since
             UNION ALL
            SELECT r.order_id, 'in_review', r.cause FROM orders_review r, others
             WHERE r.reason <> 'stock' AND r.opened_at > since
               AND NOT EXISTS (SELECT 1 FROM orders_ordermail m
                                WHERE m.order_id = r.order_id
                                  AND m.kind = 'refund_failed' AND m.cause = r.cause)
               AND NOT EXISTS (SELECT 1 FROM payments_refund f
                                WHERE f.key::text = r.cause AND f.source <> 'automatic')
        )
        SELECT format('mail %%s', m.id), format('%%s of order %%s has no fact behind it', m.kind,
                                                o.number)
          FROM orders_ordermail m JOIN orders_order o ON o.id = m.order_id
         WHERE NOT CASE m.kind
               WHEN 'confirmation' THEN EXISTS (
                    SELECT 1 FROM orders_orderevent e WHERE e.order_id = o.id
                       AND e.to_status = 'paid' AND e.from_status IN ('pending', 'canceled'))
               WHEN 'canceled' THEN EXISTS (
                    SELECT 1 FROM orders_orderevent e
                     WHERE e.order_id = o.id AND (e.to_status = 'canceled'
                        OR o.total_minor = 0 AND e.to_status = 'refunded'))
               WHEN 'reminder' THEN EXISTS (
                    SELECT 1 FROM orders_orderevent e
                     WHERE e.order_id = o.id AND e.reason = 'failed_card')
               WHEN 'in_review' THEN EXISTS (
                    SELECT 1 FROM orders_review r WHERE r.order_id = o.id AND r.cause = m.cause)
               WHEN 'dispute' THEN EXISTS (
                    SELECT 1 FROM payments_dispute d
                     WHERE d.order_id = o.id
                       AND m.cause IN (d.stripe_id, 'inquiry ' || d.stripe_id))
               WHEN 'refund' THEN EXISTS (
                    SELECT 1 FROM payments_refund r
                     WHERE r.order_id = o.id AND r.key::text = m.cause)
               WHEN 'refund_failed' THEN EXISTS (
                    SELECT 1 FROM payments_refund r
                     WHERE r.order_id = o.id AND r.key::text = m.cause)
               WHEN 'sent' THEN EXISTS (
                    SELECT 1 FROM orders_fulfillment f
                     WHERE f.order_id = o.id AND f.id::text = m.cause)
               WHEN 'payment_link' THEN o.placed_by = 'staff'
               ELSE EXISTS (
                    SELECT 1 FROM payments_paymentattempt a
                     WHERE a.order_id = o.id AND a.key::text = m.cause) END
         UNION ALL
        SELECT 'order ' || o.number, format('%%s mails of kind %%s for %%s', count(*), m.kind,
                                            m.cause)
          FROM orders_ordermail m JOIN orders_order o ON o.id = m.order_id
         GROUP BY o.number, m.kind, m.cause HAVING count(*) > 1
         UNION ALL
        SELECT 'order ' || o.number, format('no mail of kind %%s for %%s', owed.kind, owed.cause)
          FROM owed JOIN orders_order o ON o.id = owed.order_id
         WHERE NOT EXISTS (SELECT 1 FROM orders_ordermail m
                            WHERE (m.order_id, m.kind, m.cause)
                                  = (owed.order_id, owed.kind, owed.cause))
         UNION ALL
        SELECT format('mail %%s', m.id), format('%%s of order %%s, due %%s, is not sent', m.kind,
                                                o.number, m.due_at)
          FROM orders_ordermail m JOIN orders_order o ON o.id = m.order_id
         WHERE m.sent_at IS NULL AND m.due_at < %(at)s - interval '1 day'
        """,
    ),
)
