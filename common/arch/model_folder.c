#include "model_folder.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "arch/gguf_folder.h"
#include "arch/llama_files.h"
#include "arch/quantized.h"
#include "base/folder_hint.h"
#include "base/memory.h"
#include "base/model_files.h"
#include "hub/hub_id.h"

/* Whether it can be weights, by its name; their content is looked at when they are opened. */
static int check_file(const char *path, const char *directory, const char *name, struct error *err)
{
    static const char *const others[] = {"*.json", "*.txt", "*.model", "*.tiktoken", "*.jinja",
                                         "*.py", "*.md", NULL};
    const char *text = folder_hint_file(name);

    if (model_files_match(others, name))
        return error_set(err, ERROR_USAGE, "'%s': a file beside weights, not the weights; give the "
                         "directory '%s'", path, directory);
    return text ? error_set(err, ERROR_UNSUPPORTED, "'%s': %s", path, text) : 0;
}

/* The directory of a file, to be freed. */
static char *directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == path ? memory_copy("/")
           : slash       ? memory_format("%.*s", (int)(slash - path), path)
                         : memory_copy(".");
}

/* Splits the path of a weights file into its directory and its name. */
static int open_file(struct model_folder *model, const char *path, bool follow_symlinks,
                     struct error *err)
{
    const char *slash = strrchr(path, '/');
    char *directory = directory_of(path);

    if (check_file(path, directory, slash ? slash + 1 : path, err) == 0)
        model->folder = folder_open(directory, follow_symlinks, err);
    model->file = memory_copy(slash ? slash + 1 : path);
    model->sentence.transformer = "";
    free(directory);
    return model->folder ? 0 : -1;
}

static bool has_file(const struct model_folder *model, const char *name)
{
    char *path = folder_join(model->sentence.transformer, name);
    bool has = folder_look(model->folder, path) != FOLDER_ABSENT;

    free(path);
    return has;
}

/* Takes over the checkpoint. */
static void add_opened(struct model_folder *model, const char *directory, const char *file,
                       struct checkpoint *checkpoint)
{
    model->opened = memory_resize(model->opened, model->n_opened + 1, sizeof *model->opened);
    model->opened[model->n_opened++] = (struct opened_checkpoint){
        memory_copy(directory), file ? memory_copy(file) : NULL, checkpoint, {0}};
}

static int complete_vocab_size(struct model_folder *model, struct error *err)
{
    struct notices ignored = {0};
    const struct checkpoint *checkpoint;

    if (!llama_files_lack_vocab_size(&model->config))
        return 0;
    checkpoint = model_folder_weights(model, &ignored, err);
    if (checkpoint)
        llama_files_read_vocab_size(checkpoint, &model->config);
    notices_release(&ignored);
    return checkpoint ? 0 : -1;
}

/* Its weights stand in a layout of their own, and are there from the beginning. */
static int open_megatron(struct model_folder *model, struct error *err)
{
    model->megatron = megatron_open(model->folder, err);
    if (!model->megatron)
        return err->code ? -1 : 0;
    add_opened(model, "", NULL, model->megatron->checkpoint);
    model->megatron->checkpoint = NULL;
    return 0;
}

/* From here on the folder has the files that a model of transformers would have. Messages of opening
 * it name the file, later ones the model. */
static int open_gguf(struct model_folder *model, const char *file, struct error *err)
{
    struct checkpoint *checkpoint = gguf_folder_open(model->folder, file, err);

    if (!checkpoint)
        return -1;
    model->gguf = memory_copy(file);
    add_opened(model, "", NULL, checkpoint);
    folder_call(model->folder, model->name);
    return 0;
}

static int load_folder(struct model_folder *model, struct error *err)
{
    bool is_consolidated, has_config;
    const char *directory;

    if (sentence_folder_load(&model->sentence, model->folder, err))
        return -1;
    directory = model->sentence.transformer;
    has_config = has_file(model, "config.json");
    /* A folder may hold both layouts: then both files, and the weights decide. */
    is_consolidated = has_file(model, "params.json") &&
                      (!has_config || checkpoint_look_consolidated(model->folder, directory));
    if (!has_config && !is_consolidated)
        return 0;
    if (config_load(&model->config, model->folder, directory, is_consolidated, err))
        return -1;
    model->has_config = true;
    return complete_vocab_size(model, err);
}

