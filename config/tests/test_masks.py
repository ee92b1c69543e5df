"""What looks like a secret, or like a person's data, does not get into the log."""

import json
import logging
import string
import time
import uuid
from io import StringIO
from typing import Any

import pytest
import structlog
from django.core.signing import Signer, dumps
from hypothesis import example, given
from hypothesis import strategies as st

from config import logs, masks

NUMBER = "K7WQ-3MZD"
ALPHANUMERIC = string.ascii_letters + string.digits
tokens = st.text(ALPHANUMERIC, min_size=24, max_size=60)
secrets = st.one_of(
    st.builds("{}_{}_{}".format, st.sampled_from(["sk", "rk", "pk"]), st.just("live"), tokens),
    st.builds("sk_test_{}".format, tokens),
    st.builds("whsec_{}".format, tokens),
    st.builds("pi_1abc_secret_{}".format, tokens),
    st.builds("Bearer {}".format, tokens),
    st.builds("https://shop:{}@db.example/shop".format, tokens),
    st.from_regex(r"[a-z0-9.+_-]{1,30}@[a-z0-9-]{1,20}\.[a-z]{2,8}", fullmatch=True),
    st.builds(Signer(salt="orders.link").signature, st.text(ALPHANUMERIC, min_size=1)),
    st.builds(lambda number: dumps(number, salt="account"), st.integers(1)),
    st.from_regex(r"[1-9a-z]{1,4}-[0-9a-z]{6}-[0-9a-f]{32}", fullmatch=True),
    st.from_regex(r"4[0-9]{15}|5[0-9]{3}( [0-9]{4}){3}", fullmatch=True),
)
places = st.sampled_from(["{}", "got {!r}", "at /orders/x/{}/", "key={}; next", "a\n{}\nb", '"{}"'])


def logged(write: Any, style: str = "json") -> str:
    """Return what the formatter makes of the record that `write(logger)` logs."""
    config = logs.settings(style=style, level="INFO")["formatters"]["line"]
    formatter = config.pop("()")(**config)
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        write(structlog.get_logger("shop.test"))
    finally:
        root.removeHandler(handler)
    return stream.getvalue()


@pytest.mark.parametrize("style", ["json", "console"])
@given(secret=secrets, place=places)
@example(secret="4000000000000000", place="a\n{}\nb")
def test_a_secret_is_in_no_field_message_or_exception(style: str, secret: str, place: str) -> None:
    text = place.format(secret)

    def write(log: Any) -> None:
        log.warning(text, path=text, nested={"deep": [text]}, thing=ValueError(text))
        logging.getLogger("shop.test").warning("it said %s", text)
        try:
            local = text
            raise KeyError(local)
        except KeyError:
            log.exception("failed")
            logging.getLogger("shop.test").exception("failed")

    output = logged(write, style)

    hidden = secret.removeprefix("Bearer ").removeprefix("https://shop:").partition("@db.")[0]
    assert hidden not in output
    # The text of the exception, and no local variable beside it.
    assert output.count("KeyError") >= 2
    assert "local = '" not in output


@pytest.mark.parametrize(
    "name", ["password", "email", "customer_email", "Authorization", "cookies", "shipping_address"]
)
def test_a_field_that_speaks_of_a_secret_is_hidden_whatever_it_holds(name: str) -> None:
    assert masks.masked_fields({"outer": {name: ["plain", 1]}}) == {"outer": {name: masks.MASK}}


@pytest.mark.parametrize("signature", ["a" * 43, "Zz9-_" * 8, "a" * 20])
def test_an_orders_link_stays_readable_without_its_signature(signature: str) -> None:
    path = f"Not Found: /orders/{NUMBER}/{signature}/pay/"

    assert masks.masked_text(path) == f"Not Found: /orders/{NUMBER}/{masks.MASK}/pay/"


def test_the_row_that_postgresql_refuses_is_not_quoted() -> None:
    said = (
        'new row for relation "orders_order" violates check constraint "order_total"\n'
        "DETAIL:  Failing row contains (1, A. Reader, 1 Main\nStreet).\n\n"
        "The above exception was the direct cause"
    )

    assert masks.masked_text(said) == (
        'new row for relation "orders_order" violates check constraint "order_total"\n'
        f"DETAIL:  {masks.MASK}\n\n"
        "The above exception was the direct cause"
    )


@pytest.mark.parametrize(
    "harmless",
    [
        "/product/the-count-of-monte-cristo-in-two-volumes-1844/",
        f"/orders/{NUMBER}/",
        "cs_test_" + "a1B2c3" * 9,
        "evt_1QabcdEFGHijkl2345",
        "req_Ab12Cd34Ef56Gh",
        "attempt-3f2504e0-4f89-41d3-9a0c-0305e82c3301",
        "3f2504e04f8941d39a0c0305e82c3301",
        'File "/srv/shop/payments/services/placing.py", line 120, in _check_caps',
        "2026-11-21T12:00:00+00:00",
        "127.0.0.1:8000",
        "task_live and disk_test",
    ],
)
def test_what_an_operator_needs_is_left_alone(harmless: str) -> None:
    assert masks.masked_text(harmless) == harmless


def test_what_json_does_not_know_is_written_as_text() -> None:
    key = uuid.UUID(int=1)
    loop: dict[str, Any] = {}
    loop["again"] = loop

    line = json.loads(logged(lambda log: log.warning("odd", key=key, raw=b"x", loop=loop)))

    assert (line["key"], line["raw"]) == (f"UUID('{key}')", "b'x'")
    assert line["loop"]["again"]["again"]["again"] == {"again": "{'again': {...}}"}


@pytest.mark.parametrize("part", ["a-", "eyJ", "a", "/orders/", "x@", "1 ", "_secret_", "://"])
def test_a_text_chosen_to_be_slow_is_not(part: str) -> None:
    text = part * (50_000 // len(part))

    started = time.process_time()
    masks.masked_text(text)

    # Most take some milliseconds. A pattern without a bound takes ten seconds.
    assert time.process_time() - started < 2
