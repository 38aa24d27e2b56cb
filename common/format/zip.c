/* zip.c - read the directory of a zip archive and trust none of it.
 *
 * A zip is read from its end: the end record says where the central directory is, the directory
 * lists the entries, and each entry has a local header in front of its payload. The sizes come from
 * the central directory (torch writes them behind the payload and leaves zeros in the local
 * header), the place of the payload from the local header, whose extra field aligns it.
 *
 * Source: PKWARE APPNOTE.TXT 6.3.10, sections 4.3 to 4.5. */
#include "zip.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/cursor.h"
#include "base/memory.h"

enum {
    LOCAL_SIGNATURE = 0x04034b50,
    CENTRAL_SIGNATURE = 0x02014b50,
    END_SIGNATURE = 0x06054b50,
    END64_SIGNATURE = 0x06064b50,
    LOCATOR_SIGNATURE = 0x07064b50,
    LOCAL_BYTES = 30,
    CENTRAL_BYTES = 46,
    END_BYTES = 22,
    END64_BYTES = 56,
    LOCATOR_BYTES = 20,
    COMMENT_BYTES_MAX = 65535,
    NAME_BYTES_MAX = 65535,
    ZIP64_EXTRA = 0x0001,
    IS_ENCRYPTED = 1 << 0, /* in the flags of an entry */
    DIRECTORY_BYTES_MAX = 256 * 1024 * 1024,
};

/* Two arguments for %.*s: names have no NUL behind them, and may be longer than a message. */
#define SHOWN(entry) ((entry)->name_length < 160 ? (int)(entry)->name_length : 160), (entry)->name

/* What the end records say. */
struct ending {
    uint64_t n_entries;
    uint64_t size_bytes, offset; /* of the central directory */
    size_t limit;                /* offset of the first end record: the directory ends before it */
};

/* ---- end records ---- */

static int refuse_split(struct error *err)
{
    return error_set(err, ERROR_UNSUPPORTED, "zip archives in several parts are not supported");
}

/* The last place whose comment reaches exactly to the end of the file. */
static const unsigned char *find_end_record(const unsigned char *tail, size_t n)
{
    for (size_t i = n - END_BYTES + 1; i > 0; i--) {
        const unsigned char *place = tail + i - 1;
        size_t comment_length = place[20] | (size_t)place[21] << 8;

        if (memcmp(place, "PK\5\6", 4) == 0 && comment_length == n - END_BYTES - (i - 1))
            return place;
    }
    return NULL;
}

static int read_end64(const struct file *file, uint64_t offset, size_t limit,
                      struct ending *ending, struct error *err)
{
    unsigned char bytes[END64_BYTES];
    struct cursor cursor;
    uint64_t on_this_disk;

    if (offset > limit || limit - offset < END64_BYTES)
        return error_set(err, ERROR_FORMAT, "the zip64 end record at byte %zu does not end before "
                         "its locator at byte %zu", (size_t)offset, limit);
    if (file_read(file, offset, bytes, sizeof bytes, err))
        return -1;
    cursor_init(&cursor, bytes, sizeof bytes, offset, err);
    if (cursor_u32(&cursor) != END64_SIGNATURE)
        return error_set(err, ERROR_FORMAT, "no zip64 end record at byte %zu, where its locator "
                         "says it is", (size_t)offset);
    cursor_view(&cursor, 20); /* size of this record, versions, disk numbers */
    on_this_disk = cursor_u64(&cursor);
    ending->n_entries = cursor_u64(&cursor);
    ending->size_bytes = cursor_u64(&cursor);
    ending->offset = cursor_u64(&cursor);
    ending->limit = offset;
    return on_this_disk != ending->n_entries ? refuse_split(err) : 0;
}

/* The zip64 record replaces what the old one had no room for, which is then all ones; what is not
 * must agree, or two readers would see two archives. */
