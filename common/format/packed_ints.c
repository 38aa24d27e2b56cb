/* packed_ints.c - a block of rows at a time: its scales and zeros first, then its words, tile by tile.
 *
 * Where words hold fields of several rows or lie input by input, a row is read with others, or most of
 * what the system reads would be thrown away: hence rows_together. */
#include "packed_ints.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "format/quantised.h"
#include "format/unpack.h"
#include "tensor/packed_nibbles.h"

enum {
    WORDS = 32768,          /* of a tile */
    PARAMETERS = 32768,     /* scales of a block, and as many zeros */
    ROWS_MAX = 512,         /* of a block */
    TILE_IN_MAX = 1024,     /* AWQ: inputs of a tile */
    ROWS_TOGETHER = 32,
};

/* AWQ: column 8c + j stands in nibble awq_place[j] of word c. */
static const unsigned awq_place[8] = {0, 4, 1, 5, 2, 6, 3, 7};

struct packed_ints {
    struct quantised quantised;
    enum packed_order order;
    struct unpack_layout words_layout, zeros_layout;
    size_t group_size, n_groups;
    const uint32_t *map; /* [n_in], or NULL */
    const struct tensor *words, *zeros; /* bytes */
    size_t row_words;    /* of a row of `words` */
    const struct tensor *scales, *biases;
    float zero;
    bool adds_one;
    struct arena *arena;
    const uint8_t *zero_bytes; /* [groups, rows], once blocks have been asked for */
    struct packed_nibbles settings;
};

/* Of one call. */
struct room {
    uint32_t *words;
    float *scales, *offsets; /* [rows of the block][groups]; offsets: zeros, or biases */
    float *turned; /* with a map: the scales [groups][rows of the block], then the offsets so */
    size_t first_group, n_groups;
};

/* ---- scales, zeros, biases ---- */

/* [n_rows, groups] of a tensor [n_out, G], or [G, n_out] where `is_turned`. */
static int read_parameters(const struct packed_ints *packed, const struct tensor *tensor,
                           bool is_turned, size_t row, size_t n_rows, const struct room *room,
                           float *out, struct error *err)
{
    float column[ROWS_MAX];

    if (!is_turned && room->n_groups == packed->n_groups)
        return quantised_floats(tensor, row * packed->n_groups, n_rows * packed->n_groups, out,
                                err);
    for (size_t r = 0; !is_turned && r < n_rows; r++)
        if (quantised_floats(tensor, (row + r) * packed->n_groups + room->first_group,
                             room->n_groups, out + r * room->n_groups, err))
            return -1;
    for (size_t g = 0; is_turned && g < room->n_groups; g++) {
        if (quantised_floats(tensor, (room->first_group + g) * packed->quantised.n_rows + row,
                             n_rows, column, err))
            return -1;
        for (size_t r = 0; r < n_rows; r++)
            out[r * room->n_groups + g] = column[r];
    }
    return 0;
}

/* What is stored is z - 1. The whole word had 1 taken from each field, so a borrow ran on: it is given
 * back likewise. Fields that cross words cannot be treated so. */
static uint32_t restore_zeros(const struct packed_ints *packed, uint32_t word)
{
    static const uint32_t ones[9] = {[2] = 0x55555555, [4] = 0x11111111, [8] = 0x01010101};

    return packed->adds_one ? word + ones[packed->zeros_layout.bits] : word;
}

static float zero_value(const struct packed_ints *packed, const uint32_t *words, size_t stride,
                        size_t i)
{
    unsigned bits = packed->zeros_layout.bits;
    uint32_t value;

    if (packed->order == PACKED_AWQ)
        return (float)(words[i / 8 * stride] >> 4 * awq_place[i % 8] & 15);
    value = unpack_field(packed->zeros_layout, words, stride, i);
    return (float)(packed->adds_one && bits == 3 ? (value + 1) & 7 : value);
}

/* Fields that begin a run of whole words. */
static size_t fields_together(struct unpack_layout layout)
{
    return layout.per_word ? layout.per_word : 32;
}

