/* The cache that huggingface_hub has too: what we leave in it, what we find in it. */
#include "hub/hub_cache.h"

#include <sys/wait.h>

#include "scratch.h"

#define COMMIT "0123456789abcdef0123456789abcdef01234567"
/* printf abc | git hash-object --stdin; printf abc | sha256sum */
#define ABC_GIT "f2ba8f84ab5c1bce84a7b441cb1959cfc7093b7f"
#define ABC_SHA256 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

/* The cache in the scratch folder `name`, of org/model. */
static struct hub_cache open_cache(const char *name, bool has_no_symlinks)
{
    struct hub_settings settings = {.cache = memory_copy(scratch_path(name)),
                                    .has_no_symlinks = has_no_symlinks};
    struct hub_cache cache;

    hub_cache_init(&cache, &settings, "org/model");
    free(settings.cache);
    return cache;
}

/* config.json, a twin of it, and weights; all are "abc". */
static struct hub_listing make_listing(void)
{
    struct hub_listing listing = {0};
    struct error err = {0};

    hub_listing_add(&listing, &(struct hub_file){.path = memory_copy("config.json"),
                                                 .blob = ABC_GIT, .size_bytes = 3,
                                                 .use = HUB_TEXT});
    hub_listing_add(&listing, &(struct hub_file){.path = memory_copy("deep/er/twin.json"),
                                                 .blob = ABC_GIT, .size_bytes = 3,
                                                 .use = HUB_TEXT});
    hub_listing_add(&listing, &(struct hub_file){.path = memory_copy("model.bin"),
                                                 .blob = ABC_SHA256, .size_bytes = 3,
                                                 .use = HUB_WEIGHTS});
    hub_listing_add(&listing, &(struct hub_file){.path = memory_copy("unused"),
                                                 .blob = ABC_GIT, .size_bytes = 3});
    CHECK(hub_listing_finish(&listing, &err) == 0);
    return listing;
}

static bool links_to(const char *name, const char *target)
{
    char found[256];
    ssize_t n = readlink(scratch_path(name), found, sizeof found - 1);

    if (n < 0)
        return false;
    found[n] = '\0';
    return strcmp(found, target) == 0;
}

static void a_snapshot_is_made_of_links(void)
{
    struct hub_cache cache = open_cache("links", false);
    struct hub_listing listing = make_listing();
    struct error err = {0};
    struct hub_file *config = hub_listing_find(&listing, "config.json");

    CHECK(hub_cache_prepare(&cache, &err) == 0);
    CHECK(scratch_exists("links/CACHEDIR.TAG"));
    CHECK(!hub_cache_has_blob(&cache, config));
    scratch_text("links/models--org--model/blobs/" ABC_GIT, "abc");
    scratch_text("links/models--org--model/blobs/" ABC_SHA256, "abc");
    CHECK(hub_cache_has_blob(&cache, config));
    CHECK(!hub_cache_has_file(&cache, COMMIT, config));
    CHECK(hub_cache_link(&cache, COMMIT, &listing, &err) == 0);
    CHECK(hub_cache_has_file(&cache, COMMIT, config));
    CHECK(links_to("links/models--org--model/snapshots/" COMMIT "/config.json",
                   "../../blobs/" ABC_GIT));
    CHECK(links_to("links/models--org--model/snapshots/" COMMIT "/deep/er/twin.json",
                   "../../../../blobs/" ABC_GIT));
    CHECK(scratch_holds("links/models--org--model/snapshots/" COMMIT "/deep/er/twin.json", "abc"));
    CHECK(!scratch_exists("links/models--org--model/snapshots/" COMMIT "/unused"));
    hub_listing_release(&listing);
    hub_cache_release(&cache);
}

