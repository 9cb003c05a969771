#include "crypt/vault.h"

#include "crypt/shelf.h"
#include "tap.h"
#include <dirent.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define OLD "old secret with 'quotes' & more"
#define NEW "new secret, quite another"

/* One start of a process. Never NULL: a test that expects NULL calls vault_open itself. */
static struct vault *start(struct machine *m, struct shelf *store)
{
    struct error e = ERROR_NONE;
    struct vault_shelf face = shelf_face(store);
    struct vault *vault = vault_open(&m->config, &face, NULL, &e);
    if (!vault) {
        tap_ok(false, __FILE__, __LINE__, "the vault opens: %s", e.text);
        abort();
    }
    return vault;
}

static void key_id_of(struct machine *m, struct shelf *store, char out[VAULT_ID_SIZE])
{
    struct vault *vault = start(m, store);
    snprintf(out, VAULT_ID_SIZE, "%s", vault_key_id(vault));
    vault_free(vault);
}

static void seal(struct vault *vault, const char *text, struct buf *out)
{
    buf_init(out, 1000);
    ok(vault_seal(vault, "body", "shop:1001", text, strlen(text), out), "'%s' is sealed", text);
}

/* Opens it and says what came out, or why nothing did. */
static const char *opened(struct vault *vault, const struct buf *sealed, struct buf *out, struct error *e)
{
    static const char *const words[] = {"ok", "unknown key", "damaged", "failed"};
    buf_init(out, 1000);
    enum vault_result result =
        vault_open_sealed(vault, "body", "shop:1001", sealed->data, sealed->len, out, e);
    return result == VAULT_OK ? out->data : words[result];
}

static void is_opened(struct vault *vault, const struct buf *sealed, const char *want, const char *what)
{
    struct buf out;
    struct error e = ERROR_NONE;
    is_str(opened(vault, sealed, &out, &e), want, "%s %s", what, e.text);
    buf_free(&out);
}

static void is_opened_by(struct machine *m, struct shelf *store, const struct buf *sealed, const char *want,
                         const char *what)
{
    struct vault *vault = start(m, store);
    is_opened(vault, sealed, want, what);
    vault_free(vault);
}

/* -- the ordinary life -- */

static void one_key_for_all(void)
{
    struct machine one, two;
    struct shelf store = {.puts_left = -1};
    struct buf sealed;
    unsigned char a[DIGEST_LEN], b[DIGEST_LEN], other[DIGEST_LEN];

    machine_init(&one, OLD);
    machine_init(&two, OLD);
    struct vault *first = start(&one, &store);
    is_int(vault_state(first), VAULT_SETTLED, "an empty store: a key is made and the vault is settled");
    is_str(vault_trouble(first), "", "without trouble");
    is_int(store.count, 2, "the store has the primary and one wrapped copy");
    struct vault *second = start(&two, &store);
    is_str(vault_key_id(second), vault_key_id(first), "another machine has the same key");
    ok(vault_hash_key(first, "client", a) && vault_hash_key(second, "client", b) && !memcmp(a, b, sizeof a),
       "hashes agree");
    ok(vault_hash_key(first, "fingerprint", other) && memcmp(a, other, sizeof a) != 0,
       "and differ by purpose");
    seal(first, "jane.doe@example.com", &sealed);
    is_int(sealed.len, 20 + VAULT_OVERHEAD, "with the overhead that is documented");
    ok(!memmem(sealed.data, sealed.len, "jane", 4), "nobody can read it");
    is_opened(second, &sealed, "jane.doe@example.com", "but the other machine");
    buf_free(&sealed);
    vault_free(first);

    long puts = store.puts;
    vault_free(start(&one, &store));
    is_int(store.puts, puts, "a later start puts nothing");
    vault_free(second);
    machine_free(&one);
    machine_free(&two);
}

