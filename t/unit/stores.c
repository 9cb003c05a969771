#include "stores.h"
#include "clock.h"
#include "tap.h"
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_MS 10000

static bool answers(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    bool good;

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    good = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    if (fd >= 0)
        close(fd);
    return good;
}

static bool start_redis(struct stores *stores)
{
    char path[96];
    int64_t deadline = clock_mono_ms() + START_MS;

    snprintf(path, sizeof path, "%s/redis.sock", stores->dir);
    stores->redis_pid = fork();
    if (stores->redis_pid == 0) {
        char log[96];
        snprintf(log, sizeof log, "%s/redis.log", stores->dir);
        execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", path, "--save", "",
               "--appendonly", "no", "--dir", stores->dir, "--logfile", log, (char *)NULL);
        _exit(127);
    }
    while (stores->redis_pid > 0 && clock_left_ms(deadline) > 0) {
        if (answers(path))
            return true;
        (void)clock_sleep_ms(20, NULL);
    }
    tap_note("redis-server does not start");
    return false;
}

bool stores_begin(struct stores *stores, bool redis)
{
    *stores = (struct stores){.dir = "/tmp/woo_ghl.XXXXXX"};
    if (!mkdtemp(stores->dir)) {
        tap_note("no temporary directory");
        return false;
    }
    return !redis || start_redis(stores);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

void stores_end(struct stores *stores)
{
    if (stores->redis_pid > 0) {
        kill(stores->redis_pid, SIGCONT);
        kill(stores->redis_pid, SIGTERM);
        waitpid(stores->redis_pid, NULL, 0);
    }
    if (nftw(stores->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
        tap_note("%s stays", stores->dir);
    *stores = (struct stores){0};
}

bool stores_app(const struct stores *stores, const char *location, struct app *app)
{
    char data[96], url[128], log[96];
    struct error e = ERROR_NONE;

    snprintf(data, sizeof data, "%s/data", stores->dir);
    snprintf(log, sizeof log, "%s/log", stores->dir);
    snprintf(url, sizeof url, "unix://%s/redis.sock", stores->dir);
    clearenv();
    setenv("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", 1);
    setenv("WOO_WEBHOOK_SECRET", "my_super_secret_woo_key", 1);
    setenv("GHL_API_KEY", "pit-test", 1);
    setenv("GHL_LOCATION_ID", location, 1);
    setenv("DATA_DIR", data, 1);
    setenv("LOG", log, 1);
    setenv("REDIS_TIMEOUT", "5s", 1);
    if (stores->redis_pid > 0)
        setenv("REDIS_URL", url, 1);
    bool good = app_open(app, NULL) && app_ready(app, &e);
    if (!good)
        tap_note("the store does not open: %s%s", e.text,
                 app->report.problem_count ? app->report.problem[0] : "");
    return good;
}
