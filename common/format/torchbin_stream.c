/* torchbin_stream.c - what torch.save wrote before 1.6: five pickles, then the storages one behind
 * the other, in the order of the last pickle. */
#include "torchbin_container.h"

#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "base/memory.h"

enum { PROTOCOL_NUMBER = 1001 };

/* 0x1950a86a20f9469cfc6c, as pickle writes it behind LONG1. */
static const char magic_number[] = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
enum { MAGIC_BYTES = sizeof magic_number - 1 };

enum { MAGIC, PROTOCOL, SYS_INFO, OBJECT, KEYS, N_PICKLES };

struct stream {
    const char *bytes; /* the beginning of the file */
    size_t size;
    struct pickle pickles[N_PICKLES];
    size_t end; /* of the last pickle */
};

static int load_pickles(struct torchbin_source *source, struct stream *stream, struct error *err)
{
    static const char *const names[] = {"magic number", "protocol version", "sys_info", "object",
                                        "storage keys"};

    stream->end = 0;
    for (size_t i = 0; i < N_PICKLES; i++) {
        if (torchbin_load_pickle(source, &stream->pickles[i], i == OBJECT,
                                 stream->bytes + stream->end, stream->size - stream->end,
                                 stream->end, err))
            return error_context(err, "%s", names[i]);
        stream->end += stream->pickles[i].n_bytes;
    }
    return 0;
}

static void release_pickles(struct stream *stream)
{
    for (size_t i = 0; i < N_PICKLES; i++)
        pickle_release(&stream->pickles[i]);
}

static bool is_cut(const struct stream *stream)
{
    for (size_t i = 0; i < N_PICKLES; i++)
        if (stream->pickles[i].is_cut)
            return true;
    return false;
}

static int check_head(const struct stream *stream, struct error *err)
{
    const struct pickle_value *magic = &stream->pickles[MAGIC].result;
    const struct pickle_value *protocol = &stream->pickles[PROTOCOL].result;
    const struct pickle_value *info = &stream->pickles[SYS_INFO].result, *order;

    if (magic->kind != PICKLE_BIG || magic->length != MAGIC_BYTES ||
        memcmp(magic->text, magic_number, MAGIC_BYTES) != 0)
        return error_set(err, ERROR_FORMAT, "its magic number is not that of PyTorch");
    if (protocol->kind != PICKLE_INTEGER)
        return error_set(err, ERROR_FORMAT, "its protocol version is not a number");
    if (protocol->integer != PROTOCOL_NUMBER)
        return error_set(err, ERROR_FORMAT, "protocol %lld, not %d", (long long)protocol->integer,
                         PROTOCOL_NUMBER);
    if (info->kind != PICKLE_DICT)
        return error_set(err, ERROR_FORMAT, "its sys_info is not a dictionary");
    order = pickle_find(info->node, "little_endian");
    if (!order || order->kind != PICKLE_BOOL)
        return error_set(err, ERROR_FORMAT, "its sys_info does not say if it is little_endian");
    if (!order->integer)
        return error_set(err, ERROR_UNSUPPORTED, "big-endian files are not supported");
    return 0;
}

/* A storage is its number of items and their bytes. Moves *at behind it. */
static int locate_in_stream(const struct torchbin_source *source, struct torchbin_storage *storage,
                            size_t *at, struct error *err)
{
    unsigned char bytes[sizeof(uint64_t)];
    struct cursor cursor;
    int64_t n_items;
    size_t left = source->file->size_bytes - *at;

    if (left < sizeof bytes)
        return error_set(err, ERROR_FORMAT, "its number of items at byte %zu lies past the end of "
                         "the file at byte %zu", *at, source->file->size_bytes);
    if (file_read(source->file, *at, bytes, sizeof bytes, err))
        return -1;
    cursor_init(&cursor, bytes, sizeof bytes, *at, err);
    n_items = (int64_t)cursor_u64(&cursor);
    if (n_items < 0)
        return error_set(err, ERROR_FORMAT, "its number of items at byte %zu is negative", *at);
    if ((size_t)n_items != storage->n_items)
        return error_set(err, ERROR_FORMAT, "at byte %zu it has %lld elements, its persistent id "
                         "says %zu", *at, (long long)n_items, storage->n_items);
    if (storage->size_bytes > left - sizeof bytes)
        return error_set(err, ERROR_FORMAT, "its %zu bytes at byte %zu reach past the end of the "
                         "file at byte %zu; is the download complete?", storage->size_bytes,
                         *at + sizeof bytes, source->file->size_bytes);
    storage->offset = *at + sizeof bytes;
    storage->is_located = true;
    *at = storage->offset + storage->size_bytes;
    return 0;
}

