/* store: the embedded store's log (store.db-wal) is deleted, or store.db changes under it. */
#include "store/store_rig.h"
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void path_of(const struct rig *rig, const char *name, char path[2 * RIG_PATH_SIZE])
{
    snprintf(path, 2 * RIG_PATH_SIZE, "%s/data/%s", rig->dir, name);
}

static bool begin(struct rig *rig)
{
    static const char *const settings[] = {"WOO_GHL_ENV=/dev/null", NULL};

    *rig = (struct rig){.redis = false};
    rig_make_dir(rig->dir);
    return rig_config(rig, settings);
}

static void end(struct rig *rig)
{
    rig_close(rig);
    rig_remove_dir(rig->dir);
}

static bool join(struct rig *other, const struct rig *rig)
{
    static const char *const settings[] = {"WOO_GHL_ENV=/dev/null", NULL};
    return rig_join(other, rig, settings);
}

static bool there(const struct rig *rig, const char *name)
{
    char path[2 * RIG_PATH_SIZE];
    struct stat st;

    path_of(rig, name, path);
    return stat(path, &st) == 0;
}

static void removed(const struct rig *rig, const char *name)
{
    char path[2 * RIG_PATH_SIZE];

    path_of(rig, name, path);
    ok(unlink(path) == 0, "%s is deleted", name);
}

/* In another process, which is killed. */
static void done_by_one_that_is_killed(struct rig *rig, const char *key)
{
    static const char *const settings[] = {"WOO_GHL_ENV=/dev/null", NULL};
    struct store_link link = {.contact_id = "contact", .opportunity_id = "card"};
    struct store_entry next = {0};
    char token[STORE_TOKEN_SIZE];
    bool has_next;

    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        struct store_claim claim = rig_state(key, "aa", rig_now_s() - 1000);
        bool good = rig_config(rig, settings) && rig_open(rig) &&
                    rig_claim(rig, &claim, token) == CLAIM_NEW &&
                    store_finish(rig->store, key, token, "aa", &link, 0, &next, &has_next) == STORE_OK;
        if (good)
            kill(getpid(), SIGKILL);
        _exit(1);
    }
    is_int(rig_wait(pid), -1, "%s is done by a process that is killed", key);
}

static void is_whole(const struct rig *rig)
{
    char path[2 * RIG_PATH_SIZE], answer[64] = "";
    sqlite3 *db = NULL;
    sqlite3_stmt *row = NULL;

    path_of(rig, "store.db", path);
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &row, NULL) == SQLITE_OK &&
        sqlite3_step(row) == SQLITE_ROW)
        snprintf(answer, sizeof answer, "%s", (const char *)sqlite3_column_text(row, 0));
    sqlite3_finalize(row);
    sqlite3_close(db);
    is_str(answer, "ok", "the file is whole");
}

/* -- cases -- */

static void it_stays(void)
{
    struct rig rig;
    char token[STORE_TOKEN_SIZE];
    struct error why = ERROR_NONE;

    if (begin(&rig) && rig_open(&rig)) {
        ok(!store_lost(rig.store, &why) && !why.text[0], "a new store lost nothing");
        rig_new(&rig, "shop:1", "aa", token);
        store_close(rig.store);
        rig.store = NULL;
        ok(there(&rig, "store.db-wal"), "the log stays when the last one leaves");
    }
    end(&rig);
}

/* store.db alone is older: a card that was made since must not be made again. */
static void deleted_after_a_kill(void)
{
    static const char *const settings[] = {"WOO_GHL_ENV=/dev/null", NULL};
    struct rig rig;
    struct store_claim_reply reply;
    struct store_entry entry = {0};
    struct error why = ERROR_NONE;

    if (begin(&rig) && rig_open(&rig)) {
        rig_close(&rig); /* the schema is in the file */
        ok(rig_sql(&rig, "UPDATE spaces SET born_ms = born_ms - 172800000"), "two days ago");
        done_by_one_that_is_killed(&rig, "shop:1");
        removed(&rig, "store.db-wal");
        removed(&rig, "store.db-shm");
        ok(rig_config(&rig, settings) && rig_open(&rig), "the next one starts");
        is_about(rig_stats(&rig).born_age_s * 1000, 0, "it is born anew");
        is_about(rig_stats(&rig).used_age_s * 1000, 2 * DAY_MS, "and used since it was first");
        ok(store_lost(rig.store, &why), "it sees that something is missing");
        ok(strstr(why.text, "store.db-wal is missing"), "and says so: %s", why.text);
        why.text[0] = '\0';
        ok(!store_lost(rig.store, &why) && !why.text[0], "once");
        struct store_claim claim = rig_state("shop:1", "aa", rig_now_s() - 1000);
        claim.created_s = rig_now_s() - 5;
        is_claim(store_claim(rig.store, &claim, &reply, &entry), CLAIM_NEW,
                 "an order that was done is new to it");
        ok(entry.look_first, "but is looked for in GHL first");
        is_about(entry.forgot_age_ms, 0, "as of a store that forgot just now");
        store_entry_free(&entry);
        claim.key = "shop:2";
        claim.created_s = rig_now_s() + STORE_FORGOT_SLACK_S + 60;
        is_claim(store_claim(rig.store, &claim, &reply, &entry), CLAIM_NEW, "an order of later");
        ok(!entry.look_first && entry.forgot_age_ms == -1, "is not");
        store_entry_free(&entry);
        rig_close(&rig);
        ok(rig_config(&rig, settings) && rig_open(&rig), "one more start");
        ok(!store_lost(rig.store, &why), "misses nothing");
    }
    end(&rig);
}

