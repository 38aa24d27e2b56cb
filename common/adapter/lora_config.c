#include "lora_config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapter/name_pattern.h"
#include "base/folder_hint.h"
#include "base/json.h"
#include "base/memory.h"

static const char file_name[] = "adapter_config.json";
static const size_t config_bytes_max = 16 * 1000 * 1000;
enum { RANK_MAX = 1 << 20 };

struct reader {
    struct lora_config *config;
    struct notices *notices;
    struct error *err;
};

/* ---- values ---- */

static const cJSON *find(const struct reader *reader, const char *name)
{
    return json_find(reader->config->json, name); /* null counts as absent */
}

static int fail(const struct reader *reader, const char *name, const char *what)
{
    return error_set(reader->err, ERROR_FORMAT, "'%s': %s", name, what);
}

static int read_bool(const struct reader *reader, const char *name, bool *value)
{
    const cJSON *item = find(reader, name);

    if (item && !cJSON_IsBool(item))
        return fail(reader, name, "is neither true nor false");
    *value = cJSON_IsTrue(item);
    return 0;
}

static int check_rank(const struct reader *reader, const char *name, double value)
{
    if (value >= 1 && value <= RANK_MAX && floor(value) == value)
        return 0;
    return error_set(reader->err, ERROR_FORMAT, "'%s': %g is no rank; it is a whole number from 1 "
                     "to %d", name, value, RANK_MAX);
}

static int check_alpha(const struct reader *reader, const char *name, double value)
{
    return isfinite(value) ? 0 : fail(reader, name, "is not finite");
}

static int read_number(const struct reader *reader, const char *name, double fallback,
                       int (*check)(const struct reader *, const char *, double), double *value)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(reader->config->json, name);

    if (item && !cJSON_IsNumber(item)) /* nor null, to PEFT either */
        return fail(reader, name, "is no number");
    *value = item ? item->valuedouble : fallback;
    return check(reader, name, *value);
}

static size_t count_items(const cJSON *list)
{
    const cJSON *item;
    size_t n = 0;

    cJSON_ArrayForEach(item, list)
        n++;
    return n;
}

static int add_pattern(const struct reader *reader, const char *name, const char *text,
                       double value, struct lora_pattern **patterns, size_t *n_patterns)
{
    struct name_pattern *pattern = name_pattern_new(text, true, reader->err);

    if (!pattern)
        return error_context(reader->err, "'%s'", name);
    (*patterns)[(*n_patterns)++] = (struct lora_pattern){pattern, text, value, false};
    return 0;
}

/* {pattern: number} */
static int read_patterns(const struct reader *reader, const char *name,
                         int (*check)(const struct reader *, const char *, double),
                         struct lora_pattern **patterns, size_t *n_patterns)
{
    const cJSON *object = find(reader, name), *item;

    if (!object)
        return 0;
    if (!cJSON_IsObject(object))
        return fail(reader, name, "is no object");
    *patterns = memory_zalloc(count_items(object) + 1, sizeof **patterns);
    cJSON_ArrayForEach(item, object) {
        if (!cJSON_IsNumber(item))
            return fail(reader, name, "holds a value that is no number");
        if (check(reader, name, item->valuedouble) ||
            add_pattern(reader, name, item->string, item->valuedouble, patterns, n_patterns))
            return -1;
    }
    return 0;
}

/* A list of names, or a pattern where one is allowed. */
static int read_names(const struct reader *reader, const char *name, bool takes_pattern,
                      struct lora_names *names)
{
    const cJSON *value = find(reader, name), *item;

    if (!value)
        return 0;
    if (takes_pattern && cJSON_IsString(value)) {
        names->pattern = name_pattern_new(value->valuestring, false, reader->err);
        return names->pattern ? 0 : error_context(reader->err, "'%s'", name);
    }
    if (!cJSON_IsArray(value))
        return fail(reader, name, takes_pattern ? "is neither a list nor text" : "is no list");
    names->names = memory_zalloc(count_items(value) + 1, sizeof *names->names);
    names->is_used = memory_zalloc(count_items(value) + 1, sizeof *names->is_used);
    cJSON_ArrayForEach(item, value) {
        if (!cJSON_IsString(item) || !*item->valuestring)
            return fail(reader, name, "holds something that is no name");
        if (hash_map_add(&names->by_name, item->valuestring, strlen(item->valuestring),
                         names->n_names) == names->n_names)
            names->names[names->n_names++] = item->valuestring;
    }
    return 0;
}

