"""What staff see of the back office as a whole."""

from backoffice.admin import audit_log, customers, imports

__all__ = ["audit_log", "customers", "imports"]
