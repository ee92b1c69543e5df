"""The keys by which clients repeat a request safely."""

import uuid

from django.db import models
from django.db.models import Q


class IdempotencyKey(models.Model):
    """A client's name for one request, and the first answer to it once there is one.

    `caller` says whose it is, as a plain text without a foreign key; `fingerprint` is a hash of
    what was asked. The answer may hold personal data, so the row is deleted after a day.
    """

    uuid = models.UUIDField(
        default=uuid.uuid4,
        unique=True,
        editable=False,
        help_text="What services are handed as the key of what they make.",
    )
    caller = models.CharField(max_length=80)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    created_at = models.DateTimeField()
    status = models.PositiveSmallIntegerField(null=True, help_text="Of the answer; null: none yet.")
    content_type = models.CharField(max_length=100, blank=True)
    body = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["caller", "key"], name="idempotency_key_once"),
            models.CheckConstraint(
                condition=Q(status__isnull=True, body="") | Q(status__isnull=False),
                name="idempotency_key_body_has_status",
            ),
        ]
        indexes = [models.Index(fields=["created_at"], name="idempotency_key_by_age")]

    def __str__(self) -> str:
        return f"{self.key} of {self.caller}"
