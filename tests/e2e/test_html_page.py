"""The HTML report in a real browser: Debian's chromium, without a screen and without a network."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))
import factories
import hostile
import told

from venvgrid.model import CaseOutcome, Outcome
from venvgrid.reporters.documents import html
from venvgrid.results.report import Earlier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from venvgrid.results.report import Report

pytestmark = pytest.mark.e2e
WAIT = 60.0  # seconds for a page on a busy machine
Open = Any


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Yield the browser; every test opens a page of its own in it."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("chromium and its chromedriver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(executable_path=driver)
    started = webdriver.Chrome(options=options, service=service)
    yield started
    started.quit()
    # selenium leaves the pipe of its driver to the garbage collector
    for stream in (service.process.stdin, service.process.stdout, service.process.stderr):
        if stream is not None:
            stream.close()


@pytest.fixture
def show(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Open the page of a report and wait until its script has run; at the end nothing may have been complained of.

    Its failures have stories.
    """
    from selenium.webdriver.support.ui import WebDriverWait  # noqa: PLC0415

    def opened(report: Report, log: str = "", fragment: str = "") -> Any:
        page = tmp_path / "report.html"
        kept = [told.about(cell) for cell in report.cells if cell.failures]
        page.write_text(html.render(report, lambda _cell: log, kept=kept), encoding="utf-8")
        browser.get(page.as_uri() + fragment)
        WebDriverWait(browser, WAIT).until(
            lambda page: page.execute_script("return document.documentElement.dataset.ready") == "1"
        )
        return browser

    yield opened
    complaints = browser.get_log("browser")
    browser.get("about:blank")
    assert complaints == []


def texts(browser: Any, selector: str) -> list[str]:
    """Return the text of every visible element."""
    script = """return [...document.querySelectorAll(arguments[0])].filter((item) => item.offsetParent !== null)
        .map((item) => item.innerText.trim())"""
    found: list[str] = browser.execute_script(script, selector)
    return found


def big(cells: int, tests: int) -> Report:
    """Make a report of so many cells and tests; the last cell fails one in ten."""
    results, events = [], []
    names = [f"tests/test_{number % 50}.py::test_{number}" for number in range(tests)]
    for number in range(cells):
        axes = {"python": f"3.{number % 10 + 4}", "numpy": f"{number // 10}.0"}
        bad = number == cells - 1
        verdicts = {
            name: CaseOutcome.FAILED if bad and not at % 10 else CaseOutcome.PASSED for at, name in enumerate(names)
        }
        failures = tuple(factories.failure(name) for name, verdict in verdicts.items() if verdict is CaseOutcome.FAILED)
        result = factories.result(
            factories.cell(f"py{axes['python']}-numpy{axes['numpy']}", axes),
            Outcome.FAILED if bad else Outcome.PASSED,
            failures=failures,
        )
        results.append(result)
        events += factories.tested(result, verdicts)
    return factories.report(*results, extra=events)


def test_grid_leads_to_its_cells(show: Callable[..., Any]) -> None:
    """A click on a sign of the grid opens the cell, with its packages and its log in colours."""
    page = show(factories.matplotlib_grid(), log="plain \x1b[31mred\x1b[0m plain")
    page.find_element("css selector", "[data-cell='py3.9-matplotlib3.5']").click()
    page.execute_script("window.dispatchEvent(new HashChangeEvent('hashchange'))")
    shown = texts(page, "#cell-py3\\.9-matplotlib3\\.5 > div")[0]
    assert "numpy" in shown
    assert "packages" in shown
    assert texts(page, "#cell-py3\\.9-matplotlib3\\.5 .a31") == ["red"]


def test_a_link_to_a_cell_opens_it(show: Callable[..., Any]) -> None:
    """report.html#cell-ID, as it is sent to somebody, shows that cell."""
    page = show(factories.matplotlib_grid(), fragment="#cell-py3.9-matplotlib3.5")
    assert page.execute_script(
        "return [...document.querySelectorAll('.cell[open]')].map((cell) => cell.dataset.id)"
    ) == ["py3.9-matplotlib3.5"]
    assert "numpy" in texts(page, "#cell-py3\\.9-matplotlib3\\.5 > div")[0]


