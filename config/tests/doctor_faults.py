"""Every fault that the doctor knows: how it comes about, and what is said of it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from djstripe.models import WebhookEndpoint

from config.tests.live import Scene, execute
from payments import gateway
from payments.models import InboxEvent
from payments.queue import enqueue
from payments.services.news import HANDLED
from payments.tests import support
from shop.clock import now


@dataclass(frozen=True)
class Fault:
    """What is done, and what the check then says: `what` is a regular expression."""

    check: str
    plant: Callable[[Scene], object]
    what: str
    remedy: str


PROVISION = "Run: manage.py provision_webhook"
SEE_STATUS = "See status.stripe.com and the log, then run this again."
REACH = "Check name, certificate and proxy; from this machine, too, the public address must work."
PASS_ON = "Let the proxy pass the address, its slash and the body on unchanged, to this shop."
REDIS_AWAY: dict[str, Any] = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    "quick": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": "redis://127.0.0.1:1/0",
        "OPTIONS": {"IGNORE_EXCEPTIONS": True, "SOCKET_CONNECT_TIMEOUT": 1},
    },
}
FAULTS = {
    "debug": Fault(
        "deployment",
        lambda scene: setattr(scene.settings, "DEBUG", True),
        r"\(security\.W018\) You should not have DEBUG set to True in deployment\.",
        "Set it as the message says, then restart.",
    ),
    "mail to nobody": Fault(
        "deployment",
        lambda scene: setattr(
            scene.settings, "EMAIL_BACKEND", "django.core.mail.backends.console.EmailBackend"
        ),
        r"\(shop\.W002\) Mail is not sent to anybody\.",
        "Set EMAIL_URL, such as smtp+tls://user:password@host:587.",
    ),
    "no address of staff": Fault(
        "deployment",
        lambda scene: setattr(scene.settings, "STAFF_EMAIL", ""),
        r"\(shop\.W004\) STAFF_EMAIL is empty: .*",
        "Set an address that is read daily: a dispute not answered in time is lost.",
    ),
    "tests' settings": Fault(
        "deployment",
        lambda scene: setattr(scene.settings, "TESTING", True),
        r"\(shop\.E003\) TESTING is on\.",
        "It is for the project's own tests. Take it out of the environment.",
    ),
    "migration missing": Fault(
        "migrations",
        lambda scene: forget_a_migration(scene),
        r"The database lacks migrations: payments\.\d{4}_\w+\.",
        "Run: manage.py migrate",
    ),
    "cache away": Fault(
        "cache",
        lambda scene: setattr(scene.settings, "CACHES", REDIS_AWAY),
        r"The cache does not keep what is stored in it\.",
        "Check REDIS_URL and the server there; without it run: manage.py migrate",
    ),
    "mail server away": Fault(
        "mail",
        lambda scene: setattr(scene.settings, "EMAIL_PORT", 1),
        r"Mail does not leave: ConnectionRefusedError: .*",
        "Check host, port, user and password in EMAIL_URL, and that a firewall lets it pass.",
    ),
    "mail server unwilling": Fault(
        "mail",
        lambda scene: setattr(scene.mail, "greeting", b"421 full"),
        r"Mail does not leave: SMTPConnectError: .*full.*",
        "Check host, port, user and password in EMAIL_URL, and that a firewall lets it pass.",
    ),
    "no worker": Fault(
        "worker",
        lambda scene: execute("DELETE FROM procrastinate_workers"),
        r"No worker gave a sign of life within 30 seconds\.",
        "Start one, and have it started again when it ends: manage.py worker",
    ),
    "queue old": Fault(
        "queue",
        lambda scene: let_a_job_wait(),
        r"A job in the queue mirror has waited for 120 minutes\.",
        "Look at Jobs in the admin and at the worker's log, or start more workers.",
    ),
    "no secret key": Fault(
        "secret_key",
        lambda scene: setattr(
            scene.settings, "STRIPE_SECRET_KEY", scene.settings.STRIPE_PUBLISHABLE_KEY
        ),
        r"STRIPE_SECRET_KEY is no secret key of Stripe's\.",
        "Set it to the one that begins with sk_ or rk_, from Stripe's dashboard, API keys.",
    ),
    "live flag with a test key": Fault(
        "secret_key",
        lambda scene: setattr(scene.settings, "STRIPE_LIVE_MODE", True),
        r"STRIPE_LIVE_MODE is True, and STRIPE_SECRET_KEY a test key\.",
        "Leave STRIPE_LIVE_MODE to config/settings.py, which reads it off the key.",
    ),
    "sandbox with a live key": Fault(
        "secret_key",
        lambda scene: go_live(scene),
        r"STRIPE_API_HOST names a sandbox, and STRIPE_SECRET_KEY is a live key\.",
        "Take STRIPE_API_HOST out of the environment.",
    ),
    "publishable key of live mode": Fault(
        "publishable_key",
        lambda scene: setattr(scene.settings, "STRIPE_PUBLISHABLE_KEY", "pk_live_" + "a" * 24),
        r"STRIPE_PUBLISHABLE_KEY is no publishable test key, as STRIPE_SECRET_KEY asks for\.",
        "Set it to the one that begins with pk_test_, of the same account.",
    ),
    "publishable key rolled": Fault(
        "same_account",
        lambda scene: setattr(scene.settings, "STRIPE_PUBLISHABLE_KEY", "pk_test_" + "a" * 24),
        r"Stripe refuses STRIPE_PUBLISHABLE_KEY\.",
        "Set it to the one beside the secret key, in Stripe's dashboard, API keys.",
    ),
    "secret key rolled": Fault(
        "stripe",
        lambda scene: roll_secret_key(scene),
        r"Stripe refuses STRIPE_SECRET_KEY\.",
        "Set it to a key that is not expired or rolled, from Stripe's dashboard, API keys.",
    ),
    "stripe away": Fault(
        "stripe",
        lambda scene: scene.sandbox.fault(kind="refuse", path="/v1/", times=None),
        r"Stripe cannot be asked \(Unreachable\)\.",
        "See status.stripe.com, and that this machine may open connections to api.stripe.com.",
    ),
    "stripe failing later": Fault(
        "endpoint",
        lambda scene: scene.sandbox.fault(kind="error_before", path="/v1/webhook_endpoints"),
        r"Stripe did not answer as it should \(Unreachable\)\.",
        SEE_STATUS,
    ),
    "account not ready": Fault(
        "account",
        lambda scene: scene.sandbox.post("account", charges_enabled=False),
        r"Stripe does not let the account take payments yet\.",
        "Answer what Stripe still asks for, in its dashboard under Settings, Business.",
    ),
    "currency not taken": Fault(
        "currency",
        lambda scene: scene.sandbox.post("account", currencies=["usd"]),
        r"Stripe takes no EUR for an account in IE\.",
        "Set SHOP_CURRENCY to one that it takes: docs.stripe.com/currencies",
    ),
    "method not active": Fault(
        "methods",
        lambda scene: scene.sandbox.post(
            "account",
            capabilities={"card_payments": "active", "sepa_debit_payments": "inactive"},
        ),
        r"The account does not take sepa_debit, which PAYMENT_METHODS has: it is inactive\.",
        "Switch it on in Stripe's dashboard under Settings, Payment methods, or leave it out of "
        "PAYMENT_METHODS.",
    ),
    "clock ahead": Fault(
        "clock",
        lambda scene: Path(scene.settings.CLOCK_OFFSET_FILE).write_text("600"),
        r"The clock here is (599|60[0-2]) seconds ahead of (PostgreSQL|Stripe)'s\.",
        "Let every machine set its clock by NTP.",
    ),
    "secret lost": Fault(
        "secret",
        lambda scene: WebhookEndpoint.objects.update(secret=""),
        r"No endpoint is stored here that is switched on, checks signatures and has its secret\.",
        PROVISION,
    ),
    "signatures unchecked": Fault(
        "secret",
        lambda scene: WebhookEndpoint.objects.update(djstripe_validation_method="none"),
        r"No endpoint is stored here that is switched on, checks signatures and has its secret\.",
        PROVISION,
    ),
    "another secret in the environment": Fault(
        "secret",
        lambda scene: setattr(scene.settings, "STRIPE_WEBHOOK_SECRET", "whsec_" + "b" * 32),
        r"No endpoint is stored here that is switched on, checks signatures and has its secret\.",
        PROVISION,
    ),
    "endpoint gone": Fault(
        "endpoint",
        lambda scene: gateway.delete_endpoint(WebhookEndpoint.objects.get().id),
        r"Stripe knows no endpoint of this shop, so it tells of no payment\.",
        PROVISION,
    ),
    "endpoint elsewhere": Fault(
        "endpoint",
        lambda scene: support.stripe_post(scene.endpoint, url="https://old.example/"),
        r"Stripe posts to https://old\.example/, not to https://localhost:\d+/stripe/webhook/.+/\.",
        PROVISION,
    ),
    "endpoint disabled": Fault(
        "endpoint",
        lambda scene: support.stripe_post(scene.endpoint, disabled="true"),
        r"The endpoint is disabled at Stripe, so it tells of no payment\.",
        PROVISION,
    ),
    "events missing": Fault(
        "endpoint",
        lambda scene: support.stripe_post(
            scene.endpoint, **{f"enabled_events[{i}]": name for i, name in enumerate(HANDLED[2:])}
        ),
        r"Stripe does not tell of "
        r"checkout\.session\.async_payment_succeeded, checkout\.session\.completed\.",
        PROVISION,
    ),
    "other API version": Fault(
        "endpoint",
        lambda scene: setattr(scene.settings, "STRIPE_API_VERSION", "2027-01-01.elm"),
        r"The endpoint's API version is 2026-05-27\.dahlia, not 2027-01-01\.elm\.",
        PROVISION,
    ),
    "Stripe signs otherwise": Fault(
        "heard",
        lambda scene: hear_only_by_asking(),
        r"Stripe's latest events did not come by the webhook: the shop had to ask for them\.",
        f"{PROVISION} --renew",
    ),
    "certificate not valid": Fault(
        "site",
        lambda scene: scene.monkeypatch.delenv("REQUESTS_CA_BUNDLE"),
        r"The certificate of https://localhost:\d+ is not valid\.",
        "Have the proxy get one that browsers trust, for this name, and renew it in time.",
    ),
    "proxy away": Fault(
        "site",
        lambda scene: scene.proxy.server_close(),
        r"https://localhost:\d+/ cannot be reached \(ConnectionError\)\.",
        REACH,
    ),
    "proxy does not tell of HTTPS": Fault(
        "site",
        lambda scene: setattr(scene.proxy, "tells_scheme", False),
        r"https://localhost:\d+/ redirects to itself: the shop does not know that HTTPS was "
        r"spoken\.",
        "Set TRUSTED_PROXY_COUNT to the number of your proxies, and let the first one set "
        "X-Forwarded-Proto.",
    ),
    "proxy without a shop": Fault(
        "site",
        lambda scene: setattr(scene.proxy, "answers", 502),
        r"https://localhost:\d+/ answers 502\.",
        "See the log of the web process, and whether the proxy leads to it with its Host.",
    ),
    "webhook redirected": Fault(
        "arrival",
        lambda scene: setattr(scene.proxy, "redirects_posts", True),
        r"The webhook answers a signed event with 301\.",
        PASS_ON,
    ),
    "body changed on its way": Fault(
        "arrival",
        lambda scene: setattr(scene.proxy, "adds_to_bodies", b" "),
        r"The webhook answers a signed event with 400 signature\.",
        PASS_ON,
    ),
    "another shop answers": Fault(
        "arrival",
        lambda scene: setattr(scene.proxy, "answers", 200),
        r"The webhook took a signed event, and it is not in this inbox\.",
        "Restart the web processes, so that they have this database and this key.",
    ),
}


def forget_a_migration(scene: Scene) -> None:
    name = MigrationLoader(connection).graph.leaf_nodes("payments")[0][1]
    applied = MigrationRecorder.Migration.objects.filter(app="payments", name=name)
    row = applied.get()
    applied.delete()
    scene.at_end(row.save)


def let_a_job_wait() -> None:
    enqueue("mirror_event", inbox_id=1)
    execute("UPDATE procrastinate_events SET at = now() - interval '2 hours'")


def roll_secret_key(scene: Scene) -> None:
    scene.settings.STRIPE_SECRET_KEY = "sk_test_" + "rolled00" * 3
    gateway.client.cache_clear()


def go_live(scene: Scene) -> None:
    scene.settings.STRIPE_SECRET_KEY = "sk_live_" + "a" * 24
    scene.settings.STRIPE_LIVE_MODE = True


def hear_only_by_asking(times: int = 5) -> None:
    """Store events as reconciliation does that finds what the webhook refused."""
    WebhookEndpoint.objects.update(secret="whsec_" + "b" * 32)
    InboxEvent.objects.bulk_create(
        InboxEvent(
            event_id=f"evt_{times}_{number}",
            type="charge.updated",
            livemode=False,
            source=InboxEvent.Source.RECONCILE,
            state=InboxEvent.State.DONE,
            received_at=now(),
        )
        for number in range(times)
    )
