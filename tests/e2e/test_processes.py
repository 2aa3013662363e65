"""`processes.runner.run` with real processes."""
# ruff: noqa: SIM300, FBT001 - expected == actual; parameters of tests are named where they are given

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import uuid
from pathlib import Path

import pytest
from rig import LIMIT, wait_for

from venvgrid.processes.command import Cancellation, Command, Completed
from venvgrid.processes.runner import run

pytestmark = pytest.mark.e2e

posix = pytest.mark.skipif(os.name != "posix", reason="signals and process groups are of POSIX")
linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
both = pytest.mark.parametrize("supervised", [False, True], ids=["plain", "supervised"])


def python(code: str, *arguments: str) -> tuple[str, ...]:
    """A command that runs some code."""
    return (sys.executable, "-I", "-S", "-c", textwrap.dedent(code), *arguments)


def command(argv: tuple[str, ...], **options: object) -> Command:
    """A command in this folder, with PATH alone, unless told otherwise."""
    values: dict[str, object] = {"cwd": Path.cwd(), "env": {"PATH": os.environ["PATH"]}, **options}
    return Command(argv=argv, **values)  # type: ignore[arg-type]


def living(marker: str) -> list[int]:
    """Processes that have the marker among their arguments, zombies aside (they have no arguments)."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                arguments = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if marker.encode() in arguments:
                found.append(int(folder.name))
    return found


def run_until_ready(ready: Path, argv: tuple[str, ...], **options: object) -> Completed:
    """Run a command that makes a file when it is ready, with longer timeouts until it becomes ready in one."""
    for timeout in (0.5, 2.0, 8.0, 32.0, 128.0):
        done = run(command(argv, timeout=timeout, **options))
        if ready.exists():
            break
    return done


@pytest.fixture
def marker() -> str:
    """An argument that no other process has."""
    return f"marker-{uuid.uuid4().hex}"


# A main process that starts children of every kind, says so, and then does what it is told.
FAMILY = """
    import os, signal, sys, time
    marker, ready, after = sys.argv[1:4]
    if os.path.exists(ready + ".stubborn"):
        os.remove(ready + ".stubborn")  # of an earlier try
    sleeper = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)", marker]
    ignore = "import signal, time; [signal.signal(n, signal.SIG_IGN) for n in (1, 2, 3, 15)]; "
    stubborn = ignore + "open({!r}, 'x'); time.sleep(600)"
    def spawn(argv, prepare=lambda: None, daemon=False):
        pid = os.fork()
        if pid == 0:
            prepare()
            if daemon and os.fork():
                os._exit(0)
            os.execv(argv[0], argv)
        if daemon:
            os.waitpid(pid, 0)
    def closed():
        os.setsid()
        os.closerange(0, 3)
    spawn(sleeper)
    spawn(sleeper[:4] + [stubborn.format(ready + ".stubborn")] + sleeper[5:])
    spawn(sleeper, os.setsid)
    spawn(sleeper, os.setsid, daemon=True)
    spawn(sleeper, closed, daemon=True)
    while not os.path.exists(ready + ".stubborn"):
        time.sleep(0.01)
    if after == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    open(ready, "x").close()
    if after != "exit":
        time.sleep(600)
"""


@both
@pytest.mark.parametrize("code", [0, 1, 5, 77, 127, 255])
def test_exit_code_is_exact(code: int, supervised: bool) -> None:
    """The exit code of the main process is reported as it is."""
    done = run(command(python(f"import os; os._exit({code})"), supervised=supervised))
    assert (code, "", code == 0) == (done.exit_code, done.signal, done.ok)


@posix
@both
@pytest.mark.parametrize("name", ["SIGSEGV", "SIGABRT", "SIGKILL", "SIGTERM", "SIGINT", "SIGPIPE"])
def test_signal_is_named(name: str, supervised: bool) -> None:
    """A command that dies of a signal has no exit code, and the signal's name."""
    code = """
        import os, signal, sys
        number = getattr(signal, sys.argv[1])
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    """
    done = run(command(python(code, name), supervised=supervised))
    assert (None, name, False) == (done.exit_code, done.signal, done.timed_out)


