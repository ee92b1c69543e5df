from django.apps import AppConfig

from payments import gateway


class PaymentsConfig(AppConfig):
    name = "payments"

    def ready(self) -> None:
        gateway.configure_library()
