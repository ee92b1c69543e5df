"""`manage.py provision_webhook`: have one endpoint to which Stripe posts its events."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from payments import gateway
from payments.services import endpoints
from payments.services.endpoints import Provisioned, WhyNew
from payments.services.news import HANDLED

_FOUND = {
    WhyNew.FIRST: "no endpoint of this shop at Stripe.",
    WhyNew.GONE: "the endpoint known here is not at Stripe: deleted there, or another account's.",
    WhyNew.SECRET_LOST: "an endpoint at Stripe for this shop, but its secret is not known here.",
    WhyNew.OTHER_VERSION: "an endpoint with another API version, which cannot be changed.",
    WhyNew.RENEWED: "an endpoint, to be replaced as asked for.",
}
_OUT_OF_REACH = """Stripe cannot post to {site}: SITE_URL must be an https address on the internet.
On your own machine let Stripe CLI carry the events:

  STRIPE_WEBHOOK_SECRET=$(stripe listen --print-secret) manage.py provision_webhook"""
_FAILED = {
    gateway.NotAllowed: "The key in STRIPE_SECRET_KEY is restricted: give it the right to write"
    " webhook endpoints, in Stripe's dashboard under API keys.",
    gateway.NotAvailable: "Stripe refuses the key in STRIPE_SECRET_KEY: it is wrong, expired or"
    " of another account.",
    gateway.Busy: "Stripe is busy. Wait a minute and run this again.",
    gateway.Unreachable: "Stripe did not answer. Nothing is lost: run this again; an endpoint that"
    " was made all the same is found then, and replaced.",
}


class Command(BaseCommand):
    help = (
        "Have one endpoint to which Stripe posts its events: made at Stripe through its API, or, "
        "where STRIPE_WEBHOOK_SECRET is set, made by Stripe CLI, the sandbox or you. Its address "
        "goes to stdout, the rest to stderr; the secret is never shown. Safe to repeat."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--renew", action="store_true", help="replace the endpoint, and so its secret"
        )

    def handle(self, *args: Any, renew: bool, **options: Any) -> None:
        if settings.STRIPE_WEBHOOK_SECRET:
            if renew:
                raise CommandError("--renew is for an endpoint made without STRIPE_WEBHOOK_SECRET.")
            self._keep_by_hand()
        else:
            self._provision(renew)

    def _provision(self, renew: bool) -> None:
        if not endpoints.is_reachable_by_stripe() and not hasattr(settings, "STRIPE_API_HOST"):
            raise CommandError(_OUT_OF_REACH.format(site=settings.SITE_URL))
        try:
            done = endpoints.provision(renew=renew)
        except endpoints.AlreadyRunning:
            message = "Another provision_webhook is at work. Run this again when it has ended."
            raise CommandError(message) from None
        except endpoints.OldNotDeleted as error:
            raise CommandError(
                f"The endpoint works, but the old one, {error.endpoint_id}, could not be deleted"
                " at Stripe. Run this again."
            ) from error
        except gateway.GatewayError as error:
            raise CommandError(_in_words(error)) from error
        mode = "live" if settings.STRIPE_LIVE_MODE else "test"
        self._tell(f"Mode:  {mode}, by the prefix of STRIPE_SECRET_KEY.")
        self._tell_what_was_done(done)
        self._tell("Next:  nothing. Repeat this after an upgrade and after a change of SITE_URL.")
        self.stdout.write(done.url)

    def _tell_what_was_done(self, done: Provisioned) -> None:
        if done.why_new:
            self._tell(f"Found: {_FOUND[done.why_new]}")
            self._tell(
                f"Done:  made endpoint {done.id}, {len(HANDLED)} types of events; its secret"
            )
            self._tell("       is in the database.")
        elif done.changed:
            self._tell(f"Found: endpoint {done.id}, not as it should be.")
            self._tell(f"Done:  set {', '.join(done.changed)}.")
        else:
            self._tell(f"Found: endpoint {done.id}, as it should be.")
            if not done.deleted:
                self._tell("Done:  nothing.")
        for endpoint_id in done.deleted:
            self._tell(f"Done:  deleted the old endpoint {endpoint_id} at Stripe.")

    def _keep_by_hand(self) -> None:
        kept = endpoints.keep_by_hand()
        if kept.why_new:
            done = "stored the secret of STRIPE_WEBHOOK_SECRET for the address below."
        elif kept.changed:
            done = f"set {', '.join(kept.changed)} of the address below."
        else:
            done = "nothing; the address below has this secret already."
        self._tell("Found: STRIPE_WEBHOOK_SECRET, so the endpoint is not made at Stripe by this.")
        self._tell(f"Done:  {done}")
        if not hasattr(settings, "STRIPE_API_HOST"):
            self._tell_how_to_send_there(kept.url)
        self.stdout.write(kept.url)

    def _tell_how_to_send_there(self, url: str) -> None:
        version = settings.STRIPE_API_VERSION
        self._tell(
            "Next:  with Stripe CLI, signed in to the account of STRIPE_SECRET_KEY, keep this"
        )
        self._tell("       running:")
        self._tell(f"\n  stripe listen --events {','.join(HANDLED)} --forward-to {url}\n")
        self._tell(
            "       Its events come in the account's API version. That does no harm: the shop"
        )
        self._tell(f"       takes ids from them, and reads the objects again in {version}.")
        if endpoints.is_reachable_by_stripe():
            self._tell(
                "       Or an endpoint made by hand: that address, those events, API version"
            )
            self._tell(
                f"       {version}. Or let this command make one: take STRIPE_WEBHOOK_SECRET"
            )
            self._tell("       out of the environment and repeat it.")

    def _tell(self, line: str) -> None:
        self.stderr.write(line, lambda text: text)  # it is no error, so not in red


def _in_words(error: gateway.GatewayError) -> str:
    for kind, words in _FAILED.items():
        if isinstance(error, kind):
            return words
    # What Stripe says of a wrong request helps who runs this, and holds no secret.
    return f"Stripe refused: {error.__cause__}"
