"""Migrations that take long on large tables, yet keep nobody from reading and writing them.

A concurrent index waits for all transactions that began before it, a backup's say. Nobody waits
for it meanwhile, and what is broken off leaves an invalid index behind: so it may take its time.
"""

from django.db.migrations import RunSQL

_OFF = "SET statement_timeout = 0; SET lock_timeout = 0"
_ON = "RESET statement_timeout; RESET lock_timeout"

# Around the other steps of a migration with `atomic = False`; the two change places on the way
# back.
LIMITS_OFF = RunSQL(_OFF, _ON)
LIMITS_ON = RunSQL(_ON, _OFF)
