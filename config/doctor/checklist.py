"""All checks, in the order in which one would put things right."""

from config.doctor import house, round_trip, stripe_side
from config.doctor.examination import Check

CHECKS = (
    Check("https", "SITE_URL is an https:// address", house.https),
    Check("deployment", "the settings are fit for real buyers (check --deploy)", house.deployment),
    Check("database", "PostgreSQL answers", house.database),
    Check("migrations", "the tables are of this version", house.migrations, ("database",)),
    Check("cache", "the cache keeps what is stored", house.cache, ("database",)),
    Check("mail", "mail can be handed over", house.mail_server),
    Check("worker", "a worker is alive", house.worker, ("migrations",)),
    Check("queue", "no job has waited too long", house.queue, ("migrations",)),
    Check(
        "secret_key",
        "STRIPE_SECRET_KEY, live mode and STRIPE_API_HOST agree",
        stripe_side.secret_key,
    ),
    Check(
        "publishable_key",
        "STRIPE_PUBLISHABLE_KEY is of the same mode",
        stripe_side.publishable_key,
        ("secret_key",),
    ),
    Check("stripe", "Stripe answers to the key", stripe_side.stripe_answers, ("secret_key",)),
    Check(
        "same_account",
        "both keys are of one account",
        stripe_side.same_account,
        ("publishable_key", "stripe", "migrations"),
    ),
    Check("account", "the account may take payments", stripe_side.account, ("stripe",)),
    Check("currency", "the account takes SHOP_CURRENCY", stripe_side.currency, ("stripe",)),
    Check("methods", "the account takes all of PAYMENT_METHODS", stripe_side.methods, ("stripe",)),
    Check("clock", "the clocks agree", stripe_side.clock, ("stripe", "database")),
    Check(
        "secret",
        "the webhook's endpoint and its secret are stored",
        stripe_side.secret,
        ("secret_key", "migrations"),
    ),
    Check(
        "endpoint",
        "Stripe tells this shop of all that it needs, in its API version",
        stripe_side.endpoint,
        ("stripe", "secret"),
    ),
    Check("heard", "Stripe's own events come in by it", stripe_side.heard, ("secret",)),
    Check("site", "SITE_URL leads to the shop", round_trip.site),
    Check("arrival", "a signed event comes in by SITE_URL", round_trip.arrival, ("site", "secret")),
    Check("processing", "a worker takes it up", round_trip.processing, ("arrival", "worker")),
)