def test_filters(show: Callable[..., Any]) -> None:
    """Text, outcome and an axis leave the cells that match; the others stay in the grid, paler."""
    page = show(factories.matplotlib_grid())
    every = len(texts(page, ".cell"))
    page.find_element("id", "filter-text").send_keys("has no attribute")
    found = texts(page, ".cell")
    assert 0 < len(found) < every
    assert all("failed" in text for text in found)
    assert texts(page, "#shown") == [f"{len(found)} of {every} cells"]
    assert len(page.find_elements("css selector", ".grid .off")) == every - len(found)


def test_tests_table(show: Callable[..., Any]) -> None:
    """First come the tests that differ between cells; all of them, by name too, can be asked for, in steps."""
    page = show(big(20, 250))
    assert texts(page, "#tests-shown") == ["25 of 25 tests"]
    page.execute_script(
        "const kind = document.getElementById('test-kind'); kind.value = 'all'; kind.dispatchEvent(new Event('change'))"
    )
    assert texts(page, "#tests-shown") == ["100 of 250 tests"]
    page.find_element("id", "more-tests").click()
    assert texts(page, "#tests-shown") == ["200 of 250 tests"]
    page.find_element("id", "test-text").send_keys("test_249")
    assert texts(page, "#tests-table tbody th") == ["tests/test_49.py::test_249"]


def test_packages_of_two_cells(show: Callable[..., Any]) -> None:
    """What differs between two cells is shown, and nothing else."""
    cells = [
        factories.result("py3.9", Outcome.FAILED, packages={"numpy": "2.0", "six": "1.16"}),
        factories.result("py3.10", packages={"numpy": "1.26", "six": "1.16"}),
    ]
    failing = replace(cells[0], failures=(factories.failure(),))
    page = show(factories.report(failing, cells[1]))
    assert texts(page, "#compare-table tbody tr") == ["python\t3.9\t3.10", "numpy\t2.0\t1.26"]


def test_timeline(show: Callable[..., Any]) -> None:
    """Every stage that ran is a bar on the line of its worker."""
    report = factories.matplotlib_grid()
    page = show(report)
    bars = page.find_elements("css selector", ".track a")
    assert len(bars) == sum(span.ended > span.began for span in report.spans)


def test_nothing_is_executed(show: Callable[..., Any]) -> None:
    """Payloads in every text that others write stay text: no alert, no element, no attribute, no request."""
    payload = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">" + "".join(
        text.encode("utf-8", "replace").decode() for text in hostile.NASTY
    )
    cell = factories.cell("py3.9", {"python": "3.9", "env.A": payload})
    result = factories.result(
        cell,
        Outcome.FAILED,
        reason=payload,
        failures=(factories.failure(payload, kind=payload, message=payload, longrepr=payload),),
        packages={payload: payload},
        notes=(payload,),
    )
    report = factories.report(result, extra=factories.tested(result, {payload: CaseOutcome.FAILED}))
    before = {"py3.9": Earlier(run="r0", outcome=Outcome.PASSED, packages={payload: "1"})}
    page = show(replace(report, project=payload, before=before), log=payload, fragment="#cell-py3.9")
    assert "owned" not in page.title.split(":")[-1]
    assert page.execute_script("return document.images.length") == 0
    assert page.execute_script("return document.querySelectorAll('[onerror],[onload]').length") == 0
    assert page.execute_script("return performance.getEntriesByType('resource').length") == 0
    assert "<img src=x" in texts(page, "#cell-py3\\.9 pre")[0]


