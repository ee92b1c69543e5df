"""A day of staff in the admin, in a browser: each does what his role lets him, and no more."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from e2e import steps
from e2e.conftest import OpenContext
from e2e.demo import Demo
from e2e.people_of_staff import CAREFUL

# What Stripe itself says of a refund.
AT_STRIPE = (
    "from payments import gateway; from payments.models import Refund; "
    "made = gateway.refunds_of_charge(Refund.objects.get(stripe_id='{0}').charge_id); "
    "print(*[(found.amount_minor, found.status) for found in made if found.id == '{0}'][0])"
)

SignIn = Callable[[str], Page]


@pytest.fixture(scope="session")
def people(first_demo: Demo) -> None:
    first_demo.run("from e2e import people_of_staff; people_of_staff.make()")


@pytest.fixture
def one_of(people: None, demo: Demo, open_context: OpenContext) -> SignIn:
    """Open a browser in which one of a role is signed in, like "support"."""

    def sign_in(role: str) -> Page:
        page = open_context(expected=403).new_page()
        steps.sign_in_as_staff(page, f"{role}@example.com")
        expect(page).to_have_url(f"{demo.shop_url}/admin/")
        return page

    return sign_in


def bought(page: Page, email: str, *, twice: bool = False) -> None:
    """Buy one or two of a book, and wait until it is paid."""
    steps.put_in_cart(page)
    if twice:
        page.get_by_role("button", name=re.compile("^One more of")).click()
        expect(page.locator(".cart-line__sum")).to_contain_text("€17.80")
    steps.fill_checkout(page, email)
    steps.go_to_stripe(page)
    steps.pay_by_card(page)
    steps.expect_paid(page)


def press(staff: Page, *names: str) -> None:
    """Press these, one after the other."""
    for name in names:
        button = staff.get_by_role("button", name=name, exact=True)
        link = staff.get_by_role("link", name=name, exact=True)
        button.or_(link).first.click()


def title(staff: Page) -> Locator:
    return staff.get_by_role("article").get_by_role("heading", level=1)


def number_of(staff: Page) -> str:
    shown = title(staff).inner_text()
    found = re.search(r"Order (\w{10})", shown)
    assert found, shown
    return found[1]


def free_units(staff: Page, sku: str) -> int:
    staff.goto(f"/admin/shop/variant/?q={sku}")
    row = staff.locator("#result_list tbody tr", has_text=sku)
    expect(row).to_have_count(1)
    (units,) = re.findall(r"^\s*(\d+)", row.locator("td.field-units").inner_text())
    return int(units)


def test_staff_sign_in_with_a_code(people: None, demo: Demo, page: Page) -> None:
    steps.sign_in_as_staff(page, CAREFUL)

    code = demo.run("from e2e import people_of_staff; people_of_staff.show_code()").strip()
    page.locator("input[name=code]").fill(code)
    page.get_by_role("main").get_by_role("button").first.click()

    expect(page).to_have_url(f"{demo.shop_url}/admin/")
    expect(page.get_by_role("heading", name="To do")).to_be_visible()
    expect(page.get_by_text("Test mode: no real money").first).to_be_visible()


def test_a_product_is_published(one_of: SignIn, page: Page) -> None:
    manager = one_of("manager")
    manager.goto("/admin/shop/product/?q=Walden")
    manager.locator("#result_list tbody tr").get_by_role("link").first.click()
    shown_at = manager.locator("#id_slug").input_value()

    manager.locator("#id_is_published").uncheck()
    press(manager, "Save")
    missing = page.goto(f"/product/{shown_at}/")
    assert missing
    assert missing.status == 404
    manager.goto("/admin/shop/product/?q=Walden")
    manager.locator("#result_list tbody tr").get_by_role("link").first.click()
    manager.locator("#id_is_published").check()
    press(manager, "Save")

    page.goto(f"/product/{shown_at}/")
    expect(page.get_by_role("heading", name="Walden")).to_be_visible()


def test_a_file_with_two_bad_rows_is_imported_and_the_rows_come_back(
    one_of: SignIn, page: Page, tmp_path: Path
) -> None:
    manager = one_of("manager")
    file = tmp_path / "books.csv"
    file.write_text(
        "sku,title,category,variant,price,stock,published\n"
        "ETHAN-P,Ethan Frome,Fiction,Paperback,8.50,12,yes\n"
        "ETHAN-H,Ethan Frome,Fiction,Hardcover,dear,1,yes\n"
        "ETHAN-A,Ethan Frome,Fiction,Audio,7.00,a few,yes\n"
    )
    manager.goto("/admin/backoffice/importrun/")

    manager.get_by_role("link", name="New import").click()
    manager.locator("input[type=file]").set_input_files(file)
    press(manager, "Look it over")
    expect(manager.get_by_role("heading", name="What will be imported")).to_be_visible()
    bad = manager.get_by_role("region", name="Left out").last
    expect(bad).to_contain_text("price: 'dear' is not a price such as 12.90.")
    expect(bad).to_contain_text("stock: 'a few' is not a number of units.")
    missing = page.goto("/product/ethan-frome/")
    assert missing
    assert missing.status == 404
    press(manager, "Import 1 row")
    expect(manager.get_by_role("heading", name="What was imported")).to_be_visible()

    page.goto("/product/ethan-frome/")
    expect(page.get_by_role("heading", name="Ethan Frome")).to_be_visible()
    assert free_units(manager, "ETHAN-P") == 12
    manager.go_back()
    with manager.expect_download() as download:
        press(manager, "Download the rows that are left out")
    assert download.value.path().read_text("utf-8-sig").splitlines()[1:] == [
        "ETHAN-H,Ethan Frome,Fiction,Hardcover,dear,1,yes,"
        "price: 'dear' is not a price such as 12.90.",
        "ETHAN-A,Ethan Frome,Fiction,Audio,7.00,a few,yes,stock: 'a few' is not a number of units.",
    ]


def test_an_order_goes_from_paid_to_sent_and_its_buyer_follows_the_parcel(
    one_of: SignIn, demo: Demo, page: Page, email: str
) -> None:
    bought(page, email)
    warehouse = one_of("warehouse")
    warehouse.get_by_role("link", name=re.compile("Orders to hand over")).click()
    steps.open_only_order(warehouse, email)

    press(warehouse, "Hand over")
    warehouse.locator("[name=carrier]").select_option("DHL")
    warehouse.locator("[name=tracking_number]").fill("JD014600003828")
    press(warehouse, "Continue")
    expect(warehouse.get_by_text("the order is fulfilled")).to_be_visible()
    press(warehouse, "Hand it over")

    expect(title(warehouse)).to_contain_text("fulfilled")
    number = number_of(warehouse)
    page.reload()
    follow = page.get_by_role("link", name="Follow parcel JD014600003828")
    expect(follow).to_have_attribute("href", re.compile("JD014600003828$"))
    steps.reload_until_shown(warehouse, warehouse.get_by_text(re.compile("On its way sent")))
    (told,) = [text for text in demo.mails() if f"Order {number} is on its way" in text]
    assert "JD014600003828" in told


def test_some_of_an_order_is_refunded_and_goes_back_on_the_shelf(
    one_of: SignIn, demo: Demo, page: Page, email: str
) -> None:
    bought(page, email, twice=True)
    support = one_of("support")
    before = free_units(support, "BK-001-P")
    steps.open_only_order(support, email)

    press(support, "Refund")
    support.locator("[name=what][value=units]").check()
    support.locator("[name^=units_]").fill("1")
    support.locator("[name=restock]").check()
    support.locator("[name=note]").fill("One was torn")
    press(support, "Continue", "Refund it")
    steps.reload_until_shown(support, steps.rows(support, "Ledger").filter(has_text="Refund"))

    refund = steps.rows(support, "Refunds")
    expect(refund).to_contain_text(["€8.90"])
    expect(refund).to_contain_text(["One was torn"])
    stripe_id = refund.locator("td").last.inner_text()
    assert demo.run(AT_STRIPE.format(stripe_id)).strip() == "890 succeeded"
    assert free_units(support, "BK-001-P") == before + 1


def test_a_refund_above_the_limit_is_approved_by_a_second_person(
    one_of: SignIn, page: Page, email: str
) -> None:
    bought(page, email, twice=True)
    support, manager = one_of("support"), one_of("manager")
    steps.open_only_order(support, email)
    number = number_of(support)

    press(support, "Refund")
    support.locator("[name=what][value=amount]").check()
    support.locator("[name=amount]").fill("21")
    support.locator("[name=note]").fill("All of them wet")
    press(support, "Continue")
    expect(support.get_by_text("a second person is asked")).to_be_visible()
    press(support, "Refund it")
    expect(support.get_by_text("Waits for a second person:")).to_be_visible()
    support.get_by_role("link", name="Look at it").click()
    expect(support.get_by_role("link", name=re.compile("Approve$"))).to_have_count(0)
    manager.goto("/admin/")
    manager.get_by_role("link", name=re.compile("Refunds to approve")).first.click()
    manager.goto("/admin/payments/refundrequest/?state=waiting")
    row = manager.locator("#result_list tbody tr", has_text=number)
    row.get_by_role("link").first.click()
    manager.get_by_role("link", name=re.compile("Approve$")).first.click()
    expect(manager.get_by_text("All of them wet")).to_be_visible()
    press(manager, "Approve it")

    steps.open_only_order(support, email)
    steps.reload_until_shown(support, steps.rows(support, "Ledger").filter(has_text="Refund"))
    expect(steps.rows(support, "Refunds")).to_contain_text(["manager@example.com"])


def test_a_failed_event_is_retried(one_of: SignIn, demo: Demo, page: Page, email: str) -> None:
    bought(page, email)
    manager = one_of("manager")
    steps.open_only_order(manager, email)
    number = number_of(manager)
    make_fail = f"from e2e import people_of_staff; people_of_staff.fail_an_event('{number}')"
    event_id = demo.run(make_fail).strip()

    manager.goto("/admin/")
    manager.get_by_role("link", name=re.compile("Failed events")).click()
    manager.get_by_role("link", name=event_id).click()
    expect(manager.get_by_text("Stripe did not answer.").first).to_be_visible()
    manager.get_by_role("link", name=re.compile("Retry$")).first.click()
    manager.get_by_role("button", name="Retry").click()

    expect(manager.get_by_text("1 failed event will run again.")).to_be_visible()
    manager.goto(f"/admin/payments/inboxevent/?q={event_id}")
    done = manager.locator("#result_list td.field-state", has_text="done")
    steps.reload_until_shown(manager, done)


REFUSED = {
    "support": ["orders/order/{pk}/hand_over", "orders/order/{pk}/book_by_hand"],
    "warehouse": ["orders/order/{pk}/refund", "orders/order/{pk}/cancel", "payments/ledgerentry/"],
    "accountant": ["orders/order/{pk}/refund", "orders/order/{pk}/hand_over", "shop/product/"],
    "manager": ["auth/group/", "accounts/user/add/"],
}


@pytest.mark.parametrize("role", REFUSED)
def test_a_role_is_refused_what_is_not_its_own(
    one_of: SignIn, page: Page, email: str, role: str
) -> None:
    bought(page, email)
    clerk = one_of(role)
    steps.open_only_order(clerk, email)
    (pk,) = re.findall(r"/order/(\d+)/", clerk.url)

    for address in REFUSED[role]:
        path = f"/admin/{address.format(pk=pk)}"
        expect(clerk.locator(f"a[href='{path}/']")).to_have_count(0)
        answer = clerk.request.get(path)
        assert answer.status == 403, path
