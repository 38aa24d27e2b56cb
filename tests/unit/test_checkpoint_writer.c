/* test_checkpoint_writer.c - what lies in which file, byte for byte. */
#include "format/checkpoint_writer.h"

#include <stdint.h>

#include "base/memory.h"
#include "format/safetensors.h"
#include "scratch.h"

enum { N_MAX = 8 };

static bool no(const char *path)
{
    (void)path;
    return false;
}

struct made { /* U8 tensors a, b, c … of these sizes, all bytes of a tensor being its letter */
    struct output_tensor tensors[N_MAX];
    const struct output_tensor *pointers[N_MAX];
    size_t shapes[N_MAX];
    char names[N_MAX][8];
};

static void make(struct made *made, const size_t *sizes, size_t n)
{
    struct error err = {0};

    *made = (struct made){0};
    for (size_t i = 0; i < n; i++) {
        made->shapes[i] = sizes[i];
        snprintf(made->names[i], sizeof made->names[i], "%c", (char)('a' + i));
        made->tensors[i] = (struct output_tensor){.name = made->names[i], .dtype = DTYPE_U8,
                                                  .n_dims = 1, .shape = &made->shapes[i]};
        CHECK(output_tensor_measure(&made->tensors[i], &err) == 0);
        made->pointers[i] = &made->tensors[i];
    }
}

/* Writes the tensors, last ones first and each in two pieces, into NAME; the files that the writer
 * says it made are listed in `files`, each followed by a space. */
static void write_all(const char *name, const char *path, const struct made *made, size_t n,
                      size_t shard_bytes, struct buffer *files)
{
    struct error err = {0};
    struct outdir *outdir = outdir_open(scratch_path(name), false, no, &err);
    struct checkpoint_writer *writer =
        outdir ? checkpoint_writer_open(&safetensors_writer, outdir, path,
                                        &(struct checkpoint_output){made->pointers, n, 1234,
                                                                    shard_bytes, NULL}, &err)
               : NULL;

    if (!writer)
        printf("# %s\n", err.text);
    CHECK(writer);
    for (size_t i = n; writer && i > 0; i--) {
        size_t size = made->shapes[i - 1];
        char *bytes = memory_alloc(size);

        memset(bytes, made->names[i - 1][0], size);
        CHECK(checkpoint_writer_write(writer, i - 1, size / 2, bytes, size - size / 2, &err) == 0);
        CHECK(checkpoint_writer_write(writer, i - 1, 0, bytes, size / 2, &err) == 0);
        free(bytes);
    }
    buffer_add_text(files, "");
    for (size_t i = 0; writer && i < checkpoint_writer_n_files(writer); i++)
        buffer_format(files, "%s ", checkpoint_writer_file(writer, i));
    CHECK(checkpoint_writer_close(writer, &err) == 0);
    CHECK(outdir && outdir_commit(outdir, &err) == 0);
    outdir_close(outdir);
}

/* The splits of split_state_dict_into_shards_factory in huggingface_hub: "231" says that a lies in
 * shard 2, b in 3 and c in 1. */