static void kept_after_a_kill(void)
{
    static const char *const settings[] = {"WOO_GHL_ENV=/dev/null", NULL};
    struct rig rig;
    struct error why = ERROR_NONE;

    if (begin(&rig) && rig_open(&rig)) {
        rig_close(&rig);
        done_by_one_that_is_killed(&rig, "shop:1");
        ok(rig_config(&rig, settings) && rig_open(&rig), "the next one starts");
        ok(!store_lost(rig.store, &why), "nothing is missing");
        is_str(rig_look(&rig, "shop:1").link.opportunity_id, "card", "the card is known");
    }
    end(&rig);
}

static void deleted_while_in_use(void)
{
    struct rig one, two = {0}, three = {0};
    struct error why = ERROR_NONE;
    char token[STORE_TOKEN_SIZE];

    if (begin(&one) && rig_open(&one) && join(&two, &one)) {
        rig_new(&one, "shop:1", "aa", token);
        rig_new(&two, "shop:2", "aa", token);
        removed(&one, "store.db-wal");
        rig_new(&one, "shop:3", "aa", token);
        rig_new(&two, "shop:4", "aa", token);
        rig_new(&one, "shop:5", "aa", token);
        ok(there(&one, "store.db-wal"), "there is a new log");
        ok(!store_lost(one.store, &why), "nothing is lost");
        if (join(&three, &one))
            is_int(rig_stats(&three).waiting, 5, "all that was stored is there");
        is_whole(&one);
    }
    rig_close(&three);
    rig_close(&two);
    end(&one);
}

/* One that starts meanwhile must not begin a new log: the others' would be lost, and the file with it. */
static void deleted_while_another_process_uses_it(void)
{
    struct rig rig;
    struct error e = ERROR_NONE;
    struct store_stats stats;
    char token[STORE_TOKEN_SIZE], byte = 0;
    int go[2] = {-1, -1}, done[2] = {-1, -1};

    if (!begin(&rig) || !ok(pipe(go) == 0 && pipe(done) == 0, "pipes"))
        return;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        struct store_claim claim = rig_state("shop:1", "aa", rig_now_s() - 1000);
        close(go[1]);
        bool good = rig_open(&rig) && rig_claim(&rig, &claim, token) == CLAIM_NEW &&
                    write(done[1], "1", 1) == 1 && read(go[0], &byte, 1) == 1 &&
                    store_stats(rig.store, &stats) == STORE_OK && write(done[1], "2", 1) == 1 &&
                    read(go[0], &byte, 1) == 0;
        _exit(good ? 0 : 1);
    }
    close(go[0]);
    ok(read(done[0], &byte, 1) == 1 && byte == '1', "given an order of another process");
    removed(&rig, "store.db-wal");
    rig.store = store_open(&rig.config, NULL, &e);
    ok(!rig.store, "one that starts now does not open it");
    ok(strstr(e.text, "store.db-wal was deleted while other processes use it"), "and says why: %s", e.text);
    ok(!there(&rig, "store.db-wal"), "it made no new log");
    ok(write(go[1], "1", 1) == 1 && read(done[0], &byte, 1) == 1 && byte == '2', "the other one goes on");
    if (rig_open(&rig))
        is_int(rig_stats(&rig).waiting, 1, "then what it stored is there");
    close(go[1]);
    is_int(rig_wait(pid), 0, "all went well there");
    close(done[0]);
    close(done[1]);
    is_whole(&rig);
    end(&rig);
}

/* Whoever has the old file open leaves the new one's log alone. */
static void another_file_in_its_place(void)
{
    static const char *const names[] = {"store.db", "store.db-wal", "store.db-shm"};
    struct rig one, two = {0}, three = {0};
    struct error why = ERROR_NONE;
    char token[STORE_TOKEN_SIZE], from[2 * RIG_PATH_SIZE], to[2 * RIG_PATH_SIZE];

    if (begin(&one) && rig_open(&one)) {
        rig_new(&one, "shop:1", "aa", token);
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            path_of(&one, names[i], from);
            snprintf(to, sizeof to, "%s/%s", one.dir, names[i]);
            ok(rename(from, to) == 0, "%s is moved away", names[i]);
        }
        if (join(&two, &one)) {
            rig_new(&two, "shop:2", "aa", token);
            rig_new(&one, "shop:3", "aa", token);
            ok(store_lost(one.store, &why) && strstr(why.text, "store.db was deleted or replaced"),
               "the one with the old file notices, and leaves it: %s", why.text);
            ok(there(&two, "store.db-wal"), "the new log is still there");
        }
        if (join(&three, &two))
            is_int(rig_stats(&three).waiting, 2, "what was stored in the new file is there");
        is_whole(&one);
    }
    rig_close(&three);
    rig_close(&two);
    end(&one);
}

int main(void)
{
    it_stays();
    deleted_after_a_kill();
    kept_after_a_kill();
    deleted_while_in_use();
    deleted_while_another_process_uses_it();
    another_file_in_its_place();
    return tap_done();
}