/* [G, words]: the zeros of a group side by side. */
static int read_zero_rows(const struct packed_ints *packed, size_t row, size_t n_rows,
                          const struct room *room, struct error *err)
{
    struct unpack_layout layout = packed->zeros_layout;
    size_t together = fields_together(layout), first = row / together * together;
    size_t at = unpack_n_words(layout, first), n = unpack_n_words(layout, row + n_rows) - at;
    size_t width = unpack_n_words(layout, packed->quantised.n_rows);
    uint32_t words[ROWS_MAX + 64];

    for (size_t g = 0; g < room->n_groups; g++) {
        if (tensor_read(packed->zeros, ((room->first_group + g) * width + at) * sizeof *words,
                        n * sizeof *words, words, err))
            return -1;
        for (size_t i = 0; i < n; i++)
            words[i] = restore_zeros(packed, words[i]);
        for (size_t r = 0; r < n_rows; r++)
            room->offsets[r * room->n_groups + g] = zero_value(packed, words, 1,
                                                               row - first + r);
    }
    return 0;
}

/* [words, G]: packed along the outputs. They lie in the room for words. */
static int read_zero_columns(const struct packed_ints *packed, size_t row, size_t n_rows,
                             const struct room *room, struct error *err)
{
    struct unpack_layout layout = packed->zeros_layout;
    size_t together = fields_together(layout), first = row / together * together;
    size_t at = unpack_n_words(layout, first), n = unpack_n_words(layout, row + n_rows) - at;
    size_t group_bytes = sizeof *room->words, row_bytes = packed->n_groups * group_bytes;
    size_t most = WORDS / n;

    for (size_t g = 0; g < room->n_groups; g += most) {
        size_t n_now = room->n_groups - g < most ? room->n_groups - g : most;

        if (quantised_read_rows(packed->zeros, row_bytes, at, n,
                                (room->first_group + g) * group_bytes, n_now * group_bytes,
                                room->words, err))
            return -1;
        for (size_t r = 0; r < n_rows; r++)
            for (size_t k = 0; k < n_now; k++)
                room->offsets[r * room->n_groups + g + k] = zero_value(
                    packed, room->words + k, n_now, row - first + r);
    }
    return 0;
}

static int read_offsets(const struct packed_ints *packed, size_t row, size_t n_rows,
                        const struct room *room, struct error *err)
{
    if (packed->biases)
        return read_parameters(packed, packed->biases, false, row, n_rows, room, room->offsets,
                               err);
    if (packed->zeros)
        return packed->order == PACKED_IN_ROWS
                   ? read_zero_columns(packed, row, n_rows, room, err)
                   : read_zero_rows(packed, row, n_rows, room, err);
    for (size_t i = 0; i < n_rows * room->n_groups; i++)
        room->offsets[i] = packed->zero;
    return 0;
}

/* ---- words ---- */

/* Values of one group, in order: out[i] of `first` on in the words. */
static void unpack_group(const struct packed_ints *packed, const uint32_t *words, size_t stride,
                         size_t first, size_t n, float scale, const float *offset, float *out)
{
    unpack_values(packed->words_layout, words, stride, first, n, packed->biases ? 0 : *offset,
                  scale, packed->biases ? offset : NULL, out);
}

/* Any group for each input: fields first, their values then. */
static void unpack_mapped(const struct packed_ints *packed, const uint32_t *words, size_t stride,
                          size_t first, size_t in, size_t n, const float *scales,
                          const float *zeros, float *out)
{
    unpack_values(packed->words_layout, words, stride, first, n, 0, 1, NULL, out);
    for (size_t i = 0; i < n; i++) {
        size_t g = packed->map[in + i];

        out[i] = (out[i] - zeros[g]) * scales[g];
    }
}

static size_t group_end(const struct packed_ints *packed, size_t in, size_t end)
{
    size_t left = packed->group_size - in % packed->group_size;

    return left < end - in ? in + left : end;
}

/* Inputs in … in + n of row r of the block; `words` is where the field `first` of the tile is in. */
static void unpack_row(const struct packed_ints *packed, const struct room *room, size_t r,
                       const uint32_t *words, size_t stride, size_t first, size_t in, size_t n,
                       float *out)
{
    const float *scales = room->scales + r * room->n_groups;
    const float *offsets = room->offsets + r * room->n_groups;

    if (packed->map) {
        unpack_mapped(packed, words, stride, first, in, n, scales, offsets, out);
        return;
    }
    for (size_t i = in, next; i < in + n; i = next) {
        size_t g = i / packed->group_size - room->first_group;

        next = group_end(packed, i, in + n);
        unpack_group(packed, words, stride, first + (i - in), next - i, scales[g], offsets + g,
                     out + (i - in));
    }
}