/* What another program has left there half. */
static void a_wrong_link_is_replaced(void)
{
    struct hub_cache cache = open_cache("wrong", false);
    struct hub_listing listing = make_listing();
    struct error err = {0};

    scratch_text("wrong/models--org--model/blobs/" ABC_GIT, "abc");
    scratch_text("wrong/models--org--model/blobs/" ABC_SHA256, "abc");
    scratch_link("../../blobs/none", "wrong/models--org--model/snapshots/" COMMIT "/config.json");
    scratch_text("wrong/models--org--model/snapshots/" COMMIT "/model.bin", "half of it");
    CHECK(hub_cache_link(&cache, COMMIT, &listing, &err) == 0);
    CHECK(scratch_holds("wrong/models--org--model/snapshots/" COMMIT "/config.json", "abc"));
    CHECK(scratch_holds("wrong/models--org--model/snapshots/" COMMIT "/model.bin", "abc"));
    hub_listing_release(&listing);
    hub_cache_release(&cache);
}

static void without_links_the_files_are_moved(void)
{
    struct hub_cache cache = open_cache("moved", true);
    struct hub_listing listing = make_listing();
    struct error err = {0};

    scratch_text("moved/models--org--model/blobs/" ABC_GIT, "abc");
    scratch_text("moved/models--org--model/blobs/" ABC_SHA256, "abc");
    CHECK(hub_cache_link(&cache, COMMIT, &listing, &err) == 0);
    CHECK(scratch_holds("moved/models--org--model/snapshots/" COMMIT "/config.json", "abc"));
    CHECK(scratch_holds("moved/models--org--model/snapshots/" COMMIT "/deep/er/twin.json", "abc"));
    CHECK(scratch_holds("moved/models--org--model/snapshots/" COMMIT "/model.bin", "abc"));
    CHECK(!links_to("moved/models--org--model/snapshots/" COMMIT "/model.bin",
                    "../../blobs/" ABC_SHA256));
    CHECK(!scratch_exists("moved/models--org--model/blobs/" ABC_SHA256));
    hub_listing_release(&listing);
    hub_cache_release(&cache);
}

enum { N_PROCESSES = 4, N_FILES = 200 };

/* As many files as contents, all "abc", whatever their names say. */
static struct hub_listing make_long_listing(const char *cache)
{
    struct hub_listing listing = {0};
    struct error err = {0};

    for (int i = 0; i < N_FILES; i++) {
        struct hub_file file = {
            .path = memory_format("%03d.json", i), .size_bytes = 3, .use = HUB_TEXT};
        char name[128];

        snprintf(file.blob, sizeof file.blob, "%040x", i);
        snprintf(name, sizeof name, "%s/models--org--model/blobs/%s", cache, file.blob);
        scratch_text(name, "abc");
        hub_listing_add(&listing, &file);
    }
    CHECK(hub_listing_finish(&listing, &err) == 0);
    return listing;
}

/* Begins when `start` is closed; the exit status. */
static int link_commits(const struct hub_cache *cache, const struct hub_listing *listing,
                        int n_commits, int start)
{
    struct error err = {0};
    char byte, commit[HUB_COMMIT_SIZE];

    if (read(start, &byte, 1) != 0)
        return 2;
    for (int i = 0; i < n_commits; i++) {
        snprintf(commit, sizeof commit, "%040x", i);
        if (hub_cache_link(cache, commit, listing, &err)) {
            printf("# %s\n", err.text);
            fflush(stdout);
            return 1;
        }
    }
    return 0;
}

