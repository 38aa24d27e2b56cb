#include "line_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/interrupt.h"
#include "base/memory.h"
#include "base/ranks.h"

enum { CHUNK = 1 << 16 };

struct line_reader {
    gzFile file;
    char *name;
    struct buffer bytes; /* read, and not yet handed out from `start` on */
    size_t start, line;
    bool is_at_end;
};

static int open_path(const char *path, struct error *err)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        if (errno == EINTR && interrupt_check(err)) /* a FIFO that nobody writes to */
            return -1;
        if (errno == ENOENT || errno == ENOTDIR)
            return error_set(err, ERROR_FORMAT, "'%s': no such file", path);
        return error_errno(err, "cannot open '%s'", path);
    }
    if (fstat(fd, &info) == 0 && S_ISDIR(info.st_mode)) {
        close(fd);
        return error_set(err, ERROR_FORMAT, "'%s': is a directory, not a text file", path);
    }
    return fd;
}

static bool means_stdin(const char *path)
{
    return !path || strcmp(path, "-") == 0;
}

struct line_reader *line_reader_open(const char *path, struct error *err)
{
    bool is_stdin = means_stdin(path);
    int fd = is_stdin ? dup(STDIN_FILENO) : open_path(path, err);
    struct line_reader *reader;

    if (fd < 0) {
        error_errno(err, "cannot read standard input");
        return NULL;
    }
    reader = memory_zalloc(1, sizeof *reader);
    reader->name = memory_copy(is_stdin ? "standard input" : path);
    reader->file = gzdopen(fd, "rb");
    if (!reader->file) {
        close(fd);
        memory_exhausted();
    }
    return reader;
}

/* All that rank 0 has read becomes what every rank has yet to hand out. */
static int tell(struct line_reader *reader, struct error *err)
{
    const char *text;
    size_t n;
    char *told;
    int rc;

    if (line_reader_rest(reader, SIZE_MAX, &text, &n, err) || ranks_tell(&n, sizeof n, err))
        return -1;
    told = memory_try(n, 1, "a text", err);
    if (!told)
        return -1;
    if (ranks_number() == 0 && n)
        memcpy(told, text, n);
    rc = ranks_tell(told, n, err);
    reader->start = 0;
    buffer_clear(&reader->bytes);
    buffer_add(&reader->bytes, told, n);
    free(told);
    return rc;
}

struct line_reader *line_reader_open_told(const char *path, struct error *err)
{
    struct line_reader *reader = line_reader_open(ranks_number() ? "/dev/null" : path, err);

    if (!reader || ranks_count() == 1)
        return reader;
    free(reader->name);
    reader->name = memory_copy(means_stdin(path) ? "standard input" : path);
    if (tell(reader, err) == 0)
        return reader;
    line_reader_close(reader);
    return NULL;
}

void line_reader_close(struct line_reader *reader)
{
    if (!reader)
        return;
    gzclose(reader->file);
    buffer_release(&reader->bytes);
    free(reader->name);
    free(reader);
}

const char *line_reader_name(const struct line_reader *reader)
{
    return reader->name;
}

size_t line_reader_line(const struct line_reader *reader)
{
    return reader->line;
}

/* Reads more into reader->bytes; what was handed out goes first. */
static int fill(struct line_reader *reader, struct error *err)
{
    char chunk[CHUNK];
    int got, code;
    const char *text;

    if (reader->start) {
        buffer_splice(&reader->bytes, 0, reader->start, "");
        reader->start = 0;
    }
    if (interrupt_check(err))
        return -1;
    got = gzread(reader->file, chunk, sizeof chunk);
    if (got < 0) {
        if (interrupt_check(err))
            return -1;
        text = gzerror(reader->file, &code);
        if (code == Z_ERRNO)
            return error_errno(err, "cannot read '%s'", reader->name);
        if (code == Z_MEM_ERROR)
            return error_set(err, ERROR_RESOURCES, "out of memory: cannot read '%s'",
                             reader->name);
        return error_set(err, ERROR_FORMAT, "'%s': damaged gzip data (%s)", reader->name, text);
    }
    if (got == 0) {
        gzerror(reader->file, &code);
        if (code == Z_BUF_ERROR)
            return error_set(err, ERROR_FORMAT, "'%s': the gzip data end too early; is the download "
                             "complete?", reader->name);
        reader->is_at_end = true;
    }
    buffer_add(&reader->bytes, chunk, (size_t)got);
    return 0;
}

static void skip_mark(struct line_reader *reader)
{
    if (reader->line == 0 && reader->bytes.size >= 3 &&
        memcmp(reader->bytes.data, "\xef\xbb\xbf", 3) == 0)
        reader->start = 3;
}

int line_reader_next(struct line_reader *reader, const char **line, size_t *n, struct error *err)
{
    size_t scanned = 0; /* bytes behind start that hold no line feed */

    for (;;) {
        const char *end = NULL;
        size_t left = reader->bytes.size - reader->start;

        if (left > scanned)
            end = memchr(reader->bytes.data + reader->start + scanned, '\n', left - scanned);
        if (end || reader->is_at_end) {
            if (!end && left == 0)
                return 0;
            skip_mark(reader);
            *line = reader->bytes.data + reader->start;
            *n = end ? (size_t)(end - *line) : reader->bytes.size - reader->start;
            reader->start += *n + (end != NULL);
            if (end && *n && (*line)[*n - 1] == '\r')
                --*n;
            reader->line++;
            return 1;
        }
        scanned = left;
        if (fill(reader, err))
            return -1;
    }
}

int line_reader_rest(struct line_reader *reader, size_t limit, const char **text, size_t *n,
                     struct error *err)
{
    while (!reader->is_at_end) {
        if (fill(reader, err))
            return -1;
        if (reader->bytes.size - reader->start > limit)
            return error_set(err, ERROR_FORMAT, "'%s': more than %zu bytes of text", reader->name,
                             limit);
    }
    *text = reader->bytes.size ? reader->bytes.data + reader->start : "";
    *n = reader->bytes.size - reader->start;
    reader->start = reader->bytes.size;
    return 0;
}
