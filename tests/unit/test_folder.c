/* test_folder.c - what may be read of a model directory, and what may not. */
#include "base/folder.h"

#include "base/memory.h"

#include "scratch.h"

static struct folder *open_scratch(const char *name, bool follow_symlinks)
{
    struct error err = {0};
    struct folder *folder = folder_open(scratch_path(name), follow_symlinks, &err);

    if (!folder)
        printf("# %s\n", err.text);
    CHECK(folder);
    return folder;
}

static bool reads(const struct folder *folder, const char *name, const char *text)
{
    struct error err = {0};
    size_t size = 0;
    char *found = folder_read_text(folder, name, 1000, &size, &err);
    bool same = found && strcmp(found, text) == 0 && size == strlen(text);

    if (!same)
        printf("# %s: %s\n", name, found ? found : err.text);
    free(found);
    return same;
}

static void check_refused(const struct folder *folder, const char *name, const char *part)
{
    struct error err = {0};
    struct file *file = folder_open_file(folder, name, &err);

    CHECK(!file && err.code == ERROR_FORMAT);
    CHECK_CONTAINS(err.text, name);
    CHECK_CONTAINS(err.text, part);
    file_close(file);
}

static void opens_directories_only(void)
{
    struct error err = {0};

    scratch_text("opens/file", "x");
    CHECK(!folder_open(scratch_path("opens/absent"), false, &err) && err.code == ERROR_USAGE);
    CHECK_CONTAINS(err.text, "no such directory");
    err = (struct error){0};
    CHECK(!folder_open(scratch_path("opens/file"), false, &err) && err.code == ERROR_USAGE);
    folder_close(NULL);
}

static void keeps_the_name_that_the_user_wrote(void)
{
    struct error err = {0};
    struct folder *folder;

    scratch_folder("named/a");
    folder = folder_open(scratch_path("named/../named/a///"), false, &err);
    CHECK(folder && strcmp(folder->path, scratch_path("named/../named/a")) == 0);
    CHECK(folder && folder->real[0] == '/' && !strstr(folder->real, ".."));
    folder_close(folder);
    folder = folder_open("/", false, &err);
    CHECK(folder && strcmp(folder->path, "/") == 0);
    folder_close(folder);
}

static void add_text(struct folder *folder, const char *name, const char *text)
{
    folder_add(folder, name, memory_copy(text), strlen(text));
}

static void check_list(const struct folder *folder, const char *name, const char *expected)
{
    struct error err = {0};
    char **names, list[200] = "";
    size_t n_names;

    CHECK(folder_list(folder, name, &names, &n_names, &err) == 0);
    for (size_t i = 0; i < n_names; i++)
        strcat(strcat(list, names[i]), " ");
    CHECK(strcmp(list, expected) == 0);
    folder_names_free(names, n_names);
}

static void files_in_memory_stand_before_those_on_the_disk(void)
{
    struct folder *folder;

    scratch_text("memory/a.txt", "disk");
    scratch_text("memory/b.txt", "disk");
    scratch_text("memory/sub/c.txt", "disk");
    folder = open_scratch("memory", false);
    add_text(folder, "a.txt", "old");
    add_text(folder, "a.txt", "made");
    add_text(folder, "sub/d.txt", "made");
    add_text(folder, "made/deep/e.txt", "made");
    CHECK(reads(folder, "a.txt", "made"));
    CHECK(reads(folder, "b.txt", "disk"));
    CHECK(reads(folder, "made/deep/e.txt", "made"));
    CHECK(folder_look(folder, "made/deep") == FOLDER_DIRECTORY);
    CHECK(folder_look(folder, "made/de") == FOLDER_ABSENT);
    check_list(folder, "", "a.txt b.txt made sub ");
    check_list(folder, "sub", "c.txt d.txt ");
    check_list(folder, "made", "deep ");
    folder_hide(folder, "a.txt");
    folder_hide(folder, "b.txt");
    CHECK(folder_look(folder, "b.txt") == FOLDER_ABSENT);
    check_refused(folder, "a.txt", "no such file");
    check_list(folder, "", "made sub ");
    add_text(folder, "b.txt", "made");
    CHECK(reads(folder, "b.txt", "made"));
    folder_close(folder);
}

