"""bench_serve.py PROGRAM - how fast many clients are served, beside llama-cpp-python's server, as Markdown tables.

CLIENTS (1,4,16) ask at once for N_TOKENS (128) tokens behind a prompt of N_PROMPT (128), each another one, and read
the answer as it comes: tokens a second of all together, and the time to the first token, the median of clients. Tokens
are drawn at temperature 1, as the API's default is: so texts do not repeat themselves, and nothing is guessed; should one
end early, the round is run again. (That
server takes one request after the other; by default it breaks off the one that runs, which is turned off.) With
SECONDS a round is cut off after so many: the tokens that have come until then count, and clients that have none count as
having waited so long, which the table shows as ">". Of
models of random numbers in bf16, in the shape of SmolLM2-135M and of a Llama of 0.83 B parameters; llama.cpp runs the
GGUF files that `cocktail convert` makes of them. Each server starts anew for each model, and answers once before the clock starts.
Then embeddings: texts a second of all-MiniLM-L6-v2, asked for 32 at a time by four clients, exact and with
--compute fast, beside sentence-transformers, which is called without a server.

The limit of exact floats, for N clients: N prompts and N_TOKENS steps of N rows, each step as long as it takes to read
the weights once, or to multiply N rows with them at the peak, whichever is longer.

  BENCH_ONLY  smollm2, llama, embeddings; and cocktail, fast, llama.cpp to run only these servers (fast is cocktail with
              --compute fast)
  RESULTS     a file of figures: those of this run are added to it, the best of each counts, and the tables show all that
              it holds. So a busy machine can be asked in pieces: CLIENTS=4 BENCH_ONLY=llama,cocktail RESULTS=r.json
  SECONDS     cut rounds off, as above (they are not)
  N_TOKENS, N_PROMPT, CLIENTS; ROUNDS, THREADS, BENCH_DIR as in harness.py
"""

import http.client
import importlib.util
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

from bench_run import WORDS, convert, costs, decoder_config, decoder_tensors, make_llama
from harness import (BENCH_DIR, ROUNDS, THREADS, limits, peer, print_machine, real_model, say, table,
                     write_random_model)

N_TOKENS, N_PROMPT = int(os.environ.get("N_TOKENS", 128)), int(os.environ.get("N_PROMPT", 128))
CLIENTS = [int(n) for n in os.environ.get("CLIENTS", "1,4,16").split(",")]
SECONDS = float(os.environ.get("SECONDS", "inf"))
ONLY = [word for word in os.environ.get("BENCH_ONLY", "").split(",") if word]
PARTS = ["smollm2", "llama", "embeddings"]
SERVERS = ["cocktail", "fast", "llama.cpp"]
TITLES = {"cocktail": "cocktail", "fast": "cocktail, --compute fast", "llama.cpp": "llama-cpp-python"}
SMOLLM2 = dict(hidden=576, inner=1536, n_layers=30, n_heads=9, n_kv_heads=3, vocabulary=49152)
numbers = random.Random(1)


def wants(name, names):
    """Whether it is named, or none of its kind is."""
    named = [word for word in ONLY if word in names]
    return not named or name in named


class Results:
    """{"part/server/clients": [more is better, less is better, whether that is a lower bound]}, kept in a file where there
    is one."""

    def __init__(self, path):
        self.path = path and Path(path)
        self.figures = json.loads(self.path.read_text()) if self.path and self.path.exists() else {}

    def add(self, key, rate, seconds=0.0, is_cut=False):
        old = self.figures.get(key)
        if old and (old[2], old[1]) < (is_cut, seconds):
            seconds, is_cut = old[1], old[2]
        self.figures[key] = [max(rate, old[0]) if old else rate, seconds, is_cut]
        if self.path:
            self.path.write_text(json.dumps(self.figures, indent=1))

    def of(self, part, server):
        """{clients: (rate, seconds, is_cut)}"""
        start = f"{part}/{server}/"
        return {int(key[len(start):]): value for key, value in sorted(self.figures.items(), key=lambda item: len(item[0]))
                if key.startswith(start)}

    def limits(self, program):
        if "limit/peak/1" not in self.figures:
            found = limits(program)
            self.add("limit/peak/1", found["peak", THREADS])
            self.add("limit/read/1", found["read", THREADS])
        return self.figures["limit/peak/1"][0], self.figures["limit/read/1"][0]


results = Results(os.environ.get("RESULTS"))


# ---- servers


