/* folder_hint.h - what a directory holds instead of the model that was looked for in it. */
#ifndef COCKTAIL_FOLDER_HINT_H
#define COCKTAIL_FOLDER_HINT_H

#include "base/folder.h"

/* The end of a message that something is missing in `directory` (a relative path, "": the folder
 * itself): "; it holds a LoRA adapter …", "; weights are in checkpoint-500/", or "" when nothing
 * leads on. In the directories one level below, weights are looked for where `needs_weights`, and
 * `what` with one of the files `names` (NULL-terminated, or NULL). Freed by the caller. */
char *folder_hint(const struct folder *folder, const char *directory, const char *what,
                  const char *const *names, bool needs_weights);

/* What a file of this name is that cannot be read as weights: "an archive: unpack it first"; NULL
 * when the name does not tell. */
const char *folder_hint_file(const char *name);

#endif
