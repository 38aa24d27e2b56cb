# What git cannot store: FIFOs, sockets, devices, links, unreadable and very large files as models.
. "$FIXTURES/../tests/inject/common.bash"
make_models
pristine=$PWD/pristine
mv models pristine
elsewhere=$PWD/elsewhere
mkdir elsewhere

# A mix of models/a and models/b with this exit status and text in the message; nothing is written.
expect() # NAME, STATUS, TEXT, ARGUMENT...
{
    timeout 10 "$COCKTAIL" mix -q --threads 2 -w 0.5,0.5 models/a models/b -o place/out "${@:4}" \
        >out 2>err
    status=$?
    ((status == $2)) || echo "$1: exit $status, expected $2: $(<err)"
    if (($2 != 0)); then
        tells_once && [[ $(<err) == *"$3"* ]] || echo "$1: '$3': $(<err)"
        is_unchanged "" || echo "$1: left behind: $(echo place/*)"
    fi
    restore ""
}

# inspect (and diff of the model with itself) end with this status.
expect_reading() # NAME, STATUS, ARGUMENT...
{
    local command again

    for command in inspect diff; do
        [[ $command == diff ]] && again=("$3") || again=()
        timeout 10 "$COCKTAIL" $command "${@:3}" "${again[@]}" >out 2>err
        status=$?
        ((status == $2)) || echo "$1: $command: exit $status, expected $2: $(<err)"
    done
}

fresh()
{
    rm -rf models
    cp -r "$pristine" models
}

# ---- not a regular file ----

make_fifo() { mkfifo "$1"; }
make_directory() { mkdir "$1"; }
make_device() { mknod "$1" c 1 5; } # /dev/zero; only root may
make_socket()
{
    perl -MSocket -e 'socket(S, AF_UNIX, SOCK_STREAM, 0) or exit 1;
        bind(S, sockaddr_un($ARGV[0])) or exit 1' "$1"
}
make_link() { ln -s /dev/zero "$1"; }

for kind in fifo directory device socket link; do
    fresh
    case $kind in
    device | socket) make_$kind probe 2>/dev/null || continue ;;
    esac
    for name in model-00002-of-00002.safetensors model.safetensors.index.json config.json \
        tokenizer.json modules.json 1_Pooling/config.json 2_Dense/model.safetensors \
        more/note.txt; do
        [[ $kind == directory && $name == more/note.txt ]] && continue # a folder among others
        fresh
        rm "models/a/$name"
        make_$kind "models/a/$name"
        case $kind in
        directory) text="directory" ;;
        fifo) text="a FIFO" ;;
        link) text="a symbolic link" ;;
        *) text="a $kind" ;;
        esac
        expect "$kind as $name" 3 "$text"
        [[ $kind != link ]] ||
            expect "link to a device as $name, followed" 3 "a device" --follow-symlinks
    done
    fresh
    rm models/b/pytorch_model.bin
    make_$kind models/b/pytorch_model.bin
    expect "$kind as pytorch_model.bin" 3 ""
    expect_reading "$kind as pytorch_model.bin" 3 models/b
    fresh
    make_$kind models/b/model.safetensors
    expect "$kind as model.safetensors" 3 ""
    expect_reading "$kind as model.safetensors" 3 models/b
    [[ $kind == directory ]] ||
        expect_reading "$kind instead of a directory" 3 models/b/model.safetensors
done

# ---- links ----

fresh
mv models/b/pytorch_model.bin elsewhere/weights
ln -s "$elsewhere/weights" models/b/pytorch_model.bin
expect "weights that are an absolute link out" 3 "--follow-symlinks"
expect_reading "weights that are an absolute link out" 3 models/b
expect "weights that are an absolute link out, followed" 0 "" --follow-symlinks
expect_reading "weights that are an absolute link out, followed" 0 models/b --follow-symlinks

fresh
mv models/a/more elsewhere/
ln -s "$elsewhere/more" models/a/more
expect "a folder that is an absolute link out" 3 "--follow-symlinks"
expect "a folder that is an absolute link out, followed" 0 "" --follow-symlinks

fresh
mv models/a/tokenizer.json models/a/more/
ln -s more/tokenizer.json models/a/tokenizer.json
expect "a link that stays inside" 0 ""

fresh
ln -s .. models/a/more/up
expect "a folder that holds itself" 3 "nested"
fresh
ln -s loop models/a/more/loop
expect "a link to itself" 3 "circle"

