/* line_reader.h - text files, pipes and .gz files, line by line or as a whole. */
#ifndef COCKTAIL_LINE_READER_H
#define COCKTAIL_LINE_READER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"

struct line_reader;

/* Opens a file, a pipe, or, for NULL or "-", standard input; gzip is unpacked on the way. NULL with
 * ERROR_FORMAT when it is missing or a directory, ERROR_IO else. */
struct line_reader *line_reader_open(const char *path, struct error *err);
/* The same for all ranks (ranks.h), together: rank 0 reads all of it and tells the others, which need
 * not have it. */
struct line_reader *line_reader_open_told(const char *path, struct error *err);
void line_reader_close(struct line_reader *reader);

const char *line_reader_name(const struct line_reader *reader); /* for messages */
size_t line_reader_line(const struct line_reader *reader);      /* of the last line, from 1 */

/* 1: *line is the next line without its end (LF or CRLF), valid until the next call; 0: the end;
 * -1: error. A byte order mark at the start of the file is left out. */
int line_reader_next(struct line_reader *reader, const char **line, size_t *n, struct error *err);
/* Everything that is left, as it is; ERROR_FORMAT when that is more than `limit` bytes. */
int line_reader_rest(struct line_reader *reader, size_t limit, const char **text, size_t *n,
                     struct error *err);

#endif
