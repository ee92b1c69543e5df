"""What each invented order of a batch is, in tables that last as long as the connection.

Order n is the same order whenever it is made, but for its ids and its moments: its dice are hashes
of n. The first are what waits for somebody, of the last days; all others lie in the past. So a
large shop has no more to do than a small one.
"""

from shop.invented_books import FIRST_NAMES, LAST_NAMES, PLACES


def _array(words: list[str]) -> str:
    return f"ARRAY[{', '.join(repr(word) for word in words)}]"


# Orders have numbers of ten letters and digits; multiplying by an odd number shuffles those below
# 2^50, so that no two are alike. The first 63 orders are of the last days, all others of two years.
FUNCTIONS = f"""
    CREATE OR REPLACE FUNCTION pg_temp.dice(what text, number bigint) RETURNS float8
        LANGUAGE sql IMMUTABLE AS
        $$ SELECT (hashtextextended(what, number) & 16777215) / 16777216.0::float8 $$;
    CREATE OR REPLACE FUNCTION pg_temp.pick(words text[], what text, number bigint) RETURNS text
        LANGUAGE sql IMMUTABLE AS
        $$ SELECT words[1 + floor(pg_temp.dice(what, number) * cardinality(words))::int] $$;
    CREATE OR REPLACE FUNCTION pg_temp.buyer_name(buyer bigint) RETURNS text
        LANGUAGE sql IMMUTABLE AS
        $$ SELECT pg_temp.pick({_array(FIRST_NAMES)}, 'first name', buyer) || ' '
                  || pg_temp.pick({_array(LAST_NAMES)}, 'last name', buyer) $$;
    CREATE OR REPLACE FUNCTION pg_temp.buyer_email(buyer bigint) RETURNS text
        LANGUAGE sql IMMUTABLE AS
        $$ SELECT lower(replace(pg_temp.buyer_name(buyer), ' ', '.')) || '.' || buyer
                  || '@example.com' $$;
    CREATE OR REPLACE FUNCTION pg_temp.buyer_place(buyer bigint) RETURNS text
        LANGUAGE sql IMMUTABLE AS $$ SELECT pg_temp.pick({_array(PLACES)}, 'place', buyer) $$;
    CREATE OR REPLACE FUNCTION pg_temp.has_account(buyer bigint) RETURNS boolean
        LANGUAGE sql IMMUTABLE AS $$ SELECT pg_temp.dice('account', buyer) < 0.4 $$;
    CREATE OR REPLACE FUNCTION pg_temp.order_number(n bigint) RETURNS text
        LANGUAGE sql IMMUTABLE AS
        $$ SELECT string_agg(substr('23456789ABCDEFGHJKLMNPQRSTUVWXYZ',
                                    ((n * 399999999989 + 678901234567890 >> 5 * place) & 31)::int
                                    + 1, 1), '')
             FROM generate_series(0, 9) place $$;
    -- Two years, of which the last day has three times the orders of the first.
    CREATE OR REPLACE FUNCTION pg_temp.moment(n float8, wanted bigint, at timestamptz)
        RETURNS timestamptz LANGUAGE sql IMMUTABLE AS
        $$ SELECT at - interval '2 hours' - interval '730 days' * (
                  1.5 - sqrt(0.25 + 2 * greatest(n - 63, 0) / greatest(wanted - 63, 1))) $$;
"""  # noqa: S608 - words of ours

# The first are the most wanted.
GOODS = """
    DROP TABLE IF EXISTS seed_goods;
    CREATE TEMP TABLE seed_goods AS
    SELECT row_number() OVER (ORDER BY pg_temp.dice('goods', v.id), v.id) AS place, v.id, v.sku,
           p.title || ', ' || v.title AS title, v.price_minor
      FROM shop_variant v JOIN shop_product p ON p.id = v.product_id
     WHERE v.is_active AND p.is_published AND v.currency = %(currency)s AND v.price_minor > 0;
    CREATE UNIQUE INDEX ON seed_goods (place);
    ANALYZE seed_goods;
"""

