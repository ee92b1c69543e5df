"""What the back office knows: changes by staff, notes, who was erased, figures, imports."""

from collections.abc import Collection
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from shop.models import Product

# A trigger writes the tables of the audit log; code only reads them, and erases.


class AuditEntryQuerySet(models.QuerySet["AuditEntry"]):
    def about(self, model: str, row_ids: Collection[str]) -> Self:
        """Keep what happened to these rows of a model ("shop.product"), and to their parts."""
        return self.filter(
            Q(model=model, row_id__in=row_ids) | Q(part_of=model, part_of_id__in=row_ids)
        )


class AuditEntry(models.Model):
    """A row that one of the staff added, changed or deleted: append-only, with nothing personal.

    `before` and `after` hold the columns that differ; of personal and secret ones it has the names
    alone. Texts have no limit, so that nothing is too long to be logged.
    """

    class Action(models.TextChoices):
        # By PostgreSQL's names.
        INSERT = "insert", "added"
        UPDATE = "update", "changed"
        DELETE = "delete", "deleted"

    at = models.DateTimeField(help_text="By the database's clock.")
    by_user_id = models.BigIntegerField(help_text="The user's id; a plain number.")
    how = models.TextField(help_text="The name of the page, or of the command.")
    request_id = models.TextField(blank=True, help_text="As in the log's lines.")
    action = models.CharField(max_length=6, choices=Action)
    model = models.TextField(help_text="Like shop.product.")
    row_id = models.TextField()
    row_name = models.TextField(blank=True, help_text="What people call it, such as its SKU.")
    part_of = models.TextField(blank=True, help_text="The model of the row that it belongs to.")
    part_of_id = models.TextField(blank=True)
    before = models.JSONField()
    after = models.JSONField()
    personal = ArrayField(models.TextField(), help_text="Personal columns that differ.")
    secret = ArrayField(models.TextField(), help_text="Secret columns that differ.")

    objects = AuditEntryQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-pk"]
        verbose_name = "change by staff"
        verbose_name_plural = "changes by staff"
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(
                condition=Q(action__in=["insert", "update", "delete"]),
                name="audit_action_is_known",
            )
        ]
        indexes = [
            models.Index(fields=["-at", "-id"], name="audit_newest"),
            models.Index(fields=["by_user_id", "-at", "-id"], name="audit_by_user"),
            models.Index(fields=["model", "-at", "-id"], name="audit_by_model"),
            models.Index(fields=["row_id", "model"], name="audit_by_row"),
            models.Index(fields=["part_of_id", "part_of"], name="audit_by_whole"),
            models.Index(fields=["row_name"], name="audit_by_name"),
            models.Index(fields=["request_id"], name="audit_by_request"),
        ]

    def __str__(self) -> str:
        return f"{self.model} {self.row_name or self.row_id} {self.get_action_display()}"

    @property
    def columns(self) -> list[str]:
        """The names of all that differs."""
        return sorted({*self.before, *self.after, *self.personal, *self.secret})


class AuditPersonal(models.Model):
    """The personal columns of an entry: never changed, but deleted when the person is erased."""

    entry = models.OneToOneField(
        AuditEntry, models.DO_NOTHING, primary_key=True, related_name="personal_values"
    )
    before = models.JSONField()
    after = models.JSONField()

    class Meta:
        verbose_name = "personal part of a change"
        verbose_name_plural = "personal parts of changes"
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"personal part of change {self.pk}"


class AuditAddress(models.Model):
    """From which address somebody acted. It is his, whomever the row is about: so it stands apart.

    Never changed, but deleted when he is erased.
    """

    entry = models.OneToOneField(
        AuditEntry, models.DO_NOTHING, primary_key=True, related_name="origin"
    )
    address = models.GenericIPAddressField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"address of change {self.pk}"


class DayFigures(models.Model):
    """What a day (UTC) came to, counted by a job so that the front page need not.

    Amounts are minor units of `currency`, the shop's when it was counted. Orders are those placed
    on the day, and paid those of them that were paid, whenever that was.
    """

    day = models.DateField(primary_key=True)
    currency = models.CharField(max_length=3)
    carts = models.PositiveIntegerField()
    cart_orders = models.PositiveIntegerField(help_text="Orders that came of a cart.")
    cart_paid = models.PositiveIntegerField(help_text="Carts that were ordered and paid.")
    orders = models.PositiveIntegerField()
    paid = models.PositiveIntegerField()
    paid_minor = models.BigIntegerField(help_text="The totals of the orders that were paid.")
    captured_minor = models.BigIntegerField()
    refunded_minor = models.BigIntegerField()
    counted_at = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"figures of {self.day}"


class TopProduct(models.Model):
    """One of the products that sold best in the last `days` days, counted by a job."""

    days = models.PositiveSmallIntegerField()
    rank = models.PositiveSmallIntegerField()
    product = models.ForeignKey(Product, models.CASCADE, related_name="+")
    units = models.PositiveIntegerField()
    amount_minor = models.BigIntegerField(help_text="Before shipping and refunds.")
    currency = models.CharField(max_length=3)

    class Meta:
        ordering = ["days", "rank"]
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["days", "rank"], name="top_product_per_rank")
        ]

    def __str__(self) -> str:
        return f"{self.rank} of {self.days} days: {self.product_id}"


