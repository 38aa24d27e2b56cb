/* tokenizer_fallback.c - which file stands in for tokenizer.json, and who builds from it. */
#include "tokenizer_fallback.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/folder_hint.h"
#include "text/fallback_builder.h"

int tokenizer_fallback_check_pointer(const char *text, struct error *err)
{
    if (strncmp(text, "version https://git-lfs", 23) != 0)
        return 0;
    return error_set(err, ERROR_FORMAT, "a Git LFS pointer, not the file; fetch it with 'git lfs "
                     "pull'");
}

static const struct {
    const char *name;
    fallback_builder *make;
} builders[] = { /* the first that is there is taken */
    {"vocab.txt", fallback_vocab_txt},
    {"vocab.json", fallback_vocab_json},
    {"tokenizer.model", fallback_sentencepiece},
    {"spiece.model", fallback_sentencepiece},
    {"sentencepiece.bpe.model", fallback_xlmr},
    {"tekken.json", fallback_tekken},
};
enum { N_BUILDERS = sizeof builders / sizeof *builders };

static int no_tokenizer(const struct folder *folder, const char *directory, struct error *err)
{
    const char *names[N_BUILDERS + 2] = {"tokenizer.json"};
    struct buffer list = {0};
    char *hint;

    buffer_add_text(&list, *names);
    for (size_t i = 0; i < N_BUILDERS; i++) {
        names[i + 1] = builders[i].name;
        buffer_format(&list, ", %s", builders[i].name);
    }
    hint = folder_hint(folder, directory, "a tokenizer", names, false);
    error_set(err, ERROR_FORMAT, "'%s%s%s': no tokenizer in it (looked for %s)%s", folder->path,
              *directory ? "/" : "", directory, list.data, hint);
    free(hint);
    buffer_release(&list);
    return -1;
}

/* The row of the file that is there; SIZE_MAX: none is. */
static size_t find_builder(const struct folder *folder, const char *directory)
{
    for (size_t i = 0; i < N_BUILDERS; i++) {
        char *path = folder_join(directory, builders[i].name);
        bool is_there = folder_look(folder, path) != FOLDER_ABSENT;

        free(path);
        if (is_there)
            return i;
    }
    return SIZE_MAX;
}

const char *tokenizer_fallback_find(const struct folder *folder, const char *directory)
{
    size_t i = find_builder(folder, directory);

    return i == SIZE_MAX ? NULL : builders[i].name;
}

int tokenizer_fallback_make(struct tokenizer_fallback *fallback, const struct folder *folder,
                            const char *directory, const struct tokenizer_config *config,
                            struct error *err)
{
    struct fallback_source source = {folder, directory, config, NULL, 0};
    size_t i = find_builder(folder, directory);
    char *path;
    int rc = -1;

    if (i == SIZE_MAX)
        return no_tokenizer(folder, directory, err);
    path = folder_join(directory, builders[i].name);
    fallback->file = builders[i].name;
    source.text = folder_read_text(folder, path, FALLBACK_BYTES_MAX, &source.size, err);
    if (source.text) {
        if (tokenizer_fallback_check_pointer(source.text, err) == 0)
            rc = builders[i].make(fallback, &source, err);
        if (rc)
            error_context(err, "'%s/%s'", folder->path, path);
    }
    free(source.text);
    free(path);
    return rc;
}
