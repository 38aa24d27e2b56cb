# What pull fetches, what it says of it, and the cache it leaves: the one of huggingface_hub.
. "$FIXTURES/../tests/server/hub.bash"
base=$FIXTURES/encoder-base repairs=$FIXTURES/encoder-repairs
start_hub --repo "acme/base=$base" --repo "acme/base@feature/x=$repairs" --repo "acme/other=$repairs" \
    --renamed old/base=acme/base
umask 022

# ---- --json ----

# Whether ./out describes a snapshot of the directory.
cat >check_json.py <<'END'
import hashlib, json, os, re, sys
directory, cache = sys.argv[1:]
text = open("out").read()
found = json.loads(text)
assert list(found) == ["path", "revision", "files"], list(found)
assert re.fullmatch("[0-9a-f]{40}", found["revision"]), found["revision"]
assert found["path"] == f"{cache}/snapshots/{found['revision']}", found["path"]
rows = {row["name"]: row for row in found["files"]}
names = sorted(os.path.relpath(os.path.join(d, f), directory) for d, _, fs in os.walk(directory) for f in fs)
assert [row["name"] for row in found["files"]] == names, (list(rows), names)
for name, row in rows.items():
    content = open(os.path.join(directory, name), "rb").read()
    assert list(row) == ["name", "size_bytes", "sha256"], row
    assert row["size_bytes"] == len(content), row
    assert row["sha256"] == hashlib.sha256(content).hexdigest(), row
END
check_json() # NAME, DIRECTORY, REPOSITORY'S CACHE
{
    expect "$1" 0
    [[ ! -s err ]] || echo "$1: says $(<err)"
    python3 check_json.py "$2" "$3" || echo "$1: $(<out)"
}

run pull --json acme/base
check_json "--json" "$base" "$PWD/cache/models--acme--base"
cp out first
repository=cache/models--acme--base
commit=$(member revision)

# ---- the layout ----

declare -A etag
for file in "$base"/*; do
    name=${file##*/}
    etag[$name]=$(git_sha1 "$file")
    [[ $name == *.safetensors ]] && etag[$name]=$(sha256sum <"$file" | cut -d' ' -f1)
done
expected_layout()
{
    local name

    printf '%s\n' "d 755 .locks" "d 755 .locks/models--acme--base" "d 755 models--acme--base" \
        "d 755 models--acme--base/blobs" "d 755 models--acme--base/refs" "f 644 CACHEDIR.TAG" \
        "d 755 models--acme--base/snapshots" "d 755 models--acme--base/snapshots/$commit" \
        "f 644 models--acme--base/refs/main"
    for name in "${!etag[@]}"; do
        echo "f 664 .locks/models--acme--base/${etag[$name]}.lock"
        echo "f 644 models--acme--base/blobs/${etag[$name]}"
        echo "l 777 models--acme--base/snapshots/$commit/$name -> ../../blobs/${etag[$name]}"
    done
}
find cache -mindepth 1 \( -type l -printf '%y %m %P -> %l\n' -o -printf '%y %m %P\n' \) | grep -v '/trees' |
    sort >layout
expected_layout | sort | diff - layout || echo "the layout is another one"
[[ $(<$repository/refs/main) == "$commit" && $(stat -c %s $repository/refs/main) == 40 ]] ||
    echo "refs/main: $(<$repository/refs/main)"
[[ $(head -n 1 cache/CACHEDIR.TAG) == "Signature: 8a477f597d28d172789f06886806bc55" ]] ||
    echo "CACHEDIR.TAG: $(<cache/CACHEDIR.TAG)"
holds "the snapshot" "$repository/snapshots/$commit" "$base"
check_cache "the cache" cache

# ---- once more: nothing is fetched ----

forget_requests
run pull --json acme/base
check_json "again" "$base" "$PWD/$repository"
cmp out first
[[ $(count "$bodies") == 0 ]] || echo "again: $(requests "$bodies")"

run pull --json "acme/base@$commit"
check_json "by commit" "$base" "$PWD/$repository"
run pull --json acme/base@main
check_json "@main" "$base" "$PWD/$repository"
[[ $(count "$bodies") == 0 ]] || echo "@main, by commit: $(requests "$bodies")"
[[ $(ls $repository/refs) == main ]] || echo "a commit got a ref: $(ls $repository/refs)"

# ---- a cache that cannot be written to, as another one than root ----

somebody=()
((EUID != 0)) || somebody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
chmod -R a-w cache
cp "$COCKTAIL" program
if "${somebody[@]}" test -x "$PWD/program" 2>/dev/null; then # not below a home that is closed
    status=0
    "${somebody[@]}" timeout 60 "$PWD/program" pull --json acme/base >out 2>err || status=$?
    check_json "a read-only cache" "$base" "$PWD/$repository"
    status=0
    "${somebody[@]}" timeout 60 "$PWD/program" pull acme/other >out 2>err || status=$?
    expect_failure "a read-only cache that lacks it" 5
fi
chmod -R u+w cache

# ---- another revision, with a slash: what both have is fetched once ----

forget_requests
run pull --json acme/base@feature/x
check_json "a branch with a slash" "$repairs" "$PWD/$repository"
branch=$(member revision)
[[ $branch != "$commit" && $(<$repository/refs/feature/x) == "$branch" ]] ||
    echo "refs/feature/x: $(<$repository/refs/feature/x)"