static int merge_end64(const struct file *file, const unsigned char *locator,
                       struct ending *ending, struct error *err)
{
    bool needs_count = ending->n_entries == UINT16_MAX;
    bool needs_size = ending->size_bytes == UINT32_MAX;
    bool needs_offset = ending->offset == UINT32_MAX;
    struct ending old = *ending;
    struct cursor cursor;

    cursor_init(&cursor, locator, locator ? LOCATOR_BYTES : 0, 0, err);
    if (!locator || cursor_u32(&cursor) != LOCATOR_SIGNATURE) {
        if (needs_count || needs_size || needs_offset)
            return error_set(err, ERROR_FORMAT, "no zip64 locator before the end record at byte "
                             "%zu, which asks for one", ending->limit);
        return 0;
    }
    cursor_u32(&cursor); /* disk number */
    if (read_end64(file, cursor_u64(&cursor), ending->limit - LOCATOR_BYTES, ending, err))
        return -1;
    if ((!needs_count && old.n_entries != ending->n_entries) ||
        (!needs_size && old.size_bytes != ending->size_bytes) ||
        (!needs_offset && old.offset != ending->offset))
        return error_set(err, ERROR_FORMAT, "the zip64 end record at byte %zu and the end record "
                         "at byte %zu disagree", ending->limit, old.limit);
    return 0;
}

static int read_ending(const struct file *file, struct ending *ending, struct error *err)
{
    size_t n = LOCATOR_BYTES + END_BYTES + COMMENT_BYTES_MAX, on_this_disk;
    unsigned char *tail;
    const unsigned char *end, *locator;
    struct cursor cursor;
    int rc = -1;

    if (n > file->size_bytes)
        n = file->size_bytes;
    tail = memory_alloc(n);
    if (file_read(file, file->size_bytes - n, tail, n, err))
        goto done;
    end = n < END_BYTES ? NULL : find_end_record(tail, n);
    if (!end) {
        error_set(err, ERROR_FORMAT, "a zip archive without end record; is the download complete?");
        goto done;
    }
    ending->limit = file->size_bytes - n + (size_t)(end - tail);
    cursor_init(&cursor, end, END_BYTES, ending->limit, err);
    cursor_view(&cursor, 8); /* signature, disk numbers */
    on_this_disk = cursor_u16(&cursor);
    ending->n_entries = cursor_u16(&cursor);
    ending->size_bytes = cursor_u32(&cursor);
    ending->offset = cursor_u32(&cursor);
    locator = end - tail < LOCATOR_BYTES ? NULL : end - LOCATOR_BYTES;
    rc = on_this_disk != ending->n_entries ? refuse_split(err)
                                           : merge_end64(file, locator, ending, err);
done:
    free(tail);
    return rc;
}

static int check_ending(const struct ending *ending, struct error *err)
{
    if (ending->offset > ending->limit || ending->size_bytes > ending->limit - ending->offset)
        return error_set(err, ERROR_FORMAT, "the central directory of %zu bytes at byte %zu does "
                         "not end before the end record at byte %zu", (size_t)ending->size_bytes,
                         (size_t)ending->offset, ending->limit);
    if (ending->size_bytes > DIRECTORY_BYTES_MAX)
        return error_set(err, ERROR_FORMAT, "the central directory is %zu bytes long, more than "
                         "the limit of %d", (size_t)ending->size_bytes, DIRECTORY_BYTES_MAX);
    if (ending->n_entries > ending->size_bytes / CENTRAL_BYTES)
        return error_set(err, ERROR_FORMAT, "%zu entries cannot stand in a central directory of "
                         "%zu bytes", (size_t)ending->n_entries, (size_t)ending->size_bytes);
    return 0;
}

/* ---- central directory ---- */

static bool has_parent_component(const char *name, size_t length)
{
    for (size_t i = 0; i + 2 <= length; i++)
        if (name[i] == '.' && name[i + 1] == '.' && (i == 0 || name[i - 1] == '/') &&
            (i + 2 == length || name[i + 2] == '/'))
            return true;
    return false;
}

