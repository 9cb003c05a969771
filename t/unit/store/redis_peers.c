/* store/redis: peers that talk nonsense, and slow links. */
#include "base/clock.h"
#include "store/rig_redis.h"
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* -- peers that are no good server -- */

#define TIME "*2\r\n$10\r\n1700000000\r\n$1\r\n0\r\n"
#define INFO "$0\r\n\r\n$0\r\n\r\n"
#define GREETING "$-1\r\n" TIME INFO

struct peer {
    int listener;
    pid_t pid;
};

/* A unix socket in the rig's directory, to which rig->redis_url then leads. */
static bool listen_at(struct rig *rig, const char *file, struct peer *peer)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};

    snprintf(rig->redis_url, sizeof rig->redis_url, "unix://%s/%s", rig->dir, file);
    snprintf(name.sun_path, sizeof name.sun_path, "%.60s/%.20s", rig->dir, file);
    unlink(name.sun_path);
    peer->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return ok(peer->listener >= 0 && bind(peer->listener, (const struct sockaddr *)&name, sizeof name) == 0 &&
                  listen(peer->listener, 8) == 0,
              "a peer listens");
}

static void end_peer(struct peer *peer)
{
    kill(peer->pid, SIGKILL);
    (void)rig_wait(peer->pid);
    close(peer->listener);
}

static void say(int fd, const char *text, int step_ms)
{
    for (size_t n = strlen(text); n > 0;) {
        ssize_t done = write(fd, text, step_ms ? 1 : n);
        if (done <= 0)
            return;
        text += done;
        n -= (size_t)done;
        if (step_ms)
            (void)clock_sleep_ms(step_ms, NULL);
    }
}

/* Answers the first bytes that come with the greeting and the next with the answer, then hangs up, or, if
 * the answer is NULL, is silent. */
static void act(int listener, const char *greeting, const char *answer, int step_ms)
{
    char bytes[4096];
    int fd = accept(listener, NULL, NULL);

    if (fd >= 0 && read(fd, bytes, sizeof bytes) > 0)
        say(fd, greeting, 0);
    if (fd >= 0 && read(fd, bytes, sizeof bytes) > 0 && answer)
        say(fd, answer, step_ms);
    if (!answer)
        pause();
    _exit(0);
}