/* Processes that put the same files into one snapshot after another. */
static void check_many_processes(const char *name, bool has_no_symlinks, int n_commits)
{
    struct hub_cache cache = open_cache(name, has_no_symlinks);
    struct hub_listing listing = make_long_listing(name);
    pid_t children[N_PROCESSES];
    int start[2], status;
    char commit[HUB_COMMIT_SIZE];

    scratch_must(pipe(start) == 0, "make a pipe for", name);
    fflush(stdout);
    for (int i = 0; i < N_PROCESSES; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            close(start[1]);
            _exit(link_commits(&cache, &listing, n_commits, start[0]));
        }
    }
    close(start[0]);
    close(start[1]);
    for (int i = 0; i < N_PROCESSES; i++)
        CHECK(children[i] > 0 && waitpid(children[i], &status, 0) == children[i] && status == 0);
    for (int i = 0; i < n_commits; i++) {
        snprintf(commit, sizeof commit, "%040x", i);
        for (int f = 0; f < N_FILES; f++)
            CHECK(hub_cache_has_file(&cache, commit, &listing.files[f]));
    }
    hub_listing_release(&listing);
    hub_cache_release(&cache);
}

static void many_processes_link_the_same_files(void)
{
    check_many_processes("many", false, 10);
}

static void many_processes_move_the_same_files(void)
{
    check_many_processes("many_moved", true, 1);
}

static void revisions_lead_to_commits(void)
{
    struct hub_cache cache = open_cache("refs", false);
    char commit[HUB_COMMIT_SIZE];
    struct error err = {0};

    CHECK(!hub_cache_find_ref(&cache, "main", commit));
    CHECK(hub_cache_write_ref(&cache, "main", COMMIT, &err) == 0);
    CHECK(hub_cache_write_ref(&cache, "refs/pr/1", COMMIT, &err) == 0);
    CHECK(hub_cache_write_ref(&cache, COMMIT, COMMIT, &err) == 0);
    CHECK(scratch_holds("refs/models--org--model/refs/main", COMMIT));
    CHECK(scratch_holds("refs/models--org--model/refs/refs/pr/1", COMMIT));
    CHECK(!scratch_exists("refs/models--org--model/refs/" COMMIT));
    CHECK(hub_cache_find_ref(&cache, "main", commit) && strcmp(commit, COMMIT) == 0);
    scratch_text("refs/models--org--model/refs/main", COMMIT "\n");
    CHECK(hub_cache_find_ref(&cache, "main", commit));
    scratch_text("refs/models--org--model/refs/main", "../../../../etc");
    CHECK(!hub_cache_find_ref(&cache, "main", commit));
    hub_cache_release(&cache);
}

static void hashes_of_what_is_there(void)
{
    struct hub_cache cache = open_cache("links", false);
    struct hub_file by_name = {.path = (char *)"model.bin", .size_bytes = 3};
    struct hub_file by_content = {.path = (char *)"config.json", .size_bytes = 3};
    struct error err = {0};

    CHECK(hub_cache_hash(&cache, COMMIT, &by_name, &err) == 0);
    CHECK(strcmp(by_name.sha256, ABC_SHA256) == 0);
    CHECK(hub_cache_hash(&cache, COMMIT, &by_content, &err) == 0);
    CHECK(strcmp(by_content.sha256, ABC_SHA256) == 0);
    hub_cache_release(&cache);
}

static void a_lock_is_held_once(void)
{
    struct hub_cache cache = open_cache("locks", false);
    struct hub_file file = {.blob = ABC_GIT};
    struct error err = {0};
    int first, second;

    CHECK(hub_cache_prepare(&cache, &err) == 0);
    first = hub_cache_lock(&cache, &file, &err);
    second = hub_cache_lock(&cache, &file, &err);
    CHECK(first >= 0 && second == -1 && err.code == ERROR_NONE);
    CHECK(scratch_exists("locks/.locks/models--org--model/" ABC_GIT ".lock"));
    close(first);
    second = hub_cache_lock(&cache, &file, &err);
    CHECK(second >= 0);
    close(second);
    hub_cache_release(&cache);
}

TESTS(TEST(a_snapshot_is_made_of_links), TEST(a_wrong_link_is_replaced),
      TEST(without_links_the_files_are_moved), TEST(many_processes_link_the_same_files),
      TEST(many_processes_move_the_same_files), TEST(revisions_lead_to_commits),
      TEST(hashes_of_what_is_there), TEST(a_lock_is_held_once))
