/* tokenizer_files.h - for the fuzz targets that load tokenizers: a folder in memory with the files
 * that the bytes stand for, and what must hold of any tokenizer that loads. */
#ifndef COCKTAIL_TOKENIZER_FILES_H
#define COCKTAIL_TOKENIZER_FILES_H

#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/utf8.h"
#include "text/tokenizer.h"

/* A check that stays with NDEBUG, and says which one it was. */
#define MUST(condition)                                                                           \
    do {                                                                                          \
        if (!(condition)) {                                                                       \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                       \
            abort();                                                                              \
        }                                                                                         \
    } while (0)

static char files_place[64];

static int files_remove(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

static inline void files_end(void)
{
    nftw(files_place, files_remove, 8, FTW_DEPTH | FTW_PHYS);
}

/* The folder of this process, on a file system in memory where there is one. */
static inline const char *files_folder(void)
{
    static const char *const places[] = {"/dev/shm", "/tmp"};

    for (size_t i = 0; !*files_place && i < 2; i++) {
        snprintf(files_place, sizeof files_place, "%s/fuzz-XXXXXX", places[i]);
        if (!mkdtemp(files_place))
            *files_place = '\0';
        else
            atexit(files_end);
    }
    MUST(*files_place);
    return files_place;
}

static inline void files_write(const char *name, const void *bytes, size_t size)
{
    char path[128];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", files_folder(), name);
    file = fopen(path, "wb");
    MUST(file && fwrite(bytes, 1, size, file) == size);
    MUST(fclose(file) == 0);
}

static inline void files_delete(const char *name)
{
    char path[128];

    snprintf(path, sizeof path, "%s/%s", files_folder(), name);
    unlink(path);
}

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