static void blobs_are_bound_and_whole(void)
{
    struct machine m;
    struct shelf store = {.puts_left = -1};
    struct buf sealed, out;
    struct error e = ERROR_NONE;

    machine_init(&m, OLD);
    struct vault *vault = start(&m, &store);
    seal(vault, "text", &sealed);
    buf_init(&out, 1000);
    is_int(vault_open_sealed(vault, "body", "shop:1002", sealed.data, sealed.len, &out, &e), VAULT_DAMAGED,
           "it does not open as another order's");
    ok(strstr(e.text, "body of shop:1002"), "the error says for what: %s", e.text);
    is_int(vault_open_sealed(vault, "bodyshop", ":1001", sealed.data, sealed.len, &out, &e), VAULT_DAMAGED,
           "purpose and about do not flow into each other");
    is_int(vault_open_sealed(vault, "note", "shop:1001", sealed.data, sealed.len, &out, &e), VAULT_DAMAGED,
           "nor for another purpose");
    int damaged = 0, unknown = 0, other = 0;
    for (size_t i = 0; i < sealed.len; i++) {
        sealed.data[i] = (char)(sealed.data[i] ^ 0x10);
        enum vault_result result =
            vault_open_sealed(vault, "body", "shop:1001", sealed.data, sealed.len, &out, &e);
        damaged += result == VAULT_DAMAGED;
        unknown += result == VAULT_UNKNOWN_KEY;
        other += result == VAULT_OK || result == VAULT_FAILED;
        sealed.data[i] = (char)(sealed.data[i] ^ 0x10);
    }
    is_int(damaged, sealed.len - 8, "every changed byte is damage");
    is_int(unknown, 8, "but those of the key's id: another key");
    is_int(other, 0, "and nothing else");
    int good = 0;
    for (size_t n = 0; n < sealed.len; n++)
        good += vault_open_sealed(vault, "body", "shop:1001", sealed.data, n, &out, &e) == VAULT_OK;
    is_int(good, 0, "no part of it opens");
    is_int(out.len, 0, "and nothing was ever appended");
    struct buf small;
    buf_init(&small, 20);
    ok(!vault_seal(vault, "body", "shop:1001", "text", 4, &small), "what does not fit is not sealed");
    is_int(small.len, 0, "nor half of it kept");
    buf_free(&small);
    buf_free(&out);
    buf_free(&sealed);
    vault_free(vault);
    machine_free(&m);
}

static int modes(const char *dir, mode_t want)
{
    DIR *list = opendir(dir);
    const struct dirent *entry;
    struct stat st;
    int files = 0;

    while ((entry = readdir(list)))
        if (entry->d_name[0] != '.' && fstatat(dirfd(list), entry->d_name, &st, 0) == 0 &&
            (st.st_mode & 07777) == want)
            files++;
    closedir(list);
    return files;
}

static void files_are_private(void)
{
    struct machine m;
    struct shelf store = {.puts_left = -1};
    struct stat st;
    char path[128];

    machine_init(&m, OLD);
    mode_t mask = umask(0);
    vault_free(start(&m, &store));
    umask(mask);
    snprintf(path, sizeof path, "%s/vault", m.data_dir);
    ok(stat(m.data_dir, &st) == 0 && (st.st_mode & 07777) == 0700, "DATA_DIR is 0700");
    ok(stat(path, &st) == 0 && (st.st_mode & 07777) == 0700, "so is its vault");
    is_int(modes(path, 0600), 3, "its three files are 0600");
    machine_free(&m);
}

/* -- secrets change -- */

static void rotation_loses_nothing(void)
{
    struct machine m, fresh;
    struct shelf store = {.puts_left = -1};
    struct buf sealed;
    char id[VAULT_ID_SIZE], now[VAULT_ID_SIZE];

    machine_init(&m, OLD);
    struct vault *vault = start(&m, &store);
    seal(vault, "kept", &sealed);
    snprintf(id, sizeof id, "%s", vault_key_id(vault));
    vault_free(vault);

    snprintf(m.previous, sizeof m.previous, OLD);
    snprintf(m.secret, sizeof m.secret, NEW);
    key_id_of(&m, &store, now);
    is_str(now, id, "with the new and the previous secret the key is the same");
    is_int(store.count, 3, "and wrapped under the new one too");
    machine_init(&fresh, NEW);
    is_opened_by(&fresh, &store, &sealed, "kept", "the new secret alone opens it, on another machine");

    snprintf(fresh.data_key, sizeof fresh.data_key, "the first data key");
    key_id_of(&fresh, &store, now);
    is_str(now, id, "a DATA_KEY that is set later wraps the same key");
    is_int(store.count, 4, "in a copy of its own");
    snprintf(fresh.data_key_previous, sizeof fresh.data_key_previous, "the first data key");
    snprintf(fresh.data_key, sizeof fresh.data_key, "the second data key");
    snprintf(fresh.secret, sizeof fresh.secret, "a third secret, never used for wrapping");
    key_id_of(&fresh, &store, now);
    is_str(now, id, "DATA_KEY is changed with the help of DATA_KEY_PREVIOUS");
    fresh.data_key_previous[0] = '\0';
    is_opened_by(&fresh, &store, &sealed, "kept", "and then the new DATA_KEY alone opens");
    is_int(store.count, 5, "no copy under a secret while there is a DATA_KEY");
    buf_free(&sealed);
    machine_free(&m);
    machine_free(&fresh);
}

