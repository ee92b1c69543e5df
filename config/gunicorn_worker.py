"""gunicorn's threaded worker, mended where it would lose a request (docs/adr/0018).

- Whoever was let in is served. On its way out the original leaves alone what the kernel has already
  taken into the queue before `accept`, and resets it in the end.
- The door closes at once. The original keeps it open, unattended, until its last request is done.
- A process just made listens to SIGTERM from the start. The original forgets one that comes before
  it has handlers of its own, goes on serving, and is killed in the midst of it.
- A client that is slow to hang up holds up nobody. The original waits for each, up to two seconds,
  in the one thread that lets clients in.
"""

import ctypes
import os
import signal
import socket
import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

# How long somebody who has knocked already may take to come in: more than a way there and back.
COMING_IN_SECONDS = 0.5
POLL_SECONDS = 0.05
FAREWELL_THREADS = 32

# asm-generic/socket.h; Python does not name them.
SO_ATTACH_FILTER = 26
SO_DETACH_FILTER = 27


class _Instruction(ctypes.Structure):
    """One instruction of the classic packet filter, `struct sock_filter`."""

    _fields_ = [
        ("code", ctypes.c_uint16),
        ("if_true", ctypes.c_uint8),
        ("if_false", ctypes.c_uint8),
        ("operand", ctypes.c_uint32),
    ]


class _Program(ctypes.Structure):
    """`struct sock_fprog`."""

    _fields_ = [("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(_Instruction))]


# "SYN without ACK: drop; anything else: keep." Byte 13 of a TCP header holds the flags.
_DROP_NEWCOMERS = (_Instruction * 5)(
    _Instruction(0x30, 0, 0, 13),  # load that byte
    _Instruction(0x54, 0, 0, 0x12),  # of its bits SYN and ACK alone
    _Instruction(0x15, 0, 1, 0x02),  # just SYN?
    _Instruction(0x06, 0, 0, 0),  # keep nothing of the packet
    _Instruction(0x06, 0, 0, 0xFFFFFFFF),  # keep all of it
)


def turn_newcomers_away(listeners: Iterable[Any]) -> None:
    """Let the kernel admit nobody new to `listeners`, while those it has admitted come in.

    Without it, whoever arrives between the last `accept` and the close is reset. A newcomer asks
    again after a second, and by then finds the door closed: he is refused, and may safely try
    elsewhere. Where the kernel knows no such filter, that small gap stays.
    Source: https://www.kernel.org/doc/html/latest/networking/filter.html
    """
    program = _Program(len(_DROP_NEWCOMERS), _DROP_NEWCOMERS)
    for listener in listeners:
        with suppress(OSError):
            listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, bytes(program))


def let_newcomers_in(listeners: Iterable[Any]) -> None:
    """Open what was inherited shut: the filter belongs to the socket, whoever holds it."""
    for listener in listeners:
        with suppress(OSError):
            listener.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)


def hold_sigterm_while_forking() -> None:
    """Let SIGTERM wait for a new process until `Worker.init_signals`; for gunicorn's first one."""
    os.register_at_fork(
        before=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM]),
        after_in_parent=_hear_sigterm,
    )


def _hear_sigterm() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    def init_process(self) -> None:
        self.farewells = ThreadPoolExecutor(FAREWELL_THREADS)
        self.has_left = False
        super().init_process()

    def init_signals(self) -> None:
        super().init_signals()
        _hear_sigterm()

    def set_accept_enabled(self, enabled: bool) -> None:
        """As the original, which calls this once more when it was told to stop."""
        leaving = not enabled and not self.alive
        if leaving:
            if self.has_left:
                return
            self.has_left = True
            self._let_the_last_in()
        super().set_accept_enabled(enabled)
        if leaving:
            for listener in self.sockets:
                listener.close()

    def _let_the_last_in(self) -> None:
        deadline = time.monotonic() + COMING_IN_SECONDS
        while time.monotonic() < deadline:
            self.notify()
            self.wait_for_and_dispatch_events(POLL_SECONDS)
        for listener in self.sockets:
            before = None
            while before != self.nr_conns:
                before = self.nr_conns
                self.accept(listener)

    def finish_request(self, conn: TConn, fs: "Future[Any]") -> None:
        """As the original, but a connection that ends here is hung up in a thread of its own."""
        if fs.exception() is None and fs.result() is False:
            farewell = self.farewells.submit(conn.close, graceful=True)
            farewell.add_done_callback(lambda _: self.method_queue.defer(self._forget))
        else:
            super().finish_request(conn, fs)

    def _forget(self) -> None:
        self.nr_conns -= 1