static void a_restricted_folder_shows_what_it_was_told(void)
{
    struct folder *folder;

    scratch_text("restricted/a.gguf", "disk");
    scratch_text("restricted/config.json", "disk");
    folder = open_scratch("restricted", false);
    folder_restrict(folder);
    folder_show(folder, "a.gguf");
    add_text(folder, "tokenizer.json", "made");
    CHECK(reads(folder, "a.gguf", "disk"));
    CHECK(reads(folder, "tokenizer.json", "made"));
    CHECK(folder_look(folder, "config.json") == FOLDER_ABSENT);
    check_refused(folder, "config.json", "no such file");
    check_list(folder, "", "a.gguf tokenizer.json ");
    folder_close(folder);
}

static void reopened_it_shows_the_same_and_may_show_more(void)
{
    struct folder *folder, *again;

    scratch_text("again/a.txt", "disk");
    scratch_text("again/b.txt", "disk");
    folder = open_scratch("again", false);
    add_text(folder, "a.txt", "made");
    folder_hide(folder, "b.txt");
    again = folder_reopen(folder);
    folder_call(again, "another");
    CHECK(reads(again, "a.txt", "made"));
    check_list(again, "", "a.txt ");
    check_refused(again, "b.txt", "another/b.txt");
    add_text(again, "a.txt", "other");
    add_text(again, "c.txt", "more");
    CHECK(reads(again, "a.txt", "other"));
    CHECK(reads(folder, "a.txt", "made"));
    check_list(folder, "", "a.txt ");
    folder_close(again);
    again = folder_reopen(folder);
    folder_hide(again, "a.txt");
    check_list(again, "", "");
    folder_close(again);
    CHECK(reads(folder, "a.txt", "made"));
    folder_close(folder);
}

static void reads_files_in_it_and_below(void)
{
    struct folder *folder;

    scratch_text("plain/a.txt", "alpha");
    scratch_text("plain/sub/deep/b.txt", "beta");
    scratch_text("plain/empty", "");
    folder = open_scratch("plain", false);
    CHECK(reads(folder, "a.txt", "alpha"));
    CHECK(reads(folder, "sub/deep/b.txt", "beta"));
    CHECK(reads(folder, "empty", ""));
    check_refused(folder, "absent", "no such file");
    check_refused(folder, "a.txt/x", "no such file");
    check_refused(folder, "sub", "is a directory");
    CHECK(folder_look(folder, "a.txt") == FOLDER_FILE);
    CHECK(folder_look(folder, "sub") == FOLDER_DIRECTORY);
    CHECK(folder_look(folder, "absent") == FOLDER_ABSENT);
    folder_close(folder);
}

static void a_text_beyond_the_limit_is_refused(void)
{
    struct error err = {0};
    struct folder *folder;

    scratch_text("limit/a", "12345678");
    folder = open_scratch("limit", false);
    CHECK(!folder_read_text(folder, "a", 7, NULL, &err) && err.code == ERROR_FORMAT);
    CHECK_CONTAINS(err.text, "limit");
    free(folder_read_text(folder, "a", 8, NULL, (err = (struct error){0}, &err)));
    CHECK(err.code == ERROR_NONE);
    folder_close(folder);
}

static void a_link_may_point_within_the_folder(void)
{
    struct folder *folder;

    scratch_text("links/sub/target", "inside");
    scratch_link("sub/target", "links/direct");
    scratch_link("../links/sub", "links/folder");
    scratch_link("direct", "links/twice");
    folder = open_scratch("links", false);
    CHECK(reads(folder, "direct", "inside"));
    CHECK(reads(folder, "twice", "inside"));
    CHECK(reads(folder, "folder/target", "inside"));
    folder_close(folder);
}

