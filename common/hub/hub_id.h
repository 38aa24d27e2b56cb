/* hub_id.h - names of models on the Hub: org/name[@revision], or of a few old ones only
 * name[@revision]. */
#ifndef COCKTAIL_HUB_ID_H
#define COCKTAIL_HUB_ID_H

#include <stdbool.h>

struct hub_id {
    char *repository; /* "org/name", or "name" */
    char *revision;   /* a branch, a tag, a commit, "refs/pr/1"; "main" when none was given */
};

/* Fills `id`, to be released with hub_id_release, when `text` has that form; leaves it alone when
 * not. Both parts are safe to use in paths: no "..", nothing absolute. */
bool hub_id_parse(struct hub_id *id, const char *text);
/* The same for a name without an organisation, like gpt2. Any word is one: only the cache, or the
 * Hub, can tell. */
bool hub_id_parse_bare(struct hub_id *id, const char *text);
void hub_id_release(struct hub_id *id);

/* "org/name@revision" of an address like https://huggingface.co/org/name/tree/revision, to be freed;
 * NULL when it is none. */
char *hub_id_of_address(const char *text);

/* What a name looks like, for messages. */
#define HUB_ID_FORM "a model on the Hub is named like org/name or org/name@revision"

/* The repository whose snapshot the absolute path lies in, …/models--org--name/snapshots/REVISION…,
 * freed by the caller; NULL when it lies in none. */
char *hub_id_of_path(const char *path);

/* 40 lower-case hexadecimal digits. */
bool hub_id_is_commit(const char *text);

#endif
