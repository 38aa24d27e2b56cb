/* folder.h - the directory of a model, and the only door to the files in it.
 *
 * A model comes from a stranger, and a symbolic link in it could make us read, and copy into the
 * output, any file of the user's. So a link may lead out of the folder only into its own Hub
 * cache: from REPO/snapshots/COMMIT/… into REPO/blobs/, or from there on into CACHE/blobs/, where
 * newer huggingface_hub keeps what several repositories share. Everything else is refused with
 * ERROR_FORMAT, unless the folder was opened with follow_symlinks. */
#ifndef COCKTAIL_FOLDER_H
#define COCKTAIL_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/file.h"

struct folder_entry;

struct folder {
    char *path;   /* for messages: as the user wrote it, without trailing slashes */
    char *real;   /* absolute, links resolved */
    char *blobs;  /* the blobs directory of the Hub cache it lies in, or NULL */
    char *shared; /* that of all repositories of the cache, or NULL */
    bool follow_symlinks;
    struct folder_entry *entries; /* [n_entries] of folder_show and folder_add */
    size_t n_entries;
    bool is_restricted;
};

enum folder_kind { FOLDER_ABSENT, FOLDER_FILE, FOLDER_DIRECTORY, FOLDER_OTHER };

/* Opens a directory; NULL with ERROR_USAGE when there is none. Closed with folder_close. */
struct folder *folder_open(const char *path, bool follow_symlinks, struct error *err);
void folder_close(struct folder *folder);
/* The same once more, with what was shown, added and hidden so far. Files in memory stay those of
 * `of`, which must outlive it as it is. */
struct folder *folder_reopen(const struct folder *of);
/* Shows it under this name in messages: that of a model on the Hub, say, and not its place in a
 * cache. */
void folder_call(struct folder *folder, const char *name);

/* A file that holds a whole model (GGUF) is shown as the folder that it would be:
 * folder_restrict: from here on it has no files but those that the two others name.
 * folder_show: the file of that relative path on the disk.
 * folder_add: a file that stands in memory; takes over `bytes`, from malloc. It hides one of that
 * path on the disk, and one that was added before. Directories follow from the paths. */
void folder_restrict(struct folder *folder);
void folder_show(struct folder *folder, const char *name);
void folder_add(struct folder *folder, const char *name, char *bytes, size_t n_bytes);
/* Hides the file of that path, on the disk or added. */
void folder_hide(struct folder *folder, const char *name);

/* What stands under `name` (a relative path of ours, or a plain name), links resolved, without
 * opening it. A link that leads nowhere or out of the folder counts as FOLDER_FILE: opening it
 * says what is wrong. */
enum folder_kind folder_look(const struct folder *folder, const char *name);

/* The regular file `name`, to be closed with file_close; NULL with an error that names it.
 * Messages show FOLDER/NAME, whatever it resolves to. */
struct file *folder_open_file(const struct folder *folder, const char *name, struct error *err);

/* The whole of a text file, freed by the caller; NULL with an error when it is absent too. */
char *folder_read_text(const struct folder *folder, const char *name, size_t limit, size_t *size,
                       struct error *err);

/* The names in the sub-folder `name` ("" = the folder itself), sorted by bytes, without "." and
 * "..". The list and its strings are freed with folder_names_free. */
int folder_list(const struct folder *folder, const char *name, char ***names, size_t *n_names,
                struct error *err);
void folder_names_free(char **names, size_t n_names);

/* "DIRECTORY/NAME", or a copy of NAME when DIRECTORY is "". Freed by the caller. */
char *folder_join(const char *directory, const char *name);

#endif