def long_texts() -> Report:
    """Make a report in which every text is long: values, ids, names of tests, messages."""
    results = []
    values = ("a-long-value-of-a-variable-that-somebody-wrote" * 2, "b")
    for number, (python, value) in enumerate((python, value) for python in range(4, 16) for value in values):
        axes = {"python": f"3.{python}", "env.A_LONG_NAME_OF_A_VARIABLE": value, "numpy": f"1.{number % 3}"}
        test = f"tests/{'long/' * 12}test_module.py::TestClass::test_{'long_' * 30}[{number % 3}]"
        failure = factories.failure(test, message="x" * 300, longrepr=f"E   {'y' * 900}\n" * 3)
        result = factories.result(
            factories.cell(f"py3.{python}-LONG.{value[:40]}-{number}", axes),
            Outcome.FAILED if number % 2 else Outcome.IMPOSSIBLE,
            failures=(failure,) if number % 2 else (),
            reason="" if number % 2 else f"a reason {'z' * 300}",
        )
        results.append(result)
    return factories.report(*results)


@pytest.mark.parametrize("make", [lambda: big(30, 40), long_texts], ids=["big", "long"])
@pytest.mark.parametrize("width", [360, 820, 1280, 1440])
def test_fits_the_screen(show: Callable[..., Any], width: int, make: Callable[[], Report]) -> None:
    """From a phone to a desk the page itself never scrolls sideways; wide tables do, within themselves."""
    page = show(make())
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    )
    try:
        assert page.execute_script("return document.documentElement.scrollWidth") <= width
        # Nothing is cut off: what is wider than the screen stands in a part that scrolls.
        assert (
            page.execute_script(
                """return [...document.querySelectorAll('main *, header *')]
            .filter((item) => !item.closest('.wide, pre, .tip, .offscreen'))
            .filter((item) => item.getBoundingClientRect().right > innerWidth + 1).map((item) => item.outerHTML)"""
            )
            == []
        )
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


