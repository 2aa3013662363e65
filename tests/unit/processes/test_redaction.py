"""Secrets are taken out of output as it comes, and of events."""
# ruff: noqa: SIM300 - expected == actual; secrets that are none

from __future__ import annotations

import base64
import itertools
import string

import factories
import pytest
from hypothesis import given
from hypothesis import strategies as st

from venvgrid.model import CaseOutcome, CellFinished, Outcome, TestFinished
from venvgrid.processes.redaction import Redactor, redact

SECRET = "hunter2hunter2"
ENVIRON = {"API_TOKEN": SECRET, "INDEX": "https://me:pass%40word1@host/simple", "HOME": "/home/me", "SHORT_KEY": "abc"}
REDACTOR = Redactor.from_environ(ENVIRON)
PIECES = [
    "hunter2hunter2",
    "hunter2",
    "2hunter",
    "https://x:y@",
    "host",
    " ",
    "\n",
    "me:pass%40word1",
    "é",
    "plain",
    "@",
]


@given(st.lists(st.sampled_from(PIECES), max_size=20), st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_no_secret_passes_however_output_is_split(words: list[str], sizes: list[int]) -> None:
    """Law: in any pieces, what comes out holds no secret, and is what the whole would have given."""
    data = "".join(words).encode()
    stream, out, rest = REDACTOR.stream(), b"", data
    for size in itertools.cycle(sizes):
        if not rest:
            break
        out += stream.add(rest[:size])
        rest = rest[size:]
    out += stream.end()
    assert SECRET.encode() not in out
    assert b"me:pass%40word1" not in out
    assert REDACTOR.text(data.decode()).encode() == out


def test_bytes_that_are_no_text_stay_as_they_are() -> None:
    """Output may be anything."""
    data = bytes(range(256)) * 3 + b"https://\xff:\xfe@host " + SECRET.encode()
    stream = REDACTOR.stream()
    found = stream.add(data) + stream.end()
    assert bytes(range(256)) * 3 + b"https://****@host ***API_TOKEN***" == found


def test_without_secrets_output_passes_at_once_but_for_a_word() -> None:
    """The end of a line is waited for, a very long one is not."""
    stream = Redactor.from_environ({}).stream()
    assert b"a b " == stream.add(b"a b c")
    assert b"c\n" == stream.add(b"\n")
    long = b"x" * 100_000
    assert len(long) - 5_000 < len(stream.add(long))


def test_events_hold_no_secret() -> None:
    """In what tests said and in what was typed; names of cells and values of axes stay, results are found by them."""
    failure = factories.failure(message=f"got {SECRET}", longrepr=f"x\n{SECRET}\n", signature=f"E: {SECRET}")
    result = factories.result("py3.12", Outcome.FAILED, reason=f"because of {SECRET}", failures=(failure,))
    event = REDACTOR.event(CellFinished(result=result, at=1.0))
    assert SECRET not in repr(event)
    assert "got ***API_TOKEN***" == event.result.failures[0].message
    ended = TestFinished(cell=f"py-{SECRET}", test=f"t[{SECRET}]", verdict=CaseOutcome.PASSED, duration=1.0, at=1.0)
    assert (f"py-{SECRET}", "t[***API_TOKEN***]") == (REDACTOR.event(ended).cell, REDACTOR.event(ended).test)
    started = factories.started([factories.cell("py3.12")], command=("pytest", f"--token={SECRET}"))
    assert ("pytest", "--token=***API_TOKEN***") == REDACTOR.event(started).command


def test_what_holds_none_is_the_same_value() -> None:
    """Nothing is copied for nothing."""
    event = CellFinished(result=factories.result("py3.12"), at=1.0)
    assert event is REDACTOR.event(event)


letters = st.text(string.ascii_letters + string.digits + "-._~!$&'()*+,;=%", min_size=1)
host = st.from_regex(r"[a-z]{1,9}(\.[a-z]{2,5}){0,2}(:[0-9]{2,5})?(/[a-z]{0,9})?", fullmatch=True)
schemes = st.sampled_from(["https", "http", "git+ssh", "socks5h", "postgresql", "HTTPS"])


@given(schemes, letters, letters | st.none(), host, st.text(' \n"<>'), st.text(' \n"<>'))
def test_user_info_is_taken_out(
    scheme: str, user: str, password: str | None, place: str, before: str, after: str
) -> None:
    """Of a URL with a user, or a user and a password, everything stays but these."""
    info = user if password is None else f"{user}:{password}"
    text = f"{before}{scheme}://{info}@{place}{after}"
    assert f"{before}{scheme}://****@{place}{after}" == redact(text)


@given(st.text(st.characters(exclude_characters="@")))
def test_text_without_user_info_is_not_changed(text: str) -> None:
    """No "@", no change: URLs, paths and times stay as they are."""
    assert text == redact(text)


@given(st.text(alphabet='ahtps:/@?# ."*\n') | st.text())
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    """A redacted text is redacted."""
    assert redact(text) == redact(redact(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://maria@corp.com:s3cret@host/simple", "https://****@host/simple"),
        ("see https://host/@scope/name and a@b", "see https://host/@scope/name and a@b"),
        ("https://host?x=a@b", "https://host?x=a@b"),
        ("mail maria@corp.com", "mail maria@corp.com"),
        ('{"a":"https://h","b":"m@c"}', '{"a":"https://h","b":"m@c"}'),
    ],
)
def test_only_user_info_is_taken_out(text: str, expected: str) -> None:
    """An "@" in a path, a query or a mail address is none of it; in a user name it is."""
    assert expected == redact(text)


secrets = st.text(string.ascii_letters + string.digits + "+/=%$! ", min_size=8, max_size=40).filter(
    lambda text: text.strip() == text
)


@given(st.sampled_from(["GITHUB_TOKEN", "DB_PASSWORD", "my_secret", "OPENAI_API_KEY", "SIGNING_KEY"]), secrets)
def test_secret_values_are_taken_out(name: str, secret: str) -> None:
    """The value of a variable with such a name is nowhere in the text, as it is or in base64."""
    hide = Redactor.from_environ({name: secret, "HOME": "/home/m"}).text
    encoded = base64.b64encode(secret.encode()).decode().rstrip("=")
    assert f"<***{name}***|***{name}***|/home/m>" == hide(f"<{secret}|{encoded}|/home/m>")


def test_what_is_no_secret_stays() -> None:
    """Short values, and variables with other names, are not taken out; a user name alone is no secret."""
    hide = Redactor.from_environ(
        {"API_TOKEN": "short", "HOME": "/home/marianne", "PWD": "/somewhere", "GIT": "ssh://marianne@host"}
    ).text
    assert "short /home/marianne /somewhere" == hide("short /home/marianne /somewhere")


def test_passwords_in_urls_are_taken_out() -> None:
    """The password of an index URL is hidden also where it stands alone, percent-encoded or not."""
    hide = Redactor.from_environ({"UV_INDEX_URL": "https://me:p%40ssw0rd-long@host/simple"}).text
    assert "pw=***UV_INDEX_URL*** or ***UV_INDEX_URL***" == hide("pw=p%40ssw0rd-long or p@ssw0rd-long")


def test_secrets_of_several_lines() -> None:
    """Every line of a key is hidden, also when only one is printed; the longer of two secrets goes first."""
    variables = {"A_PRIVATE_KEY": "first-line\n  second-line\n", "B_TOKEN": "first-line-and-more"}
    hide = Redactor.from_environ(variables).text
    assert "***A_PRIVATE_KEY***, ***B_TOKEN***" == hide("second-line, first-line-and-more")
