#include "quantized_settings.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"

static const size_t file_bytes_max = 10 * 1000 * 1000;

#define N(array) (sizeof(array) / sizeof *(array))

struct reader {
    struct quantized_settings *settings;
    const cJSON *json; /* of the method */
    struct error *err;
};

/* ---- single settings ---- */

static int unsupported(const struct reader *reader, const char *setting, const char *value)
{
    return error_set(reader->err, ERROR_UNSUPPORTED, "is quantised (" ERROR_NAME "), and %s '"
                     ERROR_NAME "' cannot be read; use the original model",
                     reader->settings->quantisation.name, setting, value);
}

/* A member under the first of two names; absent, or null: 0. */
static int read_count(const struct reader *reader, const cJSON *json, const char *name,
                      size_t most, size_t *out)
{
    const cJSON *member = json_find(json, name);

    if (!member)
        return 0;
    if (!cJSON_IsNumber(member) || !(member->valuedouble >= 1 && member->valuedouble <= (double)most) ||
        member->valuedouble != (double)(size_t)member->valuedouble)
        return error_set(reader->err, ERROR_FORMAT, "%s must be a whole number from 1 to %zu", name,
                         most);
    *out = (size_t)member->valuedouble;
    return 0;
}

/* -1 is a whole row. */
static int read_group_size(const struct reader *reader, const cJSON *json, const char *name,
                           size_t *out)
{
    const cJSON *member = json_find(json, name);

    if (cJSON_IsNumber(member) && member->valuedouble == -1) {
        *out = SIZE_MAX;
        return 0;
    }
    return read_count(reader, json, name, 1000000000, out);
}

static int read_bits(const struct reader *reader, const cJSON *json, const char *name,
                     unsigned *out)
{
    size_t bits = 0;

    if (read_count(reader, json, name, 32, &bits))
        return -1;
    if (bits)
        *out = (unsigned)bits;
    return 0;
}

static int check_booleans(const struct reader *reader, const char *const *names)
{
    for (size_t i = 0; names[i]; i++) {
        const cJSON *member = json_find(reader->json, names[i]);

        if (member && !cJSON_IsBool(member))
            return error_set(reader->err, ERROR_FORMAT, "%s must be true or false", names[i]);
    }
    return 0;
}

/* The first of the names that is a text; NULL with an error for one that is none, else NULL. */
static const char *read_text(const struct reader *reader, const char *first, const char *second)
{
    const char *const names[] = {first, second};

    for (size_t i = 0; i < N(names) && names[i]; i++) {
        const cJSON *member = json_find(reader->json, names[i]);

        if (member && !cJSON_IsString(member))
            error_set(reader->err, ERROR_FORMAT, "%s must be a text", names[i]);
        if (member)
            return cJSON_IsString(member) ? member->valuestring : NULL;
    }
    return NULL;
}

static int read_block(const struct reader *reader, const cJSON *json, const char *name,
                      size_t *rows, size_t *columns)
{
    const cJSON *member = json_find(json, name);
    const cJSON *sizes[] = {cJSON_GetArrayItem(member, 0), cJSON_GetArrayItem(member, 1)};
    double values[2] = {0, 0};
    char rest;

    if (!member)
        return 0;
    if (cJSON_IsString(member) &&
        sscanf(member->valuestring, "%lfx%lf%c", &values[0], &values[1], &rest) != 2)
        values[0] = 0;
    for (size_t i = 0; i < 2 && cJSON_IsArray(member) && cJSON_GetArraySize(member) == 2; i++)
        values[i] = cJSON_IsNumber(sizes[i]) ? sizes[i]->valuedouble : 0;
    for (size_t i = 0; i < 2; i++)
        if (!(values[i] >= 1 && values[i] <= 1e9) || values[i] != (double)(size_t)values[i])
            return error_set(reader->err, ERROR_FORMAT, "%s must be two whole numbers from 1 to "
                             "1000000000", name);
    *rows = (size_t)values[0];
    *columns = (size_t)values[1];
    return 0;
}

