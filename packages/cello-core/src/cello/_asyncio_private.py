"""All that this loop has to do with what is private in asyncio: methods only, never state.

asyncio has no public way to give a loop transports, or turns, of its own. Each method stands here with its reason, and
`tests/test_loop_private.py` checks for each version of Python that it is still what is expected.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import select
import socket
import ssl
import sys
import weakref
from asyncio import constants, sslproto, transports, trsock
from types import FunctionType
from typing import TYPE_CHECKING

from cello._kernel import LoopCore

if TYPE_CHECKING:
    import contextvars
    import selectors
    from collections.abc import Buffer, Callable
    from typing import IO, Any, Self

    from cello._kernel import Acceptor, StreamTransport

    class StandardLoop(asyncio.SelectorEventLoop):
        """What the type stubs of asyncio leave out of it."""

        def _make_socket_transport(self, *arguments: Any, **options: Any) -> asyncio.Transport: ...
        def _start_serving(self, *arguments: Any) -> None: ...
        def _stop_serving(self, sock: socket.socket) -> None: ...
        def _ensure_fd_no_transport(self, fd: int | socket.socket) -> None: ...
        def _process_events(self, events: list[tuple[selectors.SelectorKey, int]]) -> None: ...
        def _check_callback(self, callback: Callable[..., object], method: str) -> None: ...
        def _check_thread(self) -> None: ...
        async def _ensure_resolved(self, address: Any, **hints: object) -> list[tuple[Any, ...]]: ...

    class StandardServer(asyncio.Server):
        """The same of a server."""

        def _attach(self, *transport: StreamTransport) -> None: ...
        def _detach(self, *transport: StreamTransport) -> None: ...

    class StandardTLSObject(ssl.SSLObject):
        """The same of an end of TLS."""

        @classmethod
        def _create(cls, *arguments: Any, **options: Any) -> Self: ...

    class StandardTLS(sslproto.SSLProtocol):
        """The same of TLS."""

        def __init__(self, *arguments: object, **options: object) -> None: ...
        def _get_app_transport(self) -> asyncio.Transport: ...

    def _format_handle(handle: asyncio.Handle) -> str: ...

    def enter_eager_task(task: asyncio.Task[Any]) -> None: ...
    def leave_eager_task(task: asyncio.Task[Any]) -> None: ...
    def forget_task(task: asyncio.Task[Any]) -> None: ...
    def swap_current_task(
        loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any] | None
    ) -> asyncio.Task[Any] | None: ...
else:
    from asyncio.base_events import _format_handle
    from asyncio.tasks import _register_eager_task as enter_eager_task
    from asyncio.tasks import _swap_current_task as swap_current_task
    from asyncio.tasks import _unregister_eager_task as leave_eager_task
    from asyncio.tasks import _unregister_task as forget_task

    StandardLoop = asyncio.SelectorEventLoop
    StandardTLS = sslproto.SSLProtocol
    StandardTLSObject = ssl.SSLObject

# The four functions are what the first step of an eager task calls: which task is current, which are among all tasks. A
# task that serves again (`cello._request_task`) takes its first steps by them.
__all__ = [
    "FallbackLoop",
    "PrivateMethods",
    "enter_eager_task",
    "forget_task",
    "leave_eager_task",
    "swap_current_task",
]

#: Since 3.13 a server keeps its transports, weakly, where it counted them before.
SERVER_KEEPS_TRANSPORTS = sys.version_info >= (3, 13)

INTERNET = (socket.AF_INET, socket.AF_INET6)

log = logging.getLogger("asyncio")


def is_writable(sock: socket.socket) -> bool:
    """Whether a socket that was connecting is done with it, one way or the other."""
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    return bool(poll.poll(0))


def finish(waiter: asyncio.Future[None]) -> None:
    """Wakes who waits, if nobody has."""
    if not waiter.done():
        waiter.set_result(None)


class StreamTransportKind(transports._FlowControlMixin, asyncio.Transport):
    """What a native transport says it is an instance of. It cannot inherit: a native class has a layout of its own.

    sendfile(fallback=True) insists on the mixin.
    """


class FallbackLoop(StandardLoop):
    """asyncio's own loop, but that it reads 64 KiB at a time: 256 KiB are given back to the system after each read."""

    def _make_socket_transport(self, *arguments: Any, **options: Any) -> asyncio.Transport:
        """Every transport of a connected socket is made here."""
        transport = super()._make_socket_transport(*arguments, **options)
        vars(transport)["max_size"] = 64 * 1024
        return transport


