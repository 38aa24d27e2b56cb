/* test_outdir.c - the output directory appears complete or not at all. */
#include "base/outdir.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "scratch.h"

static bool yes(const char *path)
{
    (void)path;
    return true;
}

/* Holds what looks like a model. */
static bool has_weights(const char *path)
{
    char weights[4200];

    snprintf(weights, sizeof weights, "%s/weights", path);
    return access(weights, F_OK) == 0;
}

static struct outdir *must_open(const char *name, bool force)
{
    struct error err = {0};
    struct outdir *outdir = outdir_open(scratch_path(name), force, has_weights, &err);

    if (!outdir)
        printf("# %s\n", err.text);
    CHECK(outdir);
    return outdir;
}

static void check_refused(const char *path, bool force, enum error_code code, const char *part)
{
    struct error err = {0};

    CHECK(outdir_check(path, force, has_weights, &err) == -1);
    CHECK(err.code == code);
    CHECK_CONTAINS(err.text, part);
    err = (struct error){0};
    CHECK(!outdir_open(path, force, has_weights, &err) && err.code == code);
}

static bool is_weights(const char *path)
{
    char text[8] = "";
    FILE *file = fopen(path, "rb");
    size_t n = file ? fread(text, 1, 7, file) : 0;

    if (file)
        fclose(file);
    return n == 7 && strcmp(text, "weights") == 0;
}

static struct outdir *must_open_file(const char *name, bool force)
{
    struct error err = {0};
    struct outdir *outdir = outdir_open_file(scratch_path(name), force, is_weights, &err);

    if (!outdir)
        printf("# %s\n", err.text);
    CHECK(outdir);
    return outdir;
}

static void check_file_refused(const char *name, bool force, const char *part)
{
    struct error err = {0};

    CHECK(outdir_check_file(scratch_path(name), force, is_weights, &err) == -1);
    CHECK(err.code == ERROR_EXISTS);
    CHECK_CONTAINS(err.text, part);
    err = (struct error){0};
    CHECK(!outdir_open_file(scratch_path(name), force, is_weights, &err));
}

static void a_new_directory_appears_with_its_bytes(void)
{
    struct outdir *outdir = must_open("new", false);
    struct error err = {0};

    CHECK(!scratch_exists("new"));
    CHECK(scratch_exists(".new.cocktail-partial"));
    CHECK(outdir_write(outdir, "a", "alpha\n", 6, &err) == 0);
    CHECK(outdir_write(outdir, "sub/deep/b", "beta", 4, &err) == 0);
    CHECK(outdir_write(outdir, "sub/empty", "", 0, &err) == 0);
    CHECK(!scratch_exists("new"));
    CHECK(outdir_commit(outdir, &err) == 0);
    outdir_close(outdir);
    CHECK(scratch_holds("new/a", "alpha\n"));
    CHECK(scratch_holds("new/sub/deep/b", "beta"));
    CHECK(scratch_holds("new/sub/empty", ""));
    CHECK(!scratch_exists(".new.cocktail-partial"));
}

static void bytes_may_be_written_in_any_order(void)
{
    struct outdir *outdir = must_open("order", false);
    struct error err = {0};
    int fd = outdir_create(outdir, "file", &err);

    CHECK(fd >= 0);
    CHECK(outdir_write_at(fd, 3, "def", 3, "file", &err) == 0);
    CHECK(outdir_write_at(fd, 0, "abc", 3, "file", &err) == 0);
    CHECK(close(fd) == 0);
    CHECK(outdir_commit(outdir, &err) == 0);
    outdir_close(outdir);
    CHECK(scratch_holds("order/file", "abcdef"));
}

static void a_single_file_appears_with_its_bytes(void)
{
    struct outdir *outdir = must_open_file("single/in/file", false);
    struct error err = {0};

    CHECK(strcmp(outdir_file(outdir), "file") == 0);
    CHECK(outdir_write(outdir, outdir_file(outdir), "weights", 7, &err) == 0);
    CHECK(!scratch_exists("single/in/file"));
    CHECK(scratch_exists("single/in/.file.cocktail-partial/file"));
    CHECK(outdir_commit(outdir, &err) == 0);
    outdir_close(outdir);
    CHECK(scratch_holds("single/in/file", "weights"));
    CHECK(!scratch_exists("single/in/.file.cocktail-partial"));
}