/* ---- GPTQ, AWQ, AutoRound ---- */

static bool has_exceptions(const struct reader *reader)
{
    static const char *const names[] = {"dynamic", "extra_config"};

    for (size_t i = 0; i < N(names); i++)
        if (cJSON_GetArraySize(json_find(reader->json, names[i])) > 0)
            return true;
    return false;
}

static int check_exceptions(const struct reader *reader)
{
    static const char *const names[] = {"dynamic", "extra_config"};

    for (size_t i = 0; i < N(names); i++) {
        const cJSON *member = json_find(reader->json, names[i]);

        if (member && !cJSON_IsObject(member))
            return error_set(reader->err, ERROR_FORMAT, "%s must be an object", names[i]);
    }
    return 0;
}

static int read_packed(const struct reader *reader)
{
    static const char *const booleans[] = {"sym", "desc_act", "zero_point", "static_groups",
                                           "lm_head", "is_marlin_format", NULL};
    struct quantisation *out = &reader->settings->quantisation;
    const char *dtype = read_text(reader, "pack_dtype", NULL);

    if (reader->err->code || check_booleans(reader, booleans) || check_exceptions(reader) ||
        read_bits(reader, reader->json, "bits", &out->bits) ||
        read_bits(reader, reader->json, "w_bit", &out->bits) ||
        read_group_size(reader, reader->json, "group_size", &out->group_size) ||
        read_group_size(reader, reader->json, "q_group_size", &out->group_size))
        return -1;
    out->has_exceptions = has_exceptions(reader);
    return !dtype || strcmp(dtype, "int32") == 0 ? 0 : unsupported(reader, "pack_dtype", dtype);
}

static int check_gptq_bits(const struct reader *reader)
{
    unsigned bits = reader->settings->quantisation.bits;

    if (bits == 0 || bits == 2 || bits == 3 || bits == 4 || bits == 8)
        return 0;
    if (bits > 8)
        return error_set(reader->err, ERROR_FORMAT, "bits must be from 2 to 8, not %u", bits);
    return error_set(reader->err, ERROR_UNSUPPORTED, "is quantised (gptq) with %u bits, and 2, 3, 4 "
                     "and 8 can be read; use the original model", bits);
}

static int read_gptq(const struct reader *reader)
{
    struct quantisation *out = &reader->settings->quantisation;
    const char *format = read_text(reader, "checkpoint_format", "format");

    out->method = QUANTISATION_GPTQ;
    if (reader->err->code || read_packed(reader) || check_gptq_bits(reader))
        return -1;
    if (json_bool(reader->json, "is_marlin_format", false))
        return unsupported(reader, "format", "marlin");
    out->adds_one = !format || strcmp(format, "gptq") == 0;
    return out->adds_one || strcmp(format, "gptq_v2") == 0
               ? 0
               : unsupported(reader, "checkpoint_format", format);
}

static int check_awq_bits(const struct reader *reader)
{
    unsigned bits = reader->settings->quantisation.bits;

    if (bits == 0 || bits == 4)
        return 0;
    return bits > 8 ? error_set(reader->err, ERROR_FORMAT, "bits must be 4, not %u", bits)
                    : error_set(reader->err, ERROR_UNSUPPORTED, "is quantised (awq) with %u bits, "
                                "and 4 can be read; use the original model", bits);
}

static int read_awq(const struct reader *reader)
{
    const char *version = read_text(reader, "version", "format");

    reader->settings->quantisation.method = QUANTISATION_AWQ;
    if (reader->err->code || read_packed(reader) || check_awq_bits(reader))
        return -1;
    return !version || strcasecmp(version, "gemm") == 0 ? 0
                                                        : unsupported(reader, "version", version);
}