static void encoded_secret_is_the_same(void)
{
    struct machine m, other;
    struct shelf store = {.puts_left = -1};
    char one[VAULT_ID_SIZE], two[VAULT_ID_SIZE];

    machine_init(&m, "a&amp;b &lt;secret&gt;");
    machine_init(&other, "a&b <secret>");
    key_id_of(&m, &store, one);
    key_id_of(&other, &store, two);
    is_str(two, one, "a secret opens in its entity-encoded and its plain form");
    is_int(store.count, 2, "by the same copy");
    machine_free(&m);
    machine_free(&other);
}

static void a_wrong_secret_locks_and_harms_nothing(void)
{
    struct machine m, wrong;
    struct shelf store = {.puts_left = -1};
    struct buf sealed, meanwhile;
    struct error e = ERROR_NONE;
    struct buf out;

    machine_init(&m, OLD);
    struct vault *vault = start(&m, &store);
    seal(vault, "kept", &sealed);
    vault_free(vault);
    struct shelf before = store;

    machine_init(&wrong, NEW);
    vault = start(&wrong, &store);
    is_int(vault_state(vault), VAULT_LOCKED, "with another secret the vault is locked");
    ok(strstr(vault_trouble(vault), "WOO_WEBHOOK_SECRET_PREVIOUS"), "it names what it needs: %s",
       vault_trouble(vault));
    ok(!strstr(vault_trouble(vault), OLD) && !strstr(vault_trouble(vault), NEW), "and no secret");
    ok(!memcmp(&before.item, &store.item, sizeof store.item), "the store is as it was");
    is_str(opened(vault, &sealed, &out, &e), "unknown key", "what is in the store does not open");
    ok(strstr(e.text, "WOO_WEBHOOK_SECRET_PREVIOUS"), "and the error names what it needs: %s", e.text);
    buf_free(&out);
    seal(vault, "an order that comes meanwhile", &meanwhile);
    ok(!vault_settle(vault), "asking again does not help");
    vault_free(vault);
    is_opened_by(&wrong, &store, &meanwhile, "an order that comes meanwhile", "another start opens that one");

    snprintf(wrong.previous, sizeof wrong.previous, OLD);
    vault = start(&wrong, &store);
    is_int(vault_state(vault), VAULT_SETTLED, "with the previous secret too it is settled");
    is_opened(vault, &sealed, "kept", "what was in the store opens");
    is_opened(vault, &meanwhile, "an order that comes meanwhile", "and what came meanwhile");
    vault_free(vault);
    is_opened_by(&m, &store, &meanwhile, "an order that comes meanwhile",
                 "which the first machine opens too: its key is in the store");
    buf_free(&sealed);
    buf_free(&meanwhile);
    machine_free(&m);
    machine_free(&wrong);
}

static void a_damaged_copy_is_replaced(void)
{
    struct machine m, fresh;
    struct shelf store = {.puts_left = -1};
    char id[VAULT_ID_SIZE], now[VAULT_ID_SIZE];

    machine_init(&m, OLD);
    key_id_of(&m, &store, id);
    char *copy = store.item[0].value;
    is_int(strlen(copy), 80, "given a copy in the store");
    copy[40] = copy[40] == 'A' ? 'B' : 'A';
    key_id_of(&m, &store, now);
    is_str(now, id, "that is damaged: the machine that has it cached opens it");
    machine_init(&fresh, OLD);
    key_id_of(&fresh, &store, now);
    is_str(now, id, "and has repaired it for the others");

    snprintf(shelf_value(&store, "vault/primary"), 20, "rubbish/../rubbish");
    struct vault *vault = start(&m, &store);
    is_int(vault_state(vault), VAULT_LOCKED, "a primary that names no key locks");
    ok(strstr(vault_trouble(vault), "backup"), "and says what to do: %s", vault_trouble(vault));
    vault_free(vault);
    machine_free(&m);
    machine_free(&fresh);
}

/* -- two at once, and the store away -- */