[[ $(readlink $repository/snapshots/"$branch"/1_Pooling/config.json) == ../../../blobs/* ]] ||
    echo "in a folder: $(readlink $repository/snapshots/"$branch"/1_Pooling/config.json)"
for name in vocab.txt tokenizer.json; do
    cmp -s "$base/$name" "$repairs/$name" || echo "the fixtures' $name are not alike"
    [[ $(count "$bodies" "/$name") == 0 ]] || echo "fetched again: $(requests "$bodies" "/$name")"
done
[[ $(count '"cdn"' '"GET"') == 1 ]] || echo "a branch: $(requests '"cdn"')"
check_cache "two revisions" cache

# ---- an old name: redirects within the Hub ----

run pull --json old/base
check_json "a renamed repository" "$base" "$PWD/cache/models--old--base"

# ---- as text ----

run pull acme/base
expect "as text" 0
grep -qF "$repository/snapshots/$commit" out || echo "as text: $(<out)"

# ---- --dry-run ----

export HF_HUB_CACHE=$PWD/dry
forget_requests
run pull --json --dry-run acme/base
expect "--dry-run" 0
[[ ! -e dry ]] || echo "--dry-run wrote: $(find dry)"
[[ $(count "$bodies") == 0 ]] || echo "--dry-run: $(requests "$bodies")"
python3 - "$base" <<'END' || echo "--dry-run: $(<out)"
import hashlib, json, os, sys
found = json.load(open("out"))
assert sorted(row["name"] for row in found["files"]) == sorted(os.listdir(sys.argv[1]))
for row in found["files"]:
    content = open(os.path.join(sys.argv[1], row["name"]), "rb").read()
    assert row["size_bytes"] == len(content), row
    assert row["sha256"] in (None, hashlib.sha256(content).hexdigest()), row
END
run pull --dry-run acme/base
expect "--dry-run as text" 0
grep -q 'model.safetensors' out || echo "--dry-run as text: $(<out)"
[[ ! -e dry ]] || echo "--dry-run as text wrote: $(find dry)"

# ---- --include ----

included() # NAME, FILES, ARGUMENT...
{
    rm -rf dry
    run pull --json "${@:3}"
    expect "$1" 0
    [[ $(cd dry/models--acme--other/snapshots/* && find . -type l -printf '%P\n' | sort |
        tr '\n' ' ') == "$2 " ]] || echo "$1: $(find dry -type l)"
}
included "--include" "1_Pooling/config.json 2_Normalize/config.json config.json\
 config_sentence_transformers.json modules.json sentence_bert_config.json special_tokens_map.json\
 tokenizer.json tokenizer_config.json" --include '*.json' acme/other
included "--include of a name" "config.json" --include config.json acme/other
included "two of --include" "1_Pooling/config.json vocab.txt" --include '1_*' --include 'v*.txt' acme/other
included "--include of what the choice has not" "model.safetensors" acme/other --include='mod*[rs]'
rm -rf dry
run pull acme/other --include 'CONFIG.JSON'
expect_failure "--include, in capitals" 2
[[ ! -e dry && $(<err) == *CONFIG.JSON* ]] || echo "--include, in capitals: $(<err) $(find dry 2>&1)"

# ---- where the cache is ----

unset HF_HUB_CACHE
place() # NAME, DIRECTORY, ASSIGNMENT...
{
    rm -rf "$HOME/.cache" "$PWD/place"
    status=0
    env "${@:3}" timeout 60 "$COCKTAIL" pull -q acme/base --include config.json >out 2>err || status=$?
    expect "$1" 0
    [[ -f $2/models--acme--base/snapshots/$commit/config.json ]] || echo "$1: $(<out) $(find place "$HOME" -type l)"
}
export HOME=$PWD/home
mkdir home
place "HOME" "$HOME/.cache/huggingface/hub" A=b
place "XDG_CACHE_HOME" "$PWD/place/huggingface/hub" XDG_CACHE_HOME="$PWD/place"
place "HF_HOME" "$PWD/place/hub" HF_HOME="$PWD/place" XDG_CACHE_HOME="$PWD/other"
place "HF_HUB_CACHE" "$PWD/place" HF_HUB_CACHE="$PWD/place" HF_HOME="$PWD/other"
place "HUGGINGFACE_HUB_CACHE" "$PWD/place" HUGGINGFACE_HUB_CACHE="$PWD/place" HF_HOME="$PWD/other"
# shellcheck disable=SC2088,SC2016
place "a tilde" "$HOME/mine" HF_HUB_CACHE='~/mine'
# shellcheck disable=SC2016
place "a variable" "$PWD/place/deep" HF_HUB_CACHE='$WHERE/deep' WHERE="$PWD/place"
place "an empty one" "$HOME/.cache/huggingface/hub" HF_HUB_CACHE= HF_HOME=
place "a slash behind the endpoint" "$HOME/.cache/huggingface/hub" HF_ENDPOINT="$HUB/"

# ---- what is not there ----

for id in acme/nothing acme/base@nothing acme/base@refs/pr/7; do
    run pull "$id"
    expect_failure "$id" 6
    [[ $(<err) == *"$id"* || $(<err) == *"${id%@*}"*"${id#*@}"* ]] || echo "$id: $(<err)"
done
for id in nothing a/b/c acme/ /acme acme/.base acme/base. acme/ba--se acme/base.git 'acme/ba se' ac@me/base \
    "acme/$(printf '%0100d' 0)" acme/base@; do
    run pull "$id"
    expect_failure "'$id'" 2
done
run pull
((status == 2)) || echo "no id: exit $status"
run pull acme/base acme/other
((status == 2)) || echo "two ids: exit $status"