class TLSObject(StandardTLSObject):
    """One end of TLS that says itself that nothing has come.

    asyncio reads until it is told so, once for each message, and OpenSSL's way to tell it is the dearer one.
    """

    _came: ssl.MemoryBIO

    @classmethod
    def _create(cls, incoming: ssl.MemoryBIO, *arguments: Any, **options: Any) -> Self:
        """SSLContext.wrap_bio() makes what it returns by it."""
        made = super()._create(incoming, *arguments, **options)
        made._came = incoming
        return made

    def read(self, len: int = 1024, buffer: Buffer | None = None) -> bytes:  # noqa: A002 (as it is called)
        """SSLObject's: what has come, decrypted."""
        if not self._came.pending and not self.pending():
            raise ssl.SSLWantReadError
        return super().read(len, buffer)


class TLS(StandardTLS):
    """asyncio's own TLS, but for two things that it does for each message.

    It asks OpenSSL for 64 KiB at a time, four of its records. A piece of more than 128 KiB may be taken from the system
    and given back each time: two of 256 KiB a message are dearer than all the rest then.
    """

    max_size = 64 * 1024

    def __init__(self, *arguments: Any, **options: Any) -> None:
        context: ssl.SSLContext = arguments[2]
        if getattr(context, "sslobject_class", None) is not ssl.SSLObject:
            super().__init__(*arguments, **options)
            return
        # The context is its owner's: it makes objects of another class for the time of this call only.
        context.sslobject_class = TLSObject
        try:
            super().__init__(*arguments, **options)
        finally:
            context.sslobject_class = ssl.SSLObject


