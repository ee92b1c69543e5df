"""By whom goods are carried, and where their way can be followed."""

from dataclasses import dataclass
from urllib.parse import quote

from django.conf import settings


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is known of goods on their way; all of it may be empty."""

    carrier: str = ""
    tracking_number: str = ""

    @property
    def tracking_url(self) -> str:
        """The carrier's page for it, where the setting CARRIERS names one."""
        page: str = settings.CARRIERS.get(self.carrier, "")
        if not (page and self.tracking_number):
            return ""
        return page.replace("{number}", quote(self.tracking_number, safe=""))
