#include "hub_id.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { PART_MAX = 96, REVISION_MAX = 255 };

/* [A-Za-z0-9._-], not starting or ending with '-' or '.', no "--" or ".." (docs/formats.md,
 * "The Hub"). */
static bool is_part(const char *text, size_t length)
{
    static const char marks[] = "._-";

    if (length == 0 || length > PART_MAX || strchr("-.", text[0]) ||
        strchr("-.", text[length - 1]))
        return false;
    for (size_t i = 0; i < length; i++) {
        bool is_letter = (text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z');

        if (!is_letter && !(text[i] >= '0' && text[i] <= '9') && !strchr(marks, text[i]))
            return false;
        if (i && strchr("-.", text[i]) && text[i] == text[i - 1])
            return false;
    }
    return length < 4 || memcmp(text + length - 4, ".git", 4) != 0;
}

/* What git takes as the name of a branch, more or less; it becomes a path in the cache. */
static bool is_revision(const char *text)
{
    size_t length = strlen(text);

    if (length == 0 || length > REVISION_MAX || text[length - 1] == '/' || strstr(text, ".."))
        return false;
    for (size_t i = 0; i < length; i++) {
        bool begins = i == 0 || text[i - 1] == '/';

        if ((unsigned char)text[i] <= ' ' || strchr("\\~^:?*[\x7f", text[i]) ||
            (begins && (text[i] == '/' || text[i] == '.')))
            return false;
    }
    return true;
}

/* The last n_name bytes of the first n_repository are the name. */
static bool parse(struct hub_id *id, const char *text, size_t n_repository, size_t n_name)
{
    const char *revision = text[n_repository] ? text + n_repository + 1 : "main";

    if (!is_part(text + n_repository - n_name, n_name) || !is_revision(revision))
        return false;
    *id = (struct hub_id){memory_format("%.*s", (int)n_repository, text), memory_copy(revision)};
    return true;
}

bool hub_id_parse(struct hub_id *id, const char *text)
{
    size_t n_repository = strcspn(text, "@"), n_owner = strcspn(text, "/");

    return n_owner < n_repository && is_part(text, n_owner) &&
           parse(id, text, n_repository, n_repository - n_owner - 1);
}

bool hub_id_parse_bare(struct hub_id *id, const char *text)
{
    size_t n_repository = strcspn(text, "@");

    return parse(id, text, n_repository, n_repository);
}

static const char *skip(const char *text, const char *prefix)
{
    size_t n = strlen(prefix);

    return strncmp(text, prefix, n) == 0 ? text + n : text;
}

char *hub_id_of_address(const char *text)
{
    static const char *const marks[] = {"/tree/", "/blob/", "/resolve/", "/raw/"};
    const char *host = skip(skip(text, "https://"), "http://");
    const char *path = skip(skip(skip(host, "www."), "huggingface.co/"), "hf.co/");
    const char *revision = NULL, *rest = path + strcspn(path, "/");
    char *id;
    struct hub_id parsed;

    if (path == host || !*rest)
        return NULL;
    rest += 1 + strcspn(rest + 1, "/?#");
    for (size_t i = 0; i < sizeof marks / sizeof *marks && !revision; i++)
        if (strncmp(rest, marks[i], strlen(marks[i])) == 0)
            revision = rest + strlen(marks[i]);
    id = memory_format("%.*s%s%.*s", (int)(rest - path), path, revision ? "@" : "",
                       revision ? (int)strcspn(revision, "/?#") : 0, revision ? revision : "");
    if (!hub_id_parse(&parsed, id)) {
        free(id);
        return NULL;
    }
    hub_id_release(&parsed);
    return id;
}

void hub_id_release(struct hub_id *id)
{
    free(id->repository);
    free(id->revision);
    *id = (struct hub_id){0};
}

/* "org--name", or the name of an old model alone. */
static char *read_folder(const char *text, size_t length)
{
    char *id = memory_format("%.*s", (int)length, text), *mark = strstr(id, "--");

    if (mark) {
        *mark = '/';
        memmove(mark + 1, mark + 2, strlen(mark + 2) + 1);
    }
    length = strcspn(id, "/");
    if (is_part(id, length) && (!mark || is_part(mark + 1, strlen(mark + 1))))
        return id;
    free(id);
    return NULL;
}

char *hub_id_of_path(const char *path)
{
    static const char prefix[] = "/models--", snapshots[] = "/snapshots/";
    char *id = NULL;

    for (const char *at = path; !id && (at = strstr(at, prefix)); at++) {
        const char *folder = at + strlen(prefix), *end = strchr(folder, '/');

        if (end && strncmp(end, snapshots, strlen(snapshots)) == 0 && end[strlen(snapshots)])
            id = read_folder(folder, (size_t)(end - folder));
    }
    return id;
}

bool hub_id_is_commit(const char *text)
{
    return strlen(text) == 40 && text[strspn(text, "0123456789abcdef")] == '\0';
}
