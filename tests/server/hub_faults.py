"""hub_faults.py - what can go wrong between a careful client and the Hub.

One function per fault: it gets the good answer and the request, and spoils the answer. FAULTS says
under which name a repository (lasting/NAME, passing/NAME) shows it, in which places it strikes when
the repository does not name one (lasting/NAME.PLACE): "info" (the revision call), "tree", "head"
(HEAD of resolve), "file" (the bytes); and how many requests it spoils when it passes.
"""

import functools
import gzip
import json

# ---- bodies


def first_half(answer, request):
    """How much of the answer lies in the first half of the file, which alone is ever sent."""
    begin = request.file.size - len(answer.body) if request.file else 0
    return max(0, (begin + len(answer.body)) // 2 - begin)


def truncated(answer, request):
    answer.stop, answer.ending = first_half(answer, request), "close"


def reset(answer, request):
    answer.stop, answer.ending = first_half(answer, request), "reset"


def stall(answer, request):
    answer.stop, answer.ending = first_half(answer, request), "stall"


def silent(answer, request):
    answer.is_silent = True


def flaky(answer, request):
    """Each answer is cut, but each brings some more."""
    answer.stop, answer.ending = max(1, request.file.size // 7), "close"


def held(answer, request):
    answer.stop, answer.waits_for = first_half(answer, request), request.hub.work / "hold"


def longer(answer, request):
    answer.body += b"x" * 100


def shorter(answer, request):
    answer.body = answer.body[:-100]


def no_length(answer, request):
    answer.length = None


def no_length_cut(answer, request):
    answer.length = None
    answer.stop = first_half(answer, request)


def chunked(answer, request):
    answer.is_chunked = True


def chunked_cut(answer, request):
    answer.is_chunked = True
    truncated(answer, request)


def corrupt(answer, request):
    answer.body = answer.body[:-1] + bytes([answer.body[-1] ^ 1])


def changing(answer, request):
    """Every range is of another file than what came before."""
    if request.range is None:
        truncated(answer, request)
    else:
        answer.body = bytes(byte ^ 1 for byte in answer.body)
        answer.headers["ETag"] = '"another"'


def gzip_bomb(answer, request):
    answer.body = bomb()
    answer.headers["Content-Encoding"] = "gzip"


@functools.cache
def bomb():
    return gzip.compress(bytes(200_000_000), 1)


def html(answer, request):
    answer.status = 200
    answer.headers = {"Content-Type": "text/html; charset=utf-8"}
    answer.body = b"<!doctype html>\n<title>Welcome to our network</title>\n"


def endless(answer, request):
    answer.body, answer.is_endless, answer.length = b'[{"a":0},' * 10000, True, None


def nested(answer, request):
    answer.body = b"[" * 1_000_000


def not_json(answer, request):
    answer.body = answer.body[:-1]


# ---- ranges: the first answer is cut, so that a range is asked for


def whole_for_range(answer, request):
    """200 and the file from its beginning, cut again."""
    answer.status, answer.body = 200, request.file.content
    answer.headers.pop("Content-Range", None)
    answer.stop, answer.ending = request.file.size // 2, "close"


def wrong_content_range(answer, request):
    if request.range is None:
        truncated(answer, request)
    else:
        size = request.file.size
        answer.headers["Content-Range"] = f"bytes 7-{6 + len(answer.body)}/{size}"


def no_content_range(answer, request):
    if request.range is None:
        truncated(answer, request)
    else:
        answer.headers.pop("Content-Range", None)


def range_refused(answer, request):
    if request.range is None:
        truncated(answer, request)
    else:
        answer.status, answer.body = 416, b""
        answer.headers["Content-Range"] = f"bytes */{request.file.size}"


# ---- redirects


def redirect_loop(answer, request):
    answer.status, answer.body = 302, b""
    answer.headers["Location"] = request.path


def redirect_file(answer, request):
    """To the very file, so that its size and hash would be right."""
    answer.status, answer.body = 302, b""
    answer.headers["Location"] = f"file://{request.file.source if request.file else '/dev/null'}"


def redirect_host(answer, request):
    answer.status, answer.body = 302, b""
    answer.headers["Location"] = request.hub.urls["elsewhere"] + elsewhere(request)


def redirect_slashes(answer, request):
    """The same without a scheme, which looks like a path."""
    redirect_host(answer, request)
    answer.headers["Location"] = answer.headers["Location"].removeprefix("http:")


def redirect_user(answer, request):
    """To a URL that begins like the Hub's own, as user and password."""
    redirect_host(answer, request)
    hub = request.hub.urls["hub"].removeprefix("http://")
    answer.headers["Location"] = answer.headers["Location"].replace("://", f"://{hub}@", 1)


def elsewhere(request):
    """The path there: of a file its content."""
    if request.file is None:
        return request.path
    commit = request.repository.revisions["main"].commit
    return f"/api/resolve-cache/models/{request.repository.id}/{commit}/{request.file.path}"


def link_elsewhere(answer, request):
    """The next page of the listing lies on another host."""
    if "Link" in answer.headers:
        answer.headers["Link"] = answer.headers["Link"].replace(request.hub.urls["hub"], request.hub.urls["elsewhere"])


def link_loop(answer, request):
    answer.headers["Link"] = f'<{request.hub.urls["hub"]}{request.path}>; rel="next"'


# ---- statuses


def status(code, **headers):
    def set_status(answer, request):
        answer.status = code
        answer.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        answer.body = json.dumps({"error": f"status {code}"}).encode()

    return set_status


def expired(answer, request):
    """The first signed URL of a file is not taken any more, those of later HEADs are."""
    signature = request.query.get("signature", ["0"])[0]
    seen = request.hub.n_seen.setdefault(("signature", request.repository.id, request.file.path), signature)
    if request.origin == "cdn" and seen == signature:
        status(403)(answer, request)


# ---- headers


def wrong_etag(answer, request):
    digits = "0" * len(request.file.etag)
    answer.headers.update({"ETag": f'"{digits}"', "X-Linked-Etag": f'"{digits}"'})


def wrong_size(answer, request):
    answer.headers.update({"X-Linked-Size": str(request.file.size + 1)})


def hostile_etag(answer, request):
    answer.headers.update({"ETag": '"../../../../evil"', "X-Linked-Etag": '"../../../../evil"'})


def hostile_commit(answer, request):
    """Of the revision call or of a HEAD."""
    if request.place == "info":
        answer.body = json.dumps({**json.loads(answer.body), "sha": "../../../../evil"}).encode()
    answer.headers["X-Repo-Commit"] = "../../../../evil"


def no_etag(answer, request):
    for name in ("ETag", "X-Linked-Etag"):
        answer.headers.pop(name, None)


def no_commit(answer, request):
    answer.headers.pop("X-Repo-Commit", None)


def huge_header(answer, request):
    answer.headers["X-Huge"] = "x" * 500_000


def many_headers(answer, request):
    answer.headers.update({f"X-Header-{i}": "x" * 1000 for i in range(2000)})


# ---- listings


def with_entry(path, answer, request):
    """A listing in which one file more is said to be, on its last page."""
    rows = json.loads(answer.body)
    if "Link" in answer.headers:
        return
    if request.place == "info":
        rows["siblings"].append({"rfilename": path, "size": 3, "blobId": "0" * 40})
    else:
        rows.append({"type": "file", "oid": "0" * 40, "size": 3, "path": path})
    answer.body = json.dumps(rows).encode()


def no_files(answer, request):
    rows = json.loads(answer.body)
    if request.place == "info":
        rows["siblings"] = []
    else:
        rows = []
        answer.headers.pop("Link", None)
    answer.body = json.dumps(rows).encode()


def wrong_types(answer, request):
    """JSON, but nothing in it is what it should be."""
    value = {"sha": 7, "siblings": {"rfilename": []}} if request.place == "info" else [{"type": 1, "path": 2}, 3]
    answer.body = json.dumps(value).encode()


HOSTILE_NAMES = {
    "parent": "../x",
    "parent-json": "../x.json",
    "parent-inside": "a/../../b.json",
    "parent-last": "a/..",
    "absolute": "/tmp/abs.json",
    "backslash": "a\\b",
    "backslash-parent": "..\\x.json",
    "nul": "a\0b",
    "nul-json": "a.json\0b",
    "drive": "C:x",
    "drive-json": "C:x.json",
    "drive-slash": "C:/x.json",
    "drive-inside": "a/C:x.json",
    "drive-last": "a/b/C:",
    "backslash-inside": "a/b\\c.json",
    "empty": "",
    "dot": ".",
    "dot-inside": "./x.json",
    "slashes": "a//b.json",
    "slash-last": "a.json/",
    "long-part": "x" * 300 + ".json",
    "long": "x/" * 3000 + "y.json",
    "twice": "config.json",
    "folder": "config.json/x.json",
}

LISTING = ("info", "tree")
BYTES = ("file",)
HEAD = ("head",)

FAULTS = {
    "truncated": (truncated, BYTES, 1),
    "reset": (reset, BYTES, 1),
    "stall": (stall, BYTES, 1),
    "silent": (silent, HEAD, 1),
    "flaky": (flaky, BYTES, 1),
    "held": (held, BYTES, 1),
    "longer": (longer, BYTES, 1),
    "shorter": (shorter, BYTES, 1),
    "no-length": (no_length, BYTES, 1),
    "no-length-cut": (no_length_cut, BYTES, 1),
    "chunked": (chunked, BYTES, 1),
    "chunked-cut": (chunked_cut, BYTES, 1),
    "corrupt": (corrupt, BYTES, 1),
    "changing": (changing, BYTES, 2),
    "gzip-bomb": (gzip_bomb, BYTES, 1),
    "html": (html, BYTES, 1),
    "endless": (endless, BYTES, 1),
    "nested": (nested, LISTING, 1),
    "not-json": (not_json, LISTING, 1),
    "whole-for-range": (whole_for_range, BYTES, 2),
    "wrong-content-range": (wrong_content_range, BYTES, 2),
    "no-content-range": (no_content_range, BYTES, 2),
    "416": (range_refused, BYTES, 2),
    "redirect-loop": (redirect_loop, HEAD, 1),
    "redirect-file": (redirect_file, HEAD, 1),
    "redirect-host": (redirect_host, HEAD, 1),
    "redirect-slashes": (redirect_slashes, HEAD, 1),
    "redirect-user": (redirect_user, HEAD, 1),
    "link-elsewhere": (link_elsewhere, ("tree",), 1),
    "link-loop": (link_loop, ("tree",), 1),
    "400": (status(400), HEAD, 1),
    "401": (status(401), HEAD, 1),
    "403": (status(403), HEAD, 1),
    "404": (status(404, X_Error_Code="EntryNotFound"), HEAD, 1),
    "408": (status(408), HEAD, 1),
    "410": (status(410), HEAD, 1),
    "429": (status(429), HEAD, 1),
    "429-after": (status(429, Retry_After="1"), HEAD, 1),
    "429-long": (status(429, Retry_After="3600"), HEAD, 1),
    "429-date": (status(429, Retry_After="Wed, 21 Oct 2065 07:28:00 GMT"), HEAD, 1),
    "429-odd": (status(429, Retry_After="-99999999999999999999"), HEAD, 1),
    "451": (status(451), HEAD, 1),
    "500": (status(500), HEAD, 1),
    "502": (status(502), HEAD, 1),
    "503": (status(503), HEAD, 1),
    "503-after": (status(503, Retry_After="1"), HEAD, 1),
    "504": (status(504), HEAD, 1),
    "expired": (expired, BYTES, 1),
    "wrong-etag": (wrong_etag, HEAD, 1),
    "wrong-size": (wrong_size, HEAD, 1),
    "hostile-etag": (hostile_etag, HEAD, 1),
    "hostile-commit": (hostile_commit, HEAD, 1),
    "no-etag": (no_etag, HEAD, 1),
    "no-commit": (no_commit, HEAD, 1),
    "huge-header": (huge_header, HEAD, 1),
    "many-headers": (many_headers, HEAD, 1),
    "no-files": (no_files, LISTING, 1),
    "wrong-types": (wrong_types, LISTING, 1),
    **{f"name-{key}": (functools.partial(with_entry, name), LISTING, 1) for key, name in HOSTILE_NAMES.items()},
}
