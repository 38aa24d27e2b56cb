#include "vocabulary.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_reader.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "base/wire.h"

static const size_t file_bytes_max = 200 * 1000 * 1000;

static void add_token(struct vocabulary *vocabulary, const char *token, size_t length, size_t id)
{
    const char *copy;

    if (hash_map_find(&vocabulary->ids, token, length))
        return;
    copy = arena_copy(&vocabulary->arena, token, length);
    hash_map_add(&vocabulary->ids, copy, length, id);
}

/* ---- JSON files ---- */

/* {"token": id, …} */
static int read_id_object(struct vocabulary *vocabulary, struct json_reader *reader,
                          struct error *err)
{
    struct buffer token = {0};
    struct json_text key;
    size_t id, *known;
    int more;

    if (json_reader_object(reader, err))
        return -1;
    while ((more = json_reader_member(reader, &key, err)) > 0) {
        buffer_clear(&token);
        buffer_add(&token, key.bytes, key.length);
        if (json_reader_size(reader, &id, err)) {
            more = -1;
            break;
        }
        known = vocabulary->file ? NULL : hash_map_find(&vocabulary->ids, token.data, token.size);
        if (known)
            *known = id; /* named twice: the last counts */
        else
            add_token(vocabulary, token.data, token.size, id);
    }
    buffer_release(&token);
    return more;
}

/* [["token", score], …], the position being the id */
static int read_piece_list(struct vocabulary *vocabulary, struct json_reader *reader,
                           struct error *err)
{
    struct json_text piece;
    int more, rest;

    if (json_reader_array(reader, err))
        return -1;
    for (size_t id = 0; (more = json_reader_item(reader, err)) > 0; id++) {
        if (json_reader_array(reader, err) || json_reader_item(reader, err) < 0 ||
            json_reader_string(reader, &piece, err))
            return -1;
        add_token(vocabulary, piece.bytes, piece.length, id);
        while ((rest = json_reader_item(reader, err)) > 0)
            if (json_reader_skip(reader, err))
                return -1;
        if (rest < 0)
            return -1;
    }
    return more;
}

/* {"type": …, "vocab": …, …}; old files lack the type. */
static int read_model(struct vocabulary *vocabulary, struct json_reader *reader, struct error *err)
{
    static const char *const kinds[] = {"BPE", "WordPiece", "Unigram", "WordLevel"};
    bool has_vocab = false;
    struct json_text text;
    int more;

    if (json_reader_object(reader, err))
        return -1;
    while ((more = json_reader_member(reader, &text, err)) > 0) {
        int rc = 0;

        if (json_text_is(text, "type") && json_reader_peek(reader) == JSON_STRING) {
            rc = json_reader_string(reader, &text, err);
            for (size_t i = 0; rc == 0 && i < sizeof kinds / sizeof *kinds; i++)
                if (json_text_is(text, kinds[i]))
                    vocabulary->kind = kinds[i];
        } else if (json_text_is(text, "vocab")) {
            bool is_list = json_reader_peek(reader) == JSON_ARRAY;

            has_vocab = true;
            if (!vocabulary->kind)
                vocabulary->kind = is_list ? "Unigram" : "BPE";
            rc = is_list ? read_piece_list(vocabulary, reader, err)
                         : read_id_object(vocabulary, reader, err);
        } else {
            rc = json_reader_skip(reader, err);
        }
        if (rc)
            return -1;
    }
    if (more == 0 && !has_vocab)
        return error_set(err, ERROR_FORMAT, "model has no vocab");
    return more;
}

/* {"id": 5, "content": "<s>", …} */
static int read_added_token(struct vocabulary *vocabulary, struct json_reader *reader,
                            size_t default_id, struct error *err)
{
    size_t id = default_id;
    struct buffer content = {0};
    bool has_content = false;
    struct json_text text;
    int more;

    if (json_reader_object(reader, err))
        return -1;
    while ((more = json_reader_member(reader, &text, err)) > 0) {
        int rc;

        if (json_text_is(text, "id")) {
            rc = json_reader_size(reader, &id, err);
        } else if (json_text_is(text, "content")) {
            rc = json_reader_string(reader, &text, err);
            if (rc == 0)
                buffer_add(&content, text.bytes, text.length);
            has_content = true;
        } else {
            rc = json_reader_skip(reader, err);
        }
        if (rc) {
            more = -1;
            break;
        }
    }
    if (more == 0 && (!has_content || id == SIZE_MAX))
        more = error_set(err, ERROR_FORMAT, "an added token without id or content");
    if (more == 0)
        add_token(vocabulary, content.data, content.size, id);
    buffer_release(&content);
    return more;
}