static int open_gguf_file(struct model_folder *model, const char *path, bool follow_symlinks,
                          struct error *err)
{
    const char *slash = strrchr(path, '/');
    char *directory = directory_of(path);

    model->folder = folder_open(directory, follow_symlinks, err);
    free(directory);
    return !model->folder || open_gguf(model, slash ? slash + 1 : path, err) ||
                   load_folder(model, err)
               ? -1
               : 0;
}

static int open_directory(struct model_folder *model, const char *path, bool follow_symlinks,
                          struct error *err)
{
    struct error ignored = {0};
    char *gguf;
    int rc;

    model->folder = folder_open(path, follow_symlinks, err);
    if (!model->folder)
        return -1;
    if (strcmp(path, model->name) != 0)
        folder_call(model->folder, model->name);
    if (open_megatron(model, err))
        return -1;
    gguf = model->megatron ? NULL : gguf_folder_find(model->folder, &ignored);
    /* Without a config.json, several are no model that could be chosen. */
    if (!gguf && ignored.code == ERROR_FORMAT &&
        folder_look(model->folder, "config.json") == FOLDER_ABSENT)
        *err = ignored;
    rc = err->code || (gguf && open_gguf(model, gguf, err)) ? -1 : load_folder(model, err);
    free(gguf);
    return rc;
}

int model_folder_open(struct model_folder *model, const char *path, const char *name,
                      bool follow_symlinks, struct error *err)
{
    struct stat info;
    int rc;

    *model = (struct model_folder){.name = memory_copy(name ? name : path),
                                   .path = memory_copy(path)};
    if (stat(path, &info) == 0 && !S_ISDIR(info.st_mode))
        rc = gguf_folder_is(path) ? open_gguf_file(model, path, follow_symlinks, err)
                                  : open_file(model, path, follow_symlinks, err);
    else
        rc = open_directory(model, path, follow_symlinks, err);
    if (rc)
        model_folder_release(model);
    return rc;
}

void model_folder_release(struct model_folder *model)
{
    while (model->additions) {
        struct model_addition *addition = model->additions;

        model->additions = addition->next;
        addition->release(addition);
    }
    for (size_t i = 0; i < model->n_opened; i++) {
        free(model->opened[i].directory);
        free(model->opened[i].file);
        checkpoint_close(model->opened[i].checkpoint);
    }
    free(model->opened);
    free(model->name);
    free(model->path);
    free(model->file);
    free(model->gguf);
    folder_close(model->folder);
    if (!model->of)
        megatron_free(model->megatron);
    config_release(&model->config);
    sentence_folder_release(&model->sentence);
    *model = (struct model_folder){0};
}

int model_folder_set_config(struct model_folder *model, struct buffer *text, struct error *err)
{
    bool is_consolidated = model->config.is_consolidated;
    char *name = folder_join(model->sentence.transformer, config_name(&model->config));
    size_t size = text->size;

    folder_add(model->folder, name, text->data, size);
    *text = (struct buffer){0};
    free(name);
    config_release(&model->config);
    model->has_config = config_load(&model->config, model->folder, model->sentence.transformer,
                                    is_consolidated, err) == 0;
    return model->has_config ? 0 : -1;
}

int model_folder_reopen(struct model_folder *model, struct model_folder *of, const char *name,
                        struct error *err)
{
    *model = (struct model_folder){
        .name = memory_copy(name), .path = memory_copy(of->path),
        .file = of->file ? memory_copy(of->file) : NULL,
        .gguf = of->gguf ? memory_copy(of->gguf) : NULL,
        .folder = folder_reopen(of->folder), .megatron = of->megatron, .of = of,
        .sentence.transformer = "",
    };
    if (!model->file && strcmp(of->name, name) != 0)
        folder_call(model->folder, name);
    if (!model->file && load_folder(model, err)) {
        model_folder_release(model);
        return -1;
    }
    return 0;
}

char *model_folder_hub_id(const struct model_folder *model)
{
    return hub_id_of_path(model->folder->real);
}

