"""Firefox without a window, by its own Marionette protocol: no driver is needed."""
import json
import shutil
import socket
import subprocess

from conftest import free_port, until

PREFERENCES = {
    # Test pictures instead of cameras, and no questions; addresses as they are.
    "media.navigator.permission.disabled": True,
    "media.navigator.streams.fake": True,
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    "media.peerconnection.ice.loopback": True,
    "media.autoplay.default": 0,
    "media.gmp-manager.updateEnabled": False,
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
}


class Firefox:
    def __init__(self, folder):
        self.port = free_port()
        profile = folder / "firefox"
        profile.mkdir()
        preferences = {**PREFERENCES, "marionette.port": self.port}
        profile.joinpath("user.js").write_text("".join(f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in preferences.items()))
        self.log = open(folder / "firefox.log", "wb")
        self.process = subprocess.Popen([shutil.which("firefox-esr") or "firefox", "--headless", "--no-remote", "--marionette", "--profile", str(profile)],
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT)
        self.connection = until(lambda: socket.create_connection(("127.0.0.1", self.port), 5), 60, "Firefox did not come up")
        self.connection.settimeout(60)
        self.buffer = b""
        self.count = 0
        self._read()
        self.command("WebDriver:NewSession", {"capabilities": {"alwaysMatch": {"acceptInsecureCerts": True}}})

    def command(self, name, parameters={}):
        self.count += 1
        text = json.dumps([0, self.count, name, parameters]).encode()
        self.connection.sendall(b"%d:%s" % (len(text), text))
        _, number, error, result = self._read()
        assert number == self.count
        assert not error, f"{name}: {error.get('message')}"
        return result

    def _read(self):
        while b":" not in self.buffer:
            self._receive()
        count, self.buffer = self.buffer.split(b":", 1)
        while len(self.buffer) < int(count):
            self._receive()
        text, self.buffer = self.buffer[:int(count)], self.buffer[int(count):]
        return json.loads(text)

    def _receive(self):
        data = self.connection.recv(65_536)
        assert data, "Firefox is gone"
        self.buffer += data

    # As Selenium has them.

    def set_script_timeout(self, seconds):
        self.command("WebDriver:SetTimeouts", {"script": seconds * 1000})

    def get(self, url):
        self.command("WebDriver:Navigate", {"url": url})

    def execute_script(self, script, *arguments):
        return self.command("WebDriver:ExecuteScript", {"script": script, "args": arguments})["value"]

    def execute_async_script(self, script, *arguments):
        return self.command("WebDriver:ExecuteAsyncScript", {"script": script, "args": arguments})["value"]

    def quit(self):
        self.connection.close()
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