static int read_added_tokens(struct vocabulary *vocabulary, struct json_reader *reader,
                             struct error *err)
{
    int more;

    if (json_reader_peek(reader) == JSON_NULL)
        return json_reader_skip(reader, err);
    if (json_reader_array(reader, err))
        return -1;
    while ((more = json_reader_item(reader, err)) > 0)
        if (read_added_token(vocabulary, reader, SIZE_MAX, err))
            return -1;
    return more;
}

static int read_tokenizer_json(struct vocabulary *vocabulary, struct json_reader *reader,
                               struct error *err)
{
    bool has_model = false;
    struct json_text key;
    int more;

    if (json_reader_object(reader, err))
        return -1;
    while ((more = json_reader_member(reader, &key, err)) > 0) {
        int rc;

        if (json_text_is(key, "model")) {
            has_model = true;
            rc = read_model(vocabulary, reader, err);
        } else if (json_text_is(key, "added_tokens")) {
            rc = read_added_tokens(vocabulary, reader, err);
        } else {
            rc = json_reader_skip(reader, err);
        }
        if (rc)
            return -1;
    }
    if (more == 0 && !has_model)
        return error_set(err, ERROR_FORMAT, "no model in it");
    return more;
}

/* {"added_tokens_decoder": {"5": {"content": …}, …}, …} */
static int read_decoder(struct vocabulary *vocabulary, struct json_reader *reader,
                        struct error *err)
{
    struct json_text key;
    int more;

    if (json_reader_peek(reader) != JSON_OBJECT)
        return json_reader_skip(reader, err);
    json_reader_object(reader, err);
    while ((more = json_reader_member(reader, &key, err)) > 0) {
        char *end;
        size_t id = strtoull(key.bytes, &end, 10);

        if (end == key.bytes || *end)
            return error_set(err, ERROR_FORMAT, "added_tokens_decoder: '" ERROR_NAME "' is not an "
                             "id", key.bytes);
        if (read_added_token(vocabulary, reader, id, err))
            return -1;
    }
    return more;
}

static int read_tokenizer_config(struct vocabulary *vocabulary, struct json_reader *reader,
                                 struct error *err)
{
    struct json_text key;
    int more;

    if (json_reader_object(reader, err))
        return -1;
    while ((more = json_reader_member(reader, &key, err)) > 0)
        if (json_text_is(key, "added_tokens_decoder") ? read_decoder(vocabulary, reader, err)
                                                      : json_reader_skip(reader, err))
            return -1;
    return more;
}

/* ---- other files ---- */

/* One token a line; an id is a line number from 0 on. */
static int read_lines(struct vocabulary *vocabulary, const char *text, size_t size,
                      struct error *err)
{
    if (utf8_valid_prefix(text, size) < size)
        return error_set(err, ERROR_FORMAT, "at byte %zu: invalid UTF-8",
                         utf8_valid_prefix(text, size));
    for (size_t id = 0; size > 0; id++) {
        const char *end = memchr(text, '\n', size);
        size_t length = end ? (size_t)(end - text) : size, step = end ? length + 1 : length;

        if (length && text[length - 1] == '\r')
            length--;
        add_token(vocabulary, text, length, id);
        text += step;
        size -= step;
    }
    return 0;
}

/* ModelProto: field 1 repeats SentencePiece messages, whose field 1 is the piece. */
static int read_sentencepiece(struct vocabulary *vocabulary, const char *text, size_t size,
                              struct error *err)
{
    struct wire wire = {(const unsigned char *)text, size, 0};
    struct wire_field message, piece;
    size_t id = 0;
    int more, inner;

    while ((more = wire_next(&wire, &message)) > 0) {
        if (message.number != 1 || message.type != WIRE_BYTES)
            continue;
        while ((inner = wire_next(&message.bytes, &piece)) > 0)
            if (piece.number == 1 && piece.type == WIRE_BYTES)
                add_token(vocabulary, (const char *)piece.bytes.bytes, piece.bytes.size, id);
        if (inner < 0)
            more = -1;
        if (more < 0)
            break;
        id++;
    }
    if (more < 0 || id == 0)
        return error_set(err, ERROR_FORMAT, "at byte %zu: not a sentencepiece model",
                         wire.position);
    return 0;
}

/* ---- which file ---- */

typedef int json_part(struct vocabulary *vocabulary, struct json_reader *reader,
                      struct error *err);
typedef int text_part(struct vocabulary *vocabulary, const char *text, size_t size,
                      struct error *err);