@both
def test_output_is_captured_apart(supervised: bool) -> None:
    """Without a log, stdout and stderr come back separately."""
    done = run(command(python("import os; os.write(1, b'out\\n'); os.write(2, b'err\\n')"), supervised=supervised))
    assert ("out\n", "err\n") == (done.stdout, done.stderr)


@both
def test_output_goes_to_the_log_in_order(tmp_path: Path, supervised: bool) -> None:
    """With a log, both streams are appended to it as they came, and stdout holds the end of both."""
    log = tmp_path / "logs" / "cell.log"
    log.parent.mkdir()
    log.write_text("before\n")
    code = "import os; os.write(1, b'out\\n'); os.write(2, b'err\\n'); os.write(1, b'out\\n')"
    done = run(command(python(code), log=log, supervised=supervised))
    assert ("out\nerr\nout\n", "", "before\nout\nerr\nout\n") == (done.stdout, done.stderr, log.read_text())


@both
def test_bytes_that_are_no_text(tmp_path: Path, supervised: bool) -> None:
    """Output that is no UTF-8 becomes replacement characters in the text, and stays as it is in the log."""
    log = tmp_path / "log"
    done = run(command(python(r"import os; os.write(1, b'a\xff\x00\xed\xa0\x80z')"), log=log, supervised=supervised))
    assert b"a\xff\x00\xed\xa0\x80z" == log.read_bytes()
    assert "a\ufffd\0\ufffd\ufffd\ufffdz" == done.stdout


@both
def test_environment_is_exact(supervised: bool) -> None:
    """The child sees the given variables, and no other (but what a starting Python or macOS sets by itself)."""
    ignored = {"LC_CTYPE", "__CF_USER_TEXT_ENCODING"}
    env = {"A": "1", "B": "ü=x\n", "EMPTY": "", "LC_ALL": "C.UTF-8", "SYSTEMROOT": os.environ.get("SYSTEMROOT", "x")}
    done = run(command(python("import os; print(ascii(dict(os.environ)))"), env=env, supervised=supervised))
    seen = {name: value for name, value in eval(done.stdout).items() if name not in ignored}
    assert env == seen


@both
def test_odd_names(tmp_path: Path, supervised: bool) -> None:
    """Folders and arguments may hold spaces, quotes, letters of any script, and line breaks."""
    folder = tmp_path / "a b'c\"d$é 中"
    folder.mkdir()
    argument = "x 'y\" $HOME `z`\n\\ é中"
    code = "import os, sys; print(ascii([os.getcwd(), sys.argv[1]]))"
    done = run(command(python(code, argument), cwd=folder, supervised=supervised))
    assert [str(folder), argument] == eval(done.stdout)


@both
def test_stdin_is_empty(supervised: bool) -> None:
    """A command that reads its standard input gets its end at once."""
    done = run(command(python("import sys; print(repr(sys.stdin.read()))"), supervised=supervised))
    assert "''\n" == done.stdout.replace("\r\n", "\n")


@posix
@both
def test_command_that_cannot_start(tmp_path: Path, supervised: bool) -> None:
    """What keeps a command from starting is said in one line that names it and the reason; nothing is raised."""
    plain = tmp_path / "plain"
    plain.write_text("no program\n")
    orphan = tmp_path / "orphan"
    orphan.write_text("#!/no/such/interpreter\n")
    orphan.chmod(0o755)
    script = tmp_path / "script"
    script.write_bytes(b"\0\0\0\0")
    script.chmod(0o755)
    reasons = {
        ("no-such-command-9f",): "there is no such command on its PATH",
        ("./no-such-file",): "No such file or directory",
        (str(tmp_path),): "it is a directory",
        (str(plain),): "Permission denied",
        (str(orphan),): "the interpreter that it names (in its #! line, or its loader) does not exist",
        (str(script),): "Exec format error",
        ("true", "x" * 4_000_000): "Argument list too long",
        ("true", "a\0b"): "embedded null byte",
    }
    done = {argv: run(command(argv, cwd=tmp_path, supervised=supervised)) for argv in reasons}
    assert {argv: f"could not start {argv[0]}: {reason}" for argv, reason in reasons.items()} == {
        argv: one.error for argv, one in done.items()
    }
    assert [(None, False)] * len(done) == [(one.exit_code, one.ok) for one in done.values()]