# A buyer is known by a number too; each fourth order brings a new one, and most come back.
_BUYERS = """
    INSERT INTO accounts_user (password, is_superuser, public_id, email, name, is_staff, is_active,
                               date_joined)
    SELECT '!' || gen_random_uuid(), false, gen_random_uuid(), pg_temp.buyer_email(buyer),
           pg_temp.buyer_name(buyer), false, true,
           pg_temp.moment((buyer - 1) * 4, %(wanted)s, %(at)s) - interval '1 hour'
      FROM generate_series(CASE WHEN %(first)s = 1 THEN 1 ELSE (%(first)s - 1) / 4 + 2 END,
                           %(last)s / 4 + 1) buyer
     WHERE pg_temp.has_account(buyer)
    ON CONFLICT DO NOTHING;

    INSERT INTO cart_cart (public_id, user_id, created_at)
    SELECT gen_random_uuid(), u.id, u.date_joined
      FROM generate_series(CASE WHEN %(first)s = 1 THEN 1 ELSE (%(first)s - 1) / 4 + 2 END,
                           %(last)s / 4 + 1) buyer
      JOIN accounts_user u ON lower(u.email) = pg_temp.buyer_email(buyer)
     WHERE pg_temp.has_account(buyer)
    ON CONFLICT DO NOTHING;
"""

# asked: placed by staff, not paid yet; failed: the bank said no, the buyer has a day to pay again.
_FATES = """
    DROP TABLE IF EXISTS seed_fate;
    CREATE TEMP TABLE seed_fate AS
    WITH fated AS (
        SELECT n, 1 + floor(power(pg_temp.dice('buyer', n), 2) * n / 4)::bigint AS buyer, CASE
                   WHEN n <= 8 THEN 'asked'
                   WHEN n <= 20 THEN 'failed'
                   WHEN n <= 60 THEN 'due'
                   WHEN n = 61 THEN 'mismatch'
                   WHEN n = 62 THEN 'refund failed'
                   WHEN n = 63 THEN 'disputed'
                   WHEN dice < 0.06 THEN 'expired'
                   WHEN dice < 0.08 THEN 'canceled'
                   WHEN dice < 0.11 THEN 'refunded'
                   WHEN dice < 0.14 THEN 'partly refunded'
                   ELSE 'fulfilled' END AS fate
          FROM generate_series(%(first)s::bigint, %(last)s) n, pg_temp.dice('fate', n) dice
    ), placed AS (
        SELECT *, CASE fate
                   WHEN 'asked' THEN %(at)s - interval '3 days' * dice
                   WHEN 'failed' THEN %(at)s - interval '2 days' - interval '1 day' * dice
                   WHEN 'due' THEN %(at)s - interval '10 minutes' - interval '4 days' * dice
                   WHEN 'mismatch' THEN %(at)s - interval '1 day'
                   WHEN 'refund failed' THEN %(at)s - interval '15 days'
                   WHEN 'disputed' THEN %(at)s - interval '20 days'
                   ELSE pg_temp.moment(n - dice, %(wanted)s, %(at)s) END AS placed_at
          FROM fated, pg_temp.dice('placed', n) dice
    ), paid AS (
        SELECT *,
               CASE WHEN fate NOT IN ('asked', 'failed', 'expired', 'canceled')
                    THEN placed_at + interval '1 minute'
                         + interval '3 minutes' * pg_temp.dice('paid', n) END AS paid_at,
               CASE fate
                   WHEN 'failed' THEN %(at)s - interval '8 hours' * pg_temp.dice('ended', n)
                   WHEN 'expired' THEN placed_at + %(hold)s + interval '1 minute'
                   WHEN 'canceled' THEN placed_at + interval '5 minutes'
                                        + interval '30 minutes' * pg_temp.dice('ended', n)
               END AS ended_at,
               fate IN ('fulfilled', 'partly refunded', 'refund failed', 'disputed')
                   OR fate = 'refunded' AND pg_temp.dice('sent', n) < 0.5
                   OR fate = 'due' AND mod(n, 5) = 0 AS is_sent
          FROM placed
    ), sent AS (
        SELECT *, CASE WHEN is_sent THEN paid_at + least(
                   interval '4 hours' + interval '36 hours' * pg_temp.dice('sent', n),
                   (%(at)s - paid_at) * 0.9) END AS sent_at
          FROM paid
    ), delivered AS (
        SELECT *, CASE WHEN fate <> 'due' AND sent_at + way < %(at)s
                       THEN sent_at + way END AS delivered_at
          FROM sent, LATERAL (
              SELECT interval '1 day' + interval '3 days' * pg_temp.dice('way', n) AS way) ways
    )
    SELECT *, CASE WHEN fate IN ('refunded', 'partly refunded', 'refund failed')
                   THEN since + least(interval '10 days' * pg_temp.dice('returned', n),
                                      (%(at)s - since) * 0.9) END AS returned_at
      FROM delivered, LATERAL (SELECT coalesce(delivered_at, sent_at, paid_at) AS since) ends;
    ANALYZE seed_fate;
"""

