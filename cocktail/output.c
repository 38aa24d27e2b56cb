#include "output.h"

#include <errno.h>
#include <stdio.h>

static int fail(struct error *err)
{
    if (errno != EPIPE)
        return error_errno(err, "cannot write to standard output");
    err->code = ERROR_IO;
    return -1;
}

int output_write(const void *bytes, size_t n, struct error *err)
{
    return fwrite(bytes, 1, n, stdout) == n ? 0 : fail(err);
}

int output_flush(struct error *err)
{
    return fflush(stdout) == 0 ? 0 : fail(err);
}