/* Reads the words of the inputs; *stride from one of a row to the next, *step from row to row. */
static int read_words(const struct packed_ints *packed, size_t row, size_t n_rows, size_t first,
                      size_t n_words, const struct room *room, size_t *stride, size_t *step,
                      struct error *err)
{
    size_t word = sizeof *room->words, row_bytes = packed->row_words * word;

    if (packed->order == PACKED_ALONG_INPUTS) {
        *stride = n_rows;
        *step = 1;
        return quantised_read_rows(packed->words, row_bytes, first, n_words, row * word,
                                   n_rows * word, room->words, err);
    }
    *stride = 1;
    *step = n_words;
    return quantised_read_rows(packed->words, row_bytes, row, n_rows, first * word, n_words * word,
                               room->words, err);
}

/* How many rows were decoded eight at once, whose fields are of whole words and of any groups. */
static size_t unpack_mapped_rows(const struct packed_ints *packed, const struct room *room,
                                 size_t n_rows, size_t before, size_t in, size_t n, float *out,
                                 size_t n_in)
{
    size_t r = 0;

    if (!packed->map || packed->order != PACKED_ALONG_INPUTS || packed->words_layout.bits != 4 ||
        before % 8 || n % 8)
        return 0;
    for (; r + 8 <= n_rows; r += 8)
        unpack_rows(room->words + before / 8 * n_rows + r, n_rows, n, packed->map + in,
                    room->turned + room->n_groups * n_rows + r, room->turned + r, n_rows,
                    out + r * n_in, n_in);
    return r;
}

/* out [n_rows, n_in], of a block whose parameters are there. */
static int decode_fields(const struct packed_ints *packed, size_t row, size_t n_rows, size_t in,
                         size_t n_in, const struct room *room, float *out, struct error *err)
{
    struct unpack_layout layout = packed->words_layout;
    size_t together = fields_together(layout);
    size_t tile = WORDS / n_rows / unpack_n_words(layout, together) * together; /* whole words */

    for (size_t i = in, next; i < in + n_in; i = next) {
        size_t start = i / together * together, first, n_words, stride, step;

        next = in + n_in - start < tile ? in + n_in : start + tile;
        first = unpack_n_words(layout, start);
        n_words = unpack_n_words(layout, next) - first;
        if (read_words(packed, row, n_rows, first, n_words, room, &stride, &step, err))
            return -1;
        for (size_t r = unpack_mapped_rows(packed, room, n_rows, i - start, i, next - i,
                                           out + (i - in), n_in);
             r < n_rows; r++)
            unpack_row(packed, room, r, room->words + r * step, stride, i - start, i, next - i,
                       out + r * n_in + (i - in));
    }
    return 0;
}

/* One nibble of each word of a column, groups as they come. */
static void unpack_column(const struct packed_ints *packed, const struct room *room, size_t r,
                          const uint32_t *words, unsigned shift, size_t in, size_t n, float *out)
{
    for (size_t i = in, next; i < in + n; i = next) {
        size_t g = r * room->n_groups + i / packed->group_size - room->first_group;

        next = group_end(packed, i, in + n);
        unpack_nibbles(words + (i - in), shift, next - i, room->offsets[g], room->scales[g],
                       out + (i - in));
    }
}

static int decode_awq(const struct packed_ints *packed, size_t row, size_t n_rows, size_t in,
                      size_t n_in, const struct room *room, float *out, struct error *err)
{
    size_t first = row / 8, n_columns = (row + n_rows - 1) / 8 - first + 1;
    size_t word = sizeof *room->words, most = WORDS / n_columns;
    uint32_t column[TILE_IN_MAX];

    most = most < TILE_IN_MAX ? most : TILE_IN_MAX;
    for (size_t i = in, n; i < in + n_in; i += n) {
        size_t last = SIZE_MAX;

        n = in + n_in - i < most ? in + n_in - i : most;
        if (quantised_read_rows(packed->words, packed->row_words * word, i, n, first * word,
                                n_columns * word, room->words, err))
            return -1;
        for (size_t r = 0; r < n_rows; r++) {
            size_t c = (row + r) / 8 - first;

            for (size_t k = 0; c != last && k < n; k++)
                column[k] = room->words[k * n_columns + c];
            last = c;
            unpack_column(packed, room, r, column, 4 * awq_place[(row + r) % 8], i, n,
                          out + r * n_in + (i - in));
        }
    }
    return 0;
}

