"""Dates in English, by the clock of 24 hours: all times are UTC, and read by many countries."""

DATE_FORMAT = "j F Y"
TIME_FORMAT = "H:i"
DATETIME_FORMAT = "j M Y, H:i"