static void a_single_file_is_replaced_with_force_and_of_the_right_kind(void)
{
    struct outdir *outdir;
    struct error err = {0};

    scratch_text("files/old", "weights");
    scratch_text("files/diary", "precious");
    scratch_text("files/folder/a", "x");
    scratch_link("old", "files/link");
    scratch_link("nowhere", "files/dangling");
    check_file_refused("files/old", false, "--force");
    check_file_refused("files/diary", true, "no checkpoint");
    check_file_refused("files/folder", true, "not a regular file");
    check_file_refused("files/dangling", true, "not a regular file");
    check_file_refused("files/diary/below", true, "not a directory");
    outdir = must_open_file("files/link", true);
    CHECK(outdir_write(outdir, outdir_file(outdir), "new", 3, &err) == 0);
    CHECK(scratch_holds("files/old", "weights"));
    CHECK(outdir_commit(outdir, &err) == 0);
    outdir_close(outdir);
    CHECK(scratch_holds("files/old", "new"));
    CHECK(readlink(scratch_path("files/link"), (char[64]){0}, 64) == 3);
    CHECK(!scratch_exists("files/.old.cocktail-partial"));
}

static void a_single_file_that_comes_into_being_meanwhile_stays(void)
{
    struct outdir *outdir = must_open_file("soon", false);
    struct error err = {0};

    CHECK(outdir_write(outdir, outdir_file(outdir), "ours", 4, &err) == 0);
    scratch_text("soon", "theirs");
    CHECK(outdir_commit(outdir, &err) == -1 && err.code == ERROR_EXISTS);
    outdir_close(outdir);
    CHECK(scratch_holds("soon", "theirs"));
    CHECK(!scratch_exists(".soon.cocktail-partial"));
}

static void closed_without_a_commit_nothing_is_left(void)
{
    struct outdir *outdir = must_open("given-up", false);
    struct error err = {0};

    CHECK(outdir_write(outdir, "sub/a", "x", 1, &err) == 0);
    CHECK(scratch_exists(".given-up.cocktail-partial/sub/a"));
    outdir_close(outdir);
    CHECK(!scratch_exists("given-up"));
    CHECK(!scratch_exists(".given-up.cocktail-partial"));
}

static void a_file_cannot_be_created_twice(void)
{
    struct outdir *outdir = must_open("twice", false);
    struct error err = {0};

    CHECK(outdir_write(outdir, "a", "1", 1, &err) == 0);
    CHECK(outdir_write(outdir, "a", "2", 1, &err) == -1 && err.code == ERROR_IO);
    CHECK_CONTAINS(err.text, "exists");
    outdir_close(outdir);
}

static void parents_are_made_and_go_again_when_it_fails(void)
{
    struct outdir *outdir;
    struct error err = {0};

    scratch_folder("parents");
    outdir = must_open("parents/one/two/three", false);
    CHECK(scratch_exists("parents/one/two/.three.cocktail-partial"));
    outdir_close(outdir);
    CHECK(scratch_exists("parents"));
    CHECK(!scratch_exists("parents/one"));

    outdir = must_open("parents/one/two/three", false);
    scratch_text("parents/one/other", "of someone else");
    outdir_close(outdir);
    CHECK(!scratch_exists("parents/one/two"));
    CHECK(scratch_holds("parents/one/other", "of someone else"));

    outdir = must_open("parents/four/five/", false);
    CHECK(outdir_write(outdir, "a", "x", 1, &err) == 0 && outdir_commit(outdir, &err) == 0);
    outdir_close(outdir);
    CHECK(scratch_holds("parents/four/five/a", "x"));
}

static void an_empty_directory_counts_as_absent(void)
{
    struct outdir *outdir;
    struct error err = {0};

    scratch_folder("empty");
    CHECK(outdir_check(scratch_path("empty"), false, has_weights, &err) == 0);
    outdir = must_open("empty/", false);
    CHECK(outdir_write(outdir, "a", "x", 1, &err) == 0 && outdir_commit(outdir, &err) == 0);
    outdir_close(outdir);
    CHECK(scratch_holds("empty/a", "x"));
}

static void an_old_target_needs_force_and_the_right_kind(void)
{
    struct error err = {0};

    scratch_text("old/weights", "old");
    scratch_text("photos/cat.jpg", "meow");
    scratch_text("file", "text");
    check_refused(scratch_path("old"), false, ERROR_EXISTS, "--force");
    CHECK(outdir_check(scratch_path("old"), true, has_weights, &err) == 0);
    check_refused(scratch_path("photos"), false, ERROR_EXISTS, "--force");
    check_refused(scratch_path("photos"), true, ERROR_EXISTS, "no checkpoint");
    check_refused(scratch_path("file"), true, ERROR_EXISTS, "not a directory");
    check_refused(scratch_path("file/below"), true, ERROR_EXISTS, "not a directory");
    scratch_link("nowhere", "dangling");
    check_refused(scratch_path("dangling"), true, ERROR_EXISTS, "not a directory");
    check_refused("", false, ERROR_USAGE, "no name");
    CHECK(scratch_holds("old/weights", "old"));
    CHECK(!scratch_exists(".old.cocktail-partial"));
    CHECK(!scratch_exists(".photos.cocktail-partial"));
}