@posix
@both
def test_folder_that_is_missing(tmp_path: Path, supervised: bool) -> None:
    """A missing folder is not blamed on the command."""
    done = run(command(("true",), cwd=tmp_path / "gone", supervised=supervised))
    assert f"could not start true: there is no folder {tmp_path / 'gone'} to run it in" == done.error


@posix
@both
def test_only_three_descriptors(supervised: bool) -> None:
    """A command gets descriptors 0, 1 and 2, whatever is open here or in other threads."""
    leaky = os.open(os.devnull, os.O_RDONLY)
    os.set_inheritable(leaky, True)  # noqa: FBT003 - as os has it
    code = """
        import os
        def is_open(number):
            try:
                os.fstat(number)
            except OSError:
                return False
            return True
        print([number for number in range(256) if is_open(number)])
    """
    try:
        done = run(command(python(code), supervised=supervised))
    finally:
        os.close(leaky)
    assert "[0, 1, 2]\n" == done.stdout


@linux
@both
def test_signals_are_at_their_defaults(supervised: bool) -> None:
    """Started under `nohup` or with blocked signals, venvgrid does not hand that on to commands that it supervises."""
    code = "print([l.split()[1] for l in open('/proc/self/status') if l.startswith(('SigBlk', 'SigIgn'))])"
    code = "import os, signal; signal.signal(13, 0); signal.signal(25, 0); " + code  # Python itself ignores these two
    # SIGINT and SIGQUIT are ignored in what a shell without job control starts with "&": this test run, perhaps.
    others = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGINT, signal.SIGQUIT)}
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN if supervised else signal.SIG_DFL)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1] if supervised else [])
    try:
        done = run(command(python(code), supervised=supervised))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGHUP, before)
        for number, handler in others.items():
            signal.signal(number, handler)
    assert f"['{0:016x}', '{0:016x}']\n" == done.stdout


@posix
@both
def test_timeout_of_a_command_that_ignores_sigterm(supervised: bool, tmp_path: Path) -> None:
    """After the timeout comes SIGTERM, after the grace period SIGKILL; then the command has timed out."""
    asked = tmp_path / "asked"
    code = """
        import signal, sys, time
        signal.signal(signal.SIGTERM, lambda *_: open(sys.argv[1], "w").close())
        time.sleep(600)
    """
    done = run_until_ready(asked, python(code, str(asked)), grace_period=0.5, supervised=supervised)
    assert (True, "SIGKILL", None) == (done.timed_out, done.signal, done.exit_code)
    assert asked.exists()


@posix
@both
def test_timeout_never_becomes_green(supervised: bool, tmp_path: Path) -> None:
    """A command that ends with exit code 0 when it is asked to end has still timed out."""
    ready = tmp_path / "ready"
    code = """
        import signal, sys, time
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        print("x", flush=True)
        open(sys.argv[1], "x").close()
        time.sleep(600)
    """
    done = run_until_ready(ready, python(code, str(ready)), grace_period=60.0, supervised=supervised)
    assert (0, True, False, "x\n") == (done.exit_code, done.timed_out, done.ok, done.stdout)


@posix
@both
def test_timeout_of_a_stopped_command(supervised: bool, tmp_path: Path) -> None:
    """A command that stops itself ends like any other."""
    ready = tmp_path / "ready"
    code = "import os, signal, sys; open(sys.argv[1], 'x').close(); os.kill(os.getpid(), signal.SIGSTOP)"
    done = run_until_ready(ready, python(code, str(ready)), grace_period=0.2, supervised=supervised)
    assert (True, "SIGKILL") == (done.timed_out, done.signal)


