"""check_hub.py - the cache is the one of huggingface_hub: each uses what the other has fetched.

Both fetch from tests/server/hub_server.py; its log says who asked for what. huggingface_hub reads
its environment when it is imported, so it runs in a process of its own.
"""

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from harness import COCKTAIL, FIXTURES, case, case_for, need, run, scratch

SERVER = Path(__file__).resolve().parents[1] / "server" / "hub_server.py"
MODELS = {
    "acme/encoder": FIXTURES / "encoder-repairs",
    "acme/encoder@feature/x": FIXTURES / "encoder-base",
    "acme/shards": FIXTURES / "decoder-sharded",
    "acme/bin": FIXTURES / "encoder-bin",
}
REVISIONS = [("acme/encoder", "main"), ("acme/encoder", "feature/x"), ("acme/shards", "main"), ("acme/bin", "main")]


class Hub:
    def __init__(self, directory):
        self.directory = directory
        lines = (directory / "ports").read_text().split()
        self.url = dict(line.split("=", 1) for line in lines)["HUB"]

    def bodies(self):
        """The paths of the files that were sent since the last time."""
        log = self.directory / "log"
        rows = [json.loads(line) for line in log.read_text().splitlines()]
        log.write_text("")
        rows = [row for row in rows if row["method"] == "GET"]
        paths = [row["path"] for row in rows if row["origin"] == "cdn" or "/resolve-cache/" in row["path"]]
        return sorted({path.partition("&signature=")[0] for path in paths})

    def environment(self, cache):
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGING"))}
        return {
            **kept, "HF_ENDPOINT": self.url, "HF_HUB_CACHE": str(cache), "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HOME": str(scratch() / "home"),
            "no_proxy": "127.0.0.1",
        }

    def theirs(self, cache, code, *arguments):
        """What the expression `code` is worth where huggingface_hub has been imported; `a` holds the
        arguments."""
        program = f"import json, sys, huggingface_hub\na = sys.argv[1:]\nprint(json.dumps({code}))"
        done = subprocess.run(
            [sys.executable, "-c", program, *map(str, arguments)],
            env=self.environment(cache), capture_output=True, text=True, timeout=120,
        )
        assert done.returncode == 0, done.stderr[-1500:]
        return json.loads(done.stdout.splitlines()[-1])

    def ours(self, cache, *arguments):
        done = subprocess.run(
            [COCKTAIL, *map(str, arguments)], env=self.environment(cache), capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, f"{arguments}: exit status {done.returncode}: {done.stderr}"
        return done.stdout

    def pull(self, cache, model, *options):
        return json.loads(self.ours(cache, "pull", "--json", model, *options))


@contextmanager
def hub():
    need("huggingface_hub")
    directory = scratch() / "hub"
    directory.mkdir()
    repositories = [word for name, path in MODELS.items() for word in ("--repo", f"{name}={path}")]
    with open(directory / "output", "w") as output:
        server = subprocess.Popen([sys.executable, SERVER, directory, *repositories], stdout=output, stderr=output)
    try:
        for _ in range(200):
            if (directory / "ports").exists():
                break
            assert server.poll() is None, (directory / "output").read_text()
            time.sleep(0.05)
        yield Hub(directory)
    finally:
        server.kill()
        server.wait()


def look(cache):
    """Everything in a cache: kind, permissions, and where a link leads or what a file holds. `trees`
    is the listing that they keep, which is nobody's duty."""
    found = {}
    for path in sorted(cache.rglob("*")):
        name = path.relative_to(cache).as_posix()
        if "/trees" in name:
            continue
        if path.is_symlink():
            found[name] = ("link", os.readlink(path))
        elif path.is_dir():
            found[name] = ("folder", oct(path.stat().st_mode))
        else:
            content = path.read_bytes() if name != "CACHEDIR.TAG" else path.read_bytes().splitlines()[0]
            found[name] = ("file", oct(path.stat().st_mode), content)
    return found


def at(model, revision):
    return f"{model}@{revision}"


SNAPSHOT = "huggingface_hub.snapshot_download(a[0], revision=a[1])"
SNAPSHOT_LOCAL = "huggingface_hub.snapshot_download(a[0], revision=a[1], local_files_only=True)"


@case_for(REVISIONS)
def leaves_the_same_cache(model, revision):
    with hub() as server:
        cache_a, cache_b = scratch() / "a", scratch() / "b"
        theirs = server.theirs(cache_a, SNAPSHOT, model, revision)
        sent = server.bodies()
        ours = server.pull(cache_b, at(model, revision))
        assert Path(theirs).relative_to(cache_a) == Path(ours["path"]).relative_to(cache_b), (theirs, ours["path"])
        assert Path(theirs).name == ours["revision"]
        a, b = look(cache_a), look(cache_b)
        assert a.keys() == b.keys(), sorted(a.keys() ^ b.keys())
        differing = {name: (a[name][:2], b[name][:2]) for name in a if a[name] != b[name]}
        assert not differing, differing
        assert server.bodies() == sent, "other files were fetched"
        return f"{len(a)} entries"


@case_for(REVISIONS)
def uses_what_they_have_fetched(model, revision):
    with hub() as server:
        cache = scratch() / "cache"
        path = server.theirs(cache, SNAPSHOT, model, revision)
        server.bodies()
        before = look(cache)
        found = server.pull(cache, at(model, revision))
        assert found["path"] == path, (found["path"], path)
        assert server.bodies() == []
        assert look(cache) == before


@case
def uses_files_that_they_have_fetched_one_by_one():
    with hub() as server:
        cache = scratch() / "cache"
        for name in ("config.json", "model.safetensors", "1_Pooling/config.json"):
            server.theirs(cache, "huggingface_hub.hf_hub_download(a[0], a[1])", "acme/encoder", name)
        assert len(server.bodies()) == 3
        found = server.pull(cache, "acme/encoder")
        fetched = [path.partition("?")[0].rpartition("/")[2] for path in server.bodies()]
        assert len(found["files"]) == 3 + len(fetched), fetched
        assert "model.safetensors" not in fetched and fetched.count("config.json") == 1, fetched  # of 2_Normalize


@case
def uses_blobs_that_lie_in_their_shared_store():
    """With Xet their newer clients keep one copy of a file for all repositories, blobs link to it."""
    with hub() as server:
        need("huggingface_hub.utils._shared_blobs")
        cache = scratch() / "cache"
        path = Path(server.theirs(cache, SNAPSHOT, "acme/shards", "main"))
        blobs = sorted(str(file.resolve()) for file in path.glob("*.safetensors"))
        publish = (
            "[huggingface_hub.utils._shared_blobs.publish_blob_to_shared_store(blob_path=b, xet_hash=b[-64:],"
            " cache_dir=a[0], expected_size=__import__('os').path.getsize(b), replace_existing=False) for b in a[1:]]"
        )
        done = server.theirs(cache, f"__import__('huggingface_hub.utils._shared_blobs') and {publish}", cache, *blobs)
        assert all(done) and all(Path(blob).is_symlink() for blob in blobs), done
        server.bodies()
        found = server.pull(cache, "acme/shards")
        assert Path(found["path"]) == path and server.bodies() == []
        shown = json.loads(server.ours(cache, "inspect", "--json", "acme/shards"))
        local = json.loads(server.ours(cache, "inspect", "--json", MODELS["acme/shards"]))
        assert shown["parameters"] == local["parameters"] and shown["size_bytes"] == local["size_bytes"]
        server.ours(cache, "diff", "--exit-code", "acme/shards", MODELS["acme/shards"])
        server.ours(cache, "diff", "--exit-code", path, MODELS["acme/shards"])
        assert server.bodies() == []


@case_for(REVISIONS)
def they_use_what_we_have_fetched(model, revision):
    with hub() as server:
        cache = scratch() / "cache"
        found = server.pull(cache, at(model, revision))
        server.bodies()
        assert server.theirs(cache, SNAPSHOT_LOCAL, model, revision) == found["path"]
        for row in found["files"]:
            code = "huggingface_hub.hf_hub_download(a[0], a[1], revision=a[2], local_files_only=True)"
            if row["name"] in ("config.json", "1_Pooling/config.json", "model-00002-of-00004.safetensors"):
                path = server.theirs(cache, code, model, row["name"], revision)
                assert path == f"{found['path']}/{row['name']}", path
        assert server.theirs(cache, SNAPSHOT, model, revision) == found["path"]
        assert server.theirs(cache, SNAPSHOT, model, found["revision"]) == found["path"]
        assert server.bodies() == []


@case
def they_complete_what_we_have_fetched_in_part():
    with hub() as server:
        cache = scratch() / "cache"
        found = server.pull(cache, "acme/encoder", "--include", "*.json")
        server.bodies()
        assert server.theirs(cache, SNAPSHOT, "acme/encoder", "main") == found["path"]
        assert len(server.bodies()) == len(list(MODELS["acme/encoder"].rglob("*.[!j]*"))), "fetched something again"
        server.theirs(cache, SNAPSHOT_LOCAL, "acme/encoder", "main")


@case
def their_scan_finds_nothing_wrong_with_our_cache():
    with hub() as server:
        cache = scratch() / "cache"
        for model, revision in REVISIONS:
            server.pull(cache, at(model, revision))
        code = (
            "(lambda i: [[str(w) for w in i.warnings], sorted([r.repo_id, sorted(sum((list(v.refs) for v in r.revisions),"
            " [])), r.size_on_disk] for r in i.repos)])(huggingface_hub.scan_cache_dir())"
        )
        warnings, repositories = server.theirs(cache, code)
        assert warnings == [], warnings
        assert [row[:2] for row in repositories] == [
            ["acme/bin", ["main"]], ["acme/encoder", ["feature/x", "main"]], ["acme/shards", ["main"]],
        ], repositories
        size = sum(path.stat().st_size for path in MODELS["acme/shards"].iterdir())
        assert repositories[2][2] == size, repositories


@case
def transformers_loads_from_our_cache():
    with hub() as server:
        need("transformers")
        cache = scratch() / "cache"
        server.pull(cache, "acme/shards")
        server.bodies()
        code = (
            "sum(p.numel() for p in __import__('transformers').AutoModelForCausalLM.from_pretrained(a[0]).parameters())"
        )
        n = server.theirs(cache, code, "acme/shards")
        assert n == json.loads(server.ours(cache, "inspect", "--json", "acme/shards"))["parameters"], n
        assert server.bodies() == []
        return f"{n} parameters"


@case
def waits_for_their_lock():
    with hub() as server:
        cache = scratch() / "cache"
        server.pull(cache, "acme/bin", "--include", "config.json")
        blob = next((cache / "models--acme--bin" / "blobs").iterdir()).name
        for path in (cache / "models--acme--bin").rglob("config.json"):
            path.unlink()
        (cache / "models--acme--bin" / "blobs" / blob).unlink()
        lock = cache / ".locks" / "models--acme--bin" / f"{blob}.lock"
        hold = (
            "import sys, time\nfrom huggingface_hub.utils import WeakFileLock\nwith WeakFileLock(sys.argv[1]):\n"
            "    print('held', flush=True)\n    sys.stdin.read()"
        )
        holder = subprocess.Popen(
            [sys.executable, "-c", hold, lock], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert holder.stdout.readline() == "held\n"
        waiting = subprocess.Popen(
            [COCKTAIL, "pull", "acme/bin", "--include", "config.json"], env=server.environment(cache),
            stdout=subprocess.DEVNULL,
        )
        time.sleep(1)
        assert waiting.poll() is None, "did not wait"
        holder.communicate("")
        assert waiting.wait(timeout=20) == 0


run()