class Server:
    def __init__(self, command, port):
        self.port = port
        self.process = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def wait(self):
        end = time.monotonic() + 300
        while time.monotonic() < end and self.process.poll() is None:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
                connection.request("GET", "/v1/models")
                if connection.getresponse().status == 200:
                    return True
            except OSError:
                time.sleep(0.2)
        return False

    def end(self):
        self.process.terminate()
        self.process.wait()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start_cocktail(program, model, *options):
    port = free_port()
    return Server([program, "serve", "-q", "-t", THREADS, "--parallel", max(CLIENTS), "--port", port, *options, model], port)


def start_fast(program, model):
    return start_cocktail(program, model, "--compute", "fast")


def start_llama_cpp(program, path):
    if not all(importlib.util.find_spec(name) for name in ("llama_cpp", "starlette", "uvicorn", "sse_starlette")):
        say("left out: llama-cpp-python's server, which is not installed")
        return None
    port = free_port()
    return Server([sys.executable, "-m", "llama_cpp.server", "--model", path, "--n_threads", THREADS, "--n_threads_batch", THREADS,
                   "--n_ctx", 2 * (N_TOKENS + N_PROMPT), "--interrupt_requests", "false", "--port", port], port)


# ---- clients


def prompt():
    return "".join(" " + numbers.choice(WORDS) for _ in range(N_PROMPT))


class EndedEarly(Exception):
    pass


def complete(port, text, n_tokens, limit_s=float("inf")):
    """Seconds to the first token, limit_s where none came, and how many came within that time."""
    start, first, reason, n_come, end = time.perf_counter(), None, None, 0, time.perf_counter() + limit_s
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=min(1200, limit_s))
    try:
        connection.request("POST", "/v1/completions", json.dumps(
            {"prompt": text, "max_tokens": n_tokens, "temperature": 1, "seed": len(text), "stream": True}),
            {"Content-Type": "application/json"})
        response = connection.getresponse()
        assert response.status == 200, response.read()
        for line in response:
            now = time.perf_counter()
            if now > end:
                break
            if not line.startswith(b"data: {"):
                continue
            first = first or now - start
            reason = json.loads(line[6:])["choices"][0]["finish_reason"] or reason
            n_come += 1
            connection.sock.settimeout(max(0.01, min(1200, end - now)))
    except TimeoutError:
        if limit_s == float("inf"):
            raise
    finally:
        connection.close()
    if reason == "length":
        n_come = n_tokens  # some have no text of their own
    elif limit_s == float("inf") or reason:
        raise EndedEarly
    return first or limit_s, min(n_come, n_tokens)


def run_clients(port, n_clients):
    """Tokens a second of all, and the median time to the first token; None where a text ended early."""
    found, threads = [], []

    def ask(text):
        try:
            found.append(complete(port, text, N_TOKENS, SECONDS))
        except EndedEarly:
            pass

    for _ in range(n_clients):
        threads.append(threading.Thread(target=ask, args=(prompt(),)))
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = min(SECONDS, time.perf_counter() - start)
    if len(found) < n_clients:
        return None
    return sum(n for _, n in found) / seconds, statistics.median(first for first, _ in found)


def measure(key, start):
    """Of each number of clients the best of ROUNDS. A server whose clients were cut off has work left: the next ones get
    another one, and each is asked once."""
    if SECONDS == float("inf"):
        measure_with(key, start(), CLIENTS, ROUNDS)
        return
    for n in CLIENTS:
        measure_with(key, start(), [n], 1)


def measure_with(key, server, clients, n_rounds):
    if not server:
        return
    try:
        if not server.wait():
            say(f"{key}: the server does not answer")
            return
        complete(server.port, prompt(), 2)
        for n in clients:
            for _ in range(n_rounds):
                found = None
                while not found:
                    found = run_clients(server.port, n)
                say(f"{key}, {n} clients: {found[0]:.1f} tokens/s, first after {found[1]:.2f} s")
                results.add(f"{key}/{n}", *found, is_cut=found[1] >= SECONDS)
    finally:
        server.end()


def limit_of(program, model, n):
    """Tokens a second that floats allow."""
    n_bytes, n_items = costs(model)
    peak, read = results.limits(program)
    step = max(n_bytes * 1e-9 / read, n * n_bytes * 1e-9 / peak)  # bf16: a multiplication and an addition for two bytes
    return n * N_TOKENS / (n * N_PROMPT * 2 * n_items * 1e-9 / peak + N_TOKENS * step)


