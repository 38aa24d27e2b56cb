/* checkpoint_reader.h - what a format does to become a row of the reader table in checkpoint.c. */
#ifndef COCKTAIL_CHECKPOINT_READER_H
#define COCKTAIL_CHECKPOINT_READER_H

#include "format/checkpoint_tensors.h"

struct checkpoint_reader {
    const char *name;
    /* Whether the file, whose first bytes (at most 64) are given, is of this format; NULL for a
     * format without a magic number: then the name of the file decides. */
    bool (*matches)(const unsigned char *head, size_t n);
    /* Finds the tensors of checkpoint->files[file] and adds each with checkpoint_add_tensor.
     * Errors need not name the file: the caller does. */
    int (*read)(struct checkpoint *checkpoint, size_t file, struct error *err);
};

extern const struct checkpoint_reader safetensors_reader, torchbin_reader, gguf_reader;

/* The file, which the checkpoint owns from here, called `name`; for the tensors to come. */
void checkpoint_add_file(struct checkpoint *checkpoint, struct file *file, const char *name);
/* Adds a copy of *found (name, dtype, n_dims, shape, source, offset, strides set; name_length bytes of
 * name, no NUL behind needed; n_items and size_bytes are computed). Checks name, shape and that the
 * name is new; the reader has checked that the bytes lie in the file. Errors name the tensor. */
int checkpoint_add_tensor(struct checkpoint *checkpoint, const struct tensor *found,
                          size_t name_length, struct error *err);
/* Gives it these logical tensors in place of those that its files hold, whose sources may go on
 * reading the old ones: the old list is kept until the checkpoint is closed. Takes over `tensors`
 * (from malloc); names, shapes and sources stand in its arena. ERROR_FORMAT for a name that occurs
 * twice; n_tensors must not be 0. */
int checkpoint_replace_tensors(struct checkpoint *checkpoint, struct tensor *tensors,
                               size_t n_tensors, struct error *err);
void checkpoint_add_metadata(struct checkpoint *checkpoint, const char *key, const char *value);

#endif
