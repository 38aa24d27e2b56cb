/* tokenizer_files.h - for the fuzz targets that load tokenizers: what must hold of any that loads. */
#ifndef COCKTAIL_TOKENIZER_FILES_H
#define COCKTAIL_TOKENIZER_FILES_H

#include "base/folder.h"
#include "base/utf8.h"
#include "text/tokenizer.h"

#include "fuzz_folder.h"

/* NULL: refused, and it says why. */
static inline struct tokenizer *files_load(void)
{
    struct error err = {0};
    struct folder *folder = folder_open(files_folder(), false, &err);
    struct tokenizer *tokenizer = tokenizer_load(folder, "", &err);

    MUST(!tokenizer == (err.code != ERROR_NONE && *err.text));
    if (!tokenizer)
        MUST(err.code == ERROR_FORMAT || err.code == ERROR_UNSUPPORTED ||
             err.code == ERROR_RESOURCES);
    folder_close(folder);
    return tokenizer;
}

/* Decoded text is text; a file that makes too much of it is said to. Whether it was decoded. */
static inline bool files_check_decoding(const struct tokenizer *tokenizer, const uint32_t *ids,
                                        size_t n, struct buffer *out)
{
    for (int skip = 0; skip < 2; skip++) {
        struct error err = {0};

        buffer_clear(out);
        if (tokenizer_decode(tokenizer, ids, n, !skip, out, &err)) {
            MUST((err.code == ERROR_FORMAT || err.code == ERROR_UNSUPPORTED) && *err.text);
            MUST(out->size == 0);
            return false;
        }
        MUST(out->size == 0 || utf8_valid_prefix(out->data, out->size) == out->size);
    }
    return true;
}

/* Encodes fixed texts; a file that loads may still fail, and then says why. */
static inline void files_try(const struct tokenizer *tokenizer)
{
    static const char *const texts[] = {
        "", " ", "Hello world", "  It's 12345 o'clock,\r\n\ttwice!! ", "<s>[CLS]a ab abc</s> <mask>b",
        "e\xcc\x81 \xc3\x89\xef\xac\x81 \xe6\x97\xa5\xe6\x9c\xac\xed\x95\x9c \xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x9a\x80",
        "\xff\xc0 bad \xed\xa0\x80 bytes\x01", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    };
    struct tokenizer_scratch *scratch = tokenizer_scratch_new(tokenizer);
    struct encoding encoding = {0};
    struct buffer out = {0};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct encode_options options = {.no_special = i % 2, .max_length = i == 3 ? 1000 : 0};
        struct error err = {0};
        const char *pair = i % 3 == 2 ? texts[i - 1] : NULL;
        int rc = tokenizer_encode(tokenizer, scratch, texts[i], strlen(texts[i]), pair,
                                  pair ? strlen(pair) : 0, &options, &encoding, &err);

        MUST(!rc == (err.code == ERROR_NONE) && !rc == !*err.text);
        if (rc == 0)
            files_check_decoding(tokenizer, encoding.ids, encoding.n_ids, &out);
    }
    files_check_decoding(tokenizer, (const uint32_t[]){0, 1, 2, 3, 4, 5, 6, 7, 8, 0xffffffff}, 10,
                         &out);
    buffer_release(&out);
    encoding_release(&encoding);
    tokenizer_scratch_free(scratch);
}

#endif