def text_rows(program, part, model):
    ours = results.of(part, "cocktail")
    for name in SERVERS:
        found = results.of(part, name)
        for n, (rate, first, is_cut) in found.items():
            more = "> " if is_cut else ""
            yield [f"{TITLES[name]}, {n} client{'s' if n > 1 else ''}", f"{rate:.1f}",
                   f"{100 * rate / limit_of(program, model, n):.0f} %" if name == "cocktail" else "",
                   f"{rate / found[1][0]:.2f}" if 1 in found else "", f"{more}{first:.2f}",
                   f"{ours[n][0] / rate:.2f}" if n in ours else "", f"{more}{first / ours[n][1]:.2f}" if n in ours else ""]


def texts(program, part, title, model):
    starts = {"cocktail": lambda: start_cocktail(program, model), "fast": lambda: start_fast(program, model),
              "llama.cpp": lambda: start_llama_cpp(program, convert(program, model, "bf16"))}
    for name in SERVERS:
        if wants(name, SERVERS):
            measure(f"{part}/{name}", starts[name])
    table(f"{title}: {N_PROMPT} tokens in, {N_TOKENS} out",
          ["tokens/s", "of what floats allow", "times one client", "first after, s", "tokens/s, times", "first, times"],
          text_rows(program, part, model))


# ---- embeddings


def embed(port, batch):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    connection.request("POST", "/v1/embeddings", json.dumps({"input": batch, "encoding_format": "base64"}))
    answer = json.loads(connection.getresponse().read())
    assert len(answer["data"]) == len(batch)
    connection.close()


def run_embeddings(server, all_texts):
    best = 0
    try:
        assert server.wait()
        batches = [all_texts[i:i + 32] for i in range(0, len(all_texts), 32)]
        embed(server.port, batches[0])
        for _ in range(ROUNDS):
            threads = [threading.Thread(target=lambda i=i: [embed(server.port, batch) for batch in batches[i::4]]) for i in range(4)]
            start = time.perf_counter()
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            best = max(best, len(all_texts) / (time.perf_counter() - start))
    finally:
        server.end()
    return best


def embeddings(program):
    model = real_model("minilm")
    if not model:
        return
    rows = []
    for name, n_words, n_texts in (("short", 12, 256), ("long", 254, 64)):
        all_texts = [" ".join(numbers.choice(WORDS) for _ in range(n_words)) for _ in range(n_texts)]
        for turn in range(2):  # before and after the other
            for server, start in (("cocktail", start_cocktail), ("fast", start_fast)):
                if wants(server, SERVERS):
                    results.add(f"embeddings-{name}/{server}/4", run_embeddings(start(program, model), all_texts))
            if turn == 0 and wants("sentence-transformers", ["sentence-transformers", *SERVERS]):
                theirs = peer("sentence-transformers", model, work={"texts": all_texts, "rounds": ROUNDS})
                if theirs:
                    results.add(f"embeddings-{name}/sentence-transformers/1", theirs["texts"])
        ours = results.of(f"embeddings-{name}", "cocktail")
        for server in ("cocktail", "fast", "sentence-transformers"):
            title = TITLES.get(server, server).replace("cocktail", "cocktail serve")
            rows += [[f"{title}, {name} texts", f"{rate:.1f}", f"{ours[4][0] / rate:.2f}" if ours else ""]
                     for rate, _, _ in results.of(f"embeddings-{name}", server).values()]
    table("all-MiniLM-L6-v2, embeddings", ["texts/s", "times"], rows)


def make_smollm2():
    tokenizer = real_model("smollm2")
    config = decoder_config(SMOLLM2, architectures=["LlamaForCausalLM"], model_type="llama", rope_theta=100000.0)
    tensors = (tensor for tensor in decoder_tensors(**SMOLLM2) if tensor[0] != "lm_head.weight")
    return tokenizer and write_random_model(BENCH_DIR / "smollm2-shape", {**config, "tie_word_embeddings": True}, tensors,
                                            tokenizer=tokenizer)


def main(program):
    print_machine(program)
    BENCH_DIR.mkdir(parents=True, exist_ok=True)
    smollm2 = wants("smollm2", PARTS) and make_smollm2()
    if smollm2:
        texts(program, "smollm2", "The shape of SmolLM2-135M in bf16", smollm2)
    llama = wants("llama", PARTS) and make_llama()
    if llama:
        texts(program, "llama", "Llama of 0.83 B parameters in bf16", llama)
    if wants("embeddings", PARTS):
        embeddings(program)


if __name__ == "__main__":
    main(sys.argv[1])