static void what_holds_the_user_is_never_replaced(void)
{
    char *before = getcwd(NULL, 0), *home = getenv("HOME") ? strdup(getenv("HOME")) : NULL;

    scratch_text("home/user/weights", "x");
    scratch_text("here/inner/weights", "x");
    scratch_text("here/weights", "x");
    setenv("HOME", scratch_path("home/user"), 1);
    check_refused(scratch_path("home/user"), true, ERROR_EXISTS, "never replaced");
    check_refused(scratch_path("home"), true, ERROR_EXISTS, "never replaced");
    CHECK(chdir(scratch_path("here/inner")) == 0);
    check_refused(".", true, ERROR_EXISTS, "never replaced");
    check_refused("..", true, ERROR_EXISTS, "never replaced");
    check_refused("../inner/", true, ERROR_EXISTS, "never replaced");
    check_refused("/", true, ERROR_EXISTS, "never replaced");
    CHECK(chdir(before) == 0);
    unsetenv("HOME");
    check_refused("/", true, ERROR_EXISTS, "never replaced");
    if (home)
        setenv("HOME", home, 1);
    free(before);
    free(home);
}

static void force_exchanges_the_old_for_the_new(void)
{
    struct outdir *outdir;
    struct error err = {0};

    scratch_text("replaced/weights", "old");
    scratch_text("replaced/only-in-old", "old");
    outdir = must_open("replaced", true);
    CHECK(outdir_write(outdir, "weights", "new", 3, &err) == 0);
    CHECK(scratch_holds("replaced/weights", "old"));
    CHECK(outdir_commit(outdir, &err) == 0);
    outdir_close(outdir);
    CHECK(scratch_holds("replaced/weights", "new"));
    CHECK(!scratch_exists("replaced/only-in-old"));
    CHECK(!scratch_exists(".replaced.cocktail-partial"));
}

static void given_up_force_leaves_the_old_one(void)
{
    struct outdir *outdir;
    struct error err = {0};

    scratch_text("spared/weights", "old");
    outdir = must_open("spared", true);
    CHECK(outdir_write(outdir, "weights", "new", 3, &err) == 0);
    outdir_close(outdir);
    CHECK(scratch_holds("spared/weights", "old"));
    CHECK(!scratch_exists(".spared.cocktail-partial"));
}

static void a_target_that_comes_into_being_meanwhile_stays(void)
{
    struct outdir *outdir = must_open("meanwhile", false);
    struct error err = {0};

    CHECK(outdir_write(outdir, "weights", "ours", 4, &err) == 0);
    scratch_text("meanwhile/weights", "theirs");
    CHECK(outdir_commit(outdir, &err) == -1 && err.code == ERROR_EXISTS);
    outdir_close(outdir);
    CHECK(scratch_holds("meanwhile/weights", "theirs"));
    CHECK(!scratch_exists(".meanwhile.cocktail-partial"));
}

static void a_link_to_a_directory_stays_a_link(void)
{
    struct outdir *outdir;
    struct error err = {0};

    scratch_text("linked/real/weights", "old");
    scratch_link("real", "linked/link");
    outdir = must_open("linked/link", true);
    CHECK(outdir_write(outdir, "weights", "new", 3, &err) == 0 && outdir_commit(outdir, &err) == 0);
    outdir_close(outdir);
    CHECK(scratch_holds("linked/real/weights", "new"));
    CHECK(scratch_holds("linked/link/weights", "new"));
    CHECK(readlink(scratch_path("linked/link"), (char[64]){0}, 64) == 4);
}

