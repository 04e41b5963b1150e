"""The page in a real browser: run by `make test-browser`, in an environment of its own, with Debian's chromium.

It loads without a complaint, the sliders and fields change the numbers, the numbers are Python's, and a value outside a
hypothesis shows the hypothesis that fails.
"""

import math
import random
import shutil
from fractions import Fraction

import pytest
import report_folder
import sympy as sp
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from figures.report import explorer
from figures.report.page import bind
from theory import CLAIMS, OutsideDomain
from theory import symbols as s
from theory.claim import plain
from theory.rationals import exact
from theory.sharpening.closed_form import closed_form

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
SETTINGS = 100
TOLERANCE = 1e-12
NAMES = [each.symbol.name for each in explorer.INPUTS]
DERIVED = {symbol.name: expression for symbol, expression in explorer.DERIVED.items()}
PLANNED = ("L", "rho", "alpha", "sigma", "sigma_tilde", "sigma_H", "eps")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = report_folder.fill(tmp_path_factory.mktemp("report")) / "report.html"
    path.write_text(bind(path.parent), encoding="utf-8")
    return path


@pytest.fixture
def browser(page, tmp_path):
    found = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if not all(found):
        pytest.exit("test-browser needs chromium and chromedriver: apt-get install chromium chromium-driver", 2)
    options = webdriver.ChromeOptions()
    options.binary_location = found[0]
    for flag in (*FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1280,1000"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(found[1]))
    driver.get(page.as_uri())
    WebDriverWait(driver, 60).until(lambda ready: ready.find_elements(By.CSS_SELECTOR, "#plan .number"))
    yield driver
    complaints = driver.get_log("browser")
    driver.quit()
    assert complaints == []


def number(browser, place: str) -> float:
    """The number a place of the page shows, to the last digit."""
    return float(browser.find_element(By.CSS_SELECTOR, f"#{place} .number").get_attribute("data-value"))


def enter(browser, name: str, text: str) -> None:
    field = browser.find_element(By.ID, f"explorer-{name}")
    field.clear()
    field.send_keys(text)


def texts(seed: int) -> dict[str, str]:
    """What a person might type: decimals, fractions, whole batches, zeros, infinite batches."""
    rng = random.Random(seed)
    found = {}
    for each in explorer.INPUTS:
        value = 10 ** rng.uniform(math.log10(each.low), math.log10(each.high))
        found[each.symbol.name] = str(max(1, round(value))) if each.whole else f"{value:.3g}"
        if each.whole and rng.random() < 0.1:
            found[each.symbol.name] = "inf"
        if each.zero and each.symbol.name != "rho" and rng.random() < 0.1:
            found[each.symbol.name] = "0"
    if seed % 4:
        L = Fraction(found["L"])
        found["alpha"] = str(1 / (rng.choice([6, 10, 11, 40]) * L))
        found["B"] = str(rng.randint(20, 2000))
        found["eps"] = f"{max(float(found['sigma']), float(found['sigma_tilde']), 0.1) * 10 ** rng.uniform(-1, 1):.3g}"
    return found


def exactly(typed: dict[str, str]) -> dict[str, sp.Expr]:
    """The same values in Python, with those the page derives."""
    values = {name: exact(text) for name, text in typed.items()}
    point = {s.QUANTITIES[name].symbol: value for name, value in values.items()}
    for name, expression in DERIVED.items():
        point[s.QUANTITIES[name].symbol] = values[name] = expression.subs(point)
    return values


def test_it_loads_and_shows_numbers(browser):
    shown = browser.find_elements(By.CSS_SELECTOR, "#explorer .number")
    assert len(shown) > 40 and all(math.isfinite(float(each.get_attribute("data-value"))) for each in shown)
    assert browser.find_elements(By.CSS_SELECTOR, "#curves polyline")
    assert not browser.find_elements(By.CSS_SELECTOR, "#outside li")


@pytest.mark.parametrize("name", NAMES)
def test_every_slider_changes_the_numbers(browser, name):
    before = [each.get_attribute("data-value") for each in browser.find_elements(By.CSS_SELECTOR, "#results .number")]
    slider = browser.find_element(By.ID, f"explorer-{name}-slider")
    for _ in range(40):
        slider.send_keys(Keys.ARROW_RIGHT)
    after = [each.get_attribute("data-value") for each in browser.find_elements(By.CSS_SELECTOR, "#results .number")]
    field = browser.find_element(By.ID, f"explorer-{name}").get_attribute("value")
    assert before != after
    assert field != next(each.default for each in explorer.INPUTS if each.symbol.name == name)
    browser.find_element(By.ID, "reset").send_keys(Keys.ENTER)
    again = [each.get_attribute("data-value") for each in browser.find_elements(By.CSS_SELECTOR, "#results .number")]
    assert again == before


PARSED = """const found = {};
for (const [name, text] of Object.entries(arguments[0])) found[name] = explorer.parsed(text);"""
EVERYTHING = """const shown = {};
for (const { id, versions } of DATA.claims)
  for (const which of Object.keys(versions)) shown[`${id}/${which}`] = explorer.evaluate(id, which, found);
return shown;"""


def test_the_numbers_are_pythons_over_many_settings(browser):
    """Every version of every claim, inside its domain; outside it, the hypothesis Python names."""
    inside = outside = 0
    for seed in range(SETTINGS):
        typed = texts(seed)
        values, everything = exactly(typed), browser.execute_script(PARSED + EVERYTHING, typed)
        for claim in explorer.claims():
            for which in claim.versions:
                shown = everything[f"{claim.id}/{which}"]
                try:
                    right = claim.evaluate(which, **values)
                except OutsideDomain as failure:
                    said = shown.get("outside", "nothing")
                    assert f"needs {said} (" in str(failure), (claim.id, typed)
                    outside += 1
                else:
                    assert math.isclose(shown["value"], right, rel_tol=TOLERANCE), (claim.id, which, typed)
                    inside += 1
    print(f"\n{SETTINGS} settings: {inside} numbers agree to {TOLERANCE:g}, {outside} refused for the same hypothesis")
    assert inside > 1000 and outside > 1000


def test_the_plan_is_pythons(browser):
    for seed in range(1, 40):
        typed = texts(seed)
        if seed % 4 and typed["alpha"] != "0":
            shown = browser.execute_script(PARSED + "return explorer.plan(found);", typed)
            for name, value in closed_form(**{name: typed[name] for name in PLANNED}).items():
                assert math.isclose(shown[name], float(value), rel_tol=TOLERANCE), (name, typed)


def test_fields_and_cells_carry_what_was_typed(browser):
    """Through the fields themselves: typed as a person types, read where a person reads."""
    for seed in (1, 2, 3):
        typed = {**texts(seed), "rho": "1/2", "sigma": "1/100", "sigma_tilde": "0.02", "eps": "3/2"}
        for name, text in typed.items():
            enter(browser, name, text)
        values = exactly(typed)
        for claim in explorer.claims():
            for which in ("published", "sharp"):
                try:
                    right = claim.evaluate(which, **values)
                except OutsideDomain:
                    cell = browser.find_element(By.ID, f"value-{claim.id}-{which}")
                    assert cell.text == "outside"
                else:
                    assert math.isclose(number(browser, f"value-{claim.id}-{which}"), right, rel_tol=TOLERANCE)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("L", "0", "L must be positive, got 0"),
        ("eps", "small", "eps must be a number such as 0.05 or 1/20, got small"),
        ("sigma", "-1", "sigma must be at least 0, got -1"),
        ("rho", "inf", "rho must be finite, got inf"),
        ("alpha", "1/2", plain(CLAIMS["iteration-bound"].domain[0].relation)),
        ("B", "19", plain(CLAIMS["iteration-bound"].domain[2].relation)),
    ],
)
def test_a_value_outside_says_which_hypothesis_fails(browser, name, text, said):
    enter(browser, name, text)
    assert said in browser.find_element(By.ID, "outside").text


@pytest.mark.parametrize("width", [1280, 400])
def test_nothing_is_wider_than_the_page(browser, width):
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width


def test_details_are_open_in_print(browser):
    browser.execute_script("window.dispatchEvent(new Event('beforeprint'))")
    assert not browser.find_elements(By.CSS_SELECTOR, "details:not([open])")