fresh
mv models real-models
mkdir models
ln -s ../real-models/a models/a
ln -s "$PWD/real-models/b" models/b
expect "models named by links" 0 ""
rm -rf real-models

# The cache of the Hub: snapshots/COMMIT/NAME -> ../../blobs/HASH, one level more in a folder.
make_cache() # REPOSITORY, MODEL
{
    local snapshot=$1/snapshots/0123456789abcdef0123456789abcdef01234567 name hash up i=0

    mkdir -p "$1/blobs" "$snapshot"
    (cd "$2" && find . -type f) | while IFS= read -r name; do
        name=${name#./}
        printf -v hash %040x $((++i))
        mv "$2/$name" "$1/blobs/$hash"
        up=../..
        [[ $name != */* ]] || up=../../..
        mkdir -p "$(dirname "$snapshot/$name")"
        ln -s "$up/blobs/$hash" "$snapshot/$name"
    done
    rm -r "$2"
    ln -s "$PWD/$snapshot" "$2"
}

fresh
make_cache hub/models--org--a models/a
make_cache hub/models--org--b models/b
expect "the cache of the Hub" 0 ""
expect_reading "the cache of the Hub" 0 models/b
snapshot=$(cd -P models/b && pwd)
ln -sfn "../../../models--org--a/blobs/$(printf '%040x' 1)" "$snapshot/tokenizer.json"
expect "a link to the blobs of another repository" 3 "--follow-symlinks"
ln -sfn "../../secret" "$snapshot/tokenizer.json"
echo '{}' >hub/models--org--b/secret
expect "a link beside the blobs" 3 "--follow-symlinks"

# What several repositories share: blobs/HASH -> ../../blobs/XX/HASH.
fresh
rm -r hub
make_cache hub/models--org--a models/a
make_cache hub/models--org--b models/b
mkdir -p hub/blobs/00
for blob in hub/models--org--b/blobs/*; do
    mv "$blob" "hub/blobs/00/${blob##*/}"
    ln -s "../../blobs/00/${blob##*/}" "$blob"
done
expect "blobs that are shared" 0 ""
expect_reading "blobs that are shared" 0 models/b
ln -sfn ../../secret "hub/models--org--b/blobs/$(printf '%040x' 1)"
echo '{}' >hub/secret
expect "a blob that is a link out of the cache's blobs" 3 "--follow-symlinks"

# ---- unreadable, large ----

fresh
chmod 000 models/a/more/note.txt
if [[ ! -r models/a/more/note.txt ]]; then # root reads everything
    expect "an unreadable file" 5 "Permission denied"
    chmod 644 models/a/more/note.txt
    chmod 000 models/b/pytorch_model.bin
    expect_reading "unreadable weights" 5 models/b
fi

# A header of this text, then zeros up to a size in bytes.
make_sparse() # FILE, HEADER, SIZE
{
    local length=${#2} i

    {
        for ((i = 0; i < 64; i += 8)); do
            printf "\\x$(printf %02x $((length >> i & 255)))"
        done
        printf %s "$2"
    } >"$1"
    truncate -s "$3" "$1" 2>/dev/null
}

fresh
for name in a b; do
    rm -rf models/$name/{2_Dense,modules.json,*.index.json,*.bin,*.safetensors}
    header='{"x":{"dtype":"F32","shape":[1250000000000],"data_offsets":[0,5000000000000]}}'
    make_sparse models/$name/model.safetensors "$header" $((5000000000000 + 8 + ${#header})) ||
        : >no_large_files
done
if [[ ! -e no_large_files ]]; then
    expect "5 TB" 5 "disk space"
    "$COCKTAIL" inspect --json models/a | grep -q '"size_bytes":5000000000000[,}]' ||
        echo "5 TB: inspect: $("$COCKTAIL" inspect --json models/a)"
fi

fresh
rm -f models/b/pytorch_model.bin
printf '\x01\xe1\xf5\x05\0\0\0\0{' >models/b/model.safetensors
truncate -s 200000000 models/b/model.safetensors
expect "a header of 100000001 bytes" 3 "100000001"
printf '\x00\xe1\xf5\x05\0\0\0\0{' >models/b/model.safetensors
truncate -s 200000000 models/b/model.safetensors
expect "a header of 100000000 zeros" 3 "not valid JSON"

fresh
truncate -s 11000000 models/b/config.json
expect "a config.json of 11 MB" 3 "limit"