/* ---- all ---- */

static void turn_parameters(const struct room *room, size_t n_rows)
{
    float *scales = room->turned, *offsets = scales + room->n_groups * n_rows;

    for (size_t r = 0; r < n_rows; r++)
        for (size_t g = 0; g < room->n_groups; g++) {
            scales[g * n_rows + r] = room->scales[r * room->n_groups + g];
            offsets[g * n_rows + r] = room->offsets[r * room->n_groups + g];
        }
}

static int decode_block(const struct packed_ints *packed, size_t row, size_t n_rows, size_t in,
                        size_t n_in, const struct room *room, float *out, struct error *err)
{
    if (read_parameters(packed, packed->scales, packed->order != PACKED_IN_ROWS, row, n_rows, room,
                        room->scales, err) ||
        read_offsets(packed, row, n_rows, room, err))
        return -1;
    if (packed->map)
        turn_parameters(room, n_rows);
    return packed->order == PACKED_AWQ
               ? decode_awq(packed, row, n_rows, in, n_in, room, out, err)
               : decode_fields(packed, row, n_rows, in, n_in, room, out, err);
}

/* Rows of a block, so that its parameters have room: at least one. */
static size_t block_rows(size_t n_groups)
{
    size_t n = PARAMETERS / n_groups;

    n = n < ROWS_MAX ? n : ROWS_MAX;
    return n >= ROWS_TOGETHER ? n / ROWS_TOGETHER * ROWS_TOGETHER : n ? n : 1;
}

static int decode(const struct quantised *quantised, size_t row, size_t n_rows, size_t in,
                  size_t n_in, float *out, struct error *err)
{
    const struct packed_ints *packed = (const struct packed_ints *)quantised;
    struct room room = {.n_groups = packed->n_groups};
    size_t most, n_parameters;
    int rc = 0;

    if (!packed->map) {
        room.first_group = in / packed->group_size;
        room.n_groups = (in + n_in - 1) / packed->group_size - room.first_group + 1;
    }
    most = block_rows(room.n_groups);
    n_parameters = (most < n_rows ? most : n_rows) * room.n_groups;
    room.words = memory_try(WORDS + (packed->map ? 4 : 2) * n_parameters, sizeof *room.words,
                            "scales", err);
    if (!room.words)
        return -1;
    room.scales = (float *)(room.words + WORDS);
    room.offsets = room.scales + n_parameters;
    room.turned = room.offsets + n_parameters; /* is there with a map */
    for (size_t r = 0; rc == 0 && r < n_rows; r += most)
        rc = decode_block(packed, row + r, n_rows - r < most ? n_rows - r : most, in, n_in, &room,
                          out + r * n_in, err);
    free(room.words);
    return rc;
}

/* ---- where they lie ---- */

/* GPTQ's words, each of one group: what kernels know (tensor/packed_nibbles.h). */
static bool has_nibbles(const struct packed_ints *packed)
{
    return packed->order == PACKED_ALONG_INPUTS && packed->words_layout.bits == 4 &&
           !packed->biases && packed->zero == (float)(uint8_t)packed->zero &&
           (packed->map || packed->n_groups == 1 || packed->group_size % 8 == 0);
}

static bool are_scales_normal(const struct tensor *scales, const void *items)
{
    float scale;

    for (size_t i = 0; scales->dtype == DTYPE_F32 && i < scales->n_items; i++) {
        memcpy(&scale, (const char *)items + i * sizeof scale, sizeof scale);
        if (scale != 0 && scale < PACKED_NIBBLES_SCALE_MIN && scale > -PACKED_NIBBLES_SCALE_MIN)
            return false;
    }
    return true;
}

static int make_zero_bytes(struct packed_ints *packed, struct error *err)
{
    size_t n_rows = packed->quantised.n_rows, n_groups = packed->n_groups;
    size_t most = block_rows(n_groups), n;
    struct room room = {.n_groups = n_groups};
    uint8_t *zeros = arena_alloc(packed->arena, n_groups * n_rows);
    int rc = 0;

    room.offsets = memory_try(most * n_groups, sizeof *room.offsets, "zeros", err);
    if (!room.offsets)
        return -1;
    for (size_t row = 0; rc == 0 && row < n_rows; row += n) {
        n = n_rows - row < most ? n_rows - row : most;
        rc = read_offsets(packed, row, n, &room, err);
        for (size_t i = 0; rc == 0 && i < n * n_groups; i++)
            zeros[i % n_groups * n_rows + row + i / n_groups] = (uint8_t)room.offsets[i];
    }
    free(room.offsets);
    packed->zero_bytes = rc ? NULL : zeros;
    return rc;
}

