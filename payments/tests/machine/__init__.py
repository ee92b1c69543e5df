"""A machine that takes every step that anybody may take with an order and its money."""

import pytest

pytest.register_assert_rewrite("payments.tests.machine.checks", "payments.tests.machine.machine")