@linux
@pytest.mark.parametrize("after", ["exit", "sleep", "stubborn"])
def test_supervised_command_leaves_nothing(marker: str, after: str, tmp_path: Path) -> None:
    """However it ends, no descendant is left: ignoring signals, in its own session, as a daemon, without stdio."""
    ready = tmp_path / "ready"
    argv = python(FAMILY, marker, str(ready), after)
    if after == "exit":  # no limit cuts it short on a busy machine
        done = run(command(argv, timeout=LIMIT, supervised=True, grace_period=0.2))
    else:
        done = run_until_ready(ready, argv, supervised=True, grace_period=0.2)
    assert [] == living(marker)
    assert (after != "exit", True) == (done.timed_out, ready.exists())
    assert {"exit": 5, "sleep": 4, "stubborn": 0}[after] == done.leaked


@linux
def test_plain_command_leaves_nothing_of_its_group(marker: str) -> None:
    """Without a supervisor, what stayed in the process group is killed and counted."""
    code = """
        import subprocess, sys
        for _ in range(2):
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", sys.argv[1]])
    """
    done = run(command(python(code, marker)))
    assert (0, 2, []) == (done.exit_code, done.leaked, living(marker))


@linux
def test_racing_daemons_are_caught(marker: str) -> None:
    """Daemons that keep on making daemons while they are killed do not get away."""
    code = """
        import os, sys, time
        sleeper = "import time; time.sleep(600)"
        relay = '''
        import os, sys, time
        for _ in range(30):
            if os.fork():
                os._exit(0)
            os.setsid()
            time.sleep(0.01)
        time.sleep(600)
        '''
        import textwrap
        for _ in range(15):
            if os.fork() == 0:
                os.setsid()
                os.execv(sys.executable, [sys.executable, "-I", "-S", "-c", textwrap.dedent(relay), sys.argv[1]])
    """
    done = run(command(python(code, marker), supervised=True))
    assert (0, []) == (done.exit_code, living(marker))


@linux
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_nothing_survives_venvgrid(marker: str, number: signal.Signals, tmp_path: Path) -> None:
    """When the process that called `run` is killed, whatever kills it, no descendant of the command is left."""
    ready = tmp_path / "ready"
    code = """
        import os, signal, sys
        from pathlib import Path
        from venvgrid.processes.command import Command
        from venvgrid.processes.runner import run
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # ignored where the tests were started under nohup
        run(Command(argv=tuple(sys.argv[1:]), cwd=Path.cwd(), env=dict(os.environ), supervised=True))
    """
    family = python(FAMILY, marker, str(ready), "stubborn")
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(code), *family]) as parent:
        wait_for(ready.exists, parent)
        assert len(living(marker)) >= 6
        parent.send_signal(number)
        parent.wait()
        wait_for(lambda: living(marker) == [])


@linux
def test_command_does_not_survive_both(marker: str, tmp_path: Path) -> None:
    """When the supervisor is killed while venvgrid can do nothing (stopped, or dead), the kernel ends the command."""
    ready = tmp_path / "ready"
    code = """
        import os, sys
        from pathlib import Path
        from venvgrid.processes.command import Command
        from venvgrid.processes.runner import run
        run(Command(argv=tuple(sys.argv[1:]), cwd=Path.cwd(), env=dict(os.environ), supervised=True))
    """
    main = "import os, sys, time; open(sys.argv[2], 'w').write(str(os.getppid())); os.rename(sys.argv[2], sys.argv[3])"
    argv = python(main + "; time.sleep(600)", marker, str(tmp_path / "partial"), str(ready))
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(code), *argv]) as parent:
        wait_for(ready.exists, parent)
        parent.send_signal(signal.SIGSTOP)
        os.kill(int(ready.read_text()), signal.SIGKILL)
        try:
            wait_for(lambda: living(marker) == [parent.pid])
        finally:
            parent.kill()


@linux
def test_supervisor_that_is_killed(marker: str) -> None:
    """A command that kills its supervisor dies of it and is cleared away, its session's other members too."""
    code = """
        import os, subprocess, sys, time
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", sys.argv[1]], process_group=0)
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", sys.argv[1]])
        os.kill(os.getppid(), 9)
        time.sleep(600)
    """
    done = run(command(python(code, marker), supervised=True))
    assert (None, "SIGKILL") == (done.exit_code, done.signal)
    wait_for(lambda: living(marker) == [])


