/*
 * What `make bench` compares with: the same web server and libraries, and the least that such a program has to do. It reads
 * the body, checks its HMAC, and then, as BENCH in its settings' file says:
 *
 *   hmac    answers           get     asks Redis for one key
 *   set     puts the body into Redis, and its time into an index, with a script
 *   row     puts the body into SQLite: one row, one synced commit
 *
 * It keeps no promise, parses nothing, and gives up at the first trouble.
 */
#include <fcgiapp.h>
#include <hiredis/hiredis.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECRET "my_super_secret_woo_key"
#define BODY_MAX 65536

static void need(int good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "skeleton: %s\n", what);
    exit(EXIT_FAILURE);
}

/* The value of NAME='value' in the settings' file; "" = none. */
static void setting(const char *name, char *out, size_t size)
{
    char line[4096];
    size_t n = strlen(name);
    FILE *file = fopen(getenv("WOO_GHL_ENV"), "r");

    need(file != NULL, "no settings");
    *out = '\0';
    while (fgets(line, sizeof line, file))
        if (!strncmp(line, name, n) && !strncmp(line + n, "='", 2))
            snprintf(out, size, "%.*s", (int)strcspn(line + n + 2, "'"), line + n + 2);
    fclose(file);
}

static int is_signed(const char *header, const char *body, size_t len)
{
    unsigned char digest[32], text[64];
    unsigned size = sizeof digest;

    HMAC(EVP_sha256(), SECRET, sizeof SECRET - 1, (const unsigned char *)body, len, digest, &size);
    EVP_EncodeBlock(text, digest, sizeof digest);
    return header && !strcmp(header, (char *)text);
}

static void ask_redis(redisContext *redis, const char *mode, const char *body, size_t len, int n)
{
    static const char script[] =
        "redis.call('SET', KEYS[1], ARGV[1]); redis.call('ZADD', KEYS[2], ARGV[2], KEYS[1]); return 'OK'";
    redisReply *reply = !strcmp(mode, "get") ? redisCommand(redis, "GET bench:%d", 1)
                                             : redisCommand(redis, "EVAL %s 2 bench:%d:%d bench:due %b %d",
                                                            script, getpid(), n, body, len, n);
    need(reply && reply->type != REDIS_REPLY_ERROR, "Redis fails");
    freeReplyObject(reply);
}

static sqlite3_stmt *open_rows(const char *dir)
{
    sqlite3 *db;
    sqlite3_stmt *insert;
    char path[4096];

    snprintf(path, sizeof path, "%s/rows.db", dir);
    need(sqlite3_open(path, &db) == SQLITE_OK && sqlite3_busy_timeout(db, 10000) == SQLITE_OK &&
             sqlite3_exec(db,
                          "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE IF NOT EXISTS "
                          "rows(body BLOB)",
                          NULL, NULL, NULL) == SQLITE_OK &&
             sqlite3_prepare_v2(db, "INSERT INTO rows VALUES(?)", -1, &insert, NULL) == SQLITE_OK,
         "SQLite cannot be opened");
    return insert;
}

int main(void)
{
    static char body[BODY_MAX];
    char mode[16], url[4096], dir[4000];
    redisContext *redis = NULL;
    sqlite3_stmt *insert = NULL;
    FCGX_Request fcgi;

    setting("BENCH", mode, sizeof mode);
    setting("REDIS_URL", url, sizeof url);
    setting("LOG", dir, sizeof dir);
    *strrchr(dir, '/') = '\0';
    if (!strcmp(mode, "get") || !strcmp(mode, "set")) {
        redis = redisConnectUnix(url + strlen("unix://"));
        need(redis && !redis->err, "no Redis");
    } else if (!strcmp(mode, "row")) {
        insert = open_rows(dir);
    }
    need(FCGX_Init() == 0 && FCGX_InitRequest(&fcgi, 0, 0) == 0, "no FastCGI");
    for (int n = 0; FCGX_Accept_r(&fcgi) == 0; n++) {
        int len = FCGX_GetStr(body, sizeof body, fcgi.in);
        const char *answer = "Status: 401 Unauthorized\r\nContent-Type: "
                             "application/json\r\n\r\n{\"error\":\"Invalid Signature\"}";
        if (!*FCGX_GetParam("REQUEST_METHOD", fcgi.envp) ||
            strcmp(FCGX_GetParam("REQUEST_METHOD", fcgi.envp), "POST") != 0) {
            answer = "Content-Type: application/json\r\n\r\n{\"status\":\"ok\"}";
        } else if (is_signed(FCGX_GetParam("HTTP_X_WC_WEBHOOK_SIGNATURE", fcgi.envp), body, (size_t)len)) {
            if (redis)
                ask_redis(redis, mode, body, (size_t)len, n);
            if (insert)
                need(sqlite3_bind_blob(insert, 1, body, len, SQLITE_STATIC) == SQLITE_OK &&
                         sqlite3_step(insert) == SQLITE_DONE && sqlite3_reset(insert) == SQLITE_OK,
                     "SQLite fails");
            answer =
                "Content-Type: application/json\r\n\r\n{\"status\":\"skipped\",\"reason\":\"duplicate\"}";
        }
        if (FCGX_PutS(answer, fcgi.out) < 0)
            return EXIT_FAILURE;
        FCGX_Finish_r(&fcgi);
    }
    return EXIT_SUCCESS;
}
