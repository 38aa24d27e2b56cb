"""What is refused, who goes away, and how it ends."""
import json
import os
import re
import shutil
import signal
import socket
import threading
import time

from serving import Server, check, finish

BASE = "fixtures/decoder-base"
LONG = {"prompt": "the old", "max_tokens": 200, "temperature": 1, "ignore_eos": True, "seed": 1}


def send(server, raw, half_close=False):
    """All that comes back for these bytes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as s:
        parts = []
        try:
            s.sendall(raw)
            if half_close:
                s.shutdown(socket.SHUT_WR)
            while part := s.recv(65536):
                parts.append(part)
        except OSError: # the server has closed it
            pass
        return b"".join(parts)


def head(body, *more):
    lines = ["POST /v1/completions HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}",
             *more, "", ""]
    return "\r\n".join(lines).encode() + body


def wrong_requests(server):
    for body, param in (
            (b"", None), (b"{", None), (b"[]", None), (b"{} {}", None), (b"nonsense", None),
            (b'{"prompt": "\xff"}', None), (b"[" * 200 + b"]" * 200, None),
            (b'{"prompt": ' + b"[" * 200 + b"]" * 200 + b"}", None),
            (b"{}", "prompt"), (b'{"prompt": null}', "prompt"), (b'{"prompt": 3}', "prompt"),
            (b'{"prompt": []}', "prompt"), (b'{"prompt": ["a", 1]}', "prompt"),
            (b'{"prompt": [1, "a"]}', "prompt"), (b'{"prompt": [100000000]}', "prompt"),
            (b'{"prompt": [1.5]}', "prompt"), (b'{"prompt": [[]]}', "prompt"),
            (b'{"prompt": "a", "temperature": "1"}', "temperature"),
            (b'{"prompt": "a", "temperature": -1}', "temperature"),
            (b'{"prompt": "a", "temperature": NaN}', "temperature"),
            (b'{"prompt": "a", "top_p": 0}', "top_p"), (b'{"prompt": "a", "top_p": 1.1}', "top_p"),
            (b'{"prompt": "a", "max_tokens": 0}', "max_tokens"),
            (b'{"prompt": "a", "max_tokens": 2.5}', "max_tokens"),
            (b'{"prompt": "a", "max_tokens": true}', "max_tokens"),
            (b'{"prompt": ' + json.dumps(["a"] * 17).encode() + b', "n": 128}', "n"),
            (b'{"prompt": "a", "logit_bias": {"a\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4'
             b'\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4": 1}}', "logit_bias"),
            (b'{"prompt": "a", "n": 0}', "n"), (b'{"prompt": "a", "n": 129}', "n"),
            (b'{"prompt": "a", "seed": 1.5}', "seed"), (b'{"prompt": "a", "seed": 1e30}', "seed"),
            (b'{"prompt": "a", "stop": ""}', "stop"), (b'{"prompt": "a", "stop": [3]}', "stop"),
            (b'{"prompt": "a", "stop": ' + json.dumps(["x"] * 17).encode() + b"}", "stop"),
            (b'{"prompt": "a", "logit_bias": {"x": 1}}', "logit_bias"),
            (b'{"prompt": "a", "logit_bias": {"1": 101}}', "logit_bias"),
            (b'{"prompt": "a", "logit_bias": {"99999999": 1}}', "logit_bias"),
            (b'{"prompt": "a", "stop_token_ids": ["a"]}', "stop_token_ids"),
            (b'{"prompt": "a", "stop_token_ids": [1.5]}', "stop_token_ids"),
            (b'{"prompt": "a", "stop_token_ids": [-1]}', "stop_token_ids"),
            (b'{"prompt": "a", "stop_token_ids": [100000000]}', "stop_token_ids"),
            (b'{"prompt": "a", "suffix": "b"}', "suffix"),
            (b'{"prompt": "a", "best_of": 2}', "best_of"),
            (b'{"prompt": "a", "stream_options": {}}', "stream_options"),
            (b'{"prompt": "a", "response_format": {"type": "json_object"}}', "response_format"),
            (b'{"prompt": "a", "logprobs": 21}', "logprobs"),
            (b'{"prompt": "a", "model": 3}', "model"),
            (b'{"prompt": "' + b"a " * 3000 + b'"}', "prompt")):
        status, _, data = server.ask("POST", "/v1/completions", body)
        error = json.loads(data)["error"]
        check(f"400 for {body[:50]}", status == 400 and error["param"] == param and
              error["type"] == "invalid_request_error" and error["message"], (status, data))
    for body in (b'{"prompt": "a", "max_tokens": 2.0, "n": 1e0, "temperature": null, "junk": [1]}',
                 b'{"prompt": "b", "prompt": "a", "max_tokens": 1, "seed": -7}',
                 b'{"prompt": "a", "max_tokens": 1, "stop_token_ids": [2.0, 1e0, -0.0]}',
                 b'{"prompt": [1.0, 2e0], "max_tokens": 1, "stop": [], "logit_bias": {}}',
                 b' {"prompt": "a", "response_format": {"type": "text"}, "max_tokens": 1} \n'):
        status, _, data = server.ask("POST", "/v1/completions", body)
        check(f"200 for {body[:50]}", status == 200, data)
    for path, body, param in (
            ("/v1/chat/completions", {}, "messages"),
            ("/v1/chat/completions", {"messages": [], "tool_choice": "required"}, "tool_choice"),
            ("/v1/chat/completions", {"messages": [], "top_logprobs": 2}, "top_logprobs"),
            ("/v1/chat/completions", {"messages": [], "chat_template": "x"}, "chat_template")):
        status, answer = server.post(path, body)
        check(f"400 for {body}", status == 400 and answer["error"]["param"] == param, answer)
    status, answer = server.post("/v1/chat/completions", {
        "messages": [{"role": "user", "content": "a"}]})
    check("no template", status == 400 and answer["error"]["code"] == "no_chat_template" and
          "--template" in answer["error"]["message"], answer)


def refused_members(server):
    """What would change the answer and is not supported is refused by name; values that change nothing pass."""
    def ask(path, body, name, value):
        status, answer = server.post(path, {**body, name: value})
        error = answer.get("error", {})
        text = error if isinstance(error, str) else error.get("message", "")
        return status, text, None if isinstance(error, str) else error.get("param")

    chat, complete = {"messages": [{"role": "user", "content": "a"}], "max_tokens": 1}, {"prompt": "a", "max_tokens": 1}
    sampling = (("mirostat", 2, 0), ("typical_p", 0.7, 1.0), ("tfs_z", 0.5, 1), ("top_a", 0.1, 0), ("top_n_sigma", 1, -1),
                ("dynatemp_range", 0.5, 0.0), ("dry_multiplier", 0.8, 0), ("xtc_probability", 0.1, 0),
                ("samplers", ["top_k"], []), ("min_keep", 2, 0), ("repeat_last_n", 64, -1), ("grammar", "root ::= x", ""))
    both = sampling + (
        ("guided_json", {"type": "object"}, None), ("guided_regex", "a+", ""), ("guided_choice", ["a"], []),
        ("guided_grammar", "x", None), ("structured_outputs", {"json": {}}, {}), ("json_schema", {"a": 1}, {}), ("structural_tag", "x", ""),
        ("regex", "a", ""), ("ebnf", "a", None), ("use_beam_search", True, False), ("num_beams", 4, 1), ("do_sample", False, True),
        ("allowed_token_ids", [1], []), ("bad_words", ["a"], []), ("include_stop_str_in_output", True, False),
        ("skip_special_tokens", False, True), ("prompt_logprobs", 0, None), ("n_probs", 3, 0), ("return_token_ids", True, False),
        ("truncate_prompt_tokens", 5, -1), ("n_predict", 5, -1), ("max_new_tokens", 5, None), ("repeat_penalty", 1.1, 1.0),
        ("stop_sequences", ["a"], []), ("random_seed", 1, None), ("options", {"num_ctx": 1}, {}), ("best_of", 2, 1))
    for name, wrong, right in both + (
            ("suffix", "b", ""), ("prompt_embeds", "abc", None), ("add_special_tokens", False, True),
            ("max_completion_tokens", 3, None), ("top_logprobs", 1, None), ("tools", [{}], [])):
        status, text, param = ask("/v1/completions", complete, name, wrong)
        check(f"400 for {name}", status == 400 and param == name and f"'{name}'" in text, (status, text))
        check(f"200 for {name}", ask("/v1/completions", complete, name, right)[0] == 200)
    for name, wrong, right in both + (
            ("functions", [{"name": "f"}], []), ("function_call", {"name": "f"}, "auto"), ("audio", {"voice": "x"}, None),
            ("modalities", ["text", "audio"], ["text"]), ("web_search_options", {}, None), ("verbosity", "low", "medium"),
            ("system", "a", ""), ("chat_template", "{{ 1 }}", None), ("add_special_tokens", True, False),
            ("enable_thinking", False, None), ("thinking", {"type": "disabled"}, None), ("think", False, None),
            ("reasoning", {"effort": "low"}, {}), ("include_reasoning", False, True)):
        status, text, param = ask("/v1/chat/completions", chat, name, wrong)
        check(f"400 for {name}", status == 400 and param == name and f"'{name}'" in text, (status, text))
        check(f"no template, not {name}", "template" in ask("/v1/chat/completions", chat, name, right)[1])
    generate = {"prompt": "a", "stream": False, "options": {"num_predict": 1, "num_ctx": 64, "num_thread": 2, "num_keep": 4}}
    for name, wrong, right in (
            ("format", "json", ""), ("format", {"type": "object"}, None), ("template", "{{ .Prompt }}", ""), ("context", [1, 2], []),
            ("suffix", "b", ""), ("images", ["iVBO"], []), ("temperature", 0, None), ("seed", 1, None), ("num_predict", 1, None),
            ("logprobs", True, False), ("tools", [{}], []), ("messages", [{}], [])):
        status, text, param = ask("/api/generate", generate, name, wrong)
        check(f"400 for ollama's {name}", status == 400 and f"'{name}'" in text and param is None, (status, text))
        check(f"200 for ollama's {name}", ask("/api/generate", generate, name, right)[0] == 200)
    for name, wrong, right in sampling + (("penalize_newline", False, True), ("max_tokens", 3, None),
                                          ("repetition_penalty", 1.2, 1), ("logit_bias", {"1": 1}, {})):
        for value, wanted in ((wrong, 400), (right, 200)):
            status, text, _ = ask("/api/generate", generate, "options", {"num_predict": 1, name: value})
            check(f"{wanted} for the option {name}", status == wanted and (wanted == 200 or f"'{name}'" in text), (status, text))


def wrong_heads(server):
    good = b'{"prompt": "a", "max_tokens": 1}'
    check("good", send(server, head(good, "Connection: close")).startswith(b"HTTP/1.1 200"))
    check("half closed", send(server, head(good, "Connection: close"), True).startswith(b"HTTP/1"))
    for raw, status in (
            (head(good, "Host: evil.example"), 400),
            (head(good).replace(b"127.0.0.1", b"evil.example"), 403),
            (head(good).replace(b"127.0.0.1", b"localhost.evil.example"), 403),
            (head(good).replace(b"127.0.0.1", b"127.0.0.1.evil.example"), 403),
            (head(good, "Origin: http://evil.example"), 403),
            (head(good, "Origin: null"), 403),
            (head(good, "Content-Length: 3"), 400),
            (head(good, "Transfer-Encoding: chunked"), 400),
            (head(good).replace(b"Length: ", b"Length: 99999999999"), 413),
            (b"GET /v1/completions HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
            (b"PUT /v1/models HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", 405),
            (b"GET /../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
            (b"GET /%2e%2e/etc HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
            (b"GET //v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
            (b"GET /v1/models/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
            (b"GET / HTTP/1.1\r\n\r\n", 400),
            (b"GET /" + b"a" * 40000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
            (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 40000 + b"\r\n\r\n", 431)):
        got = send(server, raw, raw.startswith(b"GET") or raw.startswith(b"PUT"))
        check(f"{status} for {raw[:60]}", got.startswith(f"HTTP/1.1 {status}".encode()) or
              (status in (400, 414, 431) and got == b""), got[:200])
    for host in ("localhost", "a.localhost:99", "127.9.9.9", "[::1]:8080", "LOCALHOST"):
        raw = head(good, "Connection: close").replace(b"127.0.0.1", host.encode())
        check(f"host {host}", send(server, raw).startswith(b"HTTP/1.1 200"))
    chunked = (b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
               b"Transfer-Encoding: chunked\r\n\r\n" + b"%x\r\n%s\r\n0\r\n\r\n" % (len(good), good))
    check("chunked", send(server, chunked).startswith(b"HTTP/1.1 200"))
    one = head(good)
    answers = send(server, one + head(good, "Connection: close"))
    check("pipelined", answers.count(b"HTTP/1.1 200") == 2, answers)
    old = b"POST /v1/completions HTTP/1.0\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s"
    stream = b'{"prompt": "a", "max_tokens": 3, "stream": true}'
    answer = send(server, old % (len(stream), stream))
    check("HTTP/1.0", b"chunked" not in answer.lower() and answer.endswith(b"[DONE]\n\n"), answer)


def wait_until(what, condition, limit_s=30):
    end = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > end:
            check(what, False)
            return
        time.sleep(0.02)


def running(server):
    return (server.metric("cocktail_num_requests_running"),
            server.metric("cocktail_num_requests_waiting"))


class Pending:
    """A request that nobody reads."""

    def __init__(self, server, body, path="/v1/completions"):
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=60)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.sendall(head(json.dumps(body).encode()).replace(b"/v1/completions", path.encode()))

    def close(self):
        self.socket.close()


def keys():
    with open("keys", "w", encoding="utf-8") as file:
        file.write("first\n second \n\n")
    with Server(BASE, "-q", "--api-key-file", "keys", "--allow-host", "my.host",
                env={"COCKTAIL_API_KEY": "third"}) as server:
        for given, status in (("Bearer first", 200), ("bearer second", 200), ("Bearer third", 200),
                              ("Bearer firs", 401), ("Bearer firstt", 401), ("Bearer ", 401),
                              ("first", 401), ("Basic first", 401), (None, 401)):
            headers = {"Authorization": given} if given else {}
            found, answer_headers, data = server.ask("GET", "/v1/models", headers=headers)
            check(f"{status} for {given}", found == status, data)
            check("WWW-Authenticate", found != 401 or
                  answer_headers["WWW-Authenticate"] == "Bearer")
        check("X-Api-Key", server.ask("GET", "/v1/models", headers={"X-Api-Key": "first"})[0] ==
              200)
        check("not from the query", server.ask("GET", "/v1/models?api_key=first")[0] == 401)
        check("health is open", server.ask("GET", "/health")[0] == 200)
        check("--allow-host", server.ask("GET", "/health", headers={
            "Host": "my.host:99", "Origin": "https://my.host"})[0] == 200)
        big = head(b"x" * 100)
        check("before the body", send(server, big[:-100]).startswith(b"HTTP/1.1 401"))


def queue():
    """One runs, two wait, the fourth is refused; those that go make room. Whole answers: a stream that
    nobody reads would soon give up its place."""
    body = dict(LONG, max_tokens=900000)
    with Server("endless", "-q", "--parallel", "1", "--max-queue", "2") as server:
        pending = [Pending(server, body)]
        wait_until("the first runs", lambda: running(server)[0] == 1)
        pending += [Pending(server, body) for _ in range(2)]
        wait_until("two wait", lambda: running(server) == (1, 2))
        status, headers, data = server.ask("POST", "/v1/completions", LONG)
        check("429", status == 429 and headers["Retry-After"] == "1" and
              json.loads(data)["error"]["type"] == "rate_limit_error", (status, data))
        for request in pending:
            request.close()
        wait_until("all are gone", lambda: running(server) == (0, 0))
        check("there is room", server.ask("POST", "/v1/completions", LONG)[0] == 200)
        check("ends with 0", server.end() == 0)


def slow_readers():
    """Who takes nothing gives up its place, and is let go after ten seconds."""
    body = dict(LONG, n=128, stream=True, logprobs=20)
    with Server(BASE, "-q", "--parallel", "1") as server:
        slow = Pending(server, body)
        wait_until("it runs", lambda: running(server)[0] == 1)
        start = time.monotonic()
        check("others run meanwhile", server.ask("POST", "/v1/completions", dict(
            LONG, max_tokens=3))[0] == 200)
        wait_until("it is let go", lambda: running(server) == (0, 0), 60)
        check("not at once", time.monotonic() - start > 5)
        slow.close()
        check("ends with 0", server.end() == 0)


def crowd():
    """Bodies of all requests together have a limit, and stand in nobody's way once they were read."""
    filler = b'{"junk": "' + b"x" * (50 << 20)
    with Server("endless", "-q", "--parallel", "1", "--max-body", "51MiB") as server:
        pending = []
        for i in range(5):
            body = filler + b'", ' + json.dumps(dict(LONG, max_tokens=900000)).encode()[1:]
            request = socket.create_connection(("127.0.0.1", server.port), timeout=60)
            request.sendall(head(body)[:-1])
            pending.append(request)
        end = time.monotonic() + 30
        while (status := server.ask("POST", "/v1/completions", filler)[0]) != 503:
            check("not JSON, before the others are there", status == 400, status)
            if time.monotonic() > end:
                check("503 for one body more", False)
                break
        for request in pending:
            request.sendall(b"}")
        wait_until("all were read", lambda: sum(running(server)) == 5)
        check("others are read again", server.ask("POST", "/v1/completions", filler)[0] == 400)
        for request in pending:
            request.close()
        wait_until("all are gone", lambda: running(server) == (0, 0))
        check("ends with 0", server.end() == 0)