static void peers_that_talk_nonsense(struct rig *rig)
{
    static const struct {
        const char *what, *greeting, *answer;
        int step_ms;
        const char *trouble;
    } cases[] = {
        {"loads its data", "-LOADING Redis is loading the dataset in memory\r\n" TIME INFO, "", 0, "LOADING"},
        {"tells no time", "$-1\r\n*0\r\n" INFO, "", 0, "TIME tells no time"},
        {"is no Redis", "HTTP/1.1 400 Bad Request\r\n\r\n", "", 0, "cannot be understood"},
        {"hangs up", GREETING, "", 0, "went away"},
        {"hangs up within its reply", GREETING, "*2\r\n$1\r\nv\r\n$9", 0, "went away"},
        {"is silent", GREETING, NULL, 0, "did not answer in time: REDIS_TIMEOUT is 3000 ms"},
        {"is slow", GREETING, "*2\r\n$1\r\nv\r\n$1\r\n1\r\n" TIME, 400,
         "did not answer in time: REDIS_TIMEOUT is 3000 ms"},
        {"announces a list that no memory holds", GREETING, "*1795000080\r\n", 0, "cannot be understood"},
        {"answers with numbers", GREETING, ":1\r\n:2\r\n", 0, "what no Redis does"},
        {"answers with a list in a list", GREETING, "*2\r\n$1\r\nv\r\n*0\r\n" TIME, 0, "what no Redis does"},
        {"has a damaged version", GREETING, "$3\r\n1x\n\r\n" TIME, 0, "damaged: version"},
        {"has a negative version", GREETING, "$3\r\n-1\n\r\n" TIME, 0, "damaged: version"},
        {"has no version", GREETING, "$5\r\ndu\xe5\1\1\r\n" TIME, 0, "damaged: version"},
        {"has a version alone", GREETING, "$1\r\n1\r\n" TIME, 0, "damaged: version"},
        {"has a name without an end", GREETING, "$4\r\n1\ndu\r\n" TIME, 0, "damaged: it"},
        {"has a name without a value", GREETING, "$5\r\n1\ndu\xe5\r\n" TIME, 0, "damaged: it"},
        {"has a length without an end", GREETING, "$6\r\n1\ndu\xe5\x81\r\n" TIME, 0, "damaged: it"},
        {"has a value that is cut", GREETING, "$7\r\n1\ndu\xe5\2\1\r\n" TIME, 0, "damaged: it"},
        {"has a value of another kind", GREETING, "$11\r\n1\nattemp\xf4\1c\r\n" TIME, 0, "damaged: attempt"},
        {"has a number that is too large", GREETING, "$15\r\n1\ndu\xe5\t123456789\r\n" TIME, 0,
         "damaged: due"},
        {"has a time of nonsense", GREETING, "$-1\r\n*2\r\n$2\r\n-1\r\n$1\r\n0\r\n", 0, "what no Redis does"},
        {"tells a time that no arithmetic bears", "$-1\r\n*2\r\n$16\r\n4611686018427387\r\n$1\r\n0\r\n" INFO,
         "", 0, "TIME tells no time"},
        {"has a version that cannot grow", GREETING, "$20\r\n9223372036854775807\n\r\n" TIME, 0,
         "damaged: version"},
        {"has a time that no arithmetic bears", GREETING,
         "$14\r\n1\ndu\xe5\b\x7f\xff\xff\xff\xff\xff\xff\xff\r\n" TIME, 0, "damaged: due"},
        {"refuses", GREETING, "-NOPERM this user has no permissions\r\n" TIME, 0, "NOPERM"},
    };
    struct order_record order;
    struct peer peer;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (!listen_at(rig, "peer.sock", &peer) || !rig_reopen(rig))
            return;
        fflush(stdout);
        peer.pid = fork();
        if (peer.pid == 0)
            act(peer.listener, cases[i].greeting, cases[i].answer, cases[i].step_ms);
        int64_t began_ms = clock_mono_ms();
        is_result(rig_try_read(rig, "shop:1", &order), STORE_UNAVAILABLE, "given a peer that %s",
                  cases[i].what);
        ok(clock_mono_ms() - began_ms < RIG_LATE_MS, "it is known in time");
        ok(strstr(rig_trouble(rig), cases[i].trouble), "told: %s", rig_trouble(rig));
        end_peer(&peer);
    }
}

/* Servers and proxies repeat what they do not know: here what AUTH was sent with. */
static void a_peer_that_repeats_the_password(struct rig *rig)
{
    struct order_record order;
    struct peer peer;

    if (!listen_at(rig, "peer.sock", &peer))
        return;
    snprintf(rig->redis_url, sizeof rig->redis_url, "unix://someone:swordfish@%s/peer.sock", rig->dir);
    if (!rig_reopen(rig))
        return;
    fflush(stdout);
    peer.pid = fork();
    if (peer.pid == 0)
        act(peer.listener,
            "-ERR unknown command 'AUTH', with args beginning with: 'someone' 'swordfish'\r\n"
            "$-1\r\n" TIME INFO,
            "", 0);
    is_result(rig_try_read(rig, "shop:1", &order), STORE_UNAVAILABLE, "a peer that refuses AUTH");
    ok(strstr(rig_trouble(rig), "it refuses user, password or database: ERR") &&
           !strstr(rig_trouble(rig), "swordfish"),
       "its words are not repeated: %s", rig_trouble(rig));
    end_peer(&peer);
}

/* A replica without its primary refuses on the first connection; on the second the primary answers. */
static void a_replica_without_its_primary(struct rig *rig)
{
    static const char *const says[] = {
        "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.\r\n" TIME,
        "$-1\r\n" TIME};
    struct order_record order;
    struct peer peer;
    char bytes[4096];

    if (!listen_at(rig, "peer.sock", &peer) || !rig_reopen(rig))
        return;
    fflush(stdout);
    peer.pid = fork();
    for (size_t i = 0; peer.pid == 0 && i < sizeof says / sizeof *says; i++) {
        int fd = accept(peer.listener, NULL, NULL);
        if (fd < 0 || read(fd, bytes, sizeof bytes) <= 0)
            _exit(1);
        say(fd, GREETING, 0);
        if (read(fd, bytes, sizeof bytes) <= 0)
            _exit(1);
        say(fd, says[i], 0);
    }
    if (peer.pid == 0)
        pause();
    is_result(rig_try_read(rig, "shop:1", &order), STORE_OK,
              "MASTERDOWN: the primary is looked for, and asked");
    end_peer(&peer);
}

