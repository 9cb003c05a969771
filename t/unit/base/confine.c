/* A process that was confined tries what it may not do, and what it still must be able to do. */
#include "base/confine.h"
#include "sandbox.h"
#include "tap.h"
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct sandbox place; /* holds in/ (may be written), look/ (may be read), out/ */

static void path_of(const char *name, char out[128])
{
    sandbox_path(&place, name, out);
}

/* errno, or 0 if it can be opened. */
static int open_as(const char *name, int flags)
{
    char path[128];

    path_of(name, path);
    int fd = open(path, flags | O_CLOEXEC, 0600);
    int wrong = fd < 0 ? errno : 0;
    if (fd >= 0)
        close(fd);
    return wrong;
}

/* How a child ended that tries: 0, or its errno. */
static int child(int (*attempt)(void), bool may_fork)
{
    int status = 0;
    char path[128];
    struct confine confine;
    struct error e = ERROR_NONE;

    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        confine_begin(&confine);
        path_of("in", path);
        confine_allow(&confine, path, CONFINE_WRITE);
        path_of("look", path);
        confine_allow(&confine, path, CONFINE_READ);
        confine_allow(&confine, "/etc", CONFINE_READ);
        confine_allow(&confine, "/usr", CONFINE_READ);
        confine_allow(&confine, "/lib", CONFINE_READ);
        _exit(confine_end(&confine, may_fork, &e) ? attempt() : 255);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
        return -1;
    return WEXITSTATUS(status);
}

static int write_inside(void)
{
    char from[128], to[128];
    int wrong = open_as("in/new", O_WRONLY | O_CREAT | O_TRUNC);

    path_of("in/new", from);
    path_of("in/deep", to);
    if (!wrong && mkdir(to, 0700) != 0 && errno != EEXIST)
        wrong = errno;
    path_of("in/deep/moved", to);
    if (!wrong && (rename(from, to) != 0 || unlink(to) != 0) && errno != EXDEV)
        wrong = errno;
    return wrong;
}

static int read_look(void)
{
    return open_as("look/file", O_RDONLY);
}

static int write_look(void)
{
    return open_as("look/file", O_WRONLY);
}

static int read_outside(void)
{
    return open_as("out/file", O_RDONLY);
}

static int write_outside(void)
{
    return open_as("out/new", O_WRONLY | O_CREAT);
}

static int link_outside(void)
{
    return open_as("in/link", O_RDONLY);
}

static int execute(void)
{
    execl("/bin/sh", "sh", "-c", "exit 99", (char *)NULL);
    return errno;
}

static int make_process(void)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    return pid < 0 ? errno : 0;
}

static int execute_in_child(void)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0)
        _exit(execute());
    return waitpid(pid, &status, 0) == pid ? WEXITSTATUS(status) : 254;
}

static void *nothing(void *context)
{
    return context;
}

static int make_thread(void)
{
    pthread_t thread;
    int wrong = pthread_create(&thread, NULL, nothing, NULL);

    return wrong ? wrong : pthread_join(thread, NULL);
}

static int trace(void)
{
    return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) == 0 ? 0 : errno;
}

static int end_parent(void)
{
    return kill(getppid(), SIGCONT) == 0 ? 0 : errno;
}

static int raw_socket(void)
{
    return socket(AF_PACKET, SOCK_RAW, 0) >= 0 ? 0 : errno;
}

static int look_up(void)
{
    struct addrinfo *found = NULL;
    int wrong = getaddrinfo("localhost", "80", NULL, &found);

    if (!wrong)
        freeaddrinfo(found);
    return wrong ? 1 : 0;
}

static bool make_place(void)
{
    static const char *const names[] = {"in", "look", "out"};
    char path[128], to[128];
    bool good = sandbox_begin(&place);

    for (size_t i = 0; good && i < sizeof names / sizeof *names; i++) {
        path_of(names[i], path);
        good = mkdir(path, 0700) == 0;
    }
    path_of("out/file", to);
    path_of("in/link", path);
    return good && open_as("look/file", O_WRONLY | O_CREAT) == 0 &&
           open_as("out/file", O_WRONLY | O_CREAT) == 0 && symlink(to, path) == 0;
}

int main(void)
{
    struct error lacks = ERROR_NONE;
    bool whole = !confine_lacks(&lacks);

    if (!ok(make_place(), "a place to try it"))
        return tap_done();
    is_int(child(write_inside, false), 0, "it writes, makes, moves and removes where it may");
    is_int(child(read_look, false), 0, "it reads where it may");
    is_int(child(make_thread, false), 0, "it makes threads");
    is_int(child(look_up, false), 0, "it looks names up");
    is_int(child(make_process, true), 0, "it forks if it may");
    if (whole) {
        is_int(child(write_look, false), EACCES, "it writes nothing that it may only read");
        is_int(child(read_outside, false), EACCES, "it reads nothing else");
        is_int(child(write_outside, false), EACCES, "it writes nothing else");
        is_int(child(link_outside, false), EACCES, "nor by a link");
        is_int(child(execute, false), EPERM, "it executes nothing");
        is_int(child(execute_in_child, true), EPERM, "nor does its child");
        is_int(child(make_process, false), EPERM, "it makes no process");
        is_int(child(trace, false), EPERM, "it traces nobody");
        is_int(child(end_parent, false), EPERM, "it signals nobody");
        is_int(child(raw_socket, false), EAFNOSUPPORT, "it sees no packets");
    } else {
        tap_note("not tried here: %s", lacks.text);
    }
    sandbox_end(&place);
    return tap_done();
}
