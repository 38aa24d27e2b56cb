"""The clients of OpenAI's API and of ollama, each through its own features, against `cocktail serve`."""

import asyncio
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/server"))
os.chdir(ROOT)

from serving import Server, generate  # noqa: E402

failed = False


def check(name, is_right, shown=""):
    global failed
    failed |= not is_right
    print(f"{'ok' if is_right else 'not ok'} serve: {name}" + ("" if is_right else f" {shown}"[:500]), flush=True)


MESSAGES = [{"role": "user", "content": "the old"}]
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]


def has(package):
    if importlib.util.find_spec(package):
        return True
    print(f"ok serve: {package} # SKIP it is not installed", flush=True)
    return False


def openai_sync(base):
    import openai

    client = openai.OpenAI(base_url=base + "/v1", api_key="any", max_retries=0)
    check("models.list", {m.id for m in client.models.list()} >= {"decoder-base", "encoder-base"})
    check("models.retrieve", client.models.retrieve("decoder-base").id == "decoder-base")
    expected = generate("fixtures/decoder-base", "the old", "--max-tokens", "16")["text"]
    done = client.completions.create(model="decoder-base", prompt="the old", temperature=0)
    check("completions", done.choices[0].text == expected and done.usage.completion_tokens > 3, done)
    chat = client.chat.completions.create(model="decoder-base", messages=MESSAGES, temperature=0, max_tokens=8, n=2)
    check("chat, n=2", len(chat.choices) == 2 and chat.choices[0].message.content == chat.choices[1].message.content, chat)
    stream = client.chat.completions.create(
        model="decoder-base", messages=MESSAGES, temperature=0, max_tokens=8, stream=True,
        stream_options={"include_usage": True})
    text, usage = "", None
    for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
    check("chat, streamed", text == chat.choices[0].message.content and 2 * usage.completion_tokens == chat.usage.completion_tokens, (text, chat))
    with client.chat.completions.stream(model="decoder-base", messages=MESSAGES, temperature=0, max_tokens=8) as events:
        final = events.get_final_completion()
    check("chat.completions.stream()", final.choices[0].message.content == text, final)
    likely = client.chat.completions.create(
        model="decoder-base", messages=MESSAGES, temperature=0, max_tokens=3, logprobs=True, top_logprobs=3)
    tokens = likely.choices[0].logprobs.content
    check("logprobs", len(tokens) == 3 and all(len(t.top_logprobs) == 3 for t in tokens), likely)
    with_tools = client.chat.completions.create(
        model="decoder-base", messages=MESSAGES, temperature=0, max_tokens=8, tools=TOOLS)
    check("tools without a call", with_tools.choices[0].message.content == text, with_tools)
    vectors = client.embeddings.create(model="encoder-base", input=["a red", "the old"])
    floats = client.embeddings.create(model="encoder-base", input=["a red", "the old"], encoding_format="float")
    check("embeddings, base64 and floats", all(
        max(abs(a - b) for a, b in zip(x.embedding, y.embedding)) < 1e-6 for x, y in zip(vectors.data, floats.data)))
    for name, error, call in (
            ("BadRequestError", openai.BadRequestError, lambda: client.completions.create(
                model="decoder-base", prompt="a", max_tokens=0)),
            ("NotFoundError", openai.NotFoundError, lambda: client.completions.create(model="x", prompt="a"))):
        try:
            call()
            check(name, False)
        except error as raised:
            check(name, raised.body["message"] and raised.type == refused_type(raised), raised.body)


def refused_type(raised):
    return {400: "invalid_request_error", 404: "not_found_error"}[raised.status_code]


async def openai_async(base):
    import openai

    client = openai.AsyncOpenAI(base_url=base + "/inference/v1", api_key="any", max_retries=0)

    async def one(i):
        stream = await client.chat.completions.create(
            model="accounts/fireworks/models/decoder-base", messages=MESSAGES, max_tokens=6 + i % 3, seed=i,
            temperature=1, stream=True)
        return "".join([c.choices[0].delta.content or "" async for c in stream])

    alone = [await one(i) for i in range(20)]
    together = await asyncio.gather(*(one(i) for i in range(20)))
    check("20 streams at once, of fireworks' names", alone == list(together), (alone, together))