class CustomerNote(models.Model):
    """A note on whoever orders by an address, for staff alone; deleted when he is erased."""

    email = models.EmailField("e-mail address", help_text="In lower case.")
    text = models.TextField(max_length=2000)
    by_user_id = models.BigIntegerField(help_text="The user's id; a plain number.")
    form_key = models.UUIDField(
        unique=True, help_text="Of the form that staff sent: sent twice, it is one note."
    )
    written_at = models.DateTimeField()

    class Meta:
        ordering = ["-pk"]
        default_permissions = ("add", "view")
        constraints = [
            models.CheckConstraint(
                condition=Q(email=Lower("email")), name="customer_note_email_is_lower"
            )
        ]
        indexes = [models.Index(fields=["email", "-id"], name="customer_note_by_email")]

    def __str__(self) -> str:
        return f"note {self.pk} on a customer"


class Erasure(models.Model):
    """That a person's data were erased: when, by whom, why, and in which rows; nothing personal.

    What it names in `order_ids` and `inbox_ids` is what the job still empties after a crash.
    """

    class Why(models.TextChoices):
        # No free text, as people would write names in it.
        REQUEST = "request", "the person asked for it"
        ORDER = "order", "an authority or a court ordered it"
        AGE = "age", "kept for as long as it had to be"
        TEST = "test", "it was a test, or a mistake"

    user_id = models.BigIntegerField(null=True, help_text="Of the account; null for a guest.")
    erased_as = models.EmailField(help_text="What stands where the e-mail address stood.")
    order_ids = ArrayField(models.BigIntegerField(), help_text="Plain numbers.")
    inbox_ids = ArrayField(models.BigIntegerField(), help_text="Events that belong to no order.")
    why = models.CharField(max_length=8, choices=Why)
    by_user_id = models.BigIntegerField(help_text="The user's id; a plain number.")
    form_key = models.UUIDField(
        unique=True, help_text="Of the form that staff sent: sent twice, it erases once."
    )
    asked_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-pk"]
        default_permissions = ("view",)
        indexes = [
            models.Index(
                fields=["asked_at"], condition=Q(finished_at=None), name="erasure_unfinished"
            )
        ]

    def __str__(self) -> str:
        return f"erasure {self.pk}"


class ImportRun(models.Model):
    """A file of products that somebody sent in, and how far it is."""

    class State(models.TextChoices):
        CHECKING = "checking", "being looked over"
        CHECKED = "checked", "waits for your word"
        IMPORTING = "importing", "being imported"
        DONE = "done", "imported"
        DISCARDED = "discarded", "discarded"

    # In these a job is at work on its rows.
    RUNNING = (State.CHECKING, State.IMPORTING)

    file_name = models.CharField("file", max_length=200)
    columns = ArrayField(models.TextField(), help_text="As the file has them, from the left.")
    state = models.CharField(max_length=9, choices=State, default=State.CHECKING)
    row_count = models.PositiveIntegerField("rows")
    form_key = models.UUIDField(
        unique=True, help_text="Of the form that staff sent: sent twice, it is one import."
    )
    by_user_id = models.BigIntegerField(help_text="Who sent it in, or began it; a plain number.")
    uploaded_at = models.DateTimeField("sent in")

    class Meta:
        ordering = ["-pk"]
        verbose_name = "import"
        default_permissions = ("view",)
        indexes = [models.Index(fields=["uploaded_at"], name="import_by_age")]

    def __str__(self) -> str:
        return f"import {self.pk}"


class ImportRow(models.Model):
    """A row of such a file, and what is to become of it, or became.

    Rows of one product have one `group`, and are written together. `changes` are lines of column,
    before and after, in words.
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        FIT = "fit"
        SAME = "same"
        LEFT_OUT = "left out"
        DONE = "done"

    run = models.ForeignKey(ImportRun, models.CASCADE, related_name="rows")
    number = models.PositiveIntegerField(help_text="As a spreadsheet counts.")
    group = models.PositiveIntegerField()
    sku = models.TextField("SKU", blank=True)
    cells = ArrayField(models.TextField(), help_text="One for each of the file's columns.")
    state = models.CharField(max_length=8, choices=State, default=State.WAITING)
    problems = ArrayField(models.TextField(), default=list)
    changes = models.JSONField(default=list)
    adds = models.CharField(max_length=7, blank=True, help_text="product, variant or nothing.")
    on_hand_seen = models.PositiveIntegerField(
        null=True, help_text="What its count of stock was compared with when it was looked over."
    )

    class Meta:
        ordering = ["number"]
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["run", "number"], name="import_row_per_number")
        ]
        indexes = [models.Index(fields=["run", "state", "group"], name="import_row_by_state")]

    def __str__(self) -> str:
        return f"row {self.number} of import {self.run_id}"
