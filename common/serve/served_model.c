#include "served_model.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "adapter/adapted_model.h"
#include "adapter/adapter_path.h"
#include "arch/config_keys.h"
#include "base/memory.h"
#include "model/generation_config.h"
#include "serve/model_marks.h"

/* The last part of a path; of what is no path, a name on the Hub without its revision. */
static char *id_of_one(const char *name)
{
    char *real = access(name, F_OK) == 0 ? memory_realpath(name) : NULL, *id;
    size_t n = strlen(name);
    const char *start;

    if (!real)
        return memory_format("%.*s", (int)strcspn(name, "@"), name);
    while (n > 1 && name[n - 1] == '/')
        n--;
    start = memrchr(name, '/', n);
    start = start ? start + 1 : name;
    n -= (size_t)(start - name);
    if (n == 0 || *start == '.') { /* which says nothing */
        start = strrchr(real, '/') + 1;
        n = strlen(start);
    }
    id = memory_format("%.*s", (int)n, start);
    free(real);
    return id;
}

/* Of MODEL+ADAPTER those of both. */
static char *make_id(const char *name)
{
    char *parts[2], *ids[2], *id;

    if (!adapter_path_split(name, &parts[0], &parts[1]))
        return id_of_one(name);
    for (size_t i = 0; i < 2; i++) {
        ids[i] = id_of_one(parts[i]);
        free(parts[i]);
    }
    id = memory_format("%s+%s", ids[0], ids[1]);
    free(ids[0]);
    free(ids[1]);
    return id;
}

static int find_kind(struct served_model *served, const char *type, struct error *err)
{
    if (served->folder.file)
        return error_set(err, ERROR_FORMAT, "'%s': is a weights file; to run it, name the "
                         "directory that holds it with its config.json", served->folder.name);
    if (model_folder_need_config(&served->folder, err) ||
        model_folder_type(&served->folder, type, &served->type, err))
        return -1;
    served->kind = served->type == MODEL_ENCODER    ? SERVED_ENCODER
                   : served->type == MODEL_RERANKER ? SERVED_RERANKER
                                                    : SERVED_DECODER;
    return 0;
}

/* Renders one message with these members; 1: it works, and `part` is in what comes out. */
static bool probe(const struct chat_template *chat, const char *messages, const char *part)
{
    const struct chat_conversation conversation = {.messages = messages};
    struct buffer out = {0};
    struct error error = {0};
    bool works = chat_template_render(chat, &conversation, &out, &error) == 0 && out.size &&
                 strstr(out.data, part);

    buffer_release(&out);
    return works;
}

/* Templates differ in what they take; which it is shows when they are asked. */
static void probe_template(struct served_model *served)
{
    static const char call[] =
        "[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":\"\","
        "\"tool_calls\":[{\"id\":\"abcdefghi\",\"type\":\"function\",\"function\":{\"name\":\"f\","
        "\"arguments\":%s}}]}]";
    char *object = memory_format(call, "{\"needle\":1}");
    char *string = memory_format(call, "\"{\\\"needle\\\":1}\"");

    served->flattens_parts =
        !probe(served->chat,
               "[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"needle\"}]}]",
               "needle") ||
        probe(served->chat,
              "[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"needle\"}]}]",
              "'text'");
    served->keeps_strings = (!probe(served->chat, object, "needle") ||
                             probe(served->chat, object, "{'needle'")) &&
                            probe(served->chat, string, "{\"needle\"");
    free(object);
    free(string);
}

static int prepare_decoder(struct served_model *served, const char *template, struct error *err)
{
    served->sampling = (struct sampling){.temperature = 1, .top_p = 1};
    served->is_harmony = model_marks_find(served->tokenizer, &served->kept);
    if (generation_config_eos(&served->folder, served->tokenizer, &served->eos, err) ||
        generation_config_sampling(&served->folder, &served->sampling, err))
        return -1;
    served->chat = chat_template_load(served->folder.folder,
                                      model_folder_tokenizer_at(&served->folder), template,
                                      &served->chat_error);
    if (served->chat) {
        probe_template(served);
        return 0;
    }
    if (template || served->chat_error.code == ERROR_RESOURCES) {
        *err = served->chat_error;
        return -1;
    }
    return 0;
}