CONTRAST = """
    const linear = (value) => value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    const light = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
    const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const ground = (item) => { for (let at = item; at; at = at.parentElement) {
        const colour = numbers(getComputedStyle(at).backgroundColor);
        if (colour.length < 4 || colour[3] > 0) return colour; } return [255, 255, 255]; };
    const ratio = (item) => { const pair = [light(numbers(getComputedStyle(item).color)), light(ground(item))];
        return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05); };
    const hasText = (item) => [...item.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    return [...document.body.querySelectorAll('*')]
        .filter((item) => item.offsetParent !== null && hasText(item) && ratio(item) < 4.5)
        .map((item) => item.outerHTML.slice(0, 200) + ' ' + ratio(item));
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("mode", [0, 1, 2])
def test_contrast(show: Callable[..., Any], scheme: str, mode: int) -> None:
    """In light and dark, every text can be read: at least 4.5 to 1 against its ground (WCAG AA)."""
    page = show(factories.matplotlib_grid(), log="\x1b[31mred\x1b[33m yellow\x1b[35m magenta\x1b[36m cyan\x1b[0m")
    page.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    page.execute_script(f"document.querySelectorAll('.modes button')[{mode}].click()")
    page.execute_script("document.querySelectorAll('details').forEach((item) => { item.open = true; })")
    assert page.execute_script(CONTRAST) == []


def test_a_click_shows_the_nearest_green_cell(show: Callable[..., Any]) -> None:
    """The panel of a red cell has the one difference from its nearest green cell, and the failure."""
    page = show(factories.matplotlib_grid())
    page.find_element("css selector", "[data-cell='py3.9-matplotlib3.5']").click()
    assert texts(page, "#panel h3")[0].endswith("py3.9-matplotlib3.5")
    assert texts(page, "#panel tbody tr") in (["python\t3.9\t3.8"], ["python\t3.9\t3.10"])
    assert texts(page, "#panel li a") == ["AttributeError: module 'numpy' has no attribute 'float'"]


def test_the_panel_on_a_phone(show: Callable[..., Any]) -> None:
    """On a small screen the panel comes over the page, has the focus, and goes with Escape, back to its cell."""
    page = show(factories.matplotlib_grid())
    size = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        visible = "return getComputedStyle(document.getElementById('panel')).display"
        assert page.execute_script(visible) == "none"
        page.find_element("css selector", "[data-cell='py3.9-matplotlib3.5']").click()
        assert page.execute_script(visible) == "block"
        page.switch_to.active_element.send_keys("\ue00c")
        assert page.execute_script(visible) == "none"
        assert page.execute_script("return document.activeElement.dataset.cell") == "py3.9-matplotlib3.5"
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_advice_can_be_copied(show: Callable[..., Any]) -> None:
    """What a story says to type has a button each; the proof and the advice stand beside the failure."""
    page = show(factories.matplotlib_grid())
    assert texts(page, "#failure-0 .culprit")[0] == "numpy 1.1, released 2023-09-30, broke it"
    assert [len(texts(page, f"#failure-0 .steps {what}")) for what in ("code", "code + .copy")] == [6, 6]


def test_what_the_grid_shows_has_words(show: Callable[..., Any]) -> None:
    """Each sign of the grid has a name of words, also when it shows numbers; no cell is told by its colour alone."""
    page = show(factories.matplotlib_grid())
    script = "return document.querySelector(\"[data-cell='py3.9-matplotlib3.5']\")"
    assert page.execute_script(script).get_attribute("aria-label") == "py3.9-matplotlib3.5: failed"
    page.execute_script("document.querySelectorAll('.modes button')[1].click()")
    assert page.execute_script(script).get_attribute("aria-label") == "py3.9-matplotlib3.5: failed, failed tests 1"
    assert page.execute_script(script).text == "1"


def test_arrow_keys_move_in_the_grid(show: Callable[..., Any]) -> None:
    """Right and down lead to the next cell; at an edge the focus stays."""
    page = show(factories.matplotlib_grid())
    focus = "return document.activeElement.dataset.cell"
    page.execute_script("document.querySelector('[data-cell]').focus()")
    for key, cell in (
        ("\ue014", "py3.8-matplotlib2.2"),
        ("\ue015", "py3.8-matplotlib3.5"),
        ("\ue015", "py3.8-matplotlib3.5"),
        ("\ue012", "py3.6-matplotlib3.5"),
    ):
        page.switch_to.active_element.send_keys(key)
        assert page.execute_script(focus) == cell


def test_a_click_on_a_column_shows_only_its_cells(show: Callable[..., Any]) -> None:
    """Columns, rows and outcomes are filters; a second click takes them back."""
    page = show(factories.matplotlib_grid())
    script = "[...document.querySelectorAll('[data-value]')].find((head) => head.dataset.value === '3.9')"
    page.execute_script(f"{script}.firstChild.click()")
    assert texts(page, "#shown") == ["2 of 8 cells"]
    page.execute_script("document.querySelector('[data-outcome=failed] button').click()")
    assert texts(page, "#shown") == ["1 of 8 cells"]
    page.execute_script("document.getElementById('clear').click()")
    assert texts(page, "#shown") == ["8 of 8 cells"]


def test_packed_logs_are_read(show: Callable[..., Any]) -> None:
    """If all logs together are long, they are packed, and shown all the same."""
    page = show(big(30, 4), log="".join(f"line {number} \x1b[31mred\x1b[0m\n" for number in range(1500)))
    page.execute_script("location.hash = '#cell-py3.13-numpy2.0'")
    last = "return document.querySelector('.cell[open] pre')?.textContent.trimEnd().endsWith('line 1499 red')"
    from selenium.webdriver.support.ui import WebDriverWait  # noqa: PLC0415

    WebDriverWait(page, WAIT).until(lambda browser: browser.execute_script(last))


def test_everything_can_be_reached_by_keyboard(show: Callable[..., Any]) -> None:
    """Filters, signs, cells and logs take the focus, in the order in which they are read."""
    page = show(factories.matplotlib_grid(), log="said")
    tabbable = "a[href], input, select, button:not(.hidden), summary, pre"
    script = f"return [...document.querySelectorAll('{tabbable}')].every((item) => item.tabIndex >= 0)"
    assert page.execute_script(script)
    assert page.execute_script(
        "return [...document.querySelectorAll('input, select')].every((item) => item.labels.length)"
    )


def test_on_paper(show: Callable[..., Any]) -> None:
    """Printed, the page is several sheets without the controls."""
    page = show(factories.matplotlib_grid())
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert texts(page, ".filters") == []
    assert texts(page, ".failure h3")
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
