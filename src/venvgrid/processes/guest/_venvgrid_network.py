# -*- coding: utf-8 -*-
"""Notes which addresses a process of a cell reaches, and which are its own. `_venvgrid_opened` starts it in each process.

Each note is a record of the witness, once a process:

    bound    KIND  address       a socket of the process has this address
    reached  KIND  address       it connected to this address, or sent something there

KIND is "inet" (host and port, with a space between), "unix" (a path; "@" and a name if it is none), "name" (a host whose address
was asked for), or "other". A port that the system chooses is noted as soon as it is known.

Python 3.8 and newer tell by an audit hook. On older Pythons, sockets are made of a class that tells. Nothing here raises.
"""

import os

from _weakref import ref

METHODS = ("bind", "connect", "connect_ex", "sendto")
LOOKUPS = ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr")


class Network(object):
    """Notes addresses. `pending` are sockets whose port is not known yet: the system chooses it when they are bound."""

    def __init__(self, add):
        self.add, self.pending = add, []
        self.cwd, self.join, self.fsdecode = os.getcwd, os.path.join, getattr(os, "fsdecode", str)

    def bound(self, socket, address):
        self.settle()
        kind, text = self.described(address)
        if kind == "inet" and text.endswith(" 0"):
            self.pending.append(ref(socket))
        else:
            self.add("bound", kind, text)

    def reached(self, address):
        self.settle()
        if address is not None:
            kind, text = self.described(address)
            self.add("reached", kind, text)

    def asked(self, host):
        if host is not None:
            self.add("reached", "name", self.text_of(host))

    def settle(self, *_):
        """Note the ports that the system has chosen meanwhile. A socket that is closed or gone has none."""
        for item in list(self.pending):
            try:
                socket = item()
                address = None if socket is None else socket.getsockname()
            except Exception:
                address = None
            if address is None or address[1]:
                if address is not None:
                    self.add("bound", *self.described(address))
                if item in self.pending:
                    self.pending.remove(item)

    def described(self, address):
        """Return the kind of an address and the address as text."""
        if isinstance(address, tuple):
            if len(address) > 1 and not isinstance(address[0], int):
                return "inet", "%s %s" % (self.text_of(address[0]), address[1])
            return "other", repr(address)
        path = self.fsdecode(address if isinstance(address, (str, type(u""))) else bytes(address))
        if path[:1] in ("", "\0"):
            return "unix", "@" + path[1:].replace("\0", "@")
        return "unix", self.join(self.cwd(), path)

    def text_of(self, host):
        return host if isinstance(host, (str, type(u""))) else bytes(host).decode("ascii", "replace")


def events_of(network):
    """Return what is done at each audit event with its arguments."""
    events = {
        "socket.__new__": network.settle,  # a connection was accepted, too
        "socket.bind": lambda args: network.bound(args[0], args[1]),
    }
    for name in ("connect", "sendto", "sendmsg"):
        events["socket." + name] = lambda args: network.reached(args[1])
    for name in LOOKUPS:
        events["socket." + name] = lambda args: network.asked(args[0])
    return events


def old_sockets(add, door):
    """Let the class of sockets tell, before the module socket takes it. `door` puts a note before a function."""
    import _socket

    network, base = Network(add), _socket.socket

    def method(name):
        function = getattr(base, name)

        def noted(self, *args):
            try:
                if name != "bind":
                    network.reached(args[-1])
            except Exception:
                pass
            result = function(self, *args)
            try:
                if name == "bind":
                    network.bound(self, self.getsockname())
            except Exception:
                pass
            return result

        noted.__name__ = name
        return noted

    space = dict([(name, method(name)) for name in METHODS], __slots__=(), __doc__=base.__doc__)
    _socket.socket = type("socket", (base,), space)
    for name in LOOKUPS:
        if hasattr(_socket, name):
            setattr(_socket, name, door(getattr(_socket, name), lambda args, more: network.asked(args[0])))
