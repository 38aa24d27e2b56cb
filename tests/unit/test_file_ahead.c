/* test_file_ahead.c - files come into the page cache while nobody reads them. */
#include "base/file_ahead.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "scratch.h"

enum { SIZE = 12 << 20, N_PAGES = SIZE / 4096 };

/* Pages of a file that are in memory. */
static size_t count_pages(struct file *file)
{
    static unsigned char there[N_PAGES];
    struct error err = {0};
    const void *map = file_map(file, &err);
    size_t page = (size_t)sysconf(_SC_PAGESIZE), n = 0;

    scratch_must(map && mincore((void *)map, SIZE, there) == 0, "look at", file->path);
    for (size_t i = 0; i < SIZE / page; i++)
        n += there[i] & 1;
    file_unmap(file);
    return n;
}

/* A file that is on the disk alone; or in memory all the same, in a file system that has no disk. */
static struct file *write_cold(const char *name)
{
    struct error err = {0};
    char *bytes = memory_zalloc(SIZE, 1);
    struct file *file;

    scratch_write(name, bytes, SIZE);
    free(bytes);
    file = file_open(scratch_path(name), name, &err);
    scratch_must(file != NULL, "open", name);
    fsync(file->fd);
    posix_fadvise(file->fd, 0, 0, POSIX_FADV_DONTNEED);
    return file;
}

/* The disk may take its time. */
static bool comes(struct file *file, size_t n_pages)
{
    const struct timespec moment = {0, 10 * 1000 * 1000};

    for (size_t i = 0; i < 2000 && count_pages(file) < n_pages; i++)
        nanosleep(&moment, NULL);
    return count_pages(file) >= n_pages;
}

static void files_are_fetched_in_turn(void)
{
    struct error err = {0};
    struct file *files[] = {write_cold("a"), file_open_memory("text", 4, "memory"), write_cold("b")};
    struct file_ahead *ahead = file_ahead_start(files, 3, SIZE_MAX);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char byte = 1;

    CHECK(ahead != NULL);
    CHECK(comes(files[0], SIZE / page) && comes(files[2], SIZE / page));
    file_ahead_end(ahead);
    CHECK(file_read(files[0], SIZE - 1, &byte, 1, &err) == 0 && byte == 0);
    for (size_t i = 0; i < 3; i++)
        file_close(files[i]);
}

static void no_more_than_the_limit_is_asked_for(void)
{
    struct file *file = write_cold("c");
    size_t page = (size_t)sysconf(_SC_PAGESIZE), before = count_pages(file);

    file_ahead_end(file_ahead_start(&file, 1, 0));
    CHECK(count_pages(file) == before);
    if (before == 0) {
        struct file_ahead *ahead = file_ahead_start(&file, 1, SIZE / 2);

        CHECK(comes(file, SIZE / 2 / page));
        file_ahead_end(ahead);
        CHECK(count_pages(file) < SIZE / page);
    }
    file_close(file);
    file_ahead_end(NULL);
}

TESTS(TEST(files_are_fetched_in_turn), TEST(no_more_than_the_limit_is_asked_for))
