/* zip.h - the directory of a zip archive, as far as PyTorch's checkpoints need it.
 *
 * Nothing is unpacked: an entry is a name and a range of bytes of the file, which is read with
 * pread. Every number of the directory has been checked when zip_open returns: all payloads lie in
 * the file, and no two overlap. */
#ifndef COCKTAIL_ZIP_H
#define COCKTAIL_ZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"

struct zip_entry {
    const char *name; /* no NUL behind it; points into the directory */
    size_t name_length;
    size_t header;        /* offset of its local header in the file */
    size_t offset;        /* of its payload in the file */
    size_t size_bytes;    /* of the payload, as it is stored */
    uint32_t crc;         /* 0: unknown */
    bool is_compressed;
};

struct zip {
    const struct file *file;   /* borrowed */
    struct zip_entry *entries; /* in the order of the directory */
    size_t n_entries;
    struct hash_map by_name;
    char *directory;
};

/* Reads the directory. NULL with ERROR_FORMAT (malformed), ERROR_UNSUPPORTED (encrypted, several
 * disks), ERROR_RESOURCES or ERROR_IO. The file must stay open until zip_close. */
struct zip *zip_open(const struct file *file, struct error *err);
void zip_close(struct zip *zip);

/* NULL means absent. */
const struct zip_entry *zip_find(const struct zip *zip, const char *name, size_t length);

/* -1 with ERROR_UNSUPPORTED when the payload is not the plain bytes of the entry. */
int zip_check_plain(const struct zip_entry *entry, struct error *err);

/* The bytes of a plain entry of at most `limit` bytes, checked against its CRC where there is one;
 * freed by the caller. NULL with an error that names the entry. */
char *zip_read(const struct zip *zip, const struct zip_entry *entry, size_t limit,
               struct error *err);

#endif
