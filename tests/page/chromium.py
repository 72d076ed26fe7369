"""A headless Chromium that opens pages from files, as readers would."""

from __future__ import annotations

import base64
import importlib.util
import os
import shutil
import time
from pathlib import Path
from types import TracebackType
from typing import Any


def why_not() -> str:
    """Why no Chromium can be started here; empty if one can."""
    missing = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    if missing:
        return f"{' and '.join(missing)} are not installed: apt-get install chromium chromium-driver"
    return "" if importlib.util.find_spec("selenium") else "selenium is not installed"


class Chromium:
    """A browser that lives as long as this context."""

    def __enter__(self) -> Chromium:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service

        options = webdriver.ChromeOptions()
        options.binary_location = str(shutil.which("chromium"))
        for argument in ("--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"):
            options.add_argument(argument)
        if os.geteuid() == 0:  # Chromium's sandbox refuses root
            options.add_argument("--no-sandbox")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(str(shutil.which("chromedriver"))))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.driver.quit()

    def open(self, page: Path, view: str = "", *, width: int = 1280, height: int = 900, scheme: str = "light") -> None:
        """Load a page anew, in a window of this size (CSS pixels), for a reader who prefers this colour scheme."""
        self.driver.get("about:blank")
        self.driver.get_log("browser")
        self.command(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )
        self.command(
            "Emulation.setEmulatedMedia", media="", features=[{"name": "prefers-color-scheme", "value": scheme}]
        )
        self.driver.get(page.as_uri() + view)

    def command(self, name: str, **parameters: Any) -> Any:
        """A command of the DevTools protocol."""
        return self.driver.execute_cdp_cmd(name, parameters)

    def run(self, script: str, *arguments: Any) -> Any:
        """What a script returns."""
        return self.driver.execute_script(script, *arguments)

    def texts(self, selector: str) -> list[str]:
        """The text of each element, drawn or not."""
        found: list[str] = self.run(
            "return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)", selector
        )
        return found

    def column(self, label: str) -> list[str]:
        """The cells of a column of the table in view, by its title."""
        return self.texts(f"tbody [data-label^='{label}']")

    def press(self, text: str) -> None:
        """Click the first button that begins with this text."""
        self.run(
            "[...document.querySelectorAll('button')].find(b => b.textContent.startsWith(arguments[0])).click()", text
        )

    def choose(self, name: str, value: str) -> None:
        """Choose an option of a form by its value, or type it into a field."""
        self.run(
            "const field = document.querySelector(`[name=${arguments[0]}]`); field.value = arguments[1];"
            "field.dispatchEvent(new Event(field.tagName === 'SELECT' ? 'change' : 'input'))",
            name,
            value,
        )

    def until(self, condition: str, limit_s: float = 120.0) -> None:
        """Wait until an expression holds that the browser makes true in its own time."""
        began = time.monotonic()
        while not self.run(f"return {condition}"):
            assert time.monotonic() - began < limit_s, condition
            time.sleep(0.02)

    def problems(self) -> list[str]:
        """What the browser has complained of since the page was opened."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def overflow(self) -> int:
        """By how many pixels the page is wider than its window."""
        return int(self.run("return document.documentElement.scrollWidth - innerWidth"))

    def printed(self) -> bytes:
        """The page as a PDF on A4."""
        found = self.command("Page.printToPDF", paperWidth=8.27, paperHeight=11.69)
        return base64.b64decode(found["data"])