/* We never use a name as a path; but an archive with such names was made to do harm. */
static int check_name(const struct zip_entry *entry, struct error *err)
{
    const char *name = entry->name;
    size_t length = entry->name_length;
    const char *fault = length == 0                        ? "is empty"
                        : memchr(name, '\0', length)       ? "has a NUL in it"
                        : *name == '/'                     ? "is absolute"
                        : has_parent_component(name, length) ? "leads out of the archive"
                                                           : NULL;

    if (!fault)
        return 0;
    return error_set(err, ERROR_FORMAT, "the name of entry '%.*s' %s", SHOWN(entry), fault);
}

/* A cursor over the zip64 part of an extra field; empty when there is none. */
static struct cursor find_zip64_extra(const unsigned char *extra, size_t size, struct error *err)
{
    struct cursor cursor;

    for (size_t at = 0; at + 4 <= size;) {
        size_t id = extra[at] | (size_t)extra[at + 1] << 8;
        size_t length = extra[at + 2] | (size_t)extra[at + 3] << 8;

        at += 4;
        if (length > size - at)
            break;
        if (id == ZIP64_EXTRA) {
            cursor_init(&cursor, extra + at, length, 0, err);
            return cursor;
        }
        at += length;
    }
    cursor_init(&cursor, extra, 0, 0, err);
    return cursor;
}

/* Replaces each of the n fields that is all ones by the next number of the zip64 extra field. */
static int read_zip64_extra(const unsigned char *extra, size_t size, uint64_t *const *fields,
                            size_t n, struct error *err)
{
    struct cursor cursor = find_zip64_extra(extra, size, err);

    for (size_t i = 0; i < n; i++) {
        if (*fields[i] != UINT32_MAX)
            continue;
        if (cursor_left(&cursor) < sizeof(uint64_t))
            return error_set(err, ERROR_FORMAT, "a number that should be in its zip64 extra field "
                             "is not there");
        *fields[i] = cursor_u64(&cursor);
    }
    return 0;
}

static int read_central_entry(struct cursor *cursor, struct zip_entry *entry, struct error *err)
{
    uint64_t compressed, size, header;
    uint16_t flags, method, extra_length, comment_length, disk;
    const unsigned char *name, *extra;

    cursor_view(cursor, 4); /* versions */
    flags = cursor_u16(cursor);
    method = cursor_u16(cursor);
    cursor_view(cursor, 4); /* time */
    entry->crc = cursor_u32(cursor);
    compressed = cursor_u32(cursor);
    size = cursor_u32(cursor);
    entry->name_length = cursor_u16(cursor);
    extra_length = cursor_u16(cursor);
    comment_length = cursor_u16(cursor);
    disk = cursor_u16(cursor);
    cursor_view(cursor, 6); /* attributes */
    header = cursor_u32(cursor);
    name = cursor_view(cursor, entry->name_length);
    extra = cursor_view(cursor, extra_length);
    cursor_view(cursor, comment_length);
    if (cursor->has_failed)
        return -1;

    entry->name = (const char *)name;
    if (check_name(entry, err))
        return -1;
    if (read_zip64_extra(extra, extra_length, (uint64_t *const[]){&size, &compressed, &header}, 3,
                         err))
        return error_context(err, "entry '%.*s'", SHOWN(entry));
    if (flags & IS_ENCRYPTED)
        return error_set(err, ERROR_UNSUPPORTED, "entry '%.*s' is encrypted; that is not supported",
                         SHOWN(entry));
    if (disk != 0 && disk != UINT16_MAX)
        return refuse_split(err);
    if (method == 0 && compressed != size)
        return error_set(err, ERROR_FORMAT, "entry '%.*s' is stored, but has two sizes: %zu and "
                         "%zu bytes", SHOWN(entry), (size_t)compressed,
                         (size_t)size);
    entry->header = header;
    entry->size_bytes = compressed;
    entry->is_compressed = method != 0;
    return 0;
}