/* A child that has the outdir open until it is killed; returns once it has. */
static pid_t hold(const char *name)
{
    int ready[2];
    char byte;
    pid_t child;

    scratch_must(pipe(ready) == 0, "make a pipe for", name);
    fflush(stdout);
    child = fork();
    if (child == 0) {
        struct error err = {0};
        struct outdir *outdir = outdir_open(scratch_path(name), true, yes, &err);

        if (!outdir || outdir_write(outdir, "left/behind", "x", 1, &err) ||
            write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    CHECK(child > 0 && read(ready[0], &byte, 1) == 1);
    close(ready[0]);
    return child;
}

static void end(pid_t child)
{
    int status;

    kill(child, SIGKILL);
    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
}

static void another_process_that_writes_there_has_the_lock(void)
{
    struct error err = {0};
    pid_t child = hold("locked");

    CHECK(!outdir_open(scratch_path("locked"), false, has_weights, &err));
    CHECK(err.code == ERROR_EXISTS);
    CHECK_CONTAINS(err.text, "another process");
    CHECK(scratch_exists(".locked.cocktail-partial/left/behind"));
    end(child);
}

static void what_a_killed_process_left_is_cleared(void)
{
    struct error err = {0};
    struct outdir *outdir;
    pid_t child = hold("cleared");

    end(child);
    CHECK(scratch_exists(".cleared.cocktail-partial/left/behind"));
    outdir = must_open("cleared", false);
    CHECK(!scratch_exists(".cleared.cocktail-partial/left"));
    CHECK(outdir_write(outdir, "a", "x", 1, &err) == 0 && outdir_commit(outdir, &err) == 0);
    outdir_close(outdir);
    CHECK(scratch_holds("cleared/a", "x"));
    CHECK(!scratch_exists("cleared/left"));
    CHECK(!scratch_exists(".cleared.cocktail-partial"));
}

static void clearing_does_not_follow_links(void)
{
    struct outdir *outdir;

    scratch_text("precious/data", "keep me");
    scratch_link("../precious", ".careful.cocktail-partial/link");
    outdir = must_open("careful", false);
    CHECK(scratch_holds("precious/data", "keep me"));
    outdir_close(outdir);
    scratch_link("precious", ".trap.cocktail-partial");
    {
        struct error err = {0};

        CHECK(!outdir_open(scratch_path("trap"), false, has_weights, &err));
        CHECK(err.code == ERROR_IO);
    }
    CHECK(scratch_holds("precious/data", "keep me"));
}

static void exit_puts_an_open_one_away(void)
{
    int status;
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child == 0) {
        struct error err = {0};
        struct outdir *outdir = outdir_open(scratch_path("at-exit/made"), false, yes, &err);

        if (!outdir || outdir_write(outdir, "a", "x", 1, &err))
            _exit(1);
        if (!freopen("/dev/null", "w", stdout))
            _exit(1);
        exit(42);
    }
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 42);
    CHECK(!scratch_exists("at-exit"));
}

static void permissions_follow_the_umask(void)
{
    static const struct {
        mode_t mask, directory, file;
    } cases[] = {{022, 0755, 0644}, {077, 0700, 0600}, {002, 0775, 0664}};

    for (size_t i = 0; i < 3; i++) {
        mode_t before = umask(cases[i].mask);
        struct error err = {0};
        struct stat info;
        struct outdir *outdir;
        char name[64], inner[64];

        snprintf(name, sizeof name, "mask-%zu", i);
        snprintf(inner, sizeof inner, "mask-%zu/sub/a", i);
        outdir = must_open(name, false);
        CHECK(outdir_write(outdir, "sub/a", "x", 1, &err) == 0);
        CHECK(outdir_commit(outdir, &err) == 0);
        outdir_close(outdir);
        CHECK(stat(scratch_path(name), &info) == 0 && (info.st_mode & 0777) == cases[i].directory);
        CHECK(stat(scratch_path(inner), &info) == 0 && (info.st_mode & 0777) == cases[i].file);
        umask(before);
    }
}

static void free_space_is_told_for_what_is_not_there_yet(void)
{
    struct error err = {0};
    size_t here = 0, below = 0;

    CHECK(outdir_free_bytes(test_scratch(), &here, &err) == 0 && here > 0);
    CHECK(outdir_free_bytes(scratch_path("not/yet/there"), &below, &err) == 0 && below > 0);
    CHECK(outdir_free_bytes("not/yet/there", &below, &err) == 0 && below > 0);
}

TESTS(TEST(a_new_directory_appears_with_its_bytes), TEST(bytes_may_be_written_in_any_order),
      TEST(a_single_file_appears_with_its_bytes),
      TEST(a_single_file_is_replaced_with_force_and_of_the_right_kind),
      TEST(a_single_file_that_comes_into_being_meanwhile_stays),
      TEST(closed_without_a_commit_nothing_is_left), TEST(a_file_cannot_be_created_twice),
      TEST(parents_are_made_and_go_again_when_it_fails), TEST(an_empty_directory_counts_as_absent),
      TEST(an_old_target_needs_force_and_the_right_kind),
      TEST(what_holds_the_user_is_never_replaced), TEST(force_exchanges_the_old_for_the_new),
      TEST(given_up_force_leaves_the_old_one),
      TEST(a_target_that_comes_into_being_meanwhile_stays),
      TEST(a_link_to_a_directory_stays_a_link),
      TEST(another_process_that_writes_there_has_the_lock),
      TEST(what_a_killed_process_left_is_cleared), TEST(clearing_does_not_follow_links),
      TEST(exit_puts_an_open_one_away), TEST(permissions_follow_the_umask),
      TEST(free_space_is_told_for_what_is_not_there_yet))
