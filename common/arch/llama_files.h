/* llama_files.h - weights in Llama's own files, which hold slices of each matrix.
 *
 * The format puts slices together by the names of tensors; whether all files are there, and whether
 * what came out is the model that params.json describes, is asked here. */
#ifndef COCKTAIL_LLAMA_FILES_H
#define COCKTAIL_LLAMA_FILES_H

#include "arch/config.h"
#include "base/error.h"
#include "format/checkpoint.h"

/* ERROR_FORMAT when one of the last files is missing, ERROR_UNSUPPORTED when the slices do not make
 * what `config` says. 0 for weights in files of other kinds. `where` is the folder they lie in, for
 * messages. */
int llama_files_check(const struct checkpoint *checkpoint, const struct config *config,
                      const char *where, struct error *err);

/* Whether params.json leaves the number of tokens to the tokenizer, as the first release does; the
 * tensors have it, too, and with it `config` is complete. */
bool llama_files_lack_vocab_size(const struct config *config);
void llama_files_read_vocab_size(const struct checkpoint *checkpoint, struct config *config);

#endif
