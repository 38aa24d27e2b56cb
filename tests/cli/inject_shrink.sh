# An input that is cut to half of its size right before the n-th read, for every n: an error and
# nothing written; or, when what is gone had been read, the right result.
. "$FIXTURES/../tests/inject/common.bash"
needs_injection
make_models

try_file() # FILE
{
    local file=$1 n_refused n name

    cp "models/$file" whole
    n_refused=0 n=1
    # What is only copied is held against its size at the beginning, which is the cut one before.
    [[ $file == *.json ]] && n=$((n_calls - 12))
    for ((; n <= n_calls; n++)); do
        FAIL_CALL=read FAIL_AT=$n FAIL_TRUNCATE=models/$file faulty "${command[@]}"
        name="${command[0]}: $file cut before read $n of $n_calls"
        case $status in
        0) is_new || echo "$name: success without the right result" ;;
        3 | 5)
            tells_once || echo "$name: exit $status: $(<err)"
            is_unchanged "" || echo "$name: left behind: $(echo place/*)"
            ((n_refused++))
            ;;
        *) echo "$name: exit $status: $(<err)" ;;
        esac
        restore ""
        cp whole "models/$file"
    done
    ((n_refused > 2)) || echo "${command[0]}: $file: only $n_refused cuts were noticed"
}

command=(mix -q --threads 1 -w 0.4,0.3,0.3 models/a models/b models/c -o place/out)
count_calls read "${command[@]}"
mv place/out new
for file in a/model-00001-of-00002.safetensors b/pytorch_model.bin c/pytorch_model.bin \
    a/2_Dense/model.safetensors a/tokenizer.json; do
    try_file $file
done

# A recipe reads tensors several times.
make_recipe
command=(merge -q --threads 1 recipe.yml -o place/out)
rm -rf new
count_calls read "${command[@]}"
mv place/out new
for file in a/model-00001-of-00002.safetensors b/pytorch_model.bin c/pytorch_model.bin; do
    try_file $file
done