/* The first that is there is the vocabulary; the last two only add to it. */
static const struct source {
    const char *name, *kind;
    json_part *read_json;
    text_part *read_text;
    bool is_addition;
} sources[] = {
    {"tokenizer.json", NULL, read_tokenizer_json, NULL, false},
    {"vocab.txt", "WordPiece", NULL, read_lines, false},
    {"vocab.json", "BPE", read_id_object, NULL, false},
    {"tokenizer.model", "sentencepiece", NULL, read_sentencepiece, false},
    {"spiece.model", "sentencepiece", NULL, read_sentencepiece, false},
    {"sentencepiece.bpe.model", "sentencepiece", NULL, read_sentencepiece, false},
    {"added_tokens.json", NULL, read_id_object, NULL, true},
    {"tokenizer_config.json", NULL, read_tokenizer_config, NULL, true},
};

static int read_source(struct vocabulary *vocabulary, const struct source *source,
                       const struct folder *folder, const char *path, struct error *err)
{
    struct json_reader reader;
    size_t size;
    char *text = folder_read_text(folder, path, file_bytes_max, &size, err);
    int rc;

    if (!text)
        return -1;
    json_reader_init(&reader, text, size);
    reader.takes_constants = true; /* Python wrote it */
    if (source->read_json)
        rc = source->read_json(vocabulary, &reader, err) || json_reader_finish(&reader, err) ? -1
                                                                                              : 0;
    else
        rc = source->read_text(vocabulary, text, size, err);
    if (rc && strncmp(text, "version https://git-lfs", 23) == 0) {
        *err = (struct error){0};
        error_set(err, ERROR_FORMAT, "a Git LFS pointer, not the file; fetch it with 'git lfs "
                  "pull'");
    }
    if (rc)
        error_context(err, "'%s/%s'", folder->path, path);
    json_reader_release(&reader);
    free(text);
    return rc;
}

int vocabulary_load(struct vocabulary *vocabulary, const struct folder *folder,
                    const char *directory, struct error *err)
{
    struct vocabulary loaded = {0};
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < sizeof sources / sizeof *sources; i++) {
        const struct source *source = &sources[i];
        char *path;

        if (source->is_addition ? !loaded.file : loaded.file != NULL)
            continue;
        path = folder_join(directory, source->name);
        if (folder_look(folder, path) != FOLDER_ABSENT) {
            rc = read_source(&loaded, source, folder, path, err);
            if (!source->is_addition) {
                loaded.file = arena_copy(&loaded.arena, path, strlen(path));
                if (source->kind)
                    loaded.kind = source->kind;
            }
        }
        free(path);
    }
    if (rc)
        vocabulary_release(&loaded);
    else
        *vocabulary = loaded;
    return rc;
}

void vocabulary_release(struct vocabulary *vocabulary)
{
    hash_map_release(&vocabulary->ids);
    arena_release(&vocabulary->arena);
    *vocabulary = (struct vocabulary){0};
}

static bool comes_before(const struct hash_entry *a, const struct hash_entry *b)
{
    return a->value != b->value ? a->value < b->value : strcmp(a->key, b->key) < 0;
}

/* The first token of `a` that `b` lacks or numbers otherwise, in the order of ids. */
static const struct hash_entry *find_difference(const struct vocabulary *a,
                                                const struct vocabulary *b)
{
    const struct hash_entry *found = NULL;

    for (size_t i = 0; i < a->ids.n_slots; i++) {
        const struct hash_entry *entry = &a->ids.slots[i];
        const size_t *id = entry->key ? hash_map_find(&b->ids, entry->key, entry->length) : NULL;

        if (entry->key && !(id && *id == entry->value) && (!found || comes_before(entry, found)))
            found = entry;
    }
    return found;
}

static void describe(const struct hash_entry *entry, const struct vocabulary *other,
                     const char *here, const char *there, struct buffer *out)
{
    const size_t *id = hash_map_find(&other->ids, entry->key, entry->length);

    buffer_format(out, "token '" ERROR_NAME "' has id %zu in '%s' and ", entry->key, entry->value,
                  here);
    if (id)
        buffer_format(out, "%zu in '%s'", *id, there);
    else
        buffer_format(out, "is not in '%s'", there);
}

bool vocabulary_same(const struct vocabulary *a, const struct vocabulary *b, const char *here,
                     const char *there, struct buffer *out)
{
    const struct hash_entry *difference = find_difference(a, b);

    if (difference) {
        describe(difference, b, here, there, out);
        return false;
    }
    difference = find_difference(b, a);
    if (difference)
        describe(difference, a, there, here, out);
    return !difference;
}
