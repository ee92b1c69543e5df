"""Is all set for taking money? Configuration checked end to end, each fault with its remedy.

A check is a function that yields what it found; `checklist.CHECKS` names them all, in their order.
"""

from config.doctor.checklist import CHECKS
from config.doctor.examination import Result, Verdict, Visit, examine

__all__ = ["CHECKS", "Result", "Verdict", "Visit", "examine"]