def told():
    """What -v tells of a request has no text of its client's."""
    with Server(BASE, "-q", "-v") as server:
        server.ask("POST", "/v1/completions", {"prompt": "secret", "max_tokens": 3, "ignore_eos": True})
        server.ask("DELETE", "/secret?secret", headers={"X-Secret": "secret"})
        server.ask("SECRET", "/health")
        check("ends with 0", server.end() == 0)
        lines = [line for line in server.notes[-1].splitlines() if line]
    when, how_long = r"cocktail: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", r"\d+\.\d{3} s"
    for line, pattern in zip(lines, (r"POST /v1/completions 200, \d+ \+ 3 tokens,",
                                     r"DELETE \(no such path\) 404, 0 \+ 0 tokens,",
                                     r"\? /health 405, 0 \+ 0 tokens,")):
        check(pattern, re.fullmatch(f"{when} {pattern} {how_long}", line), line)
    check("a line for each", len(lines) == 3, lines)


def drain():
    body = dict(LONG, n=128)
    with Server(BASE, "-q") as server:
        answers = []
        thread = threading.Thread(
            target=lambda: answers.append(server.ask("POST", "/v1/completions", body)[0]))
        thread.start()
        wait_until("it runs", lambda: running(server)[0] == 1)
        idle = socket.create_connection(("127.0.0.1", server.port), timeout=60)
        idle.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        check("idle", idle.recv(4096).startswith(b"HTTP/1.1 200"))
        server.process.send_signal(signal.SIGTERM)
        check("idle connections are closed", idle.recv(4096) == b"")
        try:
            socket.create_connection(("127.0.0.1", server.port), timeout=5).close()
            check("no new connections", False)
        except ConnectionRefusedError:
            pass
        thread.join()
        check("what runs is finished", answers == [200], answers)
        check("then it ends", server.process.wait(60) == 0)
    for number in (signal.SIGTERM, signal.SIGINT):
        with Server(BASE, "-q") as server:
            pending = Pending(server, dict(LONG, n=128, stream=True, logprobs=20))
            wait_until("it runs", lambda: running(server)[0] == 1)
            server.process.send_signal(number)
            time.sleep(0.2)
            server.process.send_signal(number)
            check("a second signal", server.process.wait(30) == 128 + number)
            pending.close()
    with Server(BASE, "-q", "--grace", "0") as server:
        pending = Pending(server, dict(LONG, n=128, stream=True, logprobs=20))
        wait_until("it runs", lambda: running(server)[0] == 1)
        check("no grace", server.end() == 128 + signal.SIGTERM)
        pending.close()



