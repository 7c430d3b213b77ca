"""The page in a real browser."""
import pathlib
import shutil
import time

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

from conftest import ROOT, until

SCREENSHOTS = ROOT / ".build" / "screenshots"


@pytest.fixture
def browser():
    driver = open_browser()
    yield driver
    driver.quit()


def open_browser():
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--autoplay-policy=no-user-gesture-required",
                     "--window-size=1440,1500", "--hide-scrollbars"):
        options.add_argument(argument)
    return webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))


def picture(browser):
    """A small grey copy of what the player shows now, or None before the first picture."""
    return browser.execute_script("""
        const video = document.getElementById('video');
        if (!video.videoWidth || video.readyState < 2) return null;
        const canvas = document.createElement('canvas');
        canvas.width = 64; canvas.height = 36;
        const context = canvas.getContext('2d');
        context.drawImage(video, 0, 0, 64, 36);
        return Array.from(context.getImageData(0, 0, 64, 36).data.filter((_, i) => i % 4 === 0));
    """)


def screenshot(browser, name):
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    browser.save_screenshot(str(SCREENSHOTS / f"{name}.png"))


def test_demo_is_seen(start, browser):
    """The demo's picture appears by itself, moves, is no single colour, and the layers can be switched."""
    server = start("--demo")
    browser.get(server.url)
    first = until(lambda: picture(browser), 30, f"no picture: {server.logged()}")
    assert max(first) - min(first) > 60, "the picture is flat"
    until(lambda: (now := picture(browser)) and sum(abs(a - b) for a, b in zip(now, first)) > 2_000, message="the picture stands still")
    size = lambda: browser.execute_script("const v = document.getElementById('video'); return [v.videoWidth, v.videoHeight]")
    until(lambda: size() == [1280, 720])
    until(lambda: len(browser.find_elements(By.CSS_SELECTOR, "#layers button")) == 3)
    browser.find_element(By.CSS_SELECTOR, "#layers button[data-layer=q]").click()
    until(lambda: size() == [320, 180], message="the layer did not change")
    browser.find_element(By.CSS_SELECTOR, "#layers button[data-layer=f]").click()
    until(lambda: size() == [1280, 720], message="the layer did not change back")
    until(lambda: "Mbit/s" in browser.find_element(By.ID, "rx-kbps").text or "kbit/s" in browser.find_element(By.ID, "rx-kbps").text)
    plotted = "const c = document.querySelector('canvas[data-plot=kbps]'); return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(v => v > 0)"
    until(lambda: browser.execute_script(plotted), message="nothing is plotted")
    screenshot(browser, "demo")
    errors = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert not errors, errors


def test_page_without_streams(server, browser):
    browser.get(server.url)
    until(lambda: "demo" in browser.find_element(By.ID, "ffmpeg-test").text)
    assert "No encoder" in browser.find_element(By.ID, "no-streams").text
    assert f":{server.rtmp}/live" in browser.find_element(By.ID, "obs-server").text
    screenshot(browser, "empty")