@posix
@both
def test_background_child_does_not_delay_the_end(supervised: bool, marker: str) -> None:
    """A command ends with its main process, though a child keeps the output open; all that was printed is there."""
    code = """
        import subprocess, sys
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", sys.argv[1]])
        print("x" * 300_000, flush=True)
    """
    done = run(command(python(code, marker), supervised=supervised))
    assert (0, 300_001, 1) == (done.exit_code, len(done.stdout), done.leaked)  # waited for, it would not be leaked


@linux
def test_endless_writer_outside_the_group(marker: str) -> None:
    """Without a supervisor, a daemon that goes on printing is left behind, not waited for."""
    code = """
        import os, sys
        if os.fork() == 0:
            os.setsid()
            os.execv(sys.executable, [sys.executable, "-c", "while True: print('y' * 1000)", sys.argv[1]])
    """
    waited = threading.Event()

    def end() -> None:
        waited.set()
        for pid in living(marker):  # it has died of SIGPIPE, or will
            os.kill(pid, signal.SIGKILL)

    limit = threading.Timer(LIMIT, end)
    limit.start()
    done = run(command(python(code, marker)))
    limit.cancel()
    assert (0, False) == (done.exit_code, waited.is_set())
    end()


@linux
@pytest.mark.parametrize("sink", ["log", "memory"])
def test_memory_does_not_grow_with_output(tmp_path: Path, sink: str) -> None:
    """100 MB without a line break: venvgrid stays under 100 MiB; kept are head and tail, and how much is missing."""
    log = tmp_path / "log"
    code = """
        import os, sys
        from pathlib import Path
        from venvgrid.processes.command import Command
        from venvgrid.processes.runner import run
        log = Path(sys.argv[1]) if sys.argv[1] else None
        done = run(Command(argv=tuple(sys.argv[2:]), cwd=Path.cwd(), env=dict(os.environ), log=log, supervised=True))
        # Not ru_maxrss: that begins with the size of the process which started this one.
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        print(int(status["VmHWM"].split()[0]) // 1024, len(done.stdout), repr(done.stdout[-6:]))
    """
    flood = "import os\nfor _ in range(1600): os.write(1, b'x' * 62500)\nos.write(1, b'THEEND')"
    argv = (sys.executable, "-c", textwrap.dedent(code), str(log) if sink == "log" else "", *python(flood))
    done = run(command(argv))
    peak, length, end = done.stdout.split()
    assert (True, "'THEEND'", "") == (int(peak) < 100, end, done.stderr)
    head, tail = (16, 1) if sink == "log" else (8, 1)
    missing = 100_000_006 - (head + tail) * 1024 * 1024
    line = f"\n[venvgrid left out {missing} bytes here]\n"
    if sink == "log":
        text = log.read_text()
        assert (64 * 1024, True, True) == (int(length), line in text, text.endswith("xTHEEND"))
        assert (head + tail) * 1024 * 1024 + len(line) == len(text)
    else:
        assert (head + tail) * 1024 * 1024 + len(line) == int(length)


@both
def test_cancellation_from_another_thread(supervised: bool) -> None:
    """A command is stopped when another thread asks for it."""
    cancellation, started = Cancellation(), threading.Event()
    code = "import time; time.sleep(600)"
    results: list[Completed] = []

    def work() -> None:
        results.append(
            run(
                command(python(code), timeout=LIMIT, supervised=supervised), cancellation=cancellation, poll=started.set
            )
        )

    thread = threading.Thread(target=work)
    thread.start()
    assert started.wait(LIMIT)
    cancellation.set()
    thread.join(LIMIT)
    assert (True, False, False) == (results[0].cancelled, results[0].timed_out, results[0].ok)