static int read_directory(struct zip *zip, const struct ending *ending, struct error *err)
{
    struct cursor cursor;

    cursor_init(&cursor, zip->directory, ending->size_bytes, ending->offset, err);
    for (size_t i = 0; i < ending->n_entries; i++) {
        struct zip_entry *entry = &zip->entries[i];
        size_t start = ending->offset + cursor.position;

        if (cursor_left(&cursor) == 0)
            return error_set(err, ERROR_FORMAT, "the central directory ends after %zu of its %zu "
                             "entries", i, (size_t)ending->n_entries);
        if (cursor_u32(&cursor) != CENTRAL_SIGNATURE)
            return error_set(err, ERROR_FORMAT, "no entry of the central directory at byte %zu",
                             start);
        if (read_central_entry(&cursor, entry, err))
            return cursor.has_failed ? error_context(err, "central directory, entry %zu", i) : -1;
        if (hash_map_add(&zip->by_name, entry->name, entry->name_length, i) != i)
            return error_set(err, ERROR_FORMAT, "duplicate entry '%.*s'", SHOWN(entry));
    }
    zip->n_entries = ending->n_entries;
    if (cursor_left(&cursor) > 0)
        return error_set(err, ERROR_FORMAT, "the %zu entries fill %zu of the %zu bytes of the "
                         "central directory", zip->n_entries, cursor.position,
                         (size_t)ending->size_bytes);
    return 0;
}

/* ---- local headers ---- */

/* Finds the payload. `scratch` holds a local header with the longest name. */
static int locate_payload(const struct file *file, struct zip_entry *entry, size_t limit,
                          unsigned char *scratch, struct error *err)
{
    size_t n = LOCAL_BYTES + entry->name_length;
    struct cursor cursor;
    uint16_t method, name_length, extra_length;
    const unsigned char *name;

    if (entry->header > limit || n > limit - entry->header)
        return error_set(err, ERROR_FORMAT, "its local header of %zu bytes at byte %zu reaches "
                         "past the end of the entries at byte %zu", n, entry->header, limit);
    if (file_read(file, entry->header, scratch, n, err))
        return -1;
    cursor_init(&cursor, scratch, n, entry->header, err);
    if (cursor_u32(&cursor) != LOCAL_SIGNATURE)
        return error_set(err, ERROR_FORMAT, "no local header at byte %zu", entry->header);
    cursor_view(&cursor, 4); /* version, flags */
    method = cursor_u16(&cursor);
    cursor_view(&cursor, 16); /* time, CRC, sizes: behind the payload, or repeated */
    name_length = cursor_u16(&cursor);
    extra_length = cursor_u16(&cursor);
    name = cursor_view(&cursor, entry->name_length);
    if (name_length != entry->name_length || memcmp(name, entry->name, name_length) != 0 ||
        (method != 0) != entry->is_compressed)
        return error_set(err, ERROR_FORMAT, "its local header at byte %zu has another name or "
                         "method", entry->header);
    entry->offset = entry->header + n + extra_length; /* header + n <= limit: no overflow */
    if (entry->offset > limit || entry->size_bytes > limit - entry->offset)
        return error_set(err, ERROR_FORMAT, "its %zu bytes at byte %zu reach past the end of the "
                         "entries at byte %zu", entry->size_bytes, entry->offset, limit);
    return 0;
}

static int compare_headers(const void *a, const void *b)
{
    const struct zip_entry *x = *(const struct zip_entry *const *)a;
    const struct zip_entry *y = *(const struct zip_entry *const *)b;

    return (x->header > y->header) - (x->header < y->header);
}