def ollama_client(base):
    import ollama

    client = ollama.Client(host=base)
    check("ollama list", "decoder-base" in [m.model for m in client.list().models])
    options = {"temperature": 0, "num_predict": 8}
    whole = client.generate(model="decoder-base", prompt="the old", raw=True, options=options)
    expected = generate("fixtures/decoder-base", "the old", "--max-tokens", "8")["text"]
    check("ollama generate", whole.response == expected, whole)
    parts = client.chat(model="decoder-base", messages=MESSAGES, options=options, stream=True)
    text = "".join(p.message.content for p in parts)
    check("ollama chat", client.chat(model="decoder-base", messages=MESSAGES, options=options).message.content == text)
    check("ollama embed", len(client.embed(model="encoder-base", input=["a", "b"]).embeddings) == 2)


def langchain(base):
    from langchain_openai import ChatOpenAI, OpenAIEmbeddings

    model = ChatOpenAI(base_url=base + "/v1", api_key="any", model="decoder-base", temperature=0, max_tokens=8)
    text = model.invoke("the old").content
    check("langchain", text and "".join(c.content for c in model.stream("the old")) == text, text)
    vectors = OpenAIEmbeddings(base_url=base + "/v1", api_key="any", model="encoder-base",
                               check_embedding_ctx_length=False).embed_documents(["a", "b"])
    check("langchain embeddings", len(vectors) == 2)


def curl(base):
    out = subprocess.run(["curl", "-s", base + "/v1/chat/completions", "-d", json.dumps(
        {"messages": MESSAGES, "max_tokens": 3, "model": "decoder-base"})], stdout=subprocess.PIPE, check=True)
    check("curl", json.loads(out.stdout)["usage"]["completion_tokens"] == 3, out.stdout)


def schemathesis(base):
    """Requests made of the server's own document, right ones and wrong ones."""
    command = Path(sys.executable).with_name("schemathesis")
    # The longest texts take a while; and bodies are shown as they are, though "token" is in their members' names.
    out = subprocess.run([command, "run", base + "/openapi.json", "--max-examples", os.environ.get("EXAMPLES", "10"), "--no-color",
                          "--request-timeout", "300", "--seed", "1", "--output-sanitize", "false"], stdout=subprocess.PIPE, text=True, cwd=tempfile.gettempdir())
    if out.returncode:
        print(out.stdout, file=sys.stderr, flush=True)
    check("schemathesis", out.returncode == 0)


with tempfile.TemporaryDirectory() as scratch:
    template = Path(scratch, "plain.jinja")
    template.write_text("{% for m in messages %}{{ m.content }}{% endfor %}", encoding="utf-8")
    with Server("fixtures/decoder-base", "fixtures/encoder-base", "-q", "--template", str(template)) as server:
        address = f"http://127.0.0.1:{server.port}"
        curl(address)
        if has("openai"):
            openai_sync(address)
            asyncio.run(openai_async(address))
        if has("ollama"):
            ollama_client(address)
        if has("langchain_openai"):
            langchain(address)
        check("ends with 0", server.end() == 0)
    if has("schemathesis"):
        roomy = Path(scratch, "roomy")  # a document cannot say how many tokens a thousand messages are
        shutil.copytree("fixtures/decoder-base", roomy)
        config = json.loads((roomy / "config.json").read_text())
        (roomy / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 8192}))
        wordy = Path(scratch, "wordy.jinja")  # nor that messages of empty strings may be no tokens
        wordy.write_text("the {% for m in messages %}{{ m.content }}{% endfor %}", encoding="utf-8")
        with Server(str(roomy), "fixtures/encoder-base", "fixtures/reranker-base", "-q", "--template", str(wordy)) as server:
            schemathesis(f"http://127.0.0.1:{server.port}")
            check("ends with 0", server.end() == 0)
sys.exit(failed)
