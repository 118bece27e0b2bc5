"""The report in a real browser: everything is seen, tables sort, nothing runs that should not, nothing is fetched."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from comparisons import HOSTILE

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESKTOP, PHONE = (1280, 900), (390, 844)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None or DRIVER is None,
        reason="needs Chromium: apt-get install --yes --no-install-recommends chromium chromium-driver",
    ),
]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from selenium.webdriver import Chrome
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


def opened(browser: Any, path: Path, size: tuple[int, int]) -> list[str]:
    """Show a page in a window of that size and return every address that it asks for."""
    width, height = size
    browser.get_log("performance")
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == PHONE}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get(path.as_uri())
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = [event["params"] for event in events if event["method"] == "Network.requestWillBeSent"]
    return [found["request"]["url"] for found in sent if found["documentURL"] == path.as_uri()]


def column(browser: Any, head: str) -> list[str]:
    """Return the sort values of a column of the big table, top to bottom."""
    return browser.execute_script(
        """const table = document.querySelector("#agents");
        const place = [...table.tHead.rows[0].cells].findIndex((cell) => cell.textContent === arguments[0]);
        return [...table.tBodies[0].rows].map((row) => row.cells[place]?.dataset.value ?? "");""",
        head,
    )


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_every_figure_is_seen_and_the_page_does_not_scroll_sideways(
    browser: Any, hostile_report: Path, size: tuple[int, int]
):
    assert opened(browser, hostile_report, size) == [hostile_report.as_uri()]
    figures = browser.execute_script(
        """return [...document.querySelectorAll("figure")].map((figure) => {
            const svg = figure.querySelector("svg");
            const box = figure.getBoundingClientRect(), inner = (svg ?? figure).getBoundingClientRect();
            return [figure.id, box.left, box.right, box.height, inner.width, inner.height, svg !== null];
        });"""
    )
    assert len(figures) == 11
    for name, left, right, height, inner_width, inner_height, is_drawn in figures:
        assert left >= 0, name
        assert right <= size[0], name
        assert min(height, inner_width, inner_height) > (100 if is_drawn else 10), name
    assert browser.execute_script("return document.documentElement.scrollWidth") <= size[0]
    assert browser.get_log("browser") == []


def test_letters_in_figures_are_large_enough_on_a_phone(browser: Any, hostile_report: Path):
    opened(browser, hostile_report, PHONE)
    heights = browser.execute_script(
        """return [...document.querySelectorAll("figure svg text")].filter((text) => !text.getAttribute("transform")
            ?.includes("-90")).map((text) => text.getBoundingClientRect().height);"""
    )
    assert min(heights) >= 8


def test_a_click_or_a_key_sorts_by_number_and_another_turns_it_round(browser: Any, hostile_report: Path):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    opened(browser, hostile_report, DESKTOP)
    (button,) = browser.find_elements(By.XPATH, "//table[@id='agents']//th/button[text()='latency']")
    header = button.find_element(By.XPATH, "..")
    before = column(browser, "latency")
    numbers = sorted(float(value) for value in before if value)
    assert [float(value) for value in before if value] != numbers
    button.click()
    assert header.get_attribute("aria-sort") == "ascending"
    assert [float(value) for value in column(browser, "latency") if value] == numbers
    button.send_keys(Keys.ENTER)
    assert header.get_attribute("aria-sort") == "descending"
    after = column(browser, "latency")
    assert [float(value) for value in after if value] == numbers[::-1]
    assert after[-1] == ""  # the agent that failed


def test_hostile_names_are_shown_and_run_nothing(browser: Any, hostile_report: Path):
    opened(browser, hostile_report, DESKTOP)
    text = browser.execute_script("return document.body.innerText")
    for name in HOSTILE:
        assert name in text
    drawn = browser.execute_script("return [...document.querySelectorAll('svg text')].map((text) => text.textContent)")
    assert HOSTILE[2] in drawn
    assert browser.execute_script("return [window.hacked === undefined, document.images.length]") == [True, 0]


def test_the_policy_stops_scripts_and_requests(browser: Any, hostile_report: Path):
    opened(browser, hostile_report, DESKTOP)
    blocked = browser.execute_async_script(
        """const done = arguments[0];
        const script = document.createElement("script");
        script.textContent = "window.hacked = 1";
        document.body.append(script);
        fetch("https://example.org").then(() => done("sent"), () => done(window.hacked ?? "blocked"));"""
    )
    assert blocked == "blocked"
    assert any("Content Security Policy" in entry["message"] for entry in browser.get_log("browser"))


def test_many_agents_and_contexts_fit_a_phone(browser: Any, large_report: Path):
    opened(browser, large_report, PHONE)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= PHONE[0]
    assert browser.get_log("browser") == []