static char *base_label(const struct model_folder *model)
{
    char *label = model_folder_hub_id(model);
    const char *slash = strrchr(model->folder->real, '/');
    struct hub_id typed;

    if (!label && (model->file || model->gguf))
        return memory_format("%s/%s", slash + 1, model->file ? model->file : model->gguf);
    if (!label)
        return memory_copy(slash[1] ? slash + 1 : slash);
    if (hub_id_parse(&typed, model->name) || hub_id_parse_bare(&typed, model->name)) {
        if (strcmp(typed.repository, label) == 0) { /* and perhaps a revision */
            free(label);
            label = memory_copy(model->name);
        }
        hub_id_release(&typed);
    }
    return label;
}

char *model_folder_label(const struct model_folder *model)
{
    char *label = base_label(model), *longer;
    const struct model_folder *owner = model;

    while (owner->of)
        owner = owner->of;
    for (const struct model_addition *a = owner->additions; a; a = a->next) {
        longer = memory_format("%s+%s", label, a->label);
        free(label);
        label = longer;
    }
    return label;
}

int model_folder_need_config(const struct model_folder *model, struct error *err)
{
    static const char *const names[] = {"config.json", "params.json", NULL};
    char *hint;

    if (model->has_config || model->file)
        return 0;
    hint = folder_hint(model->folder, model->sentence.transformer, "config.json", names,
                       true);
    error_set(err, ERROR_FORMAT, "'%s': no config.json in it, nor params.json%s", model->name,
              hint);
    free(hint);
    return -1;
}

static bool has_module(const struct model_folder *model, const char *kind)
{
    for (size_t i = 0; i < model->sentence.n_modules; i++)
        if (strcmp(model->sentence.modules[i].kind, kind) == 0)
            return true;
    return false;
}

/* False when the folder leaves it to config.json. A cross-encoder that scores by the logits of two
 * tokens is a decoder that is asked a question. */
static bool find_made_for(const struct model_folder *model, enum model_type *type)
{
    const struct sentence_folder *sentence = &model->sentence;

    if (sentence->is_cross_encoder && has_module(model, "LogitScore"))
        return false;
    *type = sentence->is_cross_encoder ? MODEL_RERANKER : MODEL_ENCODER;
    return sentence->is_cross_encoder || (sentence->n_modules && sentence->pooling);
}

int model_folder_type(const struct model_folder *model, const char *wanted, enum model_type *type,
                      struct error *err)
{
    enum model_type made_for;

    if (find_made_for(model, &made_for) &&
        (!wanted || strcmp(wanted, model_type_name(made_for)) == 0)) {
        *type = made_for;
        return 0;
    }
    return architecture_type(&model->config, wanted, model->name, type, err);
}

const char *model_folder_default_pooling(const struct model_folder *model)
{
    return model->has_config && architecture_is_decoder(&model->config) ? "lasttoken" : "cls";
}

static bool is_asked_for(const struct opened_checkpoint *opened, const char *directory,
                         const char *file)
{
    return strcmp(opened->directory, directory) == 0 &&
           (file ? opened->file && strcmp(opened->file, file) == 0 : !opened->file);
}

static struct opened_checkpoint *find_opened(const struct model_folder *model,
                                             const char *directory, const char *file)
{
    for (size_t i = 0; i < model->n_opened; i++)
        if (is_asked_for(&model->opened[i], directory, file))
            return &model->opened[i];
    return NULL;
}

/* Opens it in the other model, if need be. */
static const struct checkpoint *take_opened(struct model_folder *model, const char *directory,
                                            const char *file, struct notices *notices,
                                            struct error *err)
{
    const struct opened_checkpoint *opened;

    if (!model_folder_checkpoint(model->of, directory, file, notices, err))
        return NULL;
    opened = find_opened(model->of, directory, file);
    add_opened(model, directory, file, checkpoint_reopen(opened->checkpoint));
    model->opened[model->n_opened - 1].refusal = opened->refusal;
    return model->opened[model->n_opened - 1].checkpoint;
}

const struct checkpoint *model_folder_checkpoint(struct model_folder *model, const char *directory,
                                                 const char *file, struct notices *notices,
                                                 struct error *err)
{
    const struct opened_checkpoint *opened = find_opened(model, directory, file);
    struct error refusal = {0};
    struct checkpoint *checkpoint;