def make_endless():
    shutil.copytree(BASE, "endless")
    with open("endless/config.json", encoding="utf-8") as file:
        config = json.load(file)
    config["max_position_embeddings"] = 1000000
    with open("endless/config.json", "w", encoding="utf-8") as file:
        json.dump(config, file)


def in_turns():
    """Who waits for room for its model is not overtaken by those who come later and have theirs."""
    with Server("endless", "fixtures/encoder-base", "-q", "--parallel", "2", "--max-memory", "2MB") as server:
        def held(model):
            return tuple(server.metric(f'cocktail_num_requests_{state}{{model="{model}"') for state in ("running", "waiting"))

        first = Pending(server, dict(LONG, max_tokens=900000))
        wait_until("it runs", lambda: held("endless") == (1, 0))
        gone = Pending(server, {"input": "a"}, "/v1/embeddings")
        wait_until("one waits", lambda: held("encoder-base") == (0, 1))
        gone.close()
        wait_until("it goes", lambda: held("encoder-base") == (0, 0))
        other = Pending(server, {"input": "a"}, "/v1/embeddings")
        wait_until("another model's waits", lambda: held("encoder-base") == (0, 1))
        time.sleep(0.2)
        later = Pending(server, dict(LONG, max_tokens=900000))
        wait_until("the third comes", lambda: sum(held("endless")) == 2)
        time.sleep(0.2)
        check("it is not let in", held("endless") == (1, 1), held("endless"))
        first.close()
        check("the second is answered", other.socket.recv(4096).startswith(b"HTTP/1.1 200"))
        wait_until("then the third runs", lambda: held("endless") == (1, 0))
        later.close()
        wait_until("all are gone", lambda: held("endless") == (0, 0))
        check("ends with 0", server.end() == 0)


