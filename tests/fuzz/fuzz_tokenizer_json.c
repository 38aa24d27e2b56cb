/* fuzz_tokenizer_json.c - any bytes as tokenizer.json: refused, or a tokenizer that works.
 *
 * Behind a NUL byte a tokenizer_config.json may follow. */
#include "tokenizer_files.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const uint8_t *end = size ? memchr(bytes, 0, size) : NULL;
    struct tokenizer *tokenizer;

    files_delete("tokenizer_config.json");
    if (end)
        files_write("tokenizer_config.json", end + 1, size - (size_t)(end + 1 - bytes));
    files_write("tokenizer.json", bytes, end ? (size_t)(end - bytes) : size);
    tokenizer = files_load();
    if (tokenizer)
        files_try(tokenizer);
    tokenizer_free(tokenizer);
    return 0;
}