static void be_first(struct shelf *store)
{
    key_id_of(store->context, store, (char[VAULT_ID_SIZE]){0});
}

static void two_creators_agree(void)
{
    struct machine one, two;
    struct shelf store = {.puts_left = -1, .watch = "vault/primary", .on_put = be_first, .context = &two};
    char first[VAULT_ID_SIZE], second[VAULT_ID_SIZE];

    machine_init(&one, OLD);
    machine_init(&two, OLD);
    key_id_of(&one, &store, first);
    is_int(store.count, 3, "given another creator just before this one's primary");
    key_id_of(&two, &store, second);
    is_str(first, second, "both have one key");
    ok(!strncmp(shelf_value(&store, "vault/primary"), second, VAULT_ID_SIZE - 1), "the one that came first");
    machine_free(&one);
    machine_free(&two);
}

static void a_crash_between_copy_and_primary(void)
{
    struct machine one, two;
    struct shelf store = {.puts_left = 1};
    char id[VAULT_ID_SIZE], now[VAULT_ID_SIZE];

    machine_init(&one, OLD);
    machine_init(&two, OLD);
    struct vault *vault = start(&one, &store);
    is_int(store.count, 1, "given a store that went away after the copy, before the primary");
    is_int(vault_state(vault), VAULT_AWAY, "the vault is not settled");
    store.away = false;
    store.puts_left = -1;
    key_id_of(&two, &store, id);
    ok(vault_settle(vault), "when the store is back it is");
    is_str(vault_key_id(vault), id, "with the key that another machine has made since");
    vault_free(vault);
    key_id_of(&one, &store, now);
    is_str(now, id, "and so is the next start");
    machine_free(&one);
    machine_free(&two);
}

static void away_with_a_cache(void)
{
    struct machine m;
    struct shelf store = {.puts_left = -1};
    char id[VAULT_ID_SIZE];
    unsigned char before[DIGEST_LEN], away[DIGEST_LEN];
    struct buf sealed;

    machine_init(&m, OLD);
    struct vault *vault = start(&m, &store);
    snprintf(id, sizeof id, "%s", vault_key_id(vault));
    ok(vault_hash_key(vault, "fingerprint", before), "given a hash key");
    vault_free(vault);
    store.away = true;
    vault = start(&m, &store);
    is_int(vault_state(vault), VAULT_AWAY, "a store that does not answer: away");
    ok(strstr(vault_trouble(vault), "does not answer"), "and it says so: %s", vault_trouble(vault));
    is_str(vault_key_id(vault), id, "the key is the cached one");
    ok(vault_hash_key(vault, "fingerprint", away) && !memcmp(before, away, sizeof away), "so are hashes");
    seal(vault, "spooled", &sealed);
    ok(!vault_settle(vault), "it stays away as long as the store does");
    vault_free(vault);

    struct shelf empty = {.puts_left = -1};
    vault = start(&m, &empty);
    is_int(vault_state(vault), VAULT_SETTLED, "a store that came back empty");
    is_str(vault_key_id(vault), id, "gets the key that this machine used");
    is_opened(vault, &sealed, "spooled", "so that what is sealed opens");
    vault_free(vault);
    buf_free(&sealed);
    machine_free(&m);
}

static void away_without_a_cache(void)
{
    struct machine one, two, three;
    struct shelf store = {.puts_left = -1}, gone = {.away = true};
    struct buf sealed;
    char id[VAULT_ID_SIZE], own[VAULT_ID_SIZE], again[VAULT_ID_SIZE];

    machine_init(&one, OLD);
    machine_init(&two, OLD);
    machine_init(&three, OLD);
    key_id_of(&one, &store, id);
    store.away = true;
    struct vault *vault = start(&two, &store);
    snprintf(own, sizeof own, "%s", vault_key_id(vault));
    ok(strcmp(own, id) != 0, "a machine that never saw the store makes a key of its own");
    seal(vault, "spooled", &sealed);
    key_id_of(&two, &store, again);
    is_str(again, own, "which its other processes take");
    store.away = false;
    ok(vault_settle(vault), "when the store is back it settles");
    is_str(vault_key_id(vault), id, "on the store's key");
    is_opened(vault, &sealed, "spooled", "what it sealed opens");
    vault_free(vault);
    is_opened_by(&three, &store, &sealed, "spooled", "on every machine");
    key_id_of(&two, &gone, again);
    is_str(again, id, "and the store's key is the cached one now");
    buf_free(&sealed);

    /* the same, but the process that made the key is gone before the store is back */
    struct machine four;
    machine_init(&four, OLD);
    vault = start(&four, &gone);
    seal(vault, "spooled too", &sealed);
    vault_free(vault);
    key_id_of(&four, &store, again);
    is_str(again, id, "another process settles later");
    is_opened_by(&three, &store, &sealed, "spooled too", "and has shared the key of the first");
    buf_free(&sealed);
    machine_free(&one);
    machine_free(&two);
    machine_free(&three);
    machine_free(&four);
}

