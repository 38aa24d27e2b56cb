# What a merge holds does not grow with a row, nor with the number of columns: a tensor of one row of
# 10 million items takes no more than small ones do.
. "$FIXTURES/../tests/inject/common.bash"
[[ -z ${SAN-} ]] || skip "a sanitizer keeps what was freed"

python3 - <<'END'
import json, os, random, struct

n = 10_000_000
sizes = bytes(byte & 0x80 | 0x20 | byte & 0x1F for byte in range(256))  # F8_E4M3, of 0.03 to 1.8
for seed, name in enumerate(("base", "a", "b")):
    os.mkdir(name)
    with open(f"{name}/config.json", "w") as file:
        json.dump({"model_type": "made"}, file)
    header = json.dumps({"row": {"dtype": "F8_E4M3", "shape": [1, n], "data_offsets": [0, n]}}).encode()
    header += b" " * (-len(header) % 8)
    data = random.Random(seed).randbytes(n).translate(sizes)
    with open(f"{name}/model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(header)) + header + data)
END

peak_mb() # ARGUMENT...: of a run of mix
{
    python3 -c 'import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1000)' \
        cocktail mix -q -t 2 --type decoder -o out --force "$@"
}

check() # ARGUMENT...
{
    mb=$(peak_mb "$@")
    ((mb < 24)) || echo "$*: $mb MB"
}

check --method della --base base --weights 0.6,0.4 --param density=0.5 --param epsilon=0.1 a b
check --method arcee_fusion --base base a
check --method model_stock --base base --param filter_wise=true a b
check --method nuslerp --weights 0.6,0.4 --param nuslerp_flatten=false a b
check --method nuslerp --weights 0.6,0.4 --param nuslerp_flatten=false --param nuslerp_row_wise=true a b
cmp -s out/model.safetensors a/model.safetensors && echo "nothing was mixed"
exit 0