/* ---- layers ---- */

static int compare_sizes(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;

    return (x > y) - (x < y);
}

static void drop_repeated(size_t *ascending, size_t *n)
{
    size_t kept = 0;

    for (size_t i = 0; i < *n; i++)
        if (kept == 0 || ascending[kept - 1] != ascending[i])
            ascending[kept++] = ascending[i];
    *n = kept;
}

static int read_layers(const struct reader *reader)
{
    struct lora_config *config = reader->config;
    const cJSON *value = find(reader, "layers_to_transform"), *item;

    if (!value)
        return 0;
    config->layers = memory_zalloc(count_items(value) + 1, sizeof *config->layers);
    config->has_layer = memory_zalloc(count_items(value) + 1, sizeof *config->has_layer);
    item = cJSON_IsArray(value) ? value->child : value;
    for (; item; item = item == value ? NULL : item->next) {
        double number = cJSON_IsNumber(item) ? item->valuedouble : -1;

        if (!(number >= 0 && number < 1e6) || floor(number) != number)
            return fail(reader, "layers_to_transform", "holds something that is no layer");
        config->layers[config->n_layers++] = (size_t)number;
    }
    qsort(config->layers, config->n_layers, sizeof *config->layers, compare_sizes);
    drop_repeated(config->layers, &config->n_layers);
    config->has_layers = config->n_layers > 0; /* [] is no restriction to PEFT */
    return 0;
}

static int read_around(const struct reader *reader)
{
    static const char name[] = "layers_pattern";
    struct lora_config *config = reader->config;
    const cJSON *value = find(reader, name), *item;

    if (!value || (cJSON_IsArray(value) && !value->child) ||
        (cJSON_IsString(value) && !*value->valuestring))
        return 0;
    config->around = memory_zalloc(count_items(value) + 1, sizeof *config->around);
    item = cJSON_IsArray(value) ? value->child : value;
    for (; item; item = item == value ? NULL : item->next) {
        if (!cJSON_IsString(item))
            return fail(reader, name, "is neither text nor a list of texts");
        if (add_pattern(reader, name, item->valuestring, 0, &config->around, &config->n_around))
            return -1;
    }
    return config->layers ? 0 : fail(reader, name, "says nothing without layers_to_transform");
}

/* ---- what is refused ---- */

static int check_kind(const struct reader *reader)
{
    const char *kind = json_find_string(reader->config->json, "peft_type");

    if (!kind)
        return fail(reader, "peft_type", "is not there; what kind of adapter is it?");
    if (strcmp(kind, "LORA") == 0)
        return 0;
    return error_set(reader->err, ERROR_UNSUPPORTED, "adapters of kind " ERROR_NAME " cannot be "
                     "merged, only LORA", kind);
}

static bool is_said(const cJSON *item)
{
    return item && !cJSON_IsFalse(item) && !cJSON_IsNull(item) &&
           !((cJSON_IsObject(item) || cJSON_IsArray(item)) && !item->child);
}

static int check_options(const struct reader *reader)
{
    static const char *const unknown[] = {
        "use_qalora", "use_bdlora", "arrow_config", "alora_invocation_tokens", "velora_config",
        "monteclora_config", "kasa_config", "layer_replication", "trainable_token_indices",
        "enable_lora",
    };

    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        if (is_said(find(reader, unknown[i])))
            return error_set(reader->err, ERROR_UNSUPPORTED, "an adapter with '%s' cannot be merged",
                             unknown[i]);
    return 0;
}