static int check(struct served_model *served, const char *type, const char *template,
                 struct notices *notices, struct error *err)
{
    const struct checkpoint *weights;

    if (find_kind(served, type, err) ||
        model_folder_settings(&served->folder, served->type, &served->settings, notices, err) ||
        model_spec_load(&served->spec, &served->folder.config, served->type, served->folder.name,
                        err))
        return -1;
    weights = model_folder_weights(&served->folder, notices, err);
    if (!weights)
        return -1;
    for (size_t i = 0; i < weights->n_tensors; i++)
        served->size_bytes += weights->tensors[i].size_bytes;
    served->tokenizer = model_folder_tokenizer(&served->folder, &served->settings, err);
    if (!served->tokenizer)
        return -1;
    return served->kind == SERVED_DECODER ? prepare_decoder(served, template, err) : 0;
}

int served_model_open(struct served_model *served, const char *path, const char *name,
                      const char *type, const char *template, bool follow_symlinks,
                      struct notices *notices, struct error *err)
{
    *served = (struct served_model){.id = make_id(name), .created = (long long)time(NULL)};
    return adapted_model_open(&served->folder, path, name, follow_symlinks, notices, err) ||
                   check(served, type, template, notices, err)
               ? -1
               : 0;
}

void served_model_release(struct served_model *served)
{
    served_model_unload(served);
    chat_template_free(served->chat);
    special_marks_free(served->marks);
    ids_release(&served->eos);
    ids_release(&served->kept);
    tokenizer_free(served->tokenizer);
    sentence_settings_release(&served->settings);
    model_spec_release(&served->spec);
    model_folder_release(&served->folder);
    for (size_t i = 0; i < served->n_aliases; i++)
        free(served->aliases[i]);
    free(served->aliases);
    free(served->id);
    *served = (struct served_model){0};
}

void served_model_take_literally(struct served_model *served)
{
    if (!served->marks)
        served->marks = special_marks_new(served->tokenizer);
}

void served_model_prepare_texts(const struct served_model *served,
                                struct chat_conversation *conversation)
{
    if (!served->marks)
        return;
    conversation->prepare = special_marks_add;
    conversation->prepare_context = served->marks;
}

int served_model_load(struct served_model *served, struct threads *threads,
                      struct notices *notices, struct error *err)
{
    if (served->model)
        return 0;
    served->model = model_load(&served->folder, served->type, threads, notices, err);
    if (!served->model)
        return -1;
    if (served->kind == SERVED_RERANKER && model_n_labels(served->model) != 1) {
        error_set(err, ERROR_UNSUPPORTED, "'%s': scores %zu labels; a reranker has one",
                  served->folder.name, model_n_labels(served->model));
        served_model_unload(served);
        return -1;
    }
    if (served->kind != SERVED_ENCODER)
        return 0;
    served->sentence =
        sentence_model_load(&served->folder, served->model, NULL, notices, err);
    if (!served->sentence)
        served_model_unload(served);
    return served->sentence ? 0 : -1;
}

void served_model_unload(struct served_model *served)
{
    sentence_model_free(served->sentence);
    model_free(served->model);
    served->sentence = NULL;
    served->model = NULL;
}

bool served_model_is_named(const struct served_model *served, const char *name)
{
    if (strcmp(served->id, name) == 0)
        return true;
    for (size_t i = 0; i < served->n_aliases; i++)
        if (strcmp(served->aliases[i], name) == 0)
            return true;
    return false;
}

const char *served_kind_name(enum served_kind kind)
{
    static const char *const names[] = {"decoder", "encoder", "reranker"};

    return names[kind];
}
