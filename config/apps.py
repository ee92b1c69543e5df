from django.apps import AppConfig
from django.core.checks import Tags, register

from config import checks


class ConfigConfig(AppConfig):
    name = "config"

    def ready(self) -> None:
        register(checks.production, Tags.security, deploy=True)