static void without_any_place(void)
{
    struct machine m;
    struct shelf store = {.puts_left = -1}, gone = {.away = true};
    struct vault_shelf face = shelf_face(&gone);
    struct error e = ERROR_NONE;

    machine_init(&m, OLD);
    snprintf(m.data_dir, sizeof m.data_dir, "%s/no/where", m.dir);
    struct vault *vault = start(&m, &store);
    is_int(vault_state(vault), VAULT_SETTLED, "without a DATA_DIR the store is enough");
    ok(strstr(vault_trouble(vault), "parent"), "but it is said: %s", vault_trouble(vault));
    vault_free(vault);
    ok(!vault_open(&m.config, &face, NULL, &e), "without both it does not open");
    ok(strstr(e.text, m.data_dir) && strstr(e.text, "store"), "and the error names both: %s", e.text);
    m.secret[0] = '\0';
    face = shelf_face(&store);
    ok(!vault_open(&m.config, &face, NULL, &e) && strstr(e.text, "WOO_WEBHOOK_SECRET"),
       "nor without any secret: %s", e.text);
    machine_free(&m);
}

static void namespaces_are_apart(void)
{
    struct machine m;
    struct shelf store = {.puts_left = -1}, dry = {.puts_left = -1}, gone = {.away = true};
    char live_id[VAULT_ID_SIZE], dry_id[VAULT_ID_SIZE], away[VAULT_ID_SIZE];

    machine_init(&m, OLD);
    key_id_of(&m, &store, live_id);
    m.config.dry_run = true;
    key_id_of(&m, &dry, dry_id);
    ok(strcmp(live_id, dry_id) != 0, "a dry run has a key of its own");
    key_id_of(&m, &gone, away);
    is_str(away, dry_id, "in DATA_DIR too");
    m.config.dry_run = false;
    key_id_of(&m, &gone, away);
    is_str(away, live_id, "beside the other's");
    machine_free(&m);
}

/* Many processes of one machine start at once while the store is away and nothing is cached. */
static void many_first_processes_agree(void)
{
    enum { PROCESSES = 12 };
    struct machine m;
    struct shelf gone = {.away = true};
    char want[VAULT_ID_SIZE], got[VAULT_ID_SIZE];
    int ids[2], gate[2], wrong = 0, answers = 0;

    machine_init(&m, OLD);
    if (pipe(ids) != 0 || pipe(gate) != 0)
        abort();
    fflush(stdout);
    for (int i = 0; i < PROCESSES; i++) {
        pid_t child = fork();
        if (child == 0) {
            char go;
            close(gate[1]);
            if (read(gate[0], &go, 1) != 0) /* ends when the parent closes its end */
                _exit(1);
            key_id_of(&m, &gone, got);
            ssize_t n = write(ids[1], got, sizeof got);
            _exit(n == sizeof got ? 0 : 1);
        }
    }
    close(gate[1]);
    close(gate[0]);
    close(ids[1]);
    while (read(ids[0], got, sizeof got) == (ssize_t)sizeof got) {
        if (answers++ == 0)
            memcpy(want, got, sizeof want);
        wrong += strcmp(got, want) != 0;
    }
    close(ids[0]);
    while (wait(NULL) > 0)
        ;
    is_int(answers, PROCESSES, "all processes have a key");
    is_int(wrong, 0, "and it is the same");
    machine_free(&m);
}

int main(void)
{
    one_key_for_all();
    blobs_are_bound_and_whole();
    files_are_private();
    rotation_loses_nothing();
    encoded_secret_is_the_same();
    a_wrong_secret_locks_and_harms_nothing();
    a_damaged_copy_is_replaced();
    two_creators_agree();
    a_crash_between_copy_and_primary();
    away_with_a_cache();
    away_without_a_cache();
    without_any_place();
    namespaces_are_apart();
    many_first_processes_agree();
    return tap_done();
}