    if (opened)
        return opened->checkpoint;
    if (model->of)
        return take_opened(model, directory, file, notices, err);
    checkpoint = checkpoint_open(model->folder, directory, file, notices, err);
    if (!checkpoint)
        return NULL;
    if (quantized_open(model, directory, file, checkpoint, &refusal) &&
        refusal.code != ERROR_UNSUPPORTED) {
        checkpoint_close(checkpoint);
        *err = refusal;
        return NULL;
    }
    add_opened(model, directory, file, checkpoint);
    model->opened[model->n_opened - 1].refusal = refusal;
    return checkpoint;
}

/* Once, as all that is said of weights. */
static void tell_padding(struct model_folder *model, struct notices *notices)
{
    if (model->megatron->n_rows)
        notices_add(notices, "'%s': its args do not say how large the vocabulary is: all %zu rows of "
                    "the embedding stay, padding among them", model->name, model->megatron->n_rows);
    model->megatron->n_rows = 0;
}

const struct checkpoint *model_folder_weights(struct model_folder *model, struct notices *notices,
                                              struct error *err)
{
    const struct checkpoint *checkpoint =
        model_folder_checkpoint(model, model->file ? "" : model->sentence.transformer, model->file,
                                notices, err);

    if (checkpoint && model->megatron)
        tell_padding(model, notices);
    if (checkpoint && model->has_config &&
        llama_files_check(checkpoint, &model->config, model->folder->path, err))
        return NULL;
    return checkpoint;
}

struct checkpoint *model_folder_own(struct model_folder *model,
                                    const struct checkpoint *checkpoint)
{
    for (size_t i = 0; i < model->n_opened; i++)
        if (model->opened[i].checkpoint == checkpoint)
            return model->opened[i].checkpoint;
    return NULL;
}

const char *model_folder_tokenizer_at(const struct model_folder *model)
{
    const char *below = model->sentence.transformer;
    bool is_below = *below && !model->file &&
                    folder_look(model->folder, "tokenizer_config.json") == FOLDER_ABSENT;

    return is_below ? below : "";
}

int model_folder_settings(const struct model_folder *model, enum model_type type,
                          struct sentence_settings *settings, struct notices *notices,
                          struct error *err)
{
    *settings = (struct sentence_settings){0};
    if (type != MODEL_ENCODER && type != MODEL_RERANKER)
        return 0;
    if (type == MODEL_RERANKER && sentence_folder_check_scorer(&model->sentence, err))
        return error_context(err, "'%s'", model->name);
    if (sentence_settings_load(settings, &model->sentence, model->folder, err))
        return -1;
    for (size_t i = 0; i < settings->notices.n_texts; i++)
        notices_add(notices, "%s", settings->notices.texts[i]);
    return 0;
}

struct tokenizer *model_folder_tokenizer(const struct model_folder *model,
                                         const struct sentence_settings *settings,
                                         struct error *err)
{
    struct tokenizer *tokenizer =
        tokenizer_load(model->folder, model_folder_tokenizer_at(model), err);

    if (tokenizer && settings->lowers_case && tokenizer_lower_case(tokenizer, err)) {
        tokenizer_free(tokenizer);
        return NULL;
    }
    return tokenizer;
}

static const char *vocabulary_at(const struct model_folder *model)
{
    const char *below = model->sentence.transformer, *at = model_folder_tokenizer_at(model);

    return !*below || tokenizer_is_there(model->folder, at) ? at : *at ? "" : below;
}

int model_folder_vocabulary(const struct model_folder *model, struct vocabulary *vocabulary,
                            struct error *err)
{
    *vocabulary = (struct vocabulary){0};
    return model->file ? 0
                       : vocabulary_load(vocabulary, model->folder, vocabulary_at(model), err);
}

int model_folder_has_same_vocabulary(const struct model_folder *a, const struct model_folder *b,
                                     bool *same, struct error *err)
{
    *same = false;
    return a->file || b->file ? 0
                              : tokenizer_has_same_files(a->folder, vocabulary_at(a), b->folder,
                                                         vocabulary_at(b), same, err);
}

bool model_folder_is_tied(const struct model_folder *model)
{
    int tied;

    if (!model->has_config)
        return false;
    tied = config_tied(&model->config);
    /* A family that we do not know: transformers ties unless it is told not to. */
    return (tied >= 0 ? tied : architecture_tied_by_default(&model->config)) != 0;
}
