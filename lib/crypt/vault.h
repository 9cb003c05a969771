/*
 * vault: encryption at rest, and the one data key behind it.
 *
 * Bodies and whatever identifies a person are AES-256-GCM sealed under a random 256-bit DATA KEY before they
 * reach a disk or the store. The data key itself is kept only WRAPPED: in the store, so that all processes on
 * it share it, and in DATA_DIR/vault, so that the spool can be sealed while the store is away. It never
 * removes or overwrites a wrapped copy, and it never makes a new key where there is one that it cannot open.
 *
 * WRAPPING. A copy is the data key sealed under HKDF-SHA256(secret, salt = the data key's id). With DATA_KEY
 * set the copies that are made are under DATA_KEY, otherwise under each configured webhook secret; a copy
 * under any of DATA_KEY, DATA_KEY_PREVIOUS and the secrets opens. A secret is entity-decoded first, as
 * WordPress signs with it. HKDF and not a slow derivation: a plain CGI program would pay for it at every
 * request, and a secret that can be guessed can be guessed faster from any one signed delivery.
 *
 * NAMES, the same in the store (within its namespace) and as files:
 *   vault/primary           the id of the data key in use (and, for people, what it was first wrapped under)
 *   vault/ID/COPY           one wrapped copy; COPY is a short hash of the wrapping key
 *   vault/settled           a file only: the id of the key that was last known to be the store's
 * ID is a short hash of the data key. A copy is only ever put if it is absent, each under its own name, so
 * two processes that wrap at once cannot lose one. A new key's copies are put first, then vault/primary if it
 * is absent: that one step decides between two creators (the other takes the winner's key), and a crash
 * before it leaves unused copies, never a primary without one. The name of a file has a tag of the namespace
 * in its primary; DATA_DIR may serve several.
 *
 * AWAY. When the store does not answer at start, the key is that of DATA_DIR/vault; where there is none, one
 * is made and put there by the same rule. Each sealed blob names its key's id and the vault holds several
 * keys, so nothing sealed so is lost: vault_settle, when the store answers again, makes such a key the
 * store's if it has none, and otherwise adds its copies to the store, as a key that opens but seals no more.
 *
 * EMPTY. A store may lose the key while processes run on: it came back empty, or as another one. The store
 * takes nothing that is sealed under a key which is not its own (store.h, SEALING), and the vault is doubted
 * then: settling gives the store the key in use, or, where another process was quicker, takes that one's.
 */
#ifndef WOO_GHL_VAULT_H
#define WOO_GHL_VAULT_H

#include "base/buf.h"
#include "base/digest.h"
#include "config/config.h"
#include "store/store.h"

#define VAULT_KEY_LEN 32
#define VAULT_ID_SIZE 17  /* a data key's id: 16 hex digits and a NUL */
#define VAULT_OVERHEAD 37 /* bytes that sealing adds: version 1, key id 8, nonce 12, tag 16 */
#define VAULT_NAMESPACE_SIZE 13

struct vault;

/* Where the wrapped keys are shared: the store's put and get, as in store_backend.h. */
struct vault_shelf {
    void *context;
    enum store_result (*get)(void *context, const char *name, char **out);
    enum store_result (*put)(void *context, const char *name, const char *value, int64_t ttl_ms,
                             bool if_absent, char **out);
    /* Told before a data key is settled on, though this process or machine had settled on another one, or on
     * any with a store that has none now: the store lost what it knew. key_id: what is settled on. OK,
     * UNAVAILABLE; NULL = nobody wants to know. */
    enum store_result (*forgot)(void *context, const char *key_id);
};

enum vault_state {
    VAULT_SETTLED, /* the key in use is the store's: hashes agree with those of all other processes */
    VAULT_AWAY,   /* the store did not answer, or has another key by now: only the spool may be sealed, hashes
                     may be nobody else's */
    VAULT_LOCKED, /* the store's key opens with no configured secret: as AWAY, until vault_trouble is heeded
                   */
};

/* -- life cycle -- */

/* Opens the vault: fetches or makes the data key and adds missing copies, see above. NULL with the error set
 * only when not even the spool could be sealed. A store that is away or locked is no error: vault_state tells
 * it. config, shelf->context and log must outlive it. */
struct vault *vault_open(const struct config *config, const struct vault_shelf *shelf, struct log *log,
                         struct error *e) MUST_CHECK;
void vault_free(struct vault *vault); /* wipes the keys; NULL is fine */

enum vault_state vault_state(const struct vault *vault);
/* Why it is not settled, or what could not be cached, for people: names the setting that would help. "" =
 * nothing. */
const char *vault_trouble(const struct vault *vault);

/* Asks the store again; costs it a few round trips. To be called when the vault is not settled and the store
 * answers again. True when it is settled now. The key in use may have changed: hash keys are to be asked for
 * again. */
bool vault_settle(struct vault *vault);
/* The store does not know the key in use: not settled any more. */
void vault_doubt(struct vault *vault);

/* To be called before something is sealed for a file of this machine: where the key in use could not be kept
 * in DATA_DIR/vault, tries again. Without it such a file would open only as long as the store has the key;
 * the log says so then. Free once it is kept. */
void vault_keep(struct vault *vault);

/* -- sealing -- */

enum vault_result {
    VAULT_OK,
    VAULT_UNKNOWN_KEY, /* sealed under a key that is not to be had now; the error names what it needs */
    VAULT_DAMAGED,     /* not sealed by this program, cut, changed, or sealed for another purpose */
    VAULT_FAILED,      /* out of memory or over out's maximum; nothing is known about the blob */
};

/* Appends the sealed form of the bytes to out. purpose ("body") and about ("shop:1001") are bound to it: it
 * opens only with the same. False when out of memory, randomness or out's maximum. */
bool vault_seal(const struct vault *vault, const char *purpose, const char *about, const void *bytes,
                size_t len, struct buf *out) MUST_CHECK;

/* Appends the opened bytes to out; on anything but OK out is as before. A key that is not at hand is looked
 * for in DATA_DIR and the store. */
enum vault_result vault_open_sealed(struct vault *vault, const char *purpose, const char *about,
                                    const void *sealed, size_t len, struct buf *out,
                                    struct error *e) MUST_CHECK;

/* -- hashing -- */

/* The key for keyed hashes of one purpose ("fingerprint", "client"), derived from the data key in use: the
 * same in all processes on one store once settled. False when libcrypto fails. */
bool vault_hash_key(const struct vault *vault, const char *label, unsigned char out[DIGEST_LEN]) MUST_CHECK;

/* The id of the key in use. */
const char *vault_key_id(const struct vault *vault);

/* A tag of the store's namespace, for the names of files in a DATA_DIR that may serve several. */
const char *vault_namespace(const struct vault *vault);

#endif
