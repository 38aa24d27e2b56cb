"""adapter_compare.py EXPECTED FOUND TOLERANCE - two safetensors files of floats, name by name.

Differences may be TOLERANCE times the largest value of a tensor; 0: none, not even in the sign of zero.
Names may lack or have the prefix of GPT-2's body.
"""
import sys
from array import array

sys.path.insert(0, __file__.rsplit("/", 1)[0])
from golden_compare import read_tensors

expected, found = read_tensors(sys.argv[1]), read_tensors(sys.argv[2])
tolerance = float(sys.argv[3])
found = {name.removeprefix("transformer."): entry for name, entry in found.items()}
expected = {name.removeprefix("transformer."): entry for name, entry in expected.items()}
if sorted(expected) != sorted(found):
    print("names differ:", sorted(set(expected) ^ set(found)))
for name in sorted(set(expected) & set(found)):
    (dtype, data, shape), (other, bytes_, other_shape) = expected[name], found[name]
    if (dtype, shape) != (other, other_shape):
        print(name, dtype, shape, "became", other, other_shape)
        continue
    if data == bytes_:
        continue
    if dtype != "F32" or tolerance == 0:
        print(name, "differs")
        continue
    a, b = array("f", data), array("f", bytes_)
    most, largest = max(abs(x - y) for x, y in zip(a, b)), max(abs(x) for x in a)
    if not most <= tolerance * largest:
        print(name, "differs by", most, "of", largest)
