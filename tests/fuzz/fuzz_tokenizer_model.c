/* fuzz_tokenizer_model.c - any bytes as one of the files that stand in for tokenizer.json.
 *
 * The first byte says which file, and of what class tokenizer_config.json says it is. */
#include "tokenizer_files.h"

static const char *const names[] = {"tokenizer.model", "spiece.model", "sentencepiece.bpe.model",
                                    "tekken.json",     "vocab.txt",    "vocab.json"};
static const char *const configs[] = {
    NULL,
    "{\"tokenizer_class\": \"LlamaTokenizer\", \"legacy\": false, \"add_eos_token\": true}",
    "{\"tokenizer_class\": \"GemmaTokenizer\"}",
    "{\"tokenizer_class\": \"XLMRobertaTokenizer\"}",
    "{\"tokenizer_class\": \"T5Tokenizer\"}",
    "{\"tokenizer_class\": \"Qwen2Tokenizer\"}",
    "{\"tokenizer_class\": \"RobertaTokenizer\", \"add_prefix_space\": true}",
    "{\"tokenizer_class\": \"MPNetTokenizer\", \"do_lower_case\": false}",
};
enum { N_NAMES = sizeof names / sizeof *names, N_CONFIGS = sizeof configs / sizeof *configs };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char merges[] = "#version: 0.2\na b\nab c\n";
    const char *config;
    struct tokenizer *tokenizer;

    if (size == 0)
        return 0;
    for (size_t i = 0; i < N_NAMES; i++)
        files_delete(names[i]);
    files_delete("tokenizer_config.json");
    config = configs[bytes[0] / N_NAMES % N_CONFIGS];
    if (config)
        files_write("tokenizer_config.json", config, strlen(config));
    files_write("merges.txt", merges, strlen(merges));
    files_write(names[bytes[0] % N_NAMES], bytes + 1, size - 1);
    tokenizer = files_load();
    if (tokenizer)
        files_try(tokenizer);
    tokenizer_free(tokenizer);
    return 0;
}
