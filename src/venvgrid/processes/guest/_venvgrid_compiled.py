# -*- coding: utf-8 -*-
"""Notes what compiled code of a process opens and reaches by itself, as far as Python and Linux tell. Python 3.8 and newer.

`_venvgrid_opened` loads it when the first extension comes that may do so. Nothing tells of a file that compiled code opens and
closes again. But all of these can be known, and each is noted as if Python had done it:

- what is open, connected or mapped after the body of a test, and when the process ends
- databases that SQLite attaches, certificates that OpenSSL loads, by the modules sqlite3 and ssl; shared memory by its name
- a function of the system that is called by ctypes, and a client of servers that is imported: these are reasons not to keep a
  result (`opened`, with HOW "d" and the reason in place of the path)

Nothing here raises.
"""

import atexit
import os

from _venvgrid_started import Door, is_of_tests, without_frame

# Packages of extensions whose only use is to ask servers, with sockets of their own.
CLIENTS = frozenset(
    """
    psycopg2 psycopg_binary psycopg_c MySQLdb mariadb pymssql pyodbc cx_Oracle ibm_db pycurl _pycurl curl_cffi confluent_kafka
    _pylibmc aerospike _ldap ssh2
    """.split()
)
# Functions of the system that read or start.
READING = """
    open open64 openat openat64 creat fopen fopen64 freopen opendir scandir stat stat64 lstat lstat64 __xstat __lxstat access
    faccessat readlink realpath mmap syscall connect sendto sendmsg sendmmsg system popen execv execve execvp execl execlp
    posix_spawn posix_spawnp
"""
CALLS = frozenset(READING.split())
CERTIFICATES = {"load_cert_chain": ("certfile", "keyfile"), "load_verify_locations": ("cafile", "capath")}
ATTACH = 24  # the action of SQLite
FOLDER, WRITING = 0o200000, 0o3  # flags of a descriptor
DESCRIPTORS = "/proc/self/fd"