_LINES = """
    DROP TABLE IF EXISTS seed_line;
    CREATE TEMP TABLE seed_line AS
    WITH wished AS (
        SELECT n, place, max(units) AS units
          FROM (SELECT n,
                       1 + floor(power(pg_temp.dice('goods ' || line, n), 2.5)
                                 * %(goods)s)::bigint AS place,
                       1 + (pg_temp.dice('units ' || line, n) < 0.1)::int AS units
                  FROM seed_fate, pg_temp.dice('lines', n) luck,
                       generate_series(1, 1 + (luck < 0.45)::int + (luck < 0.18)::int
                                            + (luck < 0.06)::int) line) wishes
         GROUP BY n, place
    )
    SELECT nextval(pg_get_serial_sequence('orders_orderline', 'id')) AS id, wished.n,
           wished.units AS quantity, goods.id AS variant_id, goods.sku, goods.title,
           goods.price_minor,
           row_number() OVER (PARTITION BY wished.n ORDER BY wished.place) AS place
      FROM wished JOIN seed_goods goods USING (place)
     ORDER BY wished.n, wished.place;
    ANALYZE seed_line;
"""

_ORDERS = """
    DROP TABLE IF EXISTS seed_order;
    CREATE TEMP TABLE seed_order AS
    SELECT f.n, f.fate, f.placed_at, f.paid_at, f.ended_at, f.delivered_at, f.returned_at, f.buyer,
           nextval(pg_get_serial_sequence('orders_order', 'id')) AS id,
           pg_temp.order_number(f.n) AS number,
           CASE WHEN f.fate IN ('asked', 'failed', 'mismatch') THEN 'pending'
                WHEN f.fate = 'due' THEN 'paid'
                WHEN f.fate IN ('expired', 'canceled') THEN 'canceled'
                WHEN f.fate = 'refunded' THEN 'refunded'
                ELSE 'fulfilled' END AS status,
           CASE WHEN f.fate <> 'due' AND f.is_sent
                THEN 'fulfilled' ELSE 'paid' END AS status_once_sent,
           f.paid_at IS NOT NULL AND f.fate <> 'mismatch' AS is_sold,
           pg_temp.buyer_email(f.buyer) AS email,
           u.id AS user_id,
           CASE WHEN f.fate <> 'asked' THEN coalesce(
               c.id, nextval(pg_get_serial_sequence('cart_cart', 'id'))) END AS cart_id,
           c.id IS NULL AND f.fate <> 'asked' AS has_own_cart,
           sums.subtotal,
           shipping.amount AS shipping,
           sums.subtotal + shipping.amount AS total,
           CASE WHEN f.fate = 'mismatch' THEN 100 ELSE 0 END AS excess,
           CASE WHEN f.fate = 'refunded' THEN sums.subtotal + shipping.amount
                WHEN f.returned_at IS NOT NULL THEN greatest(sums.subtotal / 4, 1) END AS returned,
           nextval(pg_get_serial_sequence('payments_paymentattempt', 'id')) AS attempt_id,
           gen_random_uuid() AS attempt_key,
           'cs_test_seed_' || f.n AS session_id,
           'pi_seed_' || f.n AS intent_id,
           'ch_seed_' || f.n AS charge_id,
           're_seed_' || f.n AS refund_id,
           gen_random_uuid() AS refund_key,
           CASE WHEN sending.is_done THEN f.sent_at END AS sent_at,
           CASE WHEN sending.is_done THEN
               nextval(pg_get_serial_sequence('orders_fulfillment', 'id')) END AS fulfillment_id
      FROM seed_fate f
      JOIN (SELECT n, sum(quantity * price_minor)::bigint AS subtotal, count(*) AS lines
              FROM seed_line GROUP BY n) sums USING (n)
     CROSS JOIN LATERAL (SELECT CASE WHEN sums.subtotal >= %(free_from)s
                                     THEN 0 ELSE %(shipping)s END::bigint AS amount) shipping
     -- A part of an order is sent only where there are two.
     CROSS JOIN LATERAL (SELECT f.is_sent AND (f.fate <> 'due' OR sums.lines > 1)
                             AS is_done) sending
      LEFT JOIN accounts_user u ON pg_temp.has_account(f.buyer) AND f.fate <> 'asked'
            AND lower(u.email) = pg_temp.buyer_email(f.buyer)
      LEFT JOIN cart_cart c ON c.user_id = u.id AND c.merged_into_id IS NULL
     ORDER BY f.n;
    ANALYZE seed_order;
"""

STATEMENTS = (_BUYERS, _FATES, _LINES, _ORDERS)
