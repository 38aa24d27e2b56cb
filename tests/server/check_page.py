"""The page in a real browser, by its DevTools protocol over a pipe; screenshots go where SHOTS says."""
import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

from serving import Server, check, finish

BROWSER = next((p for p in ("chromium", "chromium-browser", "google-chrome") if shutil.which(p)), None)
if not BROWSER:
    os.write(3, b"SKIP: chromium is not installed\n")
    sys.exit(77)


class Browser:
    def __init__(self, profile):
        to_read, self.to = os.pipe()
        self.back, to_write = os.pipe()

        def place():  # the browser reads descriptor 3 and writes 4
            high = os.dup(to_read), os.dup(to_write)
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        self.process = subprocess.Popen(
            [BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--remote-debugging-pipe", "--no-first-run", f"--user-data-dir={profile}",
             "about:blank"], preexec_fn=place, close_fds=False, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(to_write)
        self.number, self.held, self.session = 0, b"", None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def call(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self.held:
                part = os.read(self.back, 1 << 20)
                if not part:
                    raise SystemExit("the browser has gone")
                self.held += part
            text, self.held = self.held.split(b"\0", 1)
            answer = json.loads(text)
            if answer.get("id") == self.number:
                return answer.get("result", {})

    def js(self, text):
        return self.call("Runtime.evaluate", expression=text, awaitPromise=True,
                         returnByValue=True)["result"].get("value")

    def wait(self, what, text, limit_s=60):
        end = time.monotonic() + limit_s
        while not self.js(text):
            if time.monotonic() > end:
                check(what, False, self.js("document.body.innerText"))
                return
            time.sleep(0.1)

    def shoot(self, name):
        folder = os.environ.get("SHOTS")
        if folder:
            data = self.call("Page.captureScreenshot")["data"]
            with open(os.path.join(folder, name + ".png"), "wb") as file:
                file.write(base64.b64decode(data))

    def size(self, width, height):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=False)

    def say(self, text):
        self.js(f"document.getElementById('text').focus(); document.getElementById('text').value = {json.dumps(text)}")
        self.call("Input.dispatchKeyEvent", type="keyDown", key="Enter", code="Enter",
                  windowsVirtualKeyCode=13, text="\r")


IDLE = "!document.getElementById('send').disabled"

with tempfile.TemporaryDirectory() as scratch:
    template = os.path.join(scratch, "plain.jinja")
    with open(template, "w", encoding="utf-8") as file:
        file.write("{% for m in messages %}{{ m.content }}\n{% endfor %}")
    with Server("fixtures/decoder-base", "fixtures/decoder-tense", "-q", "--template",
                template) as server:
        browser = Browser(os.path.join(scratch, "profile"))
        browser.size(1100, 800)
        browser.call("Page.navigate", url=f"http://127.0.0.1:{server.port}/")
        browser.wait("models are listed", "document.querySelectorAll('#left option').length == 2")
        browser.js("document.getElementById('temperature').value = '0';"
                   "document.getElementById('max_tokens').value = '20'")
        browser.say("the old")
        browser.wait("an answer", f"document.querySelectorAll('.turn').length == 2 && {IDLE}")
        said = browser.js("document.querySelectorAll('.turn')[1].children[1].textContent")
        _, expected = server.post("/v1/chat/completions", {
            "messages": [{"role": "user", "content": "the old"}], "temperature": 0,
            "max_tokens": 20, "model": "decoder-base"})
        check("the model's text", said == expected["choices"][0]["message"]["content"],
              (said, expected))
        check("tokens a second", "tokens" in (browser.js(
            "document.querySelector('.facts').textContent") or ""))
        browser.shoot("one")
        browser.js("document.getElementById('again').click()")
        browser.wait("again", f"document.querySelectorAll('.turn').length == 2 && {IDLE}")
        check("the same again", browser.js(
            "document.querySelectorAll('.turn')[1].children[1].textContent") == said)
        browser.js("document.getElementById('right').selectedIndex = 2;"
                   "document.getElementById('right').dispatchEvent(new Event('change'))")
        browser.js("document.getElementById('clear').click()")
        browser.say("Past tense: the sailor cleans the empty island")
        browser.wait("two answers", f"document.querySelectorAll('.turn').length == 4 && {IDLE}")
        judged = browser.js("[...document.querySelectorAll('.facts')].map(e => e.textContent)"
                            ".filter(t => t.startsWith('log probability'))")
        check("each judges the other", len(judged) == 2 and
              judged[0].startswith("log probability under decoder-tense: -") and
              judged[1].startswith("log probability under decoder-base: -"), judged)
        browser.shoot("two")
        browser.size(360, 740)
        check("no sideways scrolling", browser.js(
            "document.documentElement.scrollWidth <= window.innerWidth"))
        browser.say("the old")
        browser.wait("two more", f"document.querySelectorAll('.turn').length == 8 && {IDLE}")
        check("each side shows its end, the log probability", browser.js(
            "[...document.querySelectorAll('.side')].every(e => e.scrollTop > 0 &&"
            " e.scrollTop + e.clientHeight > e.scrollHeight - 2 &&"
            " e.lastElementChild.lastElementChild.textContent.startsWith('log probability'))"))
        check("what asks stands in one row", browser.js(
            "new Set(['text', 'send', 'stop'].map(id => Math.round("
            "document.getElementById(id).getBoundingClientRect().bottom))).size == 1"))
        browser.shoot("narrow")
        browser.js("document.getElementById('text').value = 'the old';"
                   "document.getElementById('ask').requestSubmit();"
                   "document.getElementById('stop').click()")
        browser.wait("stopped", f"document.querySelectorAll('.turn').length == 12 && {IDLE}")
        check("Stop stops", browser.js(
            "[...document.querySelectorAll('.side')].every(e =>"
            " e.lastElementChild.textContent.endsWith(': stopped'))"))
        browser.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark"}])
        browser.size(1100, 800)
        browser.shoot("dark")
        check("all controls have names", browser.js(
            "[...document.querySelectorAll('select, input, textarea')]"
            ".every(e => e.labels.length > 0)"))
        browser.js("document.getElementById('text').value = '<img src=x onerror=alert(1)>';"
                   "document.getElementById('ask').requestSubmit()")
        browser.wait("text stays text", f"document.querySelectorAll('img').length == 0 && {IDLE}")
        browser.process.kill()
        browser.process.wait()
        check("ends with 0", server.end() == 0)
finish()
