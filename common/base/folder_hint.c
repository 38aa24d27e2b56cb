#include "folder_hint.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/digits.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/model_files.h"

enum { NAMES_SHOWN = 3 };
static const size_t adapter_bytes_max = 1000 * 1000;
static const char cache_prefix[] = "models--";

struct hint {
    const struct folder *folder;
    const char *directory;
    char **names; /* what is in the directory, sorted */
    size_t n_names;
    struct buffer *out;
};

struct listed { /* the first few of some names */
    struct buffer text;
    size_t n;
};

static void list_add(struct listed *listed, const char *name, const char *ending)
{
    if (listed->n < NAMES_SHOWN)
        buffer_format(&listed->text, "%s" ERROR_NAME "%s", listed->n ? ", " : "", name, ending);
    else if (listed->n == NAMES_SHOWN)
        buffer_add_text(&listed->text, ", …");
    listed->n++;
}

static bool has_prefix(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool holds(const struct hint *hint, const char *name)
{
    for (size_t i = 0; i < hint->n_names; i++)
        if (strcmp(hint->names[i], name) == 0)
            return true;
    return false;
}

/* ---- adapters ---- */

/* "LoRA", and of which model it is, by adapter_config.json. */
static cJSON *load_adapter_config(const struct hint *hint)
{
    char *path = folder_join(hint->directory, "adapter_config.json"), *text = NULL;
    struct error ignored = {0};
    cJSON *json = NULL;
    size_t size;

    if (folder_look(hint->folder, path) == FOLDER_FILE)
        text = folder_read_text(hint->folder, path, adapter_bytes_max, &size, &ignored);
    if (text)
        json = json_parse(text, size, &ignored);
    free(text);
    free(path);
    return json;
}

static bool tell_adapter(struct hint *hint)
{
    static const char *const names[] = {"adapter_config.json", "adapter_model.safetensors",
                                        "adapter_model.bin"};
    const char *name = NULL, *kind, *base;
    cJSON *json;

    for (size_t i = 0; i < sizeof names / sizeof *names && !name; i++)
        name = holds(hint, names[i]) ? names[i] : NULL;
    if (!name)
        return false;
    json = load_adapter_config(hint);
    kind = json_find_string(json, "peft_type");
    base = json_find_string(json, "base_model_name_or_path");
    if (!kind || strcmp(kind, "LORA") == 0)
        buffer_format(hint->out, "; it holds a LoRA adapter (%s)", name);
    else
        buffer_format(hint->out, "; it holds an adapter (" ERROR_NAME ", %s)", kind, name);
    buffer_add_text(hint->out, ", which is no model by itself: ");
    if (kind && strcmp(kind, "LORA") == 0 && !*hint->directory)
        buffer_format(hint->out, "'" ERROR_NAME "+%s' is one%s", base && *base ? base : "MODEL",
                      hint->folder->path, base && *base ? "" : ", with its base for MODEL");
    else if (base && *base)
        buffer_format(hint->out, "merge it into '" ERROR_NAME "' first", base);
    else
        buffer_add_text(hint->out, "merge it into its base model first");
    cJSON_Delete(json);
    return true;
}

/* ---- shards without an index ---- */

struct shard { /* "model-00002-of-00003.safetensors" */
    size_t n_stem, number, n_shards;
    const char *ending;
};

static bool parse_shard(const char *name, struct shard *shard)
{
    const char *of = strstr(name, "-of-"), *number = of;

    while (number && number > name && strchr("0123456789", number[-1]))
        number--;
    if (!of || number == of || number == name || number[-1] != '-' ||
        digits_read(number, &shard->number) != of)
        return false;
    shard->n_stem = (size_t)(number - 1 - name);
    shard->ending = digits_read(of + strlen("-of-"), &shard->n_shards);
    return shard->ending && shard->number <= shard->n_shards &&
           (strcmp(shard->ending, ".safetensors") == 0 || strcmp(shard->ending, ".bin") == 0);
}

static bool tell_shards(struct hint *hint)
{
    const char *first = NULL;
    struct shard found = {0}, shard;
    size_t n = 0;

    for (size_t i = 0; i < hint->n_names; i++) {
        const char *name = hint->names[i];

        if (!parse_shard(name, &shard))
            continue;
        if (!first) {
            first = name;
            found = shard;
        }
        n += shard.n_stem == found.n_stem && shard.n_shards == found.n_shards &&
             strncmp(name, first, found.n_stem) == 0 && strcmp(shard.ending, found.ending) == 0;
    }
    if (!first)
        return false;
    buffer_format(hint->out, "; it holds ");
    if (n < found.n_shards)
        buffer_format(hint->out, "%zu of ", n);
    buffer_format(hint->out, "%zu shard%s, but no index (%.*s%s.index.json)", found.n_shards,
                  found.n_shards == 1 ? "" : "s", (int)found.n_stem, first, found.ending);
    return true;
}

/* ---- the cache of the Hub ---- */

/* "models--org--name" -> "org/name" */
static char *id_of(const char *name)
{
    const char *owner = name + strlen(cache_prefix), *mark = strstr(owner, "--");

    return mark ? memory_format("%.*s/%s", (int)(mark - owner), owner, mark + 2)
                : memory_copy(owner);
}

static bool tell_repository(struct hint *hint)
{
    const char *real = hint->folder->real, *slash = strrchr(real, '/');
    const char *name = slash ? slash + 1 : real;
    struct error ignored = {0};
    char *id, **commits;
    size_t n_commits;

    if (*hint->directory || !has_prefix(name, cache_prefix) || !holds(hint, "snapshots"))
        return false;
    id = id_of(name);
    buffer_format(hint->out, "; it is the folder of '" ERROR_NAME "' in a cache of the Hub: give "
                  "that name", id);
    if (folder_list(hint->folder, "snapshots", &commits, &n_commits, &ignored) == 0) {
        if (n_commits)
            buffer_format(hint->out, ", or '%s/snapshots/" ERROR_NAME "'", hint->folder->path,
                          commits[n_commits - 1]);
        folder_names_free(commits, n_commits);
    }
    free(id);
    return true;
}

static bool tell_cache(struct hint *hint)
{
    struct listed ids = {0};

    for (size_t i = 0; i < hint->n_names; i++)
        if (has_prefix(hint->names[i], cache_prefix)) {
            char *id = id_of(hint->names[i]);

            list_add(&ids, id, "");
            free(id);
        }
    if (ids.n)
        buffer_format(hint->out, "; it is a cache of the Hub: give the name of one of its models "
                      "(%s)", ids.text.data);
    buffer_release(&ids.text);
    return ids.n > 0;
}

/* ---- directories below ---- */

static bool has_any(const struct hint *hint, const char *inner, const char *const *names)
{
    bool has = false;

    for (size_t i = 0; names[i] && !has; i++) {
        char *path = folder_join(inner, names[i]);

        has = folder_look(hint->folder, path) == FOLDER_FILE;
        free(path);
    }
    return has;
}

static bool has_weights(const struct hint *hint)
{
    for (size_t i = 0; i < MODEL_WEIGHTS_NAMES; i++)
        if (holds(hint, model_weights_names[i].name))
            return true;
    return false;
}

static bool tell_below(struct hint *hint, const char *what, const char *const *wanted)
{
    struct listed found = {0};

    if (!wanted)
        return false;
    for (size_t i = 0; i < hint->n_names; i++) {
        char *inner = folder_join(hint->directory, hint->names[i]);

        if (folder_look(hint->folder, inner) == FOLDER_DIRECTORY &&
            has_any(hint, inner, wanted))
            list_add(&found, hint->names[i], "/");
        free(inner);
    }
    if (found.n)
        buffer_format(hint->out, "; it has %s in %s: give %s directory", what, found.text.data,
                      found.n == 1 ? "that" : "one such");
    buffer_release(&found.text);
    return found.n > 0;
}

/* ---- other files ---- */

static const struct {
    const char *pattern, *text;
} other_files[] = {
    {"*.incomplete", "a file that has not been fetched to its end"},
    {"*.crdownload", "a file that has not been fetched to its end"},
    {"*.part", "a file that has not been fetched to its end"},
    {"*.gguf", "a GGUF file, which could be given by itself"},
    {"*.h5", "weights of TensorFlow, which are not read"},
    {"*.msgpack", "weights of Flax, which are not read"},
    {"*.ot", "weights of rust-bert, which are not read"},
    {"*.onnx", "weights of ONNX, which are not read"},
    {"*.zip", "an archive: unpack it first"},
    {"*.tar", "an archive: unpack it first"},
    {"*.tar.*", "an archive: unpack it first"},
    {"*.tgz", "an archive: unpack it first"},
};

const char *folder_hint_file(const char *name)
{
    for (size_t i = 0; i < sizeof other_files / sizeof *other_files; i++)
        if (fnmatch(other_files[i].pattern, name, 0) == 0)
            return other_files[i].text;
    return NULL;
}

static bool tell_files(struct hint *hint)
{
    for (size_t i = 0; i < hint->n_names; i++) {
        const char *name = hint->names[i], *text = folder_hint_file(name);

        if (!text && fnmatch("*.safetensors", name, 0) == 0)
            text = "which could be given by itself, or renamed to model.safetensors";
        if (text) {
            buffer_format(hint->out, "; it holds '" ERROR_NAME "', %s", name, text);
            return true;
        }
    }
    return false;
}

/* ---- all ---- */

char *folder_hint(const struct folder *folder, const char *directory, const char *what,
                  const char *const *names, bool needs_weights)
{
    static const char *const adapters[] = {"adapter_config.json", NULL};
    const char *weights[MODEL_WEIGHTS_NAMES + 1] = {NULL};
    struct buffer out = {0};
    struct hint hint = {.folder = folder, .directory = directory, .out = &out};
    struct error ignored = {0};
    bool is_told;

    buffer_add_text(&out, "");
    if (folder_list(folder, directory, &hint.names, &hint.n_names, &ignored))
        return out.data;
    for (size_t i = 0; i < MODEL_WEIGHTS_NAMES; i++)
        weights[i] = model_weights_names[i].name;
    needs_weights = needs_weights && !has_weights(&hint);
    is_told = (needs_weights && (tell_adapter(&hint) || tell_shards(&hint))) ||
              tell_repository(&hint) || tell_cache(&hint) ||
              (needs_weights && tell_below(&hint, "weights", weights)) ||
              tell_below(&hint, what, names) ||
              (needs_weights && (tell_below(&hint, "adapters", adapters) || tell_files(&hint)));
    if (!is_told && hint.n_names == 0)
        buffer_add_text(&out, "; it is empty");
    folder_names_free(hint.names, hint.n_names);
    return out.data;
}
