/* torchbin_writer.h - a state dict as torch.save writes it: a zip of one pickle and one entry for
 * the bytes of each tensor, stored as they are, each at a multiple of 64 bytes.
 *
 * As for the other files that we write, the place of every byte is known before the first one; what
 * frames the tensors comes last, because a zip wants a checksum of each entry. The pickle calls
 * nothing but what torch.load(weights_only=True) allows.
 * Source: torch/serialization.py, caffe2/serialize/inline_container.cc, APPNOTE.TXT 4.3. */
#ifndef COCKTAIL_TORCHBIN_WRITER_H
#define COCKTAIL_TORCHBIN_WRITER_H

#include <stddef.h>

#include "base/error.h"
#include "tensor/tensor.h"

struct torchbin_writer;

/* Lays tensors[n_tensors] (borrowed) out. NULL with ERROR_UNSUPPORTED for a dtype that PyTorch does
 * not have, for more than 65,000 tensors and for more than 4 GB: larger zip archives have
 * another form. Freed with torchbin_writer_free. */
struct torchbin_writer *torchbin_writer_new(const struct tensor *const *tensors, size_t n_tensors,
                                            struct error *err);
void torchbin_writer_free(struct torchbin_writer *writer);

/* The byte of the file where tensors[index] begins. */
size_t torchbin_writer_place(const struct torchbin_writer *writer, size_t index);

/* Writes everything but the tensors, which have been written: they are read back for their
 * checksums. `name` is for messages. */
int torchbin_writer_finish(const struct torchbin_writer *writer, int fd, const char *name,
                           struct error *err);

#endif
