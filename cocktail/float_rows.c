#include "float_rows.h"

#include "base/json_writer.h"
#include "format/npy.h"

#include "output.h"

int float_rows_print_json(const float *rows, size_t n_rows, size_t width, struct error *err)
{
    struct buffer line = {0};
    int rc = 0;

    for (size_t row = 0; row < n_rows && rc == 0; row++) {
        struct json_writer json = {.out = &line};

        buffer_clear(&line);
        json_writer_array(&json, NULL);
        for (size_t i = 0; i < width; i++)
            json_writer_float(&json, NULL, rows[row * width + i]);
        json_writer_end(&json);
        buffer_add_char(&line, '\n');
        rc = output_write(line.data, line.size, err);
    }
    buffer_release(&line);
    return rc;
}

int float_rows_print_npy_header(size_t n_rows, size_t width, struct error *err)
{
    struct buffer header = {0};
    int rc;

    npy_add_header(&header, n_rows, width);
    rc = output_write(header.data, header.size, err);
    buffer_release(&header);
    return rc;
}

int float_rows_print_npy(const float *rows, size_t n_rows, size_t width, struct error *err)
{
    return n_rows ? output_write(rows, n_rows * width * sizeof *rows, err) : 0;
}
