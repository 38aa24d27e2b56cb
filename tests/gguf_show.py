"""gguf_show.py FILE [tensors] - what a GGUF file says: its values, then its tensors with a checksum of their bytes.

With `tensors`, those alone. Long lists are shown by their length and a checksum."""
import struct
import sys
import zlib

TYPES = {0: ("B", 1), 1: ("b", 1), 2: ("H", 2), 3: ("h", 2), 4: ("I", 4), 5: ("i", 4), 6: ("f", 4), 7: ("?", 1), 10: ("Q", 8), 11: ("q", 8), 12: ("d", 8)}
NAMES = {0: ("F32", 1, 4), 1: ("F16", 1, 2), 8: ("Q8_0", 32, 34), 30: ("BF16", 1, 2)}


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def number(self, kind):
        code, size = TYPES[kind]
        self.at += size
        return struct.unpack_from("<" + code, self.data, self.at - size)[0]

    def text(self):
        n = self.number(10)
        self.at += n
        return self.data[self.at - n:self.at].decode()

    def value(self, kind):
        if kind == 8:
            return self.text()
        if kind == 9:
            item, n = self.number(4), self.number(10)
            return [self.value(item) for _ in range(n)]
        return self.number(kind)


def shown(value):
    if isinstance(value, list) and len(value) > 8:
        return f"[{len(value)}: {zlib.crc32(repr(value).encode()):08x}]"
    return f"{value:.9g}" if isinstance(value, float) else repr(value)


def main():
    r = Reader(open(sys.argv[1], "rb").read())
    assert r.data[:4] == b"GGUF"
    r.at = 4
    version, n_tensors, n_values = r.number(4), r.number(10), r.number(10)
    lines = []
    for _ in range(n_values):
        key, kind = r.text(), r.number(4)
        lines.append(f"{key} = {shown(r.value(kind))}")
    tensors = [(r.text(), [r.number(10) for _ in range(r.number(4))], r.number(4), r.number(10)) for _ in range(n_tensors)]
    start, end = r.at + -r.at % 32, 0
    if len(sys.argv) == 2:
        print(f"version {version}", *lines, sep="\n")
    for name, dims, kind, offset in tensors:
        dtype, items, size = NAMES[kind]
        n = items and size
        for d in dims:
            n *= d
        n //= items
        assert offset == end, name
        end = offset + n + -n % 32
        print(name, dtype, dims, f"{zlib.crc32(r.data[start + offset:start + offset + n]):08x}")
    assert start + end == len(r.data)


main()
