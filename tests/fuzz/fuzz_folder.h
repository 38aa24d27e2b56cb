/* fuzz_folder.h - for the fuzz targets that load folders: one in memory, with the files that the
 * bytes stand for. */
#ifndef COCKTAIL_FUZZ_FOLDER_H
#define COCKTAIL_FUZZ_FOLDER_H

#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "must.h"

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

#endif