class PrivateMethods(LoopCore, StandardLoop):
    """asyncio's selector loop with the native core in it."""

    # The native base takes what its heirs are made with, whatever it is.
    def __init__(self, selector: selectors.DefaultSelector) -> None:  # pyright: ignore[reportInconsistentConstructor]
        self._own_selector = selector
        self._acceptors: dict[int, Acceptor] = {}
        self._by_descriptor: weakref.WeakValueDictionary[int, StreamTransport] = weakref.WeakValueDictionary()
        super().__init__(selector)

    # --- called by asyncio, defined here

    def _run_once(self) -> None:
        """run_forever() calls it until the loop is stopped: one native run takes the place of all turns."""
        self._run_native(self._own_selector.fileno())

    def _collect_events(self) -> bool:
        """What the standard selector has seen becomes callbacks, as in a turn of asyncio's: whether there was any."""
        events = self._own_selector.select(0)
        self._process_events(events)
        return bool(events)

    def _run_handle(self, handle: asyncio.Handle) -> None:
        """Runs one of them, or one of debug mode, as a turn of asyncio's does."""
        if not handle.cancelled():
            handle._run()

    def _make_socket_transport(
        self,
        sock: socket.socket,
        protocol: asyncio.BaseProtocol,
        waiter: asyncio.Future[None] | None = None,
        *,
        extra: dict[str, Any] | None = None,
        server: asyncio.Server | None = None,
        context: contextvars.Context | None = None,  # noqa: ARG002
    ) -> StreamTransport:
        """create_connection(), create_unix_connection() and connect_accepted_socket() end here.

        Later versions of Python say what context the protocol is to be called in: a copy of the one they run in, as it
        is here in any case.
        """
        self._ensure_fd_no_transport(sock)
        transport = self._open_stream(sock, protocol, waiter, extra, server)
        self._by_descriptor[sock.fileno()] = transport
        return transport

    def _make_ssl_transport(
        self,
        rawsock: socket.socket,
        protocol: asyncio.BaseProtocol,
        sslcontext: ssl.SSLContext,
        waiter: asyncio.Future[None] | None = None,
        *,
        server_side: bool = False,
        server_hostname: str | None = None,
        extra: dict[str, Any] | None = None,
        server: asyncio.Server | None = None,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
        context: contextvars.Context | None = None,
    ) -> asyncio.Transport:
        """The same with `ssl=`: asyncio's own TLS, over a native transport."""
        tls = TLS(
            self,
            protocol,
            sslcontext,
            waiter,
            server_side,
            server_hostname,
            ssl_handshake_timeout=ssl_handshake_timeout,
            ssl_shutdown_timeout=ssl_shutdown_timeout,
        )
        self._make_socket_transport(rawsock, tls, extra=extra, server=server, context=context)
        return tls._get_app_transport()

    def _start_serving(self, *arguments: Any) -> None:
        """A Server accepts through it. With TLS, asyncio's own way is kept: a handshake costs far more."""
        protocol_factory, sock, sslcontext, server, backlog, *_ = arguments
        if sslcontext is not None:
            super()._start_serving(*arguments)
        else:
            self._acceptors[sock.fileno()] = self._accept_on(sock, protocol_factory, server, backlog)

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        """asyncio's, without a turn of the loop where the system is done at once, as on this machine it is."""
        if isinstance(sock, ssl.SSLSocket):
            raise TypeError("Socket cannot be of type SSLSocket")
        if self.get_debug() and sock.gettimeout() != 0:
            raise ValueError("the socket must be non-blocking")
        if sock.family in INTERNET:
            resolved = await self._ensure_resolved(
                address, family=sock.family, type=sock.type, proto=sock.proto, loop=self
            )
            *_, address = resolved[0]
        try:
            sock.connect(address)
            return
        except (BlockingIOError, InterruptedError) as pending:
            if pending.errno == errno.EAGAIN:
                raise  # the queue of a Unix socket's listener is full: it is not connected, and will not be
        if not is_writable(sock):
            connected = self.create_future()
            self.add_writer(sock, finish, connected)
            try:
                await connected
            finally:
                self.remove_writer(sock)
        if error := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(error, f"Connect call failed {address}")

    def _stop_serving(self, sock: socket.socket) -> None:
        """A Server is closed."""
        acceptor = self._acceptors.pop(sock.fileno(), None)
        if acceptor is not None:
            acceptor.close()
        super()._stop_serving(sock)

    def _ensure_fd_no_transport(self, fd: int | socket.socket) -> None:
        """add_reader() and the sock_* methods refuse what a transport uses."""
        super()._ensure_fd_no_transport(fd)
        transport = self._by_descriptor.get(fd if isinstance(fd, int) else fd.fileno())
        if transport is not None and not transport.is_closing():
            raise RuntimeError(f"File descriptor {fd!r} is used by transport {transport!r}")

    _transport_kind = StreamTransportKind

    #: What sendfile() asks of a transport: to be tried natively, by the method below.
    _sendfile_mode = constants._SendfileMode.TRY_NATIVE

    async def _sendfile_native(self, transp: StreamTransport, file: IO[bytes], offset: int, count: int | None) -> int:
        """sendfile(): the system's own, by sock_sendfile(), which asyncio has, once the buffer is empty."""
        sock = transp._sock
        was_reading = transp.is_reading()
        transp.pause_reading()
        await transp._make_empty_waiter()
        self._by_descriptor.pop(sock.fileno(), None)
        try:
            return await self.sock_sendfile(sock, file, offset, count, fallback=False)
        finally:
            transp._reset_empty_waiter()
            if not transp.is_closing():
                self._by_descriptor[sock.fileno()] = transp
            if was_reading:
                transp.resume_reading()

    # --- called by the native half

    def _attach(self, server: StandardServer, transport: StreamTransport) -> None:
        """A server is told of its transports, to know when it is done."""
        server._attach(transport) if SERVER_KEEPS_TRANSPORTS else server._attach()

    def _show_socket(
        self, transport: StreamTransport, sock: socket.socket | None, descriptor: int
    ) -> tuple[socket.socket, trsock.TransportSocket]:
        """The socket of a transport as Python sees it, and what users are given of it; -1 is one that is closed."""
        if sock is None and descriptor == -1:
            sock = socket.socket()
            sock.close()
        elif sock is None:
            sock = socket.socket(fileno=os.dup(descriptor))
            self._by_descriptor[sock.fileno()] = transport
        return sock, trsock.TransportSocket(sock)

    def _release(self, transport: StreamTransport, sock: socket.socket | None, server: StandardServer | None) -> None:
        """A connection is lost: its socket is closed, and its server told."""
        if sock is not None:
            self._by_descriptor.pop(sock.fileno(), None)
            sock.close()
        if server is not None:
            server._detach(transport) if SERVER_KEEPS_TRANSPORTS else server._detach()

    def _check_call(self, callback: Callable[..., object], method: str) -> None:
        """In debug mode: what call_soon() and its kin must not be given, and where they must not be called."""
        self._check_callback(callback, method)
        if method != "call_soon_threadsafe":
            self._check_thread()

    def _note_duration(self, subject: object, took_s: float) -> None:
        """In debug mode: names who kept the loop from its turns."""
        if took_s >= self.slow_callback_duration:
            if isinstance(subject, asyncio.Handle):
                subject = _format_handle(subject)  # a step of a task is named by the task
            elif isinstance(subject, asyncio.Transport):
                subject = f"{subject!r} of {subject.get_protocol()!r}"
            elif isinstance(subject, FunctionType):
                code = subject.__code__
                subject = f"{subject.__qualname__}() at {code.co_filename}:{code.co_firstlineno}"
            log.warning("Executing %s took %.3f seconds", subject, took_s)

    def _note_io_error(self, transport: StreamTransport, message: str, error: OSError) -> None:
        log.debug("%r: %s", transport, message, exc_info=error)
