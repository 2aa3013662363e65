"""Addresses, certificates, and what an engine puts into the variables of its workers."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venvgrid.app.cluster import certificates, surroundings
from venvgrid.model import UsageError

if TYPE_CHECKING:
    from pathlib import Path

NAMES = st.sampled_from(["PYTHONHASHSEED", "OMP_NUM_THREADS", "MALLOC_TRIM_THRESHOLD_", "HOME", "X"])
VALUES = st.sampled_from(["1", "6640", "65536", ""])


@pytest.mark.parametrize(
    "address",
    ["tcp://127.0.0.1:8786", "tcp://127.0.0.2:1", "tcp://[::1]:8786", "tcp://localhost:8786", "tcp://127.0.0.1:0"],
)
def test_this_machine_needs_no_certificates(address: str) -> None:
    """Without TLS nothing leaves the machine."""
    certificates.check_address(address, has_certificates=False)


@pytest.mark.parametrize(
    "address",
    [
        *("tcp://10.0.0.1:8786", "tcp://0.0.0.0:8786", "tcp://[::]:8786", "tcp://host:8786"),
        *("tcp://127.0.0.1.example.org:8786", "tcp://localhost.example.org:1", "tcp://[::ffff:10.0.0.1]:1"),
    ],
)
@pytest.mark.parametrize("has_certificates", [False, True])
def test_plain_tcp_leaves_no_machine(address: str, has_certificates: bool) -> None:  # noqa: FBT001
    """An address that others can reach is refused without TLS, whatever it looks like, with what to type."""
    with pytest.raises(UsageError, match="anybody in the network could run commands here; write tls://"):
        certificates.check_address(address, has_certificates=has_certificates)


def test_tls_needs_its_certificates() -> None:
    """With TLS any address is good if there are certificates."""
    certificates.check_address("tls://0.0.0.0:8786", has_certificates=True)
    with pytest.raises(UsageError, match="which certificates"):
        certificates.check_address("tls://10.0.0.1:8786", has_certificates=False)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "dask",
        "foo",
        "host:8786",
        "http://127.0.0.1:1",
        "tcp://",
        "tls://:8786",
        "tcp://127.0.0.1:x",
        "tls://h:99999",
    ],
)
def test_what_is_no_address_is_said(address: str) -> None:
    """Each is wrong usage, with examples of what is right."""
    with pytest.raises(UsageError, match="the address of a scheduler: tls://HOST:8786"):
        certificates.check_address(address, has_certificates=True)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("localhost:8786", "; did you mean tcp://localhost:8786?"),
        ("host:8786", "; did you mean tls://host:8786?"),
        ("http://127.0.0.1:1", "; did you mean tcp://127.0.0.1:1?"),
        ("8786", "; did you mean tcp://127.0.0.1:8786?"),
        ("tls://h:99999", "; '99999' is no port: these are numbers up to 65535"),
        ("tcp://127.0.0.1:x", "; 'x' is no port: these are numbers up to 65535"),
        ("tls://:8786", "tcp://127.0.0.1:8786"),
        ("foo", "tcp://127.0.0.1:8786"),
    ],
)
def test_the_address_that_was_meant_is_proposed(address: str, said: str) -> None:
    """A missing scheme or a wrong port is told; plain tcp is proposed for this machine only."""
    with pytest.raises(UsageError) as caught:
        certificates.check_address(address, has_certificates=True, others="dask")
    assert str(caught.value).endswith(said)
    assert "write dask, or the address" in str(caught.value)
    with pytest.raises(UsageError, match=f"{address!r}: write the address of a scheduler"):
        certificates.check_address(address, has_certificates=True)


def test_certificates_are_made_for_their_owner_alone(tmp_path: Path) -> None:
    """The folder and its files are readable by nobody else; they serve all three roles."""
    pytest.importorskip("distributed", reason="needs the extra dask")
    folder = tmp_path / "certificates"
    certificates.make(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert certificates.exist(folder)
    made = certificates.security(folder)
    assert made is not None
    assert made.require_encryption is True
    for role in ("client", "scheduler", "worker"):
        assert made.get_tls_config_for_role(role)["key"] == str(folder / "key.pem")


def test_a_certificate_that_is_missing_is_named(tmp_path: Path) -> None:
    """With the command that makes it."""
    pytest.importorskip("distributed", reason="needs the extra dask")
    certificates.make(tmp_path)
    (tmp_path / "key.pem").unlink()
    with pytest.raises(UsageError, match=r"has no key.pem; copy them .* venvgrid scheduler"):
        certificates.security(tmp_path)


@given(environ=st.dictionaries(NAMES, VALUES), given_=st.dictionaries(NAMES, VALUES | st.integers(0, 9)))
def test_variables_of_the_engine_are_taken_away(environ: dict[str, str], given_: dict[str, object]) -> None:
    """Law: what has the engine's name and value goes; what a user has set to another value stays."""
    found = surroundings.without(environ, given_)
    assert found.items() <= environ.items()
    for name in environ.keys() - found.keys():
        assert str(given_[name]) == environ[name]
    assert all(str(given_.get(name, object())) != value for name, value in found.items())


@pytest.mark.parametrize(("text", "seconds"), [("1700000000", 1.7e9), ("", 0.0), ("UNLIMITED", 0.0), ("-1", 0.0)])
def test_a_batch_system_says_when_it_ends(text: str, seconds: float) -> None:
    """Slurm's variable is read; what is no time is no end."""
    assert surroundings.walltime({"SLURM_JOB_END_TIME": text}) == seconds
    assert surroundings.walltime({}) == 0.0


def test_the_memory_of_this_machine_is_known() -> None:
    """Linux and macOS say it."""
    assert (surroundings.memory() > 2**20) is (os.name == "posix")
