"""What is low on stock, and the mail about it: once a day, if there is something to tell."""

from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.core import mail
from django.test import Client
from django.urls import reverse

from shop import low_stock, services, tasks
from shop.clock import now
from shop.models import LowStockMail, Variant
from shop.tests.factories import VariantFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def five_are_low(settings: LazySettings) -> None:
    settings.LOW_STOCK_AT = 5


def low() -> set[str]:
    return set(Variant.objects.low_on_stock().values_list("sku", flat=True))


def test_low_is_what_has_as_few_free_units_as_the_shop_says() -> None:
    VariantFactory(sku="SIX", on_hand=6)
    VariantFactory(sku="FIVE", on_hand=5)
    VariantFactory(sku="NONE", on_hand=0)
    held = VariantFactory(sku="HELD", on_hand=8)
    services.reserve(quantities={held.pk: 3}, reference="R1", at=now())

    assert low() == {"FIVE", "NONE", "HELD"}
    assert {v.sku for v in Variant.objects.all() if v.is_low} == low()


def test_a_variant_may_have_a_figure_of_its_own_and_zero_is_never_low() -> None:
    VariantFactory(sku="SELLS-FAST", on_hand=20, low_stock_at=20)
    VariantFactory(sku="SELLS-SLOWLY", on_hand=2, low_stock_at=1)
    VariantFactory(sku="NOT-ORDERED-AGAIN", on_hand=0, low_stock_at=0)

    assert low() == {"SELLS-FAST"}
    assert {v.sku for v in Variant.objects.all() if v.is_low} == low()


def test_the_shops_figure_can_be_zero(settings: LazySettings) -> None:
    settings.LOW_STOCK_AT = 0
    VariantFactory(sku="OWN", on_hand=2, low_stock_at=3)
    VariantFactory(on_hand=0)

    assert low() == {"OWN"}


def test_what_is_not_on_sale_is_not_low() -> None:
    VariantFactory(on_hand=1, is_active=False)
    VariantFactory(on_hand=1, product__is_published=False)

    assert low() == set()


def test_the_mail_names_each_once_a_day_under_one_message_id(settings: LazySettings) -> None:
    settings.SITE_URL = "https://shop.example"
    at = now()
    few = VariantFactory(sku="EMMA-H", title="Hardcover", product__title="Emma", on_hand=3)
    VariantFactory(sku="PLENTY", on_hand=9)

    for _ in range(2):
        low_stock.tell(at=at)

    (message,) = mail.outbox
    assert (message.to, message.subject) == (["staff@example.com"], "Low on stock: 1")
    assert message.extra_headers["Message-ID"].startswith(f"<low-stock-{at:%Y-%m-%d}@")
    assert "Emma, Hardcover\n  SKU EMMA-H: 3 free, low at 5\n" in str(message.body)
    page = reverse("admin:shop_variant_change", args=[few.pk])
    assert f"https://shop.example{page}" in str(message.body)
    assert "PLENTY" not in str(message.body)
    assert LowStockMail.objects.get().sent_at == at

    low_stock.tell(at=at + timedelta(days=1))
    assert len(mail.outbox) == 2


def test_a_mail_that_could_not_be_sent_is_still_owed(settings: LazySettings) -> None:
    VariantFactory(on_hand=1)
    at = now()
    backend = settings.EMAIL_BACKEND
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1

    with pytest.raises(OSError, match="refused"):
        low_stock.tell(at=at)
    assert LowStockMail.objects.get().sent_at is None
    settings.EMAIL_BACKEND = backend
    low_stock.tell(at=at)

    assert len(mail.outbox) == 1
    assert LowStockMail.objects.get().sent_at == at


def test_a_long_list_is_cut_with_the_scarcest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(low_stock, "MOST_LISTED", 2)
    for units in (3, 0, 2):
        VariantFactory(sku=f"UNITS-{units}", on_hand=units)

    low_stock.tell(at=now())

    body = str(mail.outbox[0].body)
    assert body.index("UNITS-0") < body.index("UNITS-2")
    assert "UNITS-3" not in body
    assert "And 1 more." in body
    assert "/admin/shop/variant/?stock=low" in body


def test_nothing_is_sent_where_nothing_is_low_and_the_day_is_done() -> None:
    at = now()

    low_stock.tell(at=at)
    VariantFactory(on_hand=0)
    low_stock.tell(at=at)

    assert mail.outbox == []
    assert LowStockMail.objects.get().sent_at == at


def test_nothing_is_sent_or_noted_where_nobody_is_to_be_told(settings: LazySettings) -> None:
    settings.STAFF_EMAIL = ""
    VariantFactory(on_hand=0)

    low_stock.tell(at=now())

    assert mail.outbox == []
    assert not LowStockMail.objects.exists()


def test_the_job_tells() -> None:
    VariantFactory(on_hand=0)

    tasks.tell_of_low_stock(timestamp=0)

    assert len(mail.outbox) == 1


def test_the_list_of_variants_can_be_cut_to_what_is_low_or_gone(staff: Client) -> None:
    for units in (0, 3, 9):
        VariantFactory(sku=f"UNITS-{units}", on_hand=units)
    address = reverse("admin:shop_variant_changelist")

    def listed(stock: str) -> set[str]:
        found = staff.get(address, {"stock": stock}).context["cl"].result_list
        return {variant.sku for variant in found}

    assert listed("low") == {"UNITS-0", "UNITS-3"}
    assert listed("none") == {"UNITS-0"}