static int blocks(struct quantised *quantised, size_t row, struct tensor_blocks *out,
                  struct error *err)
{
    struct packed_ints *packed = (struct packed_ints *)quantised;
    const void *words, *scales;

    if (!has_nibbles(packed))
        return 0;
    words = tensor_view(packed->words, err);
    scales = words ? tensor_view(packed->scales, err) : NULL;
    if (!words || !scales || !are_scales_normal(packed->scales, scales))
        return err->code ? -1 : 0;
    if (!packed->zero_bytes && make_zero_bytes(packed, err))
        return -1;
    packed->settings = (struct packed_nibbles){packed->scales->dtype, packed->group_size};
    *out = (struct tensor_blocks){
        .format = PACKED_NIBBLES, .data = words, .scales = scales, .zeros = packed->zero_bytes,
        .index = packed->map, .settings = &packed->settings, .stride = quantised->n_rows,
        .first_row = row,
    };
    return 1;
}

/* ---- making ---- */

static int check_words(const struct tensor *tensor, struct error *err)
{
    if ((tensor->dtype == DTYPE_I32 || tensor->dtype == DTYPE_U32) && tensor->n_dims == 2)
        return 0;
    return error_set(err, ERROR_FORMAT, "tensor '" ERROR_NAME "': packed integers are I32 in 2 "
                     "dimensions, not %s in %zu", tensor->name, dtype_info(tensor->dtype)->name,
                     tensor->n_dims);
}

/* Sizes that follow from the words, and whether their fields fill them. */
static int find_sizes(const struct packed_ints_spec *spec, struct packed_ints *made,
                      struct error *err)
{
    const size_t *shape = spec->words->shape;
    size_t *n_out = &made->quantised.n_rows, *n_in = &made->quantised.n_in, n_bits;

    made->row_words = shape[1];
    switch (spec->order) {
    case PACKED_ALONG_INPUTS:
        if (__builtin_mul_overflow(shape[0], (size_t)32, &n_bits) || n_bits % spec->bits)
            return error_set(err, ERROR_FORMAT, "tensor '" ERROR_NAME "': %zu words are not whole "
                             "numbers of %u bits", spec->words->name, shape[0], spec->bits);
        *n_in = n_bits / spec->bits;
        *n_out = shape[1];
        return 0;
    case PACKED_AWQ:
        *n_in = shape[0];
        if (__builtin_mul_overflow(shape[1], (size_t)8, n_out))
            return error_set(err, ERROR_FORMAT, "tensor '" ERROR_NAME "': its size overflows",
                             spec->words->name);
        return 0;
    case PACKED_IN_ROWS:
        *n_in = spec->n_in;
        *n_out = spec->n_out;
        break;
    }
    if (shape[0] == *n_out && shape[1] == unpack_n_words(made->words_layout, *n_in))
        return 0;
    made->words_layout.per_word = 32 / spec->bits;
    return quantised_check_shape(spec->words, 2,
                                 (const size_t[]){*n_out,
                                                  unpack_n_words(made->words_layout, *n_in)},
                                 "its shape and bits", err);
}

static int check_scales(const struct packed_ints_spec *spec, const struct packed_ints *made,
                        struct error *err)
{
    size_t n_out = made->quantised.n_rows, n_groups = made->n_groups;
    const size_t by_row[] = {n_out, n_groups}, by_group[] = {n_groups, n_out};
    bool is_by_row = spec->order == PACKED_IN_ROWS;

    if (quantised_check_scale(spec->scales, err) ||
        quantised_check_shape(spec->scales, 2, is_by_row ? by_row : by_group,
                              "the packed integers and their groups", err))
        return -1;
    return spec->biases && (quantised_check_scale(spec->biases, err) ||
                            quantised_check_shape(spec->biases, 2, by_row,
                                                  "the packed integers and their groups", err))
               ? -1
               : 0;
}

static int check_zeros(const struct packed_ints_spec *spec, struct packed_ints *made,
                       struct error *err)
{
    struct unpack_layout *layout = &made->zeros_layout;
    size_t n_out = made->quantised.n_rows, n_groups = made->n_groups;
    bool is_by_row = spec->order == PACKED_IN_ROWS;