class Compiled(object):
    """Notes for compiled code; `notes` are those of the process, `network` those of its addresses."""

    def __init__(self, notes, network):
        self.notes, self.network, self.known = notes, network, set()
        self.is_attached = False
        atexit.register(self.at_exit)
        self.listdir, self.open, self.read, self.close, self.dup = os.listdir, os.open, os.read, os.close, os.dup

    def imported(self, name):
        if name == "ssl":
            self.see_certificates()
        elif name == "sqlite3":
            self.see_databases()
        elif name == "multiprocessing.shared_memory":
            self.see_memory()
        elif name.partition(".")[0] in CLIENTS:
            self.notes.doubt("imported %s, whose connections are not seen" % name.partition(".")[0])

    def called(self, name):
        if name in CALLS:
            self.notes.doubt("called %s by ctypes" % name)

    def see_databases(self):
        """Let connections of SQLite tell what they attach. An authorizer of the tests takes the place of this one."""
        import _sqlite3

        authorize, base, missed = self.authorize, _sqlite3.Connection, self.notes.missed

        class Connect(Door):
            def __call__(self, *args, **more):
                try:
                    connection = self.__wrapped__(*args, **more)
                except Exception as error:
                    without_frame(error)
                    raise
                try:
                    base.set_authorizer(connection, authorize)
                except Exception as error:
                    is_of_tests(error, "sqlite3.connect", missed)
                return connection

        _sqlite3.connect = Connect(_sqlite3.connect)
        _sqlite3.connect.__module__ = "_sqlite3"

    def see_memory(self):
        """Let the function that opens shared memory tell. Its names are those of files."""
        try:
            import _posixshmem
        except ImportError:  # Windows
            return

        def tell(args, more):
            try:
                self.notes.opened("/dev/shm/" + args[0].lstrip("/"), args[1] if len(args) > 1 else more["flags"])
            except Exception as error:
                if is_of_tests(error, "shm_open", self.notes.missed):
                    raise

        if not isinstance(_posixshmem.shm_open, Door):
            _posixshmem.shm_open = Door(_posixshmem.shm_open, before=tell)

    def authorize(self, action, name, *_):
        try:
            if self.is_attached:  # by a name that is not told: now it is open
                self.is_attached = False
                self.look()
            if action == ATTACH and name is not None:
                self.notes.database([name])
            elif action == ATTACH:
                self.is_attached = True
        except Exception as error:
            is_of_tests(error, "ATTACH", self.notes.missed)
        return 0

    def see_certificates(self):
        """Let the class of contexts tell, before the module ssl takes it."""
        import _ssl

        base, note, missed = _ssl._SSLContext, self.notes.note, self.notes.missed

        def method(name, files):
            function = getattr(base, name)

            def noted(self, *args, **more):
                for path in args[: len(files)] + tuple([more[file] for file in files if file in more]):
                    try:
                        if path is not None:
                            note(path, "r")
                    except Exception as error:
                        is_of_tests(error, name, missed)
                try:
                    return function(self, *args, **more)
                except Exception as error:
                    without_frame(error)
                    raise

            noted.__name__, noted.__doc__, noted.__wrapped__ = name, function.__doc__, function
            return noted

        space = dict([(name, method(name, files)) for name, files in CERTIFICATES.items()], __slots__=(), __doc__=base.__doc__)
        space["__module__"] = base.__module__
        _ssl._SSLContext = type("_SSLContext", (base,), space)

    def look(self):
        """Note what is open and connected now."""
        try:
            numbers = self.listdir(DESCRIPTORS)
        except Exception as error:  # elsewhere than on Linux, it is not there
            is_of_tests(error, "looking for what is open", self.notes.missed)
            numbers = []
        for number in numbers:
            try:
                self.look_at(number)
            except Exception as error:  # some are closed by now, such as that of the list
                is_of_tests(error, "looking for what is open", self.notes.missed)

    def look_at(self, number):
        target = self.notes.readlink(DESCRIPTORS + "/" + number)
        if target in self.known:
            return
        if target.startswith("socket:"):
            if self.has_address(int(number)):
                self.known.add(target)
        else:
            self.known.add(target)
            if self.counts(target):
                flags = int(self.text_of("/proc/self/fdinfo/" + number).split("flags:")[1].split()[0], 8)
                if not flags & FOLDER:
                    self.notes.note(target, "rwa"[flags & WRITING])

    def counts(self, path):
        return path[:1] == "/" and not path.endswith(" (deleted)") and self.notes.path_of(path) not in self.notes.seen | {None}

    def has_address(self, number):
        """Note the address of a socket, and that of the other side; return whether it has any."""
        import _socket

        copy = _socket.socket(fileno=self.dup(number))
        try:
            if copy.family not in (_socket.AF_INET, _socket.AF_INET6, _socket.AF_UNIX):
                return True
            own = copy.getsockname()
            try:
                other = copy.getpeername()
            except OSError:
                other = None
        finally:
            copy.close()
        if isinstance(own, tuple):
            if other:
                self.network.add("reached", "joined", "%s %d" % (self.network.described(other)[1], own[1]))
            elif own[1]:
                self.network.add("bound", *self.network.described(own))
            return bool(other or own[1])
        if other or own:
            self.network.add(*(("reached",) + self.network.described(other) if other else ("bound",) + self.network.described(own)))
        return bool(other or own)

    def at_exit(self):
        """Note what is open, connected or mapped at the end. Libraries are those of the machine."""
        self.look()
        try:
            for line in self.text_of("/proc/self/maps").splitlines():
                path = line[line.find("/") :] if "/" in line else ""
                if path not in self.known:
                    self.known.add(path)
                    if ".so" not in path and self.counts(path):
                        self.notes.note(path, "r")
        except Exception as error:
            is_of_tests(error, "looking for what is mapped", self.notes.missed)

    def text_of(self, path):
        number, parts = self.open(path, os.O_RDONLY), []
        try:
            while not parts or parts[-1]:
                parts.append(self.read(number, 1 << 16))
        finally:
            self.close(number)
        return self.notes.decode(b"".join(parts))