def comfort():
    """A stream that waits for long says so by a comment, which clients skip; so does its head."""
    with Server("endless", "-q", "--parallel", "1", "-t", "1") as server:
        first = Pending(server, dict(LONG, max_tokens=900000))
        wait_until("it runs", lambda: running(server)[0] == 1)
        second = Pending(server, dict(LONG, max_tokens=2, stream=True))
        got = b""
        while b": still here\n\n" not in got and (part := second.socket.recv(4096)):
            got += part
        check("a comment", got.startswith(b"HTTP/1.1 200") and b"text/event-stream" in got and
              b"data:" not in got, got)
        first.close()
        while b"[DONE]" not in got and (part := second.socket.recv(4096)):
            got += part
        check("then its events", b"data: {" in got and b"[DONE]" in got, got)
        second.close()
        check("ends with 0", server.end() == 0)


def boundless():
    """A model that says nothing of how much it reads takes prompts of 8,192 tokens all the same, and no longer."""
    with Server("fixtures/models/t5", "-q") as server:
        for n, wanted in ((8192, 200), (8193, 400)):
            status, answer = server.post("/v1/completions", {"prompt": [3] * n, "max_tokens": 1})
            check(f"{n} tokens", status == wanted and (
                status == 200 or answer["error"]["code"] == "context_length_exceeded" and
                "at most 8192" in answer["error"]["message"]), answer)


make_endless()
comforted = threading.Thread(target=comfort)
comforted.start()
with Server(BASE, "-q") as server:
    wrong_requests(server)
    refused_members(server)
    wrong_heads(server)
    check("ends with 0", server.end() == 0)
keys()
queue()
slow_readers()
crowd()
in_turns()
told()
boundless()
drain()
comforted.join()
finish()
