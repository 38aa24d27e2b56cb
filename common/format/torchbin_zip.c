/* torchbin_zip.c - what torch.save writes since 1.6: a zip of stored entries, of which data.pkl is
 * the pickle and each data/KEY a storage. */
#include "torchbin_container.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "format/zip.h"

struct archive {
    struct zip *zip;
    struct buffer prefix; /* of the names in it: "archive/" */
};

/* Whether the entry `name` (NULL: there is none) can be the storage. */
static int check_storage_entry(const struct zip_entry *entry, const char *name,
                               const struct torchbin_storage *storage, struct error *err)
{
    if (!entry)
        return error_set(err, ERROR_FORMAT, "its storage '" ERROR_NAME "' is not in the archive",
                         name);
    if (zip_check_plain(entry, err))
        return -1;
    if (entry->size_bytes < storage->size_bytes)
        return error_set(err, ERROR_FORMAT, "its storage '" ERROR_NAME "' has %zu bytes and needs "
                         "%zu bytes for %zu items of %s", name, entry->size_bytes,
                         storage->size_bytes, storage->n_items, dtype_info(storage->dtype)->name);
    return 0;
}

static int locate_in_zip(const struct torchbin_source *source, struct torchbin_storage *storage,
                         struct error *err)
{
    const struct archive *archive = source->state;
    struct buffer name = {0};
    const struct zip_entry *entry;
    int rc;

    buffer_add(&name, archive->prefix.data, archive->prefix.size);
    buffer_add_text(&name, "data/");
    buffer_add(&name, storage->key, storage->key_length);
    entry = zip_find(archive->zip, name.data, name.size);
    rc = check_storage_entry(entry, name.data, storage, err);
    if (!rc) {
        storage->offset = entry->offset;
        storage->is_located = true;
    }
    buffer_release(&name);
    return rc;
}

static const struct zip_entry *find_part(const struct archive *archive, const char *name)
{
    struct buffer path = {0};
    const struct zip_entry *entry;

    buffer_add(&path, archive->prefix.data, archive->prefix.size);
    buffer_add_text(&path, name);
    entry = zip_find(archive->zip, path.data, path.size);
    buffer_release(&path);
    return entry;
}

/* All names begin with one folder, called after the file or "archive". */
static void find_prefix(struct archive *archive)
{
    const struct zip_entry *first = archive->zip->entries;
    const char *slash = NULL;

    if (archive->zip->n_entries)
        slash = memchr(first->name, '/', first->name_length);
    buffer_add(&archive->prefix, slash ? first->name : "",
               slash ? (size_t)(slash - first->name) + 1 : 0);
}

static int refuse_torchscript(const struct archive *archive, struct error *err)
{
    bool is_script = find_part(archive, "constants.pkl") != NULL;
    const struct buffer *prefix = &archive->prefix;

    for (size_t i = 0; i < archive->zip->n_entries && !is_script; i++) {
        const struct zip_entry *entry = &archive->zip->entries[i];
        size_t left = entry->name_length < prefix->size ? 0 : entry->name_length - prefix->size;

        is_script = left >= 5 && memcmp(entry->name + prefix->size, "code/", 5) == 0;
    }
    if (!is_script)
        return 0;
    return error_set(err, ERROR_UNSUPPORTED, "a TorchScript program, which is not supported; save "
                     "the state dict of the model instead");
}

/* The entry is missing in files from before 2.1, which are little-endian. */
static int check_byte_order(const struct archive *archive, struct error *err)
{
    enum { LONGEST = 64 };
    const struct zip_entry *entry = find_part(archive, "byteorder");
    char *order;
    int rc = 0;

    if (!entry)
        return 0;
    order = zip_read(archive->zip, entry, LONGEST, err);
    if (!order)
        return -1;
    if (entry->size_bytes == 3 && memcmp(order, "big", 3) == 0)
        rc = error_set(err, ERROR_UNSUPPORTED, "big-endian files are not supported");
    else if (entry->size_bytes != 6 || memcmp(order, "little", 6) != 0)
        rc = error_set(err, ERROR_FORMAT, "its byte order is '%.*s', not 'little' or 'big'",
                       (int)entry->size_bytes, order);
    free(order);
    return rc;
}

static int read_pickle(struct torchbin_source *source, const struct archive *archive,
                       struct error *err)
{
    const struct zip_entry *entry = find_part(archive, "data.pkl");
    struct pickle pickle = {0};
    char *bytes;
    int rc = -1;

    if (!entry)
        return error_set(err, ERROR_FORMAT, "a zip archive without '" ERROR_NAME "data.pkl', not a "
                         "PyTorch checkpoint", archive->prefix.data);
    bytes = zip_read(archive->zip, entry, PICKLE_BYTES_MAX, err);
    if (bytes && !torchbin_load_pickle(source, &pickle, true, bytes, entry->size_bytes,
                                       entry->offset, err))
        rc = torchbin_take(source, &pickle.result, err);
    pickle_release(&pickle);
    free(bytes);
    return rc;
}

static int read_zip(struct torchbin_source *source, struct error *err)
{
    struct archive archive = {.zip = zip_open(source->file, err)};
    int rc = -1;

    source->state = &archive;
    if (archive.zip) {
        find_prefix(&archive);
        if (!refuse_torchscript(&archive, err) && !check_byte_order(&archive, err))
            rc = read_pickle(source, &archive, err);
    }
    source->state = NULL;
    zip_close(archive.zip);
    buffer_release(&archive.prefix);
    return rc;
}

static bool is_zip(const unsigned char *head, size_t n)
{
    return n >= 4 && memcmp(head, "PK\3\4", 4) == 0;
}

const struct torchbin_container torchbin_zip = {
    .n_id_fields = 5, .matches = is_zip, .read = read_zip, .locate = locate_in_zip};