@posix
@both
def test_second_cancellation_kills_at_once(supervised: bool, tmp_path: Path) -> None:
    """Set again, a cancellation does not wait for the grace period."""
    cancellation = Cancellation()
    ready = tmp_path / "ready"

    def poll() -> None:
        if ready.exists():
            cancellation.set()
            cancellation.set()

    code = "import signal, sys, time; signal.signal(15, signal.SIG_IGN); open(sys.argv[1], 'x'); time.sleep(600)"
    done = run(command(python(code, str(ready)), supervised=supervised), cancellation=cancellation, poll=poll)
    assert (True, "SIGKILL", None) == (done.cancelled, done.signal, done.exit_code)


def test_cancelled_before_it_starts(tmp_path: Path) -> None:
    """A cancellation that is set already keeps the command from starting."""
    cancellation = Cancellation()
    cancellation.set()
    ready = tmp_path / "ready"
    done = run(command(python("import sys; open(sys.argv[1], 'x')", str(ready))), cancellation=cancellation)
    assert (True, None, False) == (done.cancelled, done.exit_code, ready.exists())


@linux
@both
def test_poll_that_raises(supervised: bool, marker: str) -> None:
    """What `poll` raises comes out of `run`, and the command does not go on behind its back."""

    def poll() -> None:
        if living(marker):
            raise KeyError(marker)

    with pytest.raises(KeyError, match=marker):
        run(command(python("import time; time.sleep(600)", marker), supervised=supervised), poll=poll)
    assert [] == living(marker)


def test_poll_is_called_after_the_end(tmp_path: Path) -> None:
    """The last call of `poll` sees all that the command wrote."""
    seen: list[str] = []
    file = tmp_path / "file"

    def poll() -> None:
        seen.append(file.read_text() if file.exists() else "")

    run(command(python("import sys; open(sys.argv[1], 'w').write('all')", str(file))), poll=poll)
    assert "all" == seen[-1]


@linux
def test_many_at_once_leave_no_descriptors() -> None:
    """Commands from several threads get their own output, and no descriptor or thread is left open."""
    run(command(python("pass"), supervised=True))
    before = len(list(Path("/proc/self/fd").iterdir())), threading.active_count()
    results: dict[int, str] = {}

    def work(number: int) -> None:
        results[number] = run(
            command(python("import sys; print(sys.argv[1])", str(number)), supervised=number % 2 == 0)
        ).stdout

    threads = [threading.Thread(target=work, args=(number,)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {number: f"{number}\n" for number in range(24)} == results
    assert before == (len(list(Path("/proc/self/fd").iterdir())), threading.active_count())


@posix
@both
def test_no_descriptors_left(supervised: bool) -> None:
    """Out of descriptors, a command is not started and says why; afterwards all goes on."""
    code = """
        import os, resource, sys
        from pathlib import Path
        from venvgrid.processes.command import Command
        from venvgrid.processes.runner import run
        resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
        command = Command(argv=("true",), cwd=Path.cwd(), env=dict(os.environ), supervised=sys.argv[1] == "True")
        run(command)
        for free in range(9):
            taken = []
            try:
                while True:
                    taken.append(os.open(os.devnull, os.O_RDONLY))
            except OSError:
                pass
            for number in taken[:free]:
                os.close(number)
            done = run(command)
            print(free, done.ok, done.error)
            assert done.ok or done.error.endswith("Too many open files"), done
            for number in taken[free:]:
                os.close(number)
        print(run(command).ok)
    """
    done = run(command((sys.executable, "-c", textwrap.dedent(code), str(supervised)), timeout=LIMIT))
    lines = done.stdout.splitlines()
    assert ("0 False could not start true: Too many open files", "True", "") == (lines[0], lines[-1], done.stderr)


@linux
def test_full_disk_does_not_stop_a_command() -> None:
    """A log that cannot be written does not change how a command ends, and the text says that the log is not whole."""
    done = run(command(python("print('still here'); raise SystemExit(3)"), log=Path("/dev/full")))
    text = "still here\n\n[venvgrid could not write all of /dev/full: No space left on device]\n"
    assert (3, text) == (done.exit_code, done.stdout)
