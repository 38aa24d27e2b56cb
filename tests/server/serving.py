"""A server for tests: starts `cocktail serve`, and talks with it by Python's own means."""
import faulthandler
import http.client
import json
import os
import signal
import subprocess
import sys

COCKTAIL = os.environ["COCKTAIL"]
faulthandler.dump_traceback_later(500, exit=True) # a test that hangs says where


class Server:
    def __init__(self, *arguments, env=None):
        self.process = subprocess.Popen(
            [COCKTAIL, "serve", *arguments, "--port", "0"], stderr=subprocess.PIPE,
            stdout=subprocess.PIPE, env=dict(os.environ, **(env or {})), text=True)
        self.notes = []
        for line in self.process.stderr:
            if line.startswith("listening on "):
                self.port = int(line.rsplit(":", 1)[1])
                return
            self.notes.append(line)
        raise SystemExit("serve ended: " + "".join(self.notes))

    def ask(self, method, path, body=None, headers=None, connection=None):
        """status, headers, bytes"""
        own = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        own.request(method, path, body=body, headers=headers or {})
        response = own.getresponse()
        data = response.read()
        if not connection:
            own.close()
        return response.status, dict(response.getheaders()), data

    def post(self, path, body, **more):
        status, _, data = self.ask("POST", path, body, **more)
        return status, json.loads(data)

    def get(self, path, **more):
        status, _, data = self.ask("GET", path, **more)
        return status, json.loads(data)

    def events(self, path, body, **more):
        """what stands behind "data: ", parsed; the last one is "[DONE]" """
        status, headers, data = self.ask("POST", path, body, **more)
        assert status == 200, data
        assert headers["Content-Type"].startswith("text/event-stream"), headers
        parts = data.decode().split("\n\n")
        assert parts[-1] == "", parts[-1]
        out = []
        for part in parts[:-1]:
            assert part.startswith("data: "), part
            out.append(part[6:] if part == "data: [DONE]" else json.loads(part[6:]))
        return out

    def lines(self, path, body):
        status, headers, data = self.ask("POST", path, body)
        assert status == 200, data
        assert headers["Content-Type"] == "application/x-ndjson", headers
        return [json.loads(line) for line in data.decode().splitlines()]

    def metric(self, name):
        _, _, data = self.ask("GET", "/metrics")
        for line in data.decode().splitlines():
            if line.startswith(name):
                return float(line.rsplit(" ", 1)[1])
        raise KeyError(name)

    def end(self, number=signal.SIGTERM):
        """its exit status"""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=60)
        if out:
            print("stdout:", out)
        self.notes.append(err)
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


def generate(model, prompt, *arguments):
    out = subprocess.run([COCKTAIL, "generate", model, "--prompt", prompt, "--json", *arguments],
                         stdout=subprocess.PIPE, check=True)
    return json.loads(out.stdout)


failures = []


def check(what, is_right, shown=""):
    if not is_right:
        failures.append(what)
        print(f"WRONG: {what} {shown}"[:2000])


def finish():
    print("checked" if not failures else f"{len(failures)} wrong")
    sys.exit(bool(failures))
