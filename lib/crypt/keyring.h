/*
 * keyring: the data keys that this process has, and their wrapped copies on a shelf. vault decides which key
 * is used; here it is only known how one is wrapped, unwrapped, named and put (see vault.h).
 */
#ifndef WOO_GHL_KEYRING_H
#define WOO_GHL_KEYRING_H

#include "crypt/seal.h"
#include "crypt/vault.h"

#define KEYRING_ID_LEN 8 /* bytes of an id in a sealed blob */
#define KEYRING_SECRETS_MAX 4
#define KEYRING_NAME_SIZE 64

struct data_key {
    struct data_key *next;
    char id[VAULT_ID_SIZE];
    unsigned char raw_id[KEYRING_ID_LEN];
    unsigned char key[SEAL_KEY_LEN];
    unsigned char seal_key[SEAL_KEY_LEN]; /* derived: what blobs are sealed with */
};

struct keyring {
    struct {
        const char *setting; /* its name, for people */
        char *text;          /* owned; entity-decoded where it signs webhooks */
        bool wraps;          /* copies are made under it; otherwise it only opens */
    } secret[KEYRING_SECRETS_MAX];
    size_t secret_count;
    struct data_key *keys; /* owned; never move, so that a key may be pointed to */
};

/* Takes the secrets. False when out of memory. */
bool keyring_init(struct keyring *ring, const struct config *config) MUST_CHECK;
void keyring_free(struct keyring *ring); /* wipes everything */

/* Is it an id (16 lower-case hex digits)? Ids come from stores and files and become names. */
bool keyring_is_id(const char *text);

/* NULL = not there. */
const struct data_key *keyring_find(const struct keyring *ring, const char *id);

/* A new random key. NULL when out of memory or randomness. */
const struct data_key *keyring_make(struct keyring *ring) MUST_CHECK;

/* The key of that id, from the ring or from a copy on the shelf. NONE: no copy there opens with a configured
 * secret. UNAVAILABLE: the shelf did not answer (or out of memory). */
enum store_result keyring_fetch(struct keyring *ring, const struct vault_shelf *shelf, const char *id,
                                const struct data_key **out) MUST_CHECK;

/* Puts the copies that the shelf lacks. *added (may be NULL) is the setting of one that was put, NULL = none.
 * OK or UNAVAILABLE. */
enum store_result keyring_share(const struct keyring *ring, const struct vault_shelf *shelf,
                                const struct data_key *key, const char **added) MUST_CHECK;

#endif
