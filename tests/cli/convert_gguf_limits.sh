# What a GGUF file cannot say is refused by name, and so is what llama.cpp would compute otherwise.
for name in bert-causal-f16 bert-score-1 deepseek-v2-bf16 distilbert-f16 gemma2-f16 gemma3-f16 gpt-neox-f16 gpt2-inverse-bf16 \
    gpt2-unscaled-untied-f16 llama-dynamic-f16 llama-not-causal-f16 llama-score-bf16 llama-yarn-f16 llama-yarn-truncate-bf16 \
    mistral-consolidated-f16 mistral-window-bf16 mixtral-consolidated olmoe-bf16 olmoe-clip-f16 openmoe phi3-window-bf16 \
    qwen2-moe qwen2-moe-step-bf16 qwen2-window-f16 qwen3-moe-f16 qwen3-moe-k1-bf16 roberta sentence-dense sentence-max t5; do
    cocktail convert -q fixtures/models/$name -o out.gguf 2>&1
    echo "exit $?"
done
cocktail convert -q fixtures/models/llama-gqa -o out.gguf 2>&1 # its tokenizer
echo "exit $?"
cocktail convert -q fixtures/models/llama-gqa/model.safetensors -o out.gguf 2>&1
echo "exit $?"
echo '--- settings that no fixture has'
edited() # MODEL NAME VALUE
{
    rm -rf edited
    cp -r "fixtures/models/$1" edited
    python3 - "$2" "$3" <<'END'
import json, sys
c = json.load(open("edited/config.json"))
c[sys.argv[1]] = json.loads(sys.argv[2])
json.dump(c, open("edited/config.json", "w"))
END
    cocktail convert -q edited -o out.gguf 2>&1
    echo "exit $?"
}
edited llama-gqa hidden_act '"gelu"'
edited gpt2 activation_function '"gelu"'
edited gemma-bf16 tie_word_embeddings false
edited qwen3-f16 rope_parameters '{"rope_type": "llama3", "rope_theta": 1e4, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 16}'
echo '--- what is left out is said'
cp -r fixtures/models/{bert-mlm-bf16,sentence-cls} .
rm {bert-mlm-bf16,sentence-cls}/tokenizer*
cocktail convert bert-mlm-bf16 -o mlm.gguf >/dev/null
cocktail convert sentence-cls -o cls.gguf >/dev/null
cp -r fixtures/encoder-base heads
cp fixtures/heads/one/* heads
cocktail convert heads -o heads.gguf >/dev/null
[[ ! -e out.gguf ]]
