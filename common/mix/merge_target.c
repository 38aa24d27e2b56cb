#include "merge_target.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "format/checkpoint.h"

bool merge_target_is_model(const char *path)
{
    struct error ignored = {0};
    struct folder *folder = folder_open(path, false, &ignored);
    bool holds = false;

    if (folder && checkpoint_look(folder, "", &holds, &ignored) == 0 && !holds &&
        folder_look(folder, "0_Transformer") == FOLDER_DIRECTORY &&
        checkpoint_look(folder, "0_Transformer", &holds, &ignored))
        holds = false; /* not sure: then it is not replaced */
    folder_close(folder);
    return holds;
}

bool merge_target_is_gguf(const char *path)
{
    struct error ignored = {0};
    char *real = memory_realpath(path), magic[4];
    struct file *file = real ? file_open(real, path, &ignored) : NULL;
    bool holds = file && file->size_bytes >= sizeof magic &&
                 file_read(file, 0, magic, sizeof magic, &ignored) == 0 &&
                 memcmp(magic, "GGUF", sizeof magic) == 0;

    file_close(file);
    free(real);
    return holds;
}