static void a_link_that_leads_out_is_refused_unless_followed(void)
{
    struct folder *folder;

    scratch_text("secret", "secret");
    scratch_text("outside/secret", "secret");
    scratch_text("model/a", "a");
    scratch_text("model-other/a", "other");
    scratch_link("../secret", "model/relative");
    scratch_link(scratch_path("secret"), "model/absolute");
    scratch_link("../outside", "model/folder");
    scratch_link("relative", "model/chain");
    scratch_link("../model-other/a", "model/same-beginning");
    folder = open_scratch("model", false);
    check_refused(folder, "relative", "--follow-symlinks");
    check_refused(folder, "absolute", "--follow-symlinks");
    check_refused(folder, "folder/secret", "--follow-symlinks");
    check_refused(folder, "chain", "--follow-symlinks");
    check_refused(folder, "same-beginning", "--follow-symlinks");
    check_refused(folder, "../secret", "--follow-symlinks");
    folder_close(folder);
    folder = open_scratch("model", true);
    CHECK(reads(folder, "relative", "secret"));
    CHECK(reads(folder, "absolute", "secret"));
    CHECK(reads(folder, "folder/secret", "secret"));
    CHECK(reads(folder, "chain", "secret"));
    folder_close(folder);
}

static void a_link_to_nothing_or_in_a_circle_is_said(void)
{
    struct folder *folder;

    scratch_link("nowhere", "bad/dangling");
    scratch_link("round", "bad/about");
    scratch_link("about", "bad/round");
    folder = open_scratch("bad", false);
    check_refused(folder, "dangling", "a symbolic link to nothing");
    check_refused(folder, "about", "circle");
    CHECK(folder_look(folder, "dangling") == FOLDER_FILE);
    CHECK(folder_look(folder, "about") == FOLDER_FILE);
    folder_close(folder);
}

/* models--ORG--NAME/snapshots/COMMIT/… links to models--ORG--NAME/blobs/… */
static void make_cache(const char *root)
{
    char path[512];

    snprintf(path, sizeof path, "%s/models--o--n/blobs/abc", root);
    scratch_text(path, "blob");
    snprintf(path, sizeof path, "%s/models--o--n/snapshots/c0ffee/model.safetensors", root);
    scratch_link("../../blobs/abc", path);
    snprintf(path, sizeof path, "%s/models--o--n/snapshots/c0ffee/1_Pooling/config.json", root);
    scratch_link("../../../blobs/abc", path);
    snprintf(path, sizeof path, "%s/models--o--other/blobs/abc", root);
    scratch_text(path, "other");
    snprintf(path, sizeof path, "%s/models--o--n/snapshots/c0ffee/foreign", root);
    scratch_link("../../../models--o--other/blobs/abc", path);
    snprintf(path, sizeof path, "%s/models--o--n/refs/main", root);
    scratch_text(path, "c0ffee");
    snprintf(path, sizeof path, "%s/models--o--n/snapshots/c0ffee/ref", root);
    scratch_link("../../refs/main", path);
}

static void check_cache(const char *snapshot)
{
    struct folder *folder = open_scratch(snapshot, false);

    CHECK(reads(folder, "model.safetensors", "blob"));
    CHECK(reads(folder, "1_Pooling/config.json", "blob"));
    check_refused(folder, "foreign", "--follow-symlinks");
    check_refused(folder, "ref", "--follow-symlinks");
    folder_close(folder);
}

static void a_hub_cache_links_into_its_own_blobs(void)
{
    make_cache("hub");
    check_cache("hub/models--o--n/snapshots/c0ffee");
    scratch_link("hub/models--o--n/snapshots/c0ffee", "by-link");
    check_cache("by-link");
}

static void a_cache_may_itself_lie_below_a_folder_named_snapshots(void)
{
    make_cache("snapshots/daily/hub");
    check_cache("snapshots/daily/hub/models--o--n/snapshots/c0ffee");
}

static void blobs_beside_a_folder_of_another_name_are_not_its_own(void)
{
    struct folder *folder;

    scratch_text("work/project/blobs/abc", "blob");
    scratch_link("../../blobs/abc", "work/project/snapshots/one/file");
    folder = open_scratch("work/project/snapshots/one", false);
    check_refused(folder, "file", "--follow-symlinks");
    folder_close(folder);
}

static void what_is_no_regular_file_is_refused_without_waiting(void)
{
    struct folder *folder;

    scratch_folder("special");
    unlink(scratch_path("special/fifo"));
    CHECK(mkfifo(scratch_path("special/fifo"), 0666) == 0);
    scratch_link("fifo", "special/link");
    scratch_link("/dev/zero", "special/device");
    alarm(20); /* ends the program if opening the FIFO waits for a writer */
    folder = open_scratch("special", false);
    CHECK(folder_look(folder, "fifo") == FOLDER_OTHER);
    check_refused(folder, "fifo", "a FIFO");
    check_refused(folder, "link", "a FIFO");
    check_refused(folder, "device", "--follow-symlinks");
    folder_close(folder);
    folder = open_scratch("special", true);
    check_refused(folder, "device", "a device");
    folder_close(folder);
    alarm(0);
}

