"""Named points at which a test may kill this process, as a crash would.

FAULT_POINT names one point; settings refuse it outside tests.
"""

import os
import signal

from django.conf import settings


def fault_point(name: str) -> None:
    """Die by SIGKILL here when FAULT_POINT names this point; else do nothing."""
    if name == settings.FAULT_POINT:
        os.kill(os.getpid(), signal.SIGKILL)