/* Settings that change nothing in a merged model. */
static bool is_of_training(const char *name)
{
    static const char *const names[] = {
        "auto_mapping", "revision", "inference_mode", "peft_version", "lora_dropout",
        "loftq_config", "eva_config", "corda_config", "lora_ga_config", "megatron_config",
        "megatron_core", "qalora_group_size", "runtime_config", "ensure_weight_tying",
        "merge_weights",
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static bool is_read(const char *name)
{
    static const char *const names[] = {
        "peft_type", "base_model_name_or_path", "task_type", "r", "lora_alpha", "use_rslora",
        "use_dora", "fan_in_fan_out", "bias", "lora_bias", "rank_pattern", "alpha_pattern",
        "target_modules", "target_parameters", "exclude_modules", "modules_to_save",
        "layers_to_transform", "layers_pattern", "init_lora_weights",
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static void tell_unknown(const struct reader *reader)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, reader->config->json)
        if (is_said(item) && !is_read(item->string) && !is_of_training(item->string) &&
            reader->notices->n_texts < 100)
            notices_add(reader->notices, "%s: '" ERROR_NAME "' is not known, and has no effect",
                        file_name, item->string);
}

/* Some change the base before they train; A and B are then the change of that one, unless the
 * adapter was converted, which sets the option to true. What PiSSA takes away can be computed. */
static int check_init(const struct reader *reader)
{
    static const char *const harmless[] = {"gaussian", "eva", "orthogonal"};
    const cJSON *item = find(reader, "init_lora_weights");

    if (!item || cJSON_IsBool(item))
        return 0;
    if (!cJSON_IsString(item))
        return fail(reader, "init_lora_weights", "is neither true, false nor a name");
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
        if (strcmp(item->valuestring, harmless[i]) == 0)
            return 0;
    reader->config->is_pissa = strncmp(item->valuestring, "pissa", 5) == 0;
    if (reader->config->is_pissa)
        return 0;
    return error_set(reader->err, ERROR_UNSUPPORTED, "init_lora_weights '" ERROR_NAME "': the adapter "
                     "belongs to a base that its training has changed; save it with PEFT's "
                     "path_initial_model_for_weight_conversion, which makes a LoRA of it",
                     item->valuestring);
}

static int read_biases(const struct reader *reader)
{
    static const char *const names[] = {"none", "all", "lora_only"};
    const cJSON *item = find(reader, "bias");

    for (size_t i = 0; item && i < sizeof names / sizeof *names; i++)
        if (cJSON_IsString(item) && strcmp(item->valuestring, names[i]) == 0) {
            reader->config->biases = (enum lora_biases)i;
            return 0;
        }
    return item ? fail(reader, "bias", "is none of 'none', 'all' and 'lora_only'") : 0;
}

/* ---- all of it ---- */

static int read_targets(const struct reader *reader)
{
    struct lora_config *config = reader->config;
    const char *text = json_find_string(config->json, "target_modules");

    config->targets_all = !find(reader, "target_modules") ||
                          (text && strcmp(text, "all-linear") == 0);
    return config->targets_all
               ? 0
               : read_names(reader, "target_modules", true, &config->targets);
}

/* As PEFT refuses them. */
static int check_together(const struct reader *reader)
{
    const struct lora_config *config = reader->config;

    if (config->targets.pattern && config->has_layers)
        return fail(reader, "layers_to_transform", "cannot stand beside target_modules as a "
                    "pattern, which says the layers, too");
    if (config->dora && config->lora_bias)
        return fail(reader, "lora_bias", "cannot stand beside use_dora");
    if (config->parameters.n_names && (config->dora || config->lora_bias || config->fan_in_fan_out))
        return fail(reader, "target_parameters", "cannot stand beside use_dora, lora_bias or "
                    "fan_in_fan_out");
    return 0;
}

static int read_all(const struct reader *reader)
{
    struct lora_config *config = reader->config;
    double r;

    if (!cJSON_IsObject(config->json))
        return error_set(reader->err, ERROR_FORMAT, "is no object");
    if (check_kind(reader) || check_options(reader) || check_init(reader) ||
        read_number(reader, "r", 8, check_rank, &r) ||
        read_number(reader, "lora_alpha", 8, check_alpha, &config->alpha) ||
        read_bool(reader, "use_rslora", &config->rslora) ||
        read_bool(reader, "use_dora", &config->dora) ||
        read_bool(reader, "fan_in_fan_out", &config->fan_in_fan_out) ||
        read_bool(reader, "lora_bias", &config->lora_bias) || read_biases(reader) ||
        read_patterns(reader, "rank_pattern", check_rank, &config->ranks, &config->n_ranks) ||
        read_patterns(reader, "alpha_pattern", check_alpha, &config->alphas, &config->n_alphas) ||
        read_targets(reader) ||
        read_names(reader, "target_parameters", false, &config->parameters) ||
        read_names(reader, "exclude_modules", true, &config->excluded) ||
        read_names(reader, "modules_to_save", false, &config->saved) || read_layers(reader) ||
        read_around(reader) || check_together(reader))
        return -1;
    config->r = (size_t)r;
    config->base_model = json_find_string(config->json, "base_model_name_or_path");
    config->task_type = json_find_string(config->json, "task_type");
    tell_unknown(reader);
    return 0;
}

static int refuse_folder(const struct folder *folder, struct error *err)
{
    static const char *const names[] = {file_name, NULL};
    char *hint = folder_hint(folder, "", "an adapter", names, false);

    error_set(err, ERROR_FORMAT, "'%s': no %s in it, so it is no adapter%s", folder->path, file_name,
              hint);
    free(hint);
    return -1;
}

int lora_config_load(struct lora_config *config, const struct folder *folder,
                     struct notices *notices, struct error *err)
{
    struct reader reader = {config, notices, err};
    char *text;
    size_t size;
    int rc = -1;

    *config = (struct lora_config){.work = NAME_PATTERN_WORK};
    if (folder_look(folder, file_name) == FOLDER_ABSENT)
        return refuse_folder(folder, err);
    text = folder_read_text(folder, file_name, config_bytes_max, &size, err);
    if (!text)
        return -1;
    config->json = json_parse(text, size, err);
    if (config->json)
        rc = read_all(&reader);
    free(text);
    if (rc) {
        error_context(err, "'%s/%s'", folder->path, file_name);
        lora_config_release(config);
    }
    return rc;
}

static void release_patterns(struct lora_pattern *patterns, size_t n)
{
    for (size_t i = 0; i < n; i++)
        name_pattern_free(patterns[i].pattern);
    free(patterns);
}

static void release_names(struct lora_names *names)
{
    free(names->names);
    free(names->is_used);
    hash_map_release(&names->by_name);
    name_pattern_free(names->pattern);
}

void lora_config_release(struct lora_config *config)
{
    release_patterns(config->ranks, config->n_ranks);
    release_patterns(config->alphas, config->n_alphas);
    release_patterns(config->around, config->n_around);
    release_names(&config->targets);
    release_names(&config->excluded);
    release_names(&config->saved);
    release_names(&config->parameters);
    free(config->layers);
    free(config->has_layer);
    cJSON_Delete(config->json);
    *config = (struct lora_config){0};
}

/* ---- modules ---- */

/* The value of the first pattern that fits: 1, 0 when there is none, or -1. */
static int find_value(struct lora_config *config, struct lora_pattern *patterns, size_t n,
                      const char *name, size_t length, double *value, struct error *err)
{
    for (size_t i = 0; i < n; i++) {
        int fits = name_pattern_match(patterns[i].pattern, name, length, &config->work, err);

        if (fits > 0) {
            *value = patterns[i].value;
            patterns[i].is_used = true;
        }
        if (fits)
            return fits;
    }
    return 0;
}

int lora_config_rank(struct lora_config *config, const char *module, size_t *rank, double *scale,
                     struct error *err)
{
    double alpha = config->alpha, r = (double)config->r;
    size_t length = strlen(module);

    if (find_value(config, config->ranks, config->n_ranks, module, length, &r, err) < 0 ||
        find_value(config, config->alphas, config->n_alphas, module, length, &alpha, err) < 0)
        return -1;
    *rank = (size_t)r;
    *scale = alpha / (config->rslora ? sqrt(r) : r);
    return 0;
}

/* Each end of the name that begins behind a dot is looked up. */
static int is_named(struct lora_config *config, struct lora_names *names, const char *module,
                    struct error *err)
{
    const char *end = module + strlen(module);
    int is = 0;

    if (names->pattern)
        return name_pattern_match(names->pattern, module, (size_t)(end - module), &config->work,
                                  err);
    for (const char *part = module, *dot; names->n_names && part; part = dot ? dot + 1 : NULL) {
        const size_t *found;

        dot = strchr(part, '.');
        if (name_pattern_spend(&config->work, 1 + (size_t)(end - part) / 16, err))
            return -1;
        found = hash_map_find(&names->by_name, part, (size_t)(end - part));
        if (found)
            names->is_used[*found] = true;
        is |= found != NULL;
    }
    return is;
}

/* Whether the module is in one of the layers: by the first number between dots that has two names
 * before it, or one that layers_pattern says. */
static int is_in_layers(struct lora_config *config, const char *module, struct error *err)
{
    size_t n_before = 0;

    for (const char *dot = strchr(module, '.'); dot; dot = strchr(dot + 1, '.')) {
        size_t n = strspn(dot + 1, "0123456789");
        double ignored;
        int is = ++n_before >= 2;
        const size_t *found;
        size_t number;

        if (n == 0 || dot[1 + n] != '.')
            continue;
        if (config->around)
            is = find_value(config, config->around, config->n_around, module,
                            (size_t)(dot - module), &ignored, err);
        if (is < 0)
            return -1;
        if (!is)
            continue;
        number = strtoull(dot + 1, NULL, 10);
        found = bsearch(&number, config->layers, config->n_layers, sizeof number, compare_sizes);
        if (found)
            config->has_layer[found - config->layers] = true;
        return found != NULL;
    }
    return 0;
}

/* Whether the name, or that of a module around it, is saved whole, as PEFT looks for adapted ones. */
static int is_within_saved(struct lora_config *config, const char *module, struct error *err)
{
    size_t length = strlen(module);

    for (size_t end = 1; end <= length && config->saved.n_names; end++) {
        char *around;
        int is;

        if (end < length && module[end] != '.')
            continue;
        around = memory_format("%.*s", (int)end, module);
        is = is_named(config, &config->saved, around, err);
        free(around);
        if (is)
            return is;
    }
    return 0;
}

int lora_config_is_target(struct lora_config *config, const char *module, struct error *err)
{
    int is = is_named(config, &config->excluded, module, err);

    if (!is)
        is = is_within_saved(config, module, err);
    if (is)
        return is < 0 ? -1 : 0;
    is = config->targets_all ? 1 : is_named(config, &config->targets, module, err);
    if (is <= 0 || !config->has_layers)
        return is;
    /* Whose whole name is said is one in any layer, and outside of them. */
    return hash_map_find(&config->targets.by_name, module, strlen(module))
               ? 1
               : is_in_layers(config, module, err);
}

int lora_config_mark_target(struct lora_config *config, const char *tensor, struct error *err)
{
    const char *dot = strrchr(tensor, '.');
    char *module = memory_format("%.*s", dot ? (int)(dot - tensor) : 0, tensor);
    int is = is_named(config, &config->targets, module, err);

    free(module);
    return is < 0 ? -1 : 0;
}

/* ---- what nothing has to do with ---- */

static void tell(struct notices *notices, const char *what, const char *name)
{
    if (notices->n_texts < 100)
        notices_add(notices, "%s: %s '" ERROR_NAME "' goes with no module of the adapter", file_name,
                    what, name);
}

static void tell_patterns(struct notices *notices, const char *what,
                          const struct lora_pattern *patterns, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!patterns[i].is_used)
            tell(notices, what, patterns[i].text);
}

void lora_config_tell_unused(const struct lora_config *config, struct notices *notices)
{
    char number[32];

    tell_patterns(notices, "rank_pattern", config->ranks, config->n_ranks);
    tell_patterns(notices, "alpha_pattern", config->alphas, config->n_alphas);
    for (size_t i = 0; config->has_layers && i < config->n_layers; i++) {
        snprintf(number, sizeof number, "%zu", config->layers[i]);
        if (!config->has_layer[i])
            tell(notices, "layers_to_transform", number);
    }
}

bool lora_config_is_saved_by_task(const struct lora_config *config, const char *name)
{
    static const struct {
        const char *task, *name;
    } heads[] = {
        {"SEQ_CLS", "classifier"},      {"SEQ_CLS", "score"},   {"TOKEN_CLS", "classifier"},
        {"TOKEN_CLS", "score"},         {"QUESTION_ANS", "qa_outputs"},
    };

    for (size_t i = 0; config->task_type && i < sizeof heads / sizeof *heads; i++)
        if (strcmp(config->task_type, heads[i].task) == 0 && strcmp(name, heads[i].name) == 0)
            return true;
    return false;
}

/* ---- parameters ---- */

/* Experts have their parameters in this order; others in that of their names. */
int lora_config_compare_parameters(const char *x, const char *y)
{
    bool x_is_down = strncmp(x, "down_proj", 9) == 0, y_is_down = strncmp(y, "down_proj", 9) == 0;

    return x_is_down != y_is_down ? x_is_down - y_is_down : strcmp(x, y);
}

static int compare_parameters(const void *a, const void *b)
{
    return lora_config_compare_parameters(*(const char *const *)a, *(const char *const *)b);
}

/* Whether `entry` is the parameter of a module of that name; its own name then. */
static const char *find_parameter(const char *entry, const char *module)
{
    const char *dot = strrchr(entry, '.');
    size_t n = dot ? (size_t)(dot - entry) : 0, length = strlen(module);

    if (!dot)
        return entry;
    if (n > length || strncmp(module + length - n, entry, n) != 0 ||
        (n < length && module[length - n - 1] != '.'))
        return NULL;
    return dot + 1;
}

static bool holds(const char *const *names, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* PEFT writes "down_proj", of which it makes targets, beside an "experts.down_proj" that was there: a
 * parameter is wrapped once, and both mean it. */
int lora_config_parameters(struct lora_config *config, const char *module, bool takes_bare,
                           const char ***names, size_t *n_names, struct arena *arena,
                           struct error *err)
{
    const struct lora_names *all = &config->parameters;

    *n_names = 0;
    *names = NULL;
    if (name_pattern_spend(&config->work, all->n_names, err))
        return -1;
    for (size_t i = 0; i < all->n_names; i++) {
        const char *name = find_parameter(all->names[i], module);

        if (!name || (name == all->names[i] && !takes_bare))
            continue;
        all->is_used[i] = true;
        if (!*names)
            *names = arena_alloc(arena, all->n_names * sizeof **names);
        if (name_pattern_spend(&config->work, *n_names, err))
            return -1;
        if (!holds(*names, *n_names, name))
            (*names)[(*n_names)++] = name;
    }
    for (size_t i = 0; i < all->n_names; i++) {
        if (name_pattern_spend(&config->work, *n_names, err))
            return -1;
        all->is_used[i] |= holds(*names, *n_names, all->names[i]);
    }
    if (*n_names)
        qsort(*names, *n_names, sizeof **names, compare_parameters);
    return 0;
}

/* ---- stored whole ---- */

static bool is_end_of_part(const char *module, const char *name)
{
    size_t n = strlen(name);

    for (const char *at = strstr(module, name); at; at = strstr(at + 1, name))
        if (at[n] == '\0' || at[n] == '.')
            return true;
    return false;
}

int lora_config_is_saved(struct lora_config *config, const char *module, struct error *err)
{
    const struct lora_names *saved = &config->saved;
    int is = 0;

    if (name_pattern_spend(&config->work, saved->n_names, err))
        return -1;
    for (size_t i = 0; i < saved->n_names; i++)
        if (is_end_of_part(module, saved->names[i]))
            is = saved->is_used[i] = true;
    return is;
}