static void lists_names_sorted_by_bytes(void)
{
    static const char *const expected[] = {".hidden", "B", "a", "a.b", "aa", "b", "\xc3\xa9"};
    struct error err = {0};
    struct folder *folder;
    char **names;
    size_t n;

    for (size_t i = 7; i > 0; i--) {
        char name[64];

        snprintf(name, sizeof name, "list/sub/%s", expected[i - 1]);
        scratch_text(name, "");
    }
    folder = open_scratch("list", false);
    CHECK(folder_list(folder, "sub", &names, &n, &err) == 0 && n == 7);
    for (size_t i = 0; i < 7 && n == 7; i++)
        CHECK(strcmp(names[i], expected[i]) == 0);
    folder_names_free(names, n);
    CHECK(folder_list(folder, "", &names, &n, &err) == 0 && n == 1);
    CHECK(n == 1 && strcmp(names[0], "sub") == 0);
    folder_names_free(names, n);
    CHECK(folder_list(folder, "absent", &names, &n, &err) == -1 && n == 0);
    folder_names_free(names, n);
    folder_close(folder);
}

static void does_not_list_what_lies_outside(void)
{
    struct error err = {0};
    struct folder *folder;
    char **names;
    size_t n;

    scratch_text("elsewhere/secret", "");
    scratch_link("../elsewhere", "list-links/out");
    folder = open_scratch("list-links", false);
    CHECK(folder_list(folder, "out", &names, &n, &err) == -1 && n == 0);
    CHECK(err.code == ERROR_FORMAT);
    folder_names_free(names, n);
    folder_close(folder);
}

static void a_file_that_shrinks_is_an_error(void)
{
    struct error err = {0};
    struct folder *folder;
    struct file *file;
    char bytes[8];

    scratch_text("shrinks/a", "12345678");
    folder = open_scratch("shrinks", false);
    file = folder_open_file(folder, "a", &err);
    CHECK(file && file->size_bytes == 8);
    CHECK(file && file_read(file, 2, bytes, 6, &err) == 0 && memcmp(bytes, "345678", 6) == 0);
    CHECK(truncate(scratch_path("shrinks/a"), 4) == 0);
    CHECK(file && file_read(file, 2, bytes, 6, &err) == -1 && err.code == ERROR_IO);
    CHECK_CONTAINS(err.text, "ends at byte 4");
    file_close(file);
    folder_close(folder);
}

static void joins_names(void)
{
    char *joined[] = {folder_join("", "a"), folder_join("b", "a"), folder_join("b/c", "d/e")};

    CHECK(strcmp(joined[0], "a") == 0);
    CHECK(strcmp(joined[1], "b/a") == 0);
    CHECK(strcmp(joined[2], "b/c/d/e") == 0);
    for (size_t i = 0; i < 3; i++)
        free(joined[i]);
}

TESTS(TEST(opens_directories_only), TEST(keeps_the_name_that_the_user_wrote),
      TEST(reopened_it_shows_the_same_and_may_show_more),
      TEST(reads_files_in_it_and_below), TEST(files_in_memory_stand_before_those_on_the_disk),
      TEST(a_restricted_folder_shows_what_it_was_told), TEST(a_text_beyond_the_limit_is_refused),
      TEST(a_link_may_point_within_the_folder),
      TEST(a_link_that_leads_out_is_refused_unless_followed),
      TEST(a_link_to_nothing_or_in_a_circle_is_said), TEST(a_hub_cache_links_into_its_own_blobs),
      TEST(a_cache_may_itself_lie_below_a_folder_named_snapshots),
      TEST(blobs_beside_a_folder_of_another_name_are_not_its_own),
      TEST(what_is_no_regular_file_is_refused_without_waiting), TEST(lists_names_sorted_by_bytes),
      TEST(does_not_list_what_lies_outside), TEST(a_file_that_shrinks_is_an_error),
      TEST(joins_names))
