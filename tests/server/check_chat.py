"""/v1/chat/completions and ollama's /api/chat with templates; `cocktail chat` by a pipe and typed."""
import ctypes.util
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import termios
import time

from serving import COCKTAIL, Server, check, finish, generate

TEMPLATE = """{%- for m in messages %}{{ m['role'] + ': ' + m['content'] + '\\n' }}
{%- if m.tool_calls %}{% for c in m.tool_calls %}<call {{ c.function.name }}={{ c.function.arguments.a + 1 }}>
{%- endfor %}{% endif %}{%- endfor %}
{%- if tools %}{{ tools | tojson }}{% endif %}
{%- if add_generation_prompt %}assistant:{% if think %}<think>{% endif %}{% endif %}"""


def make(name, template):
    shutil.copytree("fixtures/decoder-base", name)
    if template:
        with open(name + "/chat_template.jinja", "w", encoding="utf-8") as file:
            file.write(template)


def prompt_of(model, messages, *arguments):
    with open("messages.json", "w", encoding="utf-8") as file:
        json.dump(messages, file)
    return json.loads(subprocess.run(
        [COCKTAIL, "chat-template", model, "--messages", "messages.json",
         "--add-generation-prompt", "--json", *arguments],
        stdout=subprocess.PIPE, check=True).stdout)


def by_ids(server, ids, **more):
    _, answer = server.post("/v1/completions", dict(
        {"prompt": ids, "temperature": 0, "max_tokens": 24, "model": "talker"}, **more))
    return answer


def chats(server):
    messages = [{"role": "system", "content": "the old"}, {"role": "user", "content": "a red"}]
    expected = by_ids(server, prompt_of("talker", messages)["ids"])
    request = {"messages": messages, "temperature": 0, "max_tokens": 24, "model": "talker"}
    status, whole = server.post("/v1/chat/completions", request)
    check("status", status == 200, whole)
    choice = whole["choices"][0]
    text = expected["choices"][0]["text"]
    check("the text of the prompt's ids", choice["message"] ==
          {"role": "assistant", "content": text}, (choice, expected))
    check("usage", whole["usage"] == expected["usage"] or
          whole["usage"]["prompt_tokens"] == expected["usage"]["prompt_tokens"], whole["usage"])
    check("object", whole["object"] == "chat.completion" and whole["id"].startswith("chatcmpl-"))
    events = server.events("/v1/chat/completions", dict(
        request, stream=True, n=2, logprobs=True, top_logprobs=2,
        stream_options={"include_usage": True}))
    first = [next(e for e in events if e["choices"] and e["choices"][0]["index"] == i)
             for i in (0, 1)]
    check("role first", all(e["choices"][0]["delta"] == {"role": "assistant", "content": ""}
                            for e in first), first)
    for i in (0, 1):
        mine = [e["choices"][0] for e in events[:-2] if e["choices"][0]["index"] == i]
        check("streamed", "".join(c["delta"].get("content", "") for c in mine) == text, mine)
        check("the last", mine[-1]["delta"] == {} and mine[-1]["finish_reason"] ==
              choice["finish_reason"] and
              all(c["finish_reason"] is None for c in mine[:-1]), mine[-1])
        tokens = [t for c in mine if c["logprobs"] for t in c["logprobs"]["content"]]
        check("logprobs", len(tokens) == expected["usage"]["completion_tokens"] and
              all(t["logprob"] == t["top_logprobs"][0]["logprob"] for t in tokens), tokens)
        said = b"".join(bytes(t["bytes"]) for t in tokens).decode()
        check("bytes", said.startswith(text), (said, text))
    check("one id", len({e["id"] for e in events[:-1]}) == 1)
    check("usage at the end", events[-2]["choices"] == [] and events[-2]["usage"][
        "completion_tokens"] == 2 * expected["usage"]["completion_tokens"], events[-2])


