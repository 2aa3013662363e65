"""Makes the pictures of the documentation from a real run: `python docs/scripts/pictures.py` (needs chromium).

itsdangerous 2.2.0 with its own tests, six Pythons and two freezeguns: on Python 3.13, freezegun 1.2 is broken.
"""
# ruff: noqa: INP001  (a script)

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text
from selenium import webdriver

import venvgrid
from venvgrid.reporters import registry

PICTURES = Path(__file__).resolve().parents[1] / "pictures"
SDIST = "itsdangerous==2.2.0"
WIDTH = 104  # columns
MATRIX = """\
[axes]
python = "3.8..3.13"
freezegun = ["1.2", "1.5"]
"""


def main() -> None:
    """Run the grid, and draw its end, its badge and its page."""
    with tempfile.TemporaryDirectory() as folder:
        root = unpacked(Path(folder))
        (root / "matrix.toml").write_text(MATRIX, encoding="utf-8")
        report = venvgrid.run(root / "matrix.toml", cache=False)
        shown = registry.table(report, width=WIDTH, colour=True, encoding="utf-8")
        console = Console(record=True, width=WIDTH, file=io.StringIO())
        console.print(Text.from_ansi(f"$ venvgrid run\n{shown.rstrip()}"))
        console.save_svg(str(PICTURES / "run.svg"), title="itsdangerous 2.2.0")
        (PICTURES / "badge.svg").write_text(registry.text("badge", report), encoding="utf-8")
        page = root / "report.html"
        page.write_text(registry.text("html", report), encoding="utf-8")
        photograph(page)


def unpacked(folder: Path) -> Path:
    """Download the sources, with their tests."""
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", "-d", str(folder)]
    subprocess.run([*pip, SDIST], check=True)
    (archive,) = folder.iterdir()
    with tarfile.open(archive) as sdist:
        sdist.extractall(folder, filter="data")
    (root,) = (path for path in folder.iterdir() if path.is_dir())
    return root


def photograph(page: Path) -> None:
    """Take the page as it looks at first, in light and in dark."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(argument)
    service = webdriver.ChromeService(executable_path=shutil.which("chromedriver") or "")
    driver = webdriver.Chrome(options=options, service=service)
    size = {"width": 1000, "height": 1480, "deviceScaleFactor": 1, "mobile": False}
    try:
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        for scheme in ("light", "dark"):
            wanted = [{"name": "prefers-color-scheme", "value": scheme}]
            driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": wanted})
            driver.get(page.as_uri())
            driver.save_screenshot(str(PICTURES / f"report-{scheme}.png"))
    finally:
        driver.quit()


if __name__ == "__main__":
    main()