/* -- slow links -- */

/* Passes bytes on, in both directions, as fast as `per_ms` bytes a ms allow. */
static void pass_slowly(int listener, const char *server, size_t per_ms)
{
    static char bytes[16384];
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int there = socket(AF_UNIX, SOCK_STREAM, 0), here = accept(listener, NULL, NULL);
    int64_t began_ms = clock_mono_ms(), passed = 0;

    snprintf(name.sun_path, sizeof name.sun_path, "%.100s", server);
    if (here < 0 || there < 0 || connect(there, (const struct sockaddr *)&name, sizeof name) != 0)
        _exit(1);
    for (;;) {
        struct pollfd p[2] = {{.fd = here, .events = POLLIN}, {.fd = there, .events = POLLIN}};
        if (poll(p, 2, -1) < 0)
            _exit(1);
        if (passed == 0)
            began_ms = clock_mono_ms();
        for (int i = 0; i < 2; i++) {
            ssize_t n = p[i].revents ? read(p[i].fd, bytes, sizeof bytes) : 0;
            if (p[i].revents && n <= 0)
                _exit(0);
            for (ssize_t done = 0, more; done < n; done += more)
                if ((more = write(p[1 - i].fd, bytes + done, (size_t)(n - done))) <= 0)
                    _exit(0);
            passed += n;
        }
        int64_t early_ms = passed / (int64_t)per_ms - (clock_mono_ms() - began_ms);
        if (early_ms > 0)
            (void)clock_sleep_ms(early_ms, NULL);
        else if (early_ms < -500)
            passed = 0; /* a busy machine catches up; a pause is no credit */
    }
}

static void big_bodies_over_slow_links(struct rig *rig)
{
    static const struct {
        size_t per_ms;
        enum store_result want;
    } cases[] = {{2048, STORE_OK}, {300, STORE_UNAVAILABLE}};
    const size_t len = (size_t)6 * 1024 * 1024;
    char *bytes = calloc(1, len), server[2 * RIG_PATH_SIZE];
    struct peer peer;
    struct buf out;

    buf_init(&out, STORE_BLOB_MAX);
    snprintf(server, sizeof server, "%s", rig->redis_url + strlen("unix://"));
    for (size_t i = 0; bytes && i < sizeof cases / sizeof *cases; i++) {
        if (!listen_at(rig, "slow.sock", &peer) || !rig_reopen(rig))
            break;
        fflush(stdout);
        peer.pid = fork();
        if (peer.pid == 0)
            pass_slowly(peer.listener, server, cases[i].per_ms);
        int64_t began_ms = clock_mono_ms();
        is_result(rig_put_body(rig, i ? "shop:2" : "shop:1", bytes, len), cases[i].want,
                  "given 6 MB over a link of %zu KB/s (%s)", cases[i].per_ms, rig_trouble(rig));
        int64_t took_ms = clock_mono_ms() - began_ms;
        ok(took_ms > RIG_TIMEOUT_MS, "longer than REDIS_TIMEOUT: %lld ms", (long long)took_ms);
        if (cases[i].want == STORE_OK) {
            is_result(rig->backend->blob(rig->state, RIG_BODY, &out), STORE_OK, "and back (%s)",
                      rig_trouble(rig));
            is_int(out.len, len, "whole");
        }
        end_peer(&peer);
    }
    snprintf(rig->redis_url, sizeof rig->redis_url, "unix://%.100s", server);
    buf_free(&out);
    free(bytes);
}

int main(void)
{
    static const struct rig_case cases[] = {
        RIG_CASE(peers_that_talk_nonsense),
        RIG_CASE(a_peer_that_repeats_the_password),
        RIG_CASE(a_replica_without_its_primary),
        RIG_CASE(big_bodies_over_slow_links),
    };
    return rig_redis_main(&rig_redis, cases, sizeof cases / sizeof *cases);
}
