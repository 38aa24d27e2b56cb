/* test_output_tensor.c - what is written is described as what is read. */
#include "tensor/output_tensor.h"

#include <stdint.h>

#include "test.h"

static void it_is_measured_as_a_tensor_is(void)
{
    static const size_t shape[] = {3, 5}, huge[] = {SIZE_MAX, 2};
    struct output_tensor out = {.name = "w", .dtype = DTYPE_BF16, .n_dims = 2, .shape = shape};
    struct error err = {0};

    CHECK(output_tensor_measure(&out, &err) == 0 && out.n_items == 15 && out.size_bytes == 30);
    out.n_dims = 0;
    CHECK(output_tensor_measure(&out, &err) == 0 && out.n_items == 1 && out.size_bytes == 2);
    out.n_dims = 2;
    out.shape = huge;
    CHECK(output_tensor_measure(&out, &err) == -1 && err.code == ERROR_FORMAT);
}

static void one_like_a_tensor_says_what_it_says(void)
{
    static const size_t shape[] = {3, 5};
    struct tensor tensor = {.name = "w", .dtype = DTYPE_F32, .n_dims = 2, .shape = shape};
    struct output_tensor out;
    struct error err = {0};

    CHECK(tensor_measure(&tensor, &err) == 0);
    out = output_tensor_like(&tensor);
    CHECK(strcmp(out.name, "w") == 0 && out.dtype == DTYPE_F32 && out.n_dims == 2);
    CHECK(out.shape == shape && out.n_items == 15 && out.size_bytes == 60);
}

TESTS(TEST(it_is_measured_as_a_tensor_is), TEST(one_like_a_tensor_says_what_it_says))
