"""Many clients of one server, most of them rude: nothing hangs, and nothing is left of them.

REQUESTS (10000) are sent, THREADS (8) at a time: whole and streamed answers, and clients that go in the middle, send
half a request and wait, close one half of the connection, send nonsense, do not read, or come in floods. A good request
is answered as at first all the time. Descriptors and memory of the server are looked at after each quarter of them, with
nobody there. Until half of them have come, the heap grows to what so many clients at once may need, and caches that are kept
to what --cache-memory allows; from then on neither may grow. What is lost in pieces too small for that is
for the leak checker: of a sanitized program (SAN=address) the exit status tells what nobody can reach any more.
"""

import json
import os
import random
import socket
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/server"))
os.chdir(ROOT)

from serving import Server  # noqa: E402

REQUESTS, THREADS = int(os.environ.get("REQUESTS", 10000)), int(os.environ.get("THREADS", 8))
MODELS = ["fixtures/decoder-base", "fixtures/encoder-base", "fixtures/reranker-base"]
GROWTH_MB = 2 # in the second half; what an allocator may keep here or there
PROGRAM = Path(os.environ["COCKTAIL"]).read_bytes()
IS_SANITIZED = b"__asan_init" in PROGRAM or b"__tsan_init" in PROGRAM # freed memory is kept for a while
failed = False


def check(name, is_right, shown=""):
    global failed
    failed |= not is_right
    print(f"{'ok' if is_right else 'not ok'} soak: {name} {shown}"[:600], flush=True)


def request(path, body, method="POST"):
    data = json.dumps(body).encode() if not isinstance(body, bytes) else body
    return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}\r\nConnection: close\r\n\r\n".encode() + data


def read_all(s):
    parts = []
    while part := s.recv(65536):
        parts.append(part)
    return b"".join(parts)


class Soak:
    def __init__(self, server):
        self.server, self.n_sent, self.lock, self.slow = server, 0, threading.Lock(), []
        self.good = request("/v1/completions", {"prompt": "the old", "max_tokens": 4, "temperature": 0})
        self.expected = self.text_of(self.ask(self.good))

    def open(self):
        return socket.create_connection(("127.0.0.1", self.server.port), timeout=60)

    def ask(self, raw):
        with self.open() as s:
            s.sendall(raw)
            return read_all(s)

    @staticmethod
    def text_of(answer):
        return json.loads(answer.split(b"\r\n\r\n", 1)[1])["choices"][0]["text"]

    # ---- clients

    def whole(self, rng):
        text = self.text_of(self.ask(self.good))
        if text != self.expected:
            check("the same answer", False, (text, self.expected))

    def streamed(self, rng):
        answer = self.ask(request("/v1/completions", {"prompt": "the old", "max_tokens": 3, "stream": True, "n": 2}))
        if b"[DONE]" not in answer:
            check("a whole stream", False, answer)

    def others(self, rng):
        path, body = rng.choice([
            ("/v1/embeddings", {"input": ["a red", "the old"]}), ("/v1/rerank", {"query": "a", "documents": ["b", "c"]}),
            ("/v1/completions", {"prompt": 3}), ("/nowhere", {}), ("/v1/completions", b"{"),
            ("/v1/chat/completions", {"messages": [{"role": "user", "content": "a"}], "max_tokens": 2, "logprobs": True})])
        if not self.ask(request(path, body)).startswith(b"HTTP/1.1 "):
            check("an answer", False, path)

    def goes_away(self, rng):
        with self.open() as s:
            s.sendall(request("/v1/completions", {"prompt": "the old", "max_tokens": 400, "ignore_eos": True, "stream": True}))
            if rng.random() < 0.7:
                s.recv(64)

    def goes_at_once(self, rng):
        with self.open() as s:
            raw = request("/v1/completions", {"prompt": "the old " * 50, "max_tokens": 100, "ignore_eos": True})
            s.sendall(raw[:rng.randrange(len(raw))])

    def half_closes(self, rng):
        with self.open() as s:
            s.sendall(self.good)
            s.shutdown(socket.SHUT_WR)
            read_all(s)

    def nonsense(self, rng):
        with self.open() as s:
            s.sendall(rng.randbytes(rng.randrange(1, 300)) + b"\r\n\r\n")
            s.shutdown(socket.SHUT_WR)
            read_all(s)

    def flood(self, rng):
        for s in [self.open() for _ in range(20)]:
            s.close()

    def is_slow(self, rng):
        """Half a request, or an answer that is not read, for as long as a hundred others take."""
        s = self.open()
        if rng.random() < 0.5:
            s.sendall(self.good[:rng.randrange(1, len(self.good))])
        else:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.sendall(request("/v1/completions", {"prompt": "a", "max_tokens": 300, "stream": True, "logprobs": 20}))
        with self.lock:
            self.slow.append(s)
            old = self.slow.pop(0) if len(self.slow) > 30 else None
        if old:
            old.close()

    # ---- all of them

    def run(self, seed, n_all):
        rng = random.Random(seed)
        kinds = [self.whole] * 5 + [self.streamed] * 3 + [self.others] * 5 + [
            self.goes_away, self.goes_at_once, self.half_closes, self.nonsense, self.is_slow]
        while True:
            with self.lock:
                if self.n_sent >= n_all:
                    return
                self.n_sent += 1
                kind = self.flood if self.n_sent % 100 == 0 else rng.choice(kinds)
            try:
                kind(rng)
            except (ConnectionError, BrokenPipeError):
                pass  # the server may close on whoever is rude
            except TimeoutError:
                check(f"{kind.__name__} is answered within a minute", False)

    def go_on(self, n_all):
        threads = [threading.Thread(target=self.run, args=(self.n_sent + i, n_all)) for i in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def rest(self):
        """What the server holds when nobody is there."""
        for s in self.slow:
            s.close()
        self.slow = []
        end = time.monotonic() + 30
        while time.monotonic() < end and self.server.metric("cocktail_num_requests_running") > 0:
            time.sleep(0.1)
        time.sleep(3)  # those that have gone in the middle of a request are seen after one second
        process = f"/proc/{self.server.process.pid}"
        rss = next(int(line.split()[1]) for line in open(process + "/status") if line.startswith("VmRSS")) / 1024
        return len(os.listdir(process + "/fd")), rss


with Server(*MODELS, "-q", "--template", "chatml", "--cache-memory", "4MB") as server:
    soak, start, rests = Soak(server), time.monotonic(), []
    for quarter in range(1, 5):
        soak.go_on(REQUESTS * quarter // 4)
        rests.append(soak.rest())
    descriptors, memory = zip(*rests)
    check("descriptors", descriptors[-1] <= descriptors[0], f"after each quarter {descriptors}")
    check("memory", IS_SANITIZED or memory[3] - memory[1] < GROWTH_MB,
          f"after each quarter of {REQUESTS} requests {', '.join(f'{mb:.1f}' for mb in memory)} MB, "
          f"{time.monotonic() - start:.0f} s")
    check("it is there still", soak.text_of(soak.ask(soak.good)) == soak.expected)
    check("ends with 0", server.end() == 0)
sys.exit(failed)