static void tensors_are_split_as_huggingface_hub_splits_them(void)
{
    static const struct {
        size_t sizes[N_MAX], n, limit;
        const char *shards;
    } cases[] = {
        {{3, 3, 3}, 3, 6, "112"},          /* two fit exactly */
        {{3, 3, 3}, 3, 5, "123"},
        {{2, 2, 2}, 3, 6, "111"},          /* all fit exactly */
        {{2, 2, 2}, 3, 5, "112"},
        {{1, 1, 1, 1, 1}, 5, 2, "11223"},
        {{4, 1, 4, 1}, 4, 5, "1122"},
        {{1, 4, 1, 4}, 4, 5, "1122"},
        {{1, 5, 1, 5}, 4, 5, "1234"},      /* as large as the limit is not too large */
        {{2, 10, 2}, 3, 5, "212"},         /* too large: a shard at once; the open one goes on */
        {{10, 2, 2, 10}, 4, 4, "1332"},
        {{10, 2, 3, 10, 1}, 5, 4, "12434"},
        {{4, 4, 4}, 3, 3, "123"},
        {{2, 10, 4, 10, 1}, 5, 5, "21434"},
        {{10}, 1, 3, "1"},
        {{5, 0, 1}, 3, 5, "112"},          /* what is empty fits everywhere */
        {{0, 0, 0}, 3, 1, "111"},
        {{6, 6, 2, 6, 2, 2}, 6, 10, "122333"}, /* the example of its documentation */
        {{7, 7}, 2, SIZE_MAX, "11"},
    };

    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        static const char pattern[] = "model-0000%c-of-0000%c.safetensors";
        struct error err = {0};
        struct notices notices = {0};
        struct made made;
        struct buffer files = {0};
        struct checkpoint *checkpoint;
        char name[32], last = '1', expected[64];
        size_t n = cases[c].n;

        for (size_t i = 0; i < n; i++)
            last = cases[c].shards[i] > last ? cases[c].shards[i] : last;
        snprintf(name, sizeof name, "split-%zu", c);
        make(&made, cases[c].sizes, n);
        write_all(name, "model.safetensors", &made, n, cases[c].limit, &files);
        checkpoint = scratch_open(name, NULL, &notices, &err);
        CHECK(checkpoint && checkpoint->n_tensors == n && checkpoint->n_unmapped == 0);
        for (size_t i = 0; checkpoint && i < n; i++) {
            const struct tensor *tensor = checkpoint_find(checkpoint, made.names[i]);
            struct buffer file = {0};
            char bytes[16] = {0};

            tensor->source->kind->describe(tensor->source, &file);
            snprintf(expected, sizeof expected, pattern, cases[c].shards[i], last);
            if (last == '1')
                strcpy(expected, "model.safetensors");
            if (strcmp(file.data, expected) != 0)
                printf("# case %zu: %s in %s\n", c, tensor->name, file.data);
            CHECK(strcmp(file.data, expected) == 0);
            buffer_release(&file);
            CHECK(strstr(files.data, expected));
            CHECK(tensor_read(tensor, 0, tensor->n_items, bytes, &err) == 0);
            CHECK(strlen(bytes) == cases[c].sizes[i]);
            CHECK(strspn(bytes, made.names[i]) == strlen(bytes));
        }
        CHECK(!strstr(files.data, "index.json") == (last == '1'));
        checkpoint_close(checkpoint);
        notices_release(&notices);
        buffer_release(&files);
    }
}

static void the_index_is_what_transformers_writes(void)
{
    struct made made;
    struct buffer files = {0};

    make(&made, (const size_t[]){3, 3, 3}, 3);
    strcpy(made.names[0], "z\"\xc3\xa9");
    write_all("index", "model.safetensors", &made, 3, 6, &files);
    CHECK(scratch_holds("index/model.safetensors.index.json",
                        "{\n"
                        "  \"metadata\": {\n"
                        "    \"total_parameters\": 1234,\n"
                        "    \"total_size\": 9\n"
                        "  },\n"
                        "  \"weight_map\": {\n"
                        "    \"b\": \"model-00001-of-00002.safetensors\",\n"
                        "    \"c\": \"model-00002-of-00002.safetensors\",\n"
                        "    \"z\\\"\xc3\xa9\": \"model-00001-of-00002.safetensors\"\n"
                        "  }\n"
                        "}\n"));
    CHECK(strcmp(files.data, "model-00001-of-00002.safetensors model-00002-of-00002.safetensors "
                             "model.safetensors.index.json ") == 0);
    buffer_release(&files);
}