/* Intel's AutoRound packs as one of the two. */
static int read_auto_round(const struct reader *reader)
{
    const char *packing = read_text(reader, "packing_format", NULL);
    struct quantisation *out = &reader->settings->quantisation;
    bool is_own = packing && strcmp(packing, "auto_round") == 0;

    if (reader->err->code)
        return -1;
    if (packing && strcmp(packing, "auto_round:auto_awq") == 0) {
        out->method = QUANTISATION_AWQ;
        return read_packed(reader) || check_awq_bits(reader) ? -1 : 0;
    }
    if (packing && !is_own && strcmp(packing, "auto_round:auto_gptq") != 0)
        return unsupported(reader, "packing_format", packing);
    out->method = QUANTISATION_GPTQ;
    out->adds_one = packing && !is_own;
    return read_packed(reader) || check_gptq_bits(reader) ? -1 : 0;
}

/* ---- compressed-tensors ---- */

static int check_format(const struct reader *reader, const cJSON *json)
{
    static const char *const known[] = {
        "pack-quantized", "int-quantized", "float-quantized", "naive-quantized",
        "nvfp4-pack-quantized", "mxfp4-pack-quantized", "mxfp8-quantized", "mixed-precision",
        "dense",
    };
    const cJSON *member = json_find(json, "format");

    if (!member)
        return 0;
    if (!cJSON_IsString(member))
        return error_set(reader->err, ERROR_FORMAT, "format must be a text");
    for (size_t i = 0; i < N(known); i++)
        if (strcmp(member->valuestring, known[i]) == 0)
            return 0;
    return unsupported(reader, "format", member->valuestring);
}

static int read_strategy(const struct reader *reader, const cJSON *json,
                         struct quantisation_scheme *out)
{
    static const struct {
        const char *name;
        enum quantisation_strategy strategy;
    } all[] = {
        {"tensor", QUANTISATION_BY_TENSOR}, {"channel", QUANTISATION_BY_CHANNEL},
        {"group", QUANTISATION_BY_GROUP},   {"tensor_group", QUANTISATION_BY_GROUP},
        {"block", QUANTISATION_BY_BLOCK},
    };
    const cJSON *member = json_find(json, "strategy");

    if (member && !cJSON_IsString(member))
        return error_set(reader->err, ERROR_FORMAT, "strategy must be a text");
    if (!member) { /* as the original guesses it */
        out->strategy = out->group_size == 0          ? QUANTISATION_BY_TENSOR
                        : out->group_size == SIZE_MAX ? QUANTISATION_BY_CHANNEL
                                                      : QUANTISATION_BY_GROUP;
        return 0;
    }
    for (size_t i = 0; i < N(all); i++)
        if (strcmp(member->valuestring, all[i].name) == 0) {
            out->strategy = all[i].strategy;
            return 0;
        }
    return unsupported(reader, "strategy", member->valuestring);
}

static int check_scheme(const struct reader *reader, const struct quantisation_scheme *scheme)
{
    if (scheme->bits == 0 || scheme->bits > 8)
        return error_set(reader->err, ERROR_FORMAT, "num_bits must be from 1 to 8, not %u",
                         scheme->bits);
    if (scheme->strategy == QUANTISATION_BY_GROUP &&
        (scheme->group_size == 0 || scheme->group_size == SIZE_MAX))
        return error_set(reader->err, ERROR_FORMAT, "strategy is group, but group_size is not said");
    if (scheme->strategy == QUANTISATION_BY_BLOCK && scheme->block_rows == 0)
        return error_set(reader->err, ERROR_FORMAT, "strategy is block, but block_structure is not "
                         "said");
    return 0;
}

static int read_scheme(const struct reader *reader, const cJSON *weights,
                       struct quantisation_scheme *out)
{
    const char *type = json_find_string(weights, "type");
    const cJSON *symmetric = json_find(weights, "symmetric");