def shapes(server):
    def ask(messages, **more):
        return server.post("/v1/chat/completions", dict(
            {"messages": messages, "temperature": 0, "max_tokens": 8, "model": "talker"}, **more))

    plain = ask([{"role": "user", "content": "one\ntwo"}])[1]["choices"]
    parts = ask([{"role": "user", "content": [{"type": "text", "text": "one"},
                                              {"type": "text", "text": "two"}]}])
    check("parts become a string", parts[1]["choices"] == plain, parts)
    call = {"id": "x", "type": "function", "function": {"name": "f", "arguments": '{"a": 41}'}}
    status, answer = ask([{"role": "user", "content": "a"},
                          {"role": "assistant", "content": None, "tool_calls": [call]}])
    check("arguments are an object, null is no text", status == 200, answer)
    status, answer = ask([{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}])
    check("images", status == 400 and answer["error"]["param"] == "messages", answer)
    for messages in ([], [{"content": "a"}], [1], [{"role": 3, "content": "a"}],
                     [{"role": "user", "content": 7}], [{"role": "user"}], "x", None):
        status, answer = ask(messages)
        check(f"400 for {messages}", status == 400 and answer["error"]["param"] == "messages",
              (status, answer))
    _, pieces = ask([{"role": "user", "content": "a"}, {"role": "assistant", "content": "\U0001f600"}],
                    continue_final_message=True, echo=True, logprobs=True, max_tokens=1)
    tokens = pieces["choices"][0]["logprobs"]["content"][:-1]
    check("bytes of pieces of a character", len(tokens) > 1 and bytes(
        b for t in tokens for b in t["bytes"]).decode() == " \U0001f600", tokens)
    status, answer = server.post("/v1/chat/completions", {
        "model": "refuser", "messages": [{"role": "user", "content": "a"}]})
    check("raise_exception", status == 400 and "only twins" in answer["error"]["message"], answer)
    _, thinking = ask([{"role": "user", "content": "a red"}], chat_template_kwargs={"think": True},
                      max_tokens=12)
    check("an open thought", thinking["choices"][0]["message"]["content"] == "" and
          thinking["choices"][0]["message"]["reasoning_content"], thinking)
    events = server.events("/v1/chat/completions", {
        "messages": [{"role": "user", "content": "a red"}], "temperature": 0, "max_tokens": 12,
        "model": "talker", "stream": True, "chat_template_kwargs": {"think": True}})
    check("streamed", "".join(c["delta"].get("reasoning_content", "") for e in events[:-1]
                              for c in e["choices"]) ==
          thinking["choices"][0]["message"]["reasoning_content"], events)
    lines = server.lines("/api/chat", {
        "model": "talker", "messages": [{"role": "user", "content": "one\ntwo"}],
        "options": {"temperature": 0, "num_predict": 8}})
    check("ollama", "".join(l["message"]["content"] for l in lines) ==
          plain[0]["message"]["content"], lines)


def ollamas(server):
    """What ollama's requests say besides."""
    def ask(message=None, **more):
        return server.post("/api/chat", {
            "model": "thinker", "stream": False,
            "messages": [{"role": "user", "content": "a", **(message or {})}], **more})

    for think, told in ((None, "[Undefined, Undefined, Undefined]"), (True, "[True, True, Undefined]"),
                        (False, "[False, False, Undefined]"), ("low", "[True, True, 'low']")):
        _, answer = ask(think=think)
        check(f"think {think}", answer["error"].endswith(told), answer)
    status, answer = ask(think=3)
    check("think is no number", status == 400 and "'think'" in answer["error"], answer)
    for images, is_refused in (([], False), (None, False), (["iVBO"], True), ("iVBO", True)):
        status, answer = ask({"images": images})
        check(f"images {images}", status == 400 and ("images" in answer["error"]) == is_refused, answer)
    status, answer = server.post("/v1/chat/completions", {
        "model": "thinker", "messages": [{"role": "user", "content": "a"}],
        "reasoning_effort": "high", "chat_template_kwargs": {"thinking": 1}})
    check("reasoning_effort", answer["error"]["message"].endswith("[Undefined, 1, 'high']"), answer)