    if (!spec->zeros)
        return 0;
    if (check_words(spec->zeros, err))
        return -1;
    if (!is_by_row)
        return n_out * spec->bits % 32 == 0
                   ? quantised_check_shape(spec->zeros, 2,
                                           (const size_t[]){n_groups,
                                                            unpack_n_words(*layout, n_out)},
                                           "the packed integers and their groups", err)
                   : error_set(err, ERROR_FORMAT, "tensor '" ERROR_NAME "': the zeros of %zu rows "
                               "of %u bits do not fill whole words", spec->zeros->name, n_out,
                               spec->bits);
    if (spec->zeros->shape[0] != unpack_n_words(*layout, n_out))
        layout->per_word = 32 / spec->bits;
    return quantised_check_shape(spec->zeros, 2,
                                 (const size_t[]){unpack_n_words(*layout, n_out), n_groups},
                                 "the packed integers and their groups", err);
}

/* Kept only where it is not i / group_size. */
static int read_map(const struct packed_ints_spec *spec, struct packed_ints *made,
                    struct arena *arena, struct error *err)
{
    size_t n_in = made->quantised.n_in;
    bool is_plain = true;
    uint32_t *map;

    if (!spec->map)
        return 0;
    if (spec->map->dtype != DTYPE_I32)
        return error_set(err, ERROR_FORMAT, "tensor '" ERROR_NAME "': groups are numbered in I32, "
                         "not %s", spec->map->name, dtype_info(spec->map->dtype)->name);
    if (quantised_check_shape(spec->map, 1, &n_in, "the packed integers", err))
        return -1;
    map = memory_try(n_in + 1, sizeof *map, "groups", err);
    if (!map || tensor_read(spec->map, 0, n_in, map, err)) {
        free(map);
        return -1;
    }
    for (size_t i = 0; i < n_in; i++) {
        is_plain = is_plain && map[i] == i / made->group_size;
        if (map[i] < made->n_groups)
            continue;
        error_set(err, ERROR_FORMAT, "tensor '" ERROR_NAME "': input %zu is of group %d, but there "
                  "are %zu", spec->map->name, i, (int)map[i], made->n_groups);
        free(map);
        return -1;
    }
    if (!is_plain)
        made->map = (const uint32_t *)arena_copy(arena, (const char *)map, n_in * sizeof *map);
    free(map);
    return 0;
}

int packed_ints_make(const struct packed_ints_spec *spec, const char *name, struct arena *arena,
                     struct tensor *out, struct error *err)
{
    struct packed_ints *made = arena_alloc(arena, sizeof *made);
    struct quantised *quantised = &made->quantised;

    *made = (struct packed_ints){
        .quantised = {.method = spec->method, .decode = decode, .blocks = blocks},
        .order = spec->order, .words_layout = {spec->bits, 0}, .zeros_layout = {spec->bits, 0},
        .scales = spec->scales, .biases = spec->biases, .zero = spec->zero,
        .adds_one = spec->adds_one, .arena = arena,
    };
    quantised->rows_together = spec->order == PACKED_IN_ROWS ? 0 : ROWS_TOGETHER;
    if (check_words(spec->words, err) || find_sizes(spec, made, err))
        return -1;
    if (quantised->n_rows == 0 || quantised->n_in == 0)
        return error_set(err, ERROR_FORMAT, "tensor '" ERROR_NAME "': is empty",
                         spec->words->name);
    made->group_size = spec->group_size && spec->group_size < quantised->n_in ? spec->group_size
                                                                              : quantised->n_in;
    made->n_groups = (quantised->n_in - 1) / made->group_size + 1;
    if (check_scales(spec, made, err) || check_zeros(spec, made, err) ||
        read_map(spec, made, arena, err))
        return -1;
    made->words = quantised_bytes(spec->words, arena, err);
    made->zeros = spec->zeros && made->words ? quantised_bytes(spec->zeros, arena, err) : NULL;
    if (!made->words || (spec->zeros && !made->zeros))
        return -1;
    quantised_add_part(quantised, spec->words);
    quantised_add_part(quantised, spec->scales);
    quantised_add_part(quantised, spec->zeros);
    quantised_add_part(quantised, spec->biases);
    quantised_add_part(quantised, spec->map);
    return quantised_make(quantised, name, 2,
                          (const size_t[]){quantised->n_rows, quantised->n_in}, arena, out, err);
}