/* An entry reaches from its local header to the end of its payload. */
static int check_overlaps(const struct zip *zip, struct error *err)
{
    struct zip_entry **sorted = memory_try(zip->n_entries, sizeof *sorted, "zip entries", err);
    int rc = 0;

    if (!sorted)
        return -1;
    for (size_t i = 0; i < zip->n_entries; i++)
        sorted[i] = &zip->entries[i];
    qsort(sorted, zip->n_entries, sizeof *sorted, compare_headers);
    for (size_t i = 1; i < zip->n_entries && !rc; i++) {
        const struct zip_entry *before = sorted[i - 1], *entry = sorted[i];
        size_t end = before->offset + before->size_bytes;

        if (end > entry->header)
            rc = error_set(err, ERROR_FORMAT, "entry '%.*s' ends at byte %zu and overlaps entry "
                           "'%.*s' at byte %zu", SHOWN(before), end,
                           SHOWN(entry), entry->header);
    }
    free(sorted);
    return rc;
}

static int locate_payloads(struct zip *zip, size_t limit, struct error *err)
{
    unsigned char *scratch = memory_alloc(LOCAL_BYTES + NAME_BYTES_MAX);
    int rc = 0;

    for (size_t i = 0; i < zip->n_entries && !rc; i++) {
        struct zip_entry *entry = &zip->entries[i];

        rc = locate_payload(zip->file, entry, limit, scratch, err);
        if (rc)
            error_context(err, "entry '%.*s'", SHOWN(entry));
    }
    free(scratch);
    return rc ? rc : check_overlaps(zip, err);
}

/* ---- the archive ---- */

struct zip *zip_open(const struct file *file, struct error *err)
{
    struct zip *zip = memory_zalloc(1, sizeof *zip);
    struct ending ending = {0};

    zip->file = file;
    if (read_ending(file, &ending, err) || check_ending(&ending, err))
        goto failed;
    zip->directory = memory_try(ending.size_bytes, 1, "the zip directory", err);
    zip->entries = memory_try(ending.n_entries, sizeof *zip->entries, "zip entries", err);
    if (!zip->directory || !zip->entries ||
        file_read(file, ending.offset, zip->directory, ending.size_bytes, err) ||
        read_directory(zip, &ending, err) || locate_payloads(zip, ending.offset, err))
        goto failed;
    return zip;
failed:
    zip_close(zip);
    return NULL;
}

void zip_close(struct zip *zip)
{
    if (!zip)
        return;
    hash_map_release(&zip->by_name);
    free(zip->entries);
    free(zip->directory);
    free(zip);
}

const struct zip_entry *zip_find(const struct zip *zip, const char *name, size_t length)
{
    const size_t *index = hash_map_find(&zip->by_name, name, length);

    return index ? &zip->entries[*index] : NULL;
}

int zip_check_plain(const struct zip_entry *entry, struct error *err)
{
    if (entry->is_compressed)
        return error_set(err, ERROR_UNSUPPORTED, "entry '%.*s' is compressed; compressed entries "
                         "are not supported", SHOWN(entry));
    return 0;
}

char *zip_read(const struct zip *zip, const struct zip_entry *entry, size_t limit,
               struct error *err)
{
    char *bytes = NULL;

    if (zip_check_plain(entry, err))
        return NULL;
    if (entry->size_bytes > limit) {
        error_set(err, ERROR_FORMAT, "entry '%.*s' is %zu bytes long, more than the limit of %zu",
                  SHOWN(entry), entry->size_bytes, limit);
        return NULL;
    }
    bytes = memory_try(entry->size_bytes, 1, "an entry of a zip archive", err);
    if (!bytes || file_read(zip->file, entry->offset, bytes, entry->size_bytes, err))
        goto failed;
    if (entry->crc && crc32_z(0, (const unsigned char *)bytes, entry->size_bytes) != entry->crc) {
        error_set(err, ERROR_FORMAT, "entry '%.*s' is damaged: its CRC-32 is not %08x",
                  SHOWN(entry), (unsigned)entry->crc);
        goto failed;
    }
    return bytes;
failed:
    free(bytes);
    return NULL;
}
