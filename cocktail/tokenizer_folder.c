#include "tokenizer_folder.h"

#include <stdlib.h>
#include <string.h>

#include "adapter/adapter_path.h"
#include "arch/gguf_folder.h"
#include "base/folder.h"
#include "text/tokenizer.h"

static int open_folder(struct model_folder *model, const char *path, const char *name,
                       bool follow_symlinks, struct error *err)
{
    struct error ignored = {0};
    struct folder *folder;
    char *gguf = NULL;

    if (!gguf_folder_is(path)) {
        folder = folder_open(path, follow_symlinks, err);
        if (!folder)
            return -1;
        gguf = tokenizer_is_there(folder, "") ? NULL : gguf_folder_find(folder, &ignored);
        if (!gguf) {
            if (strcmp(path, name) != 0)
                folder_call(folder, name);
            model->folder = folder;
            return 0;
        }
        free(gguf);
        folder_close(folder);
    }
    return model_folder_open(model, path, name, follow_symlinks, err);
}

int tokenizer_folder_open(struct model_folder *model, const char *path, const char *name,
                          bool follow_symlinks, struct error *err)
{
    char *base, *adapter;
    int rc;

    if (!adapter_path_split(path, &base, &adapter))
        return open_folder(model, path, name, follow_symlinks, err);
    rc = open_folder(model, base, name, follow_symlinks, err);
    free(base);
    free(adapter);
    return rc;
}

const char *tokenizer_folder_directory(const struct model_folder *model)
{
    /* Old sentence-transformers folders keep everything of the model one level down. */
    bool is_below = folder_look(model->folder, "tokenizer_config.json") == FOLDER_ABSENT &&
                    folder_look(model->folder, "0_Transformer") == FOLDER_DIRECTORY;

    return is_below ? "0_Transformer" : "";
}
