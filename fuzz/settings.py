"""The shop's own settings, but that nobody is told to wait: who calls it is one machine."""

from config.settings import *  # noqa: F403
from config.settings import REST_FRAMEWORK

_RATES = REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"]
assert isinstance(_RATES, dict)  # noqa: S101 - for the type checker
_RATES.update(dict.fromkeys(_RATES, "1000000/s"))
# Without the word, allauth has limits of its own.
ACCOUNT_RATE_LIMITS = False  # type: ignore[assignment]