    *out = (struct quantisation_scheme){.bits = 8, .is_symmetric = true};
    if (json_find(weights, "type") && (!type || (strcmp(type, "int") != 0 && strcmp(type, "float") != 0)))
        return error_set(reader->err, ERROR_FORMAT, "type must be 'int' or 'float'");
    if (symmetric && !cJSON_IsBool(symmetric))
        return error_set(reader->err, ERROR_FORMAT, "symmetric must be true or false");
    out->is_float = type && strcmp(type, "float") == 0;
    out->is_symmetric = json_bool(weights, "symmetric", true);
    if (read_bits(reader, weights, "num_bits", &out->bits) ||
        read_group_size(reader, weights, "group_size", &out->group_size) ||
        read_block(reader, weights, "block_structure", &out->block_rows, &out->block_columns) ||
        read_strategy(reader, weights, out))
        return -1;
    return check_scheme(reader, out);
}

/* Groups without weights are of activations. */
static int read_groups(const struct reader *reader, const cJSON *groups)
{
    struct quantisation *out = &reader->settings->quantisation;
    const cJSON *group;

    if (groups && !cJSON_IsObject(groups))
        return error_set(reader->err, ERROR_FORMAT, "config_groups must be an object");
    out->schemes = arena_alloc(&reader->settings->arena,
                               (size_t)cJSON_GetArraySize(groups) * sizeof *out->schemes);
    cJSON_ArrayForEach(group, groups) {
        const cJSON *weights = json_find(group, "weights");

        if (!cJSON_IsObject(group) || (weights && !cJSON_IsObject(weights)))
            return error_set(reader->err, ERROR_FORMAT, "config_groups: '" ERROR_NAME "' and its "
                             "weights must be objects", group->string);
        if (check_format(reader, group) ||
            (weights && read_scheme(reader, weights, &out->schemes[out->n_schemes])))
            return error_context(reader->err, "config_groups: '" ERROR_NAME "'", group->string);
        out->n_schemes += weights != NULL;
    }
    return 0;
}

static int read_compressed(const struct reader *reader)
{
    const cJSON *sparsity = json_find(reader->json, "sparsity_config");
    const char *sparse = json_find_string(sparsity, "format");

    reader->settings->quantisation.method = QUANTISATION_COMPRESSED;
    if (check_format(reader, reader->json))
        return -1;
    if (sparse && strcmp(sparse, "dense") != 0)
        return unsupported(reader, "sparsity", sparse);
    if (cJSON_GetArraySize(json_find(reader->json, "transform_config")) > 0)
        return unsupported(reader, "setting", "transform_config");
    return read_groups(reader, json_find(reader->json, "config_groups"));
}

/* ---- the others ---- */

static int read_fp8(const struct reader *reader)
{
    struct quantisation *out = &reader->settings->quantisation;

    out->method = QUANTISATION_FP8;
    return read_block(reader, reader->json, "weight_block_size", &out->block_rows,
                      &out->block_columns);
}

static int read_modelopt(const struct reader *reader)
{
    static const char *const known[] = {"FP8", "NVFP4", "W4A16_NVFP4", "MIXED_PRECISION",
                                        "FP8_PER_CHANNEL_PER_TOKEN"};
    const char *algorithm = read_text(reader, "quant_algo", NULL);

    reader->settings->quantisation.method = QUANTISATION_MODELOPT;
    if (reader->err->code)
        return -1;
    for (size_t i = 0; algorithm && i < N(known); i++)
        if (strcmp(algorithm, known[i]) == 0)
            return 0;
    return algorithm ? unsupported(reader, "quant_algo", algorithm) : 0;
}

static int read_mxfp4(const struct reader *reader)
{
    reader->settings->quantisation.method = QUANTISATION_MXFP4;
    return 0;
}

static int read_bitsandbytes(const struct reader *reader)
{
    static const char *const booleans[] = {"load_in_4bit", "load_in_8bit", NULL};

    reader->settings->quantisation.method = QUANTISATION_BITSANDBYTES;
    return check_booleans(reader, booleans);
}

static int read_other(const struct reader *reader)
{
    reader->settings->quantisation.method = QUANTISATION_OTHER;
    return 0;
}