static void a_file_is_header_and_bytes_and_nothing_else(void)
{
    struct made made;
    struct buffer files = {0}, expected = {0};
    char *found;
    size_t n;

    make(&made, (const size_t[]){5, 0, 4}, 3);
    write_all("bytes", "model.safetensors", &made, 3, 100, &files);
    safetensors_add_header(&expected, made.pointers, 3);
    buffer_add_text(&expected, "aaaaacccc");
    found = scratch_read("bytes/model.safetensors", &n);
    CHECK(found && n == expected.size && memcmp(found, expected.data, n) == 0);
    CHECK(strcmp(files.data, "model.safetensors ") == 0);
    free(found);
    buffer_release(&files);
    buffer_release(&expected);
}

static void a_module_keeps_its_folder(void)
{
    struct made made;
    struct buffer files = {0};
    char *index;

    make(&made, (const size_t[]){5, 4}, 2);
    write_all("module", "2_Dense/model.safetensors", &made, 2, 5, &files);
    CHECK(strcmp(files.data, "2_Dense/model-00001-of-00002.safetensors "
                             "2_Dense/model-00002-of-00002.safetensors "
                             "2_Dense/model.safetensors.index.json ") == 0);
    index = scratch_read("module/2_Dense/model.safetensors.index.json", NULL);
    CHECK(index && strstr(index, "\"a\": \"model-00001-of-00002.safetensors\""));
    free(index);
    buffer_release(&files);
}

static void without_tensors_there_is_an_empty_file(void)
{
    struct made made = {0};
    struct buffer files = {0}, header = {0};
    char *found;
    size_t n;

    write_all("nothing", "model.safetensors", &made, 0, 5, &files);
    safetensors_add_header(&header, NULL, 0);
    found = scratch_read("nothing/model.safetensors", &n);
    CHECK(found && n == header.size && memcmp(found, header.data, n) == 0);
    free(found);
    buffer_release(&files);
    buffer_release(&header);
}

static void a_file_that_is_there_already_is_not_written_over(void)
{
    struct error err = {0};
    struct made made;
    struct outdir *outdir = outdir_open(scratch_path("taken"), false, no, &err);

    make(&made, (const size_t[]){5}, 1);
    CHECK(outdir && outdir_write(outdir, "model.safetensors", "x", 1, &err) == 0);
    CHECK(outdir && !checkpoint_writer_open(&safetensors_writer, outdir, "model.safetensors",
                                             &(struct checkpoint_output){made.pointers, 1, 5, 100, NULL},
                                             &err));
    CHECK(err.code == ERROR_IO);
    outdir_close(outdir);
    CHECK(checkpoint_writer_close(NULL, &err) == 0);
}

static void no_two_tensors_have_one_name(void)
{
    struct error err = {0};
    struct made made;
    struct outdir *outdir = outdir_open(scratch_path("twice"), false, no, &err);
    struct checkpoint_output output = {made.pointers, 3, 9, 100, NULL};

    make(&made, (const size_t[]){5, 3, 1}, 3);
    CHECK(checkpoint_writer_check(&safetensors_writer, &output, &err) == 0);
    strcpy(made.names[2], "a");
    CHECK(checkpoint_writer_check(&safetensors_writer, &output, &err));
    CHECK(err.code == ERROR_INCOMPATIBLE);
    CHECK_CONTAINS(err.text, "tensor 'a': would be written twice");
    err = (struct error){0};
    CHECK(outdir && !checkpoint_writer_open(&safetensors_writer, outdir, "model.safetensors", &output,
                                            &err));
    CHECK(err.code == ERROR_INCOMPATIBLE);
    outdir_close(outdir);
}

TESTS(TEST(tensors_are_split_as_huggingface_hub_splits_them),
      TEST(the_index_is_what_transformers_writes),
      TEST(a_file_is_header_and_bytes_and_nothing_else), TEST(a_module_keeps_its_folder),
      TEST(without_tensors_there_is_an_empty_file),
      TEST(a_file_that_is_there_already_is_not_written_over), TEST(no_two_tensors_have_one_name))
