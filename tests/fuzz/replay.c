/* replay.c - runs a fuzz target over files, so that `make test` needs no fuzzer: PROGRAM FILE... */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "rb");
        uint8_t *bytes;
        size_t size;

        if (!file || fseek(file, 0, SEEK_END)) {
            perror(argv[i]);
            return 1;
        }
        size = (size_t)ftell(file);
        bytes = memory_alloc(size); /* of just this size: a sanitizer sees the first byte too far */
        rewind(file);
        if (fread(bytes, 1, size, file) != size) {
            perror(argv[i]);
            return 1;
        }
        fclose(file);
        fprintf(stderr, "%s\n", argv[i]); /* the last line tells what a crash was about */
        LLVMFuzzerTestOneInput(bytes, size);
        free(bytes);
    }
    return 0;
}