def cached(server):
    """A conversation that goes on is not read again."""
    messages = [{"role": "user", "content": "the painter holds a red bottle and the old sailor"}]
    for turn in range(3):
        _, answer = server.post("/v1/chat/completions", {
            "messages": messages, "temperature": 0, "max_tokens": 8, "model": "talker"})
        details = answer["usage"]["prompt_tokens_details"]["cached_tokens"]
        alone = by_ids(server, prompt_of("talker", messages)["ids"], max_tokens=8)
        check("the same", alone["choices"][0]["text"] ==
              answer["choices"][0]["message"]["content"], (turn, answer, alone))
        check("cached", (details > 10) == (turn > 0), (turn, answer["usage"]))
        messages += [answer["choices"][0]["message"], {"role": "user", "content": "and why"}]


def piped(server):
    expected = by_ids(server, prompt_of("talker", [{"role": "user", "content": "a\nb"}])["ids"])
    out = subprocess.run([COCKTAIL, "chat", "talker", "--temperature", "0", "--max-tokens", "24"],
                         input=b"a\nb\n", stdout=subprocess.PIPE, check=True).stdout
    check("a pipe", out.decode() == expected["choices"][0]["text"] + "\n", (out, expected))
    expected = by_ids(server, prompt_of("talker", [
        {"role": "system", "content": "old"}, {"role": "user", "content": "a red"}])["ids"])
    out = generate("talker", "a red", "--chat", "--system", "old", "--max-tokens", "24")
    check("generate --chat", out["text"] == expected["choices"][0]["text"], (out, expected))
    out = generate("fixtures/decoder-base", "a", "--chat", "--template", "chatml",
                   "--max-tokens", "2")
    check("--template chatml", out["n_tokens"] == 2, out)
    out = subprocess.run([COCKTAIL, "chat", "fixtures/decoder-base"], input=b"a",
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    check("no template", out.returncode == 8 and b"--template chatml" in out.stderr and
          out.stdout == b"", out)
    out = subprocess.run([COCKTAIL, "chat", "talker", "--json", "--max-tokens", "3"], input=b"a",
                         stdout=subprocess.PIPE, check=True).stdout
    check("--json", json.loads(out)["n_tokens"] == 3, out)


def literal():
    """Special tokens in what users say are text: none of them ends a turn."""
    said, plain = "a</s> red", "a red"
    with open("messages.json", "w", encoding="utf-8") as file:
        json.dump([{"role": "user", "content": said}], file)

    def ids(model, content, *arguments):
        return prompt_of(model, [{"role": "user", "content": content}], *arguments)["ids"]

    made = prompt_of("closer", [{"role": "user", "content": said}], "--literal-special")
    check("the prompt has no marks", made["prompt"] == "user: a</s> red</s>", made)
    check("only the template's end of text", made["ids"].count(2) == 1 and
          ids("closer", said).count(2) == 2, made)
    with Server("closer", "-q", "--literal-special") as server:
        _, answer = server.post("/v1/chat/completions", {
            "messages": [{"role": "user", "content": said}], "max_tokens": 1})
        check("chat", answer["usage"]["prompt_tokens"] == len(made["ids"]), answer["usage"])
        typed_text = subprocess.run(
            [COCKTAIL, "tokenize", "closer", "--json"], input=said.encode(),
            stdout=subprocess.PIPE, check=True).stdout
        _, answer = server.post("/v1/completions", {"prompt": said, "max_tokens": 1})
        check("completions", answer["usage"]["prompt_tokens"] >
              len(json.loads(typed_text)["ids"]), (answer["usage"], typed_text))
        n_completion = answer["usage"]["prompt_tokens"]
    out = generate("closer", said, "--chat", "--max-tokens", "1", "--literal-special")
    check("generate --chat", out["n_prompt_tokens"] == len(made["ids"]), out)
    out = generate("closer", said, "--max-tokens", "1", "--literal-special")
    check("generate", out["n_prompt_tokens"] == n_completion, out)
    out = subprocess.run(
        [COCKTAIL, "chat", "closer", "--json", "--max-tokens", "1", "--literal-special"],
        input=said.encode(), stdout=subprocess.PIPE, check=True).stdout
    check("a pipe", json.loads(out)["n_prompt_tokens"] == len(made["ids"]), out)
    with open("examples.jsonl", "w", encoding="utf-8") as file:
        file.write(json.dumps({"input": said, "output": plain}) + "\n")

    def loss(*arguments):
        return json.loads(subprocess.run(
            [COCKTAIL, "eval", "closer", "--examples", "examples.jsonl", "--json", *arguments],
            stdout=subprocess.PIPE, check=True).stdout)["loss"]

    check("eval", loss("--chat-template") != loss("--chat-template", "--literal-special"))


class Typist:
    def __init__(self, *arguments, terminal="dumb"):
        pid, self.fd = pty.fork()
        if pid == 0:
            os.environ["TERM"] = terminal
            os.execv(COCKTAIL, [COCKTAIL, "chat", *arguments])
        self.pid, self.seen, self.is_over = pid, "", False
        self.is_edited = terminal != "dumb" and ctypes.util.find_library("edit")

    def read(self, seconds):
        """whether more came within that time; False at the end, which sets `is_over`, too"""
        if not select.select([self.fd], [], [], seconds)[0]:
            return False
        try:
            self.seen += os.read(self.fd, 65536).decode(errors="replace")
        except OSError:
            self.is_over = True
        return not self.is_over

    def expect(self, pattern):
        end = time.monotonic() + 60
        while not (found := re.search(pattern, self.seen)):
            if not self.read(60) or time.monotonic() > end:
                check(f"'{pattern}' comes", False, self.seen)
                return
        self.seen = self.seen[found.end():]
        if self.is_edited and pattern.endswith(">>> "):
            self.wait_for_editor()

    def wait_for_editor(self):
        """libedit shows its prompt before it changes the terminal's mode; what is typed in between the
        terminal itself shows, and erases characters of."""
        end = time.monotonic() + 60
        while termios.tcgetattr(self.fd)[3] & termios.ICANON:
            if time.monotonic() > end:
                check("the editor reads", False, self.seen)
                return
            time.sleep(0.01)

    def type(self, text):
        os.write(self.fd, text.encode())

    def end(self, text):
        """The exit status after `text`. It is typed until the program goes, behind a Ctrl-U:
        libedit makes a NUL in the line of a Ctrl-D that comes before it reads."""
        for _ in range(60):
            self.type("\x15" + text)
            while self.read(1):
                pass
            if self.is_over:
                return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        return None


def interrupted():
    """Ctrl-C stops an answer, which would go on for long, and not the program."""
    make("endless", TEMPLATE)
    with open("endless/config.json", encoding="utf-8") as file:
        config = json.load(file)
    config["max_position_embeddings"] = 1000000
    with open("endless/config.json", "w", encoding="utf-8") as file:
        json.dump(config, file)
    for terminal in ("dumb", "xterm"):
        typist = Typist("endless", "--temperature", "0", "--logit-bias", "2=-100",
                        terminal=terminal)
        typist.expect(">>> ")
        for _ in range(2):
            typist.type("a red\n")
            typist.expect("a red\r\n.{20}")
            typist.type("\x03")
            typist.expect(r"\(stopped\)\r\n")
            typist.expect(">>> ")
        typist.type("/save stopped.json\n")
        typist.expect(">>> ")
        with open("stopped.json", encoding="utf-8") as file:
            saved = json.load(file)
        check("what came is kept", [m["role"] for m in saved] ==
              ["user", "assistant"] * 2 and all(m["content"] for m in saved), saved)
        typist.type("\x03")
        time.sleep(0.3)
        typist.type("/?\n")
        typist.expect("/system")
        check("/bye after Ctrl-C", typist.end("/bye\n") == 0)


def saved_by(typist):
    typist.type("/save saved.json\n")
    typist.expect(">>> ")
    with open("saved.json", encoding="utf-8") as file:
        return json.load(file)


def history():
    """Lines before are had again with the arrow keys, where libedit is installed."""
    if not ctypes.util.find_library("edit"):
        return
    typist = Typist("talker", "--temperature", "0", "--max-tokens", "3", terminal="xterm")
    typist.expect(">>> ")
    for line in ("a red", "the old", "\x1b[A\x1b[A", "\x1b[A\x7f\x7f\x7fnew",
                 "\u00e9\u4e2dx\x7f\x7f\U0001f600", "\x1b[A"):
        typist.type(line + "\n")
        typist.expect("\n")
        typist.expect(">>> ")
    said = [m["content"] for m in saved_by(typist) if m["role"] == "user"]
    check("history", said == ["a red", "the old", "a red", "a new", "\u00e9\U0001f600",
                              "\u00e9\U0001f600"], said)
    check("/bye", typist.end("/bye\n") == 0)


def typed():
    typist = Typist("talker", "--temperature", "0", "--max-tokens", "6", "--system", "the old")
    typist.expect(">>> ")
    typist.type("a red\n")
    typist.expect("\n>>> ")
    typist.type('"""one\n')
    typist.expect(r"\.\.\. ")
    typist.type('two"""\n')
    typist.expect("\n>>> ")
    saved = saved_by(typist)
    check("saved", [m["role"] for m in saved] ==
          ["system", "user", "assistant", "user", "assistant"] and
          saved[3]["content"] == "one\ntwo", saved)
    typist.type("/regen\n")
    typist.expect("\n>>> ")
    check("/regen", saved_by(typist) == saved, saved)
    for line, told in (("/nothing", "there is no command '/nothing'"), ("/?", "/system"),
                       ("/save", "say which file"), ("/save no/such/place", "cannot write")):
        typist.type(line + "\n")
        typist.expect(told)
        typist.expect(">>> ")
    for line in ("/reset", "/system new"):
        typist.type(line + "\n")
        typist.expect(">>> ")
    saved = saved_by(typist)
    check("reset", saved == [{"role": "system", "content": "new"}], saved)
    typist.type("a red\n")
    typist.expect("\n>>> ")
    for line, told in (("/clear", ""), ("/system", ""), ("/regen", "there is no answer yet")):
        typist.type(line + "\n")
        typist.expect(told + r"[^>]*\n>>> " if told else "\n>>> ")
    check("clear, and no system", saved_by(typist) == [])
    check("/bye", typist.end("/bye\n") == 0)
    typist = Typist("talker", "--max-tokens", "6", "--seed", "7") # drawn: another answer comes
    typist.expect(">>> ")
    answers = []
    for line in ("a red", "/regen", "/regen"):
        typist.type(line + "\n")
        typist.expect("\n>>> ")
        saved = saved_by(typist)
        check("one turn", [m["role"] for m in saved] == ["user", "assistant"], saved)
        answers.append(saved[1]["content"])
    check("/regen draws anew", len(set(answers)) > 1, answers)
    check("/bye", typist.end("/bye\n") == 0)
    history()
    for terminal in ("dumb", "xterm"): # without libedit and, where that is installed, with it
        typist = Typist("talker", "--max-tokens", "3", terminal=terminal)
        typist.expect(">>> ")
        typist.type("a red\n")
        typist.expect("\n>>> ")
        check("Ctrl-D", typist.end("\x04") == 0)


make("talker", TEMPLATE)
make("closer", "{% for m in messages %}{{ m.role }}: {{ m.content | trim }}{{ eos_token }}{% endfor %}")
make("refuser", "{{ raise_exception('only twins') }}")
make("thinker", "{{ raise_exception([enable_thinking, thinking, reasoning_effort] | string) }}")
with Server("talker", "refuser", "thinker", "-q") as server:
    chats(server)
    shapes(server)
    ollamas(server)
    cached(server)
    piped(server)
    check("ends with 0", server.end() == 0)
with Server("fixtures/decoder-base", "-q", "--template", "chatml") as server:
    found = server.post("/v1/chat/completions", {
        "messages": [{"role": "user", "content": "a"}], "max_tokens": 3})
    check("chatml", found[0] == 200, found)
literal()
typed()
interrupted()
finish()