static int check_mlx(const struct reader *reader, const cJSON *json, unsigned bits)
{
    size_t group_size = 0;
    unsigned own = bits;

    if (read_bits(reader, json, "bits", &own) ||
        read_count(reader, json, "group_size", 1000000000, &group_size))
        return -1;
    if (own == 2 || own == 3 || own == 4 || own == 6 || own == 8)
        return 0;
    return error_set(reader->err, own == 5 ? ERROR_UNSUPPORTED : ERROR_FORMAT, "bits must be 2, 3, "
                     "4, 6 or 8, not %u", own);
}

static int read_mlx_mode(const struct reader *reader)
{
    static const struct {
        const char *name;
        enum quantisation_mode mode;
        unsigned bits;
        size_t group_size;
    } modes[] = {
        {"affine", QUANTISATION_AFFINE, 4, 64},      {"mxfp4", QUANTISATION_MXFP4_MODE, 4, 32},
        {"mxfp8", QUANTISATION_MXFP8_MODE, 8, 32},   {"nvfp4", QUANTISATION_NVFP4_MODE, 4, 16},
    };
    struct quantisation *out = &reader->settings->quantisation;
    const char *mode = read_text(reader, "mode", NULL);

    if (reader->err->code)
        return -1;
    for (size_t i = 0; i < N(modes); i++)
        if (strcmp(mode ? mode : "affine", modes[i].name) == 0) {
            out->mode = modes[i].mode;
            out->bits = modes[i].bits;
            out->group_size = modes[i].group_size;
            return 0;
        }
    return unsupported(reader, "mode", mode);
}

static int read_mlx(const struct reader *reader)
{
    struct quantisation *out = &reader->settings->quantisation;
    const cJSON *member;

    out->method = QUANTISATION_MLX;
    out->modules = reader->json;
    if (read_mlx_mode(reader) || read_bits(reader, reader->json, "bits", &out->bits) ||
        read_count(reader, reader->json, "group_size", 1000000000, &out->group_size) ||
        check_mlx(reader, reader->json, out->bits))
        return -1;
    cJSON_ArrayForEach(member, reader->json) {
        const char *mode = json_find_string(member, "mode");

        if (!cJSON_IsObject(member))
            continue;
        if (check_mlx(reader, member, out->bits))
            return error_context(reader->err, "'" ERROR_NAME "'", member->string);
        if (mode && out->mode == QUANTISATION_AFFINE && strcmp(mode, "affine") != 0)
            return unsupported(reader, "a mode of its own of a module", mode);
    }
    return 0;
}

/* ---- where they stand ---- */

static const struct {
    const char *name;
    int (*read)(const struct reader *reader);
} methods[] = {
    {"gptq", read_gptq},
    {"awq", read_awq},
    {"auto-round", read_auto_round},
    {"auto_round", read_auto_round},
    {"intel/auto-round", read_auto_round},
    {"compressed-tensors", read_compressed},
    {"fp8", read_fp8},
    {"fbgemm_fp8", read_other},
    {"quark", read_other},
    {"modelopt", read_modelopt},
    {"modelopt_fp4", read_modelopt},
    {"mxfp4", read_mxfp4},
    {"bitsandbytes", read_bitsandbytes},
    {"mlx", read_mlx},
};

static int read_method(struct quantized_settings *settings, const cJSON *json, const char *method,
                       const char *file, struct error *err)
{
    struct reader reader = {settings, json, err};

    settings->quantisation.name = method;
    settings->quantisation.file = file;
    settings->quantisation.method = QUANTISATION_OTHER;
    for (size_t i = 0; i < N(methods); i++)
        if (strcmp(method, methods[i].name) == 0)
            return methods[i].read(&reader);
    return error_set(err, ERROR_UNSUPPORTED, "is quantised (" ERROR_NAME "), which cannot be read; "
                     "use the original model", method);
}

/* What quantization_config is of: old files of bitsandbytes do not say. */
static const char *find_method(const cJSON *json)
{
    const char *method = json_find_string(json, "quant_method");

    if (method)
        return method;
    return json_find(json, "load_in_4bit") || json_find(json, "load_in_8bit") ? "bitsandbytes"
                                                                            : "unknown";
}