static int locate_storages(struct torchbin_source *source, const struct stream *stream,
                           struct error *err)
{
    const struct pickle_value *keys = &stream->pickles[KEYS].result;
    size_t at = stream->end;

    if (keys->kind != PICKLE_LIST)
        return error_set(err, ERROR_FORMAT, "its storage keys are not a list");
    for (size_t i = 0; i < keys->node->n_items; i++) {
        const struct pickle_value *key = &keys->node->items[i];
        const size_t *index;
        struct torchbin_storage *storage;

        if (!pickle_is_text(key))
            return error_set(err, ERROR_FORMAT, "storage key %zu is not a text", i);
        index = hash_map_find(&source->by_key, key->text, key->length);
        if (!index)
            return error_set(err, ERROR_FORMAT, "storage '%.*s' is listed, but nothing says what "
                             "it holds", SHOWN(key->text, key->length));
        storage = &source->storages[*index];
        if (storage->is_located)
            return error_set(err, ERROR_FORMAT, "duplicate storage '%.*s'",
                             SHOWN(key->text, key->length));
        if (locate_in_stream(source, storage, &at, err))
            return error_context(err, "storage '%.*s'", SHOWN(key->text, key->length));
    }
    return 0;
}

/* Nothing says how long the pickles are. Their first `size` bytes are tried; *is_short says that
 * they go on behind them. */
static int try_stream(struct torchbin_source *source, size_t size, bool *is_short,
                      struct error *err)
{
    char *bytes = memory_try(size, 1, "the beginning of a PyTorch file", err);
    struct stream stream = {.bytes = bytes, .size = size};
    int rc = -1;

    *is_short = false;
    if (!bytes || file_read(source->file, 0, bytes, size, err))
        goto done;
    if (load_pickles(source, &stream, err))
        *is_short = is_cut(&stream);
    else if (!check_head(&stream, err) && !locate_storages(source, &stream, err))
        rc = torchbin_take(source, &stream.pickles[OBJECT].result, err);
done:
    release_pickles(&stream);
    free(bytes);
    return rc;
}

static int read_stream(struct torchbin_source *source, struct error *err)
{
    enum { FIRST_TRY = 1024 * 1024, GROWTH = 8 };
    size_t file_bytes = source->file->size_bytes;
    size_t limit = file_bytes < PICKLE_BYTES_MAX ? file_bytes : PICKLE_BYTES_MAX;
    size_t size = limit < FIRST_TRY ? limit : FIRST_TRY;

    for (;;) {
        struct error failure = {0};
        bool is_short;
        int rc = try_stream(source, size, &is_short, &failure);

        if (rc && is_short && size < limit) {
            torchbin_forget_storages(source);
            size = limit / GROWTH < size ? limit : size * GROWTH;
            continue;
        }
        if (rc && is_short && size < file_bytes)
            return error_set(err, ERROR_FORMAT, "its pickles do not end within the first %zu "
                             "bytes, which is the limit", size);
        return rc ? error_set(err, failure.code, "%s", failure.text) : 0;
    }
}

/* All storages are located before the tensors are looked at. */
static int refuse_unlisted(const struct torchbin_source *source, struct torchbin_storage *storage,
                           struct error *err)
{
    (void)source;
    return error_set(err, ERROR_FORMAT, "its storage '%.*s' is not listed behind the pickles",
                     SHOWN(storage->key, storage->key_length));
}

/* A protocol, perhaps a frame around it, and the magic number. */
static bool is_stream(const unsigned char *head, size_t n)
{
    return n > 0 && head[0] == 0x80 && memmem(head, n, magic_number, MAGIC_BYTES);
}

const struct torchbin_container torchbin_stream = {.n_id_fields = 6,
                                                   .has_views = true,
                                                   .matches = is_stream,
                                                   .read = read_stream,
                                                   .locate = refuse_unlisted};
