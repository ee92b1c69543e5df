from django.apps import AppConfig
from django.db.models.signals import post_migrate


class BackofficeConfig(AppConfig):
    name = "backoffice"
    verbose_name = "back office"

    def ready(self) -> None:
        # Models cannot be imported any earlier.
        from backoffice.audit_check import check
        from backoffice.roles import bring_up_to_date
        from payments.audit import checks

        checks.add(check())
        # All other apps stand before this one, so their permissions are there by then.
        post_migrate.connect(bring_up_to_date, sender=self)