/* At the top, or in the part about the text model. */
static const cJSON *find_in(const struct config *config, const char *name)
{
    const cJSON *found = json_find(config->json, name);

    return found ? found : json_find(json_find(config->json, "text_config"), name);
}

static int read_config(struct quantized_settings *settings, const struct config *config,
                       struct error *err)
{
    const cJSON *mlx = find_in(config, "quantization"), *json;

    if (config->is_consolidated)
        return mlx ? read_method(settings, mlx, "fp8", "params.json", err) : 0;
    json = find_in(config, "quantization_config");
    if (!json)
        json = find_in(config, "compression_config");
    if (json && !cJSON_IsObject(json))
        return error_set(err, ERROR_FORMAT, "quantization_config is not an object");
    if (mlx && !json_find_string(json, "quant_method"))
        return cJSON_IsObject(mlx) ? read_method(settings, mlx, "mlx", "config.json", err)
                                   : error_set(err, ERROR_FORMAT, "quantization is not an object");
    return json ? read_method(settings, json, find_method(json), "config.json", err) : 0;
}

/* {"quantization": {"quant_algo": "FP8"}}; null means that only the cache of keys and values is. */
static int read_modelopt_file(struct quantized_settings *settings, const char *file,
                              struct error *err)
{
    const cJSON *json = json_find(settings->json, "quantization");
    const char *algorithm = json_find_string(json, "quant_algo");

    if (json && !cJSON_IsObject(json))
        return error_set(err, ERROR_FORMAT, "quantization is not an object");
    if (!json)
        return 0;
    if (read_method(settings, json, "modelopt", file, err))
        return -1;
    settings->quantisation.name = algorithm ? algorithm : "modelopt";
    return 0;
}

static int read_gptq_file(struct quantized_settings *settings, const char *file, struct error *err)
{
    const char *method = json_find_string(settings->json, "quant_method");

    return read_method(settings, settings->json, method ? method : "gptq", file, err);
}

static int read_awq_file(struct quantized_settings *settings, const char *file, struct error *err)
{
    const char *method = json_find_string(settings->json, "quant_method");

    return read_method(settings, settings->json, method ? method : "awq", file, err);
}

static const struct {
    const char *name;
    int (*read)(struct quantized_settings *settings, const char *file, struct error *err);
} files[] = {
    {"quantize_config.json", read_gptq_file},
    {"quant_config.json", read_awq_file},
    {"hf_quant_config.json", read_modelopt_file},
};

static int read_file(struct quantized_settings *settings, const struct folder *folder,
                     const char *path, size_t which, struct error *err)
{
    size_t size;
    char *text = folder_read_text(folder, path, file_bytes_max, &size, err);
    int rc = -1;

    if (!text)
        return -1;
    settings->json = json_parse(text, size, err);
    free(text);
    if (settings->json && !cJSON_IsObject(settings->json))
        error_set(err, ERROR_FORMAT, "is not an object");
    else if (settings->json)
        rc = files[which].read(settings, files[which].name, err);
    return rc;
}

int quantized_settings_load(struct quantized_settings *settings, const struct config *config,
                            const struct folder *folder, const char *directory, const char *where,
                            struct error *err)
{
    int rc = 0;

    *settings = (struct quantized_settings){.json = NULL};
    if (config->json && read_config(settings, config, err))
        return error_context(err, "'%s/%s'", where, config_name(config));
    for (size_t i = 0; rc == 0 && !settings->quantisation.name && i < N(files); i++) {
        char *path = folder_join(directory, files[i].name);

        if (folder_look(folder, path) != FOLDER_ABSENT) {
            cJSON_Delete(settings->json); /* of a file that said nothing */
            settings->json = NULL;
            rc = read_file(settings, folder, path, i, err);
        }
        if (rc)
            error_context(err, "'%s/%s'", where, path);
        free(path);
    }
    return rc;
}

void quantized_settings_release(struct quantized_settings *settings)
{
    cJSON_Delete(settings->json);
    arena_release(&settings->arena);
    *settings = (struct quantized_settings){.json = NULL};
}
