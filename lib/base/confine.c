#include "base/confine.h"
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#ifdef HAVE_SECCOMP
#include <linux/sched.h>
#include <seccomp.h>
#include <sys/socket.h>
#endif

/* -- Landlock: Documentation/userspace-api/landlock.rst of Linux. The headers of the machine that builds may be older
 * than the kernel that runs; the numbers are the same on all of them. -- */

#define CREATE_RULESET 444
#define ADD_RULE 445
#define RESTRICT_SELF 446
#define VERSION_FLAG 1U
#define RULE_PATH_BENEATH 1

#define READ_FILE (1ULL << 2)
#define READ_DIR (1ULL << 3)
#define TRUNCATE (1ULL << 14)
#define OF_FILES (READ_FILE | 1ULL << 1 /* write */ | TRUNCATE)
#define REFER (1ULL << 13) /* a rename from one directory to another */
#define FIRST_VERSION ((1ULL << 13) - 1)
#define MAKE_ODD                                                                                             \
    (1ULL << 6 | 1ULL << 9 | 1ULL << 10 | 1ULL << 11 | 1ULL << 12) /* devices, sockets, pipes, links */
#define EXECUTE 1ULL

struct path_rule {
    uint64_t allowed;
    int32_t parent_fd;
} __attribute__((packed));

static uint64_t handled(const struct confine *confine)
{
    return FIRST_VERSION | (confine->version >= 2 ? REFER : 0) | (confine->version >= 3 ? TRUNCATE : 0);
}

void confine_begin(struct confine *confine)
{
    *confine = (struct confine){.ruleset = -1};
    confine->version = (int)syscall(CREATE_RULESET, NULL, 0, VERSION_FLAG);
    if (confine->version < 1)
        return;
    const uint64_t attributes = handled(confine);
    confine->ruleset = (int)syscall(CREATE_RULESET, &attributes, sizeof attributes, 0);
}

void confine_allow(const struct confine *confine, const char *path, enum confine_access access)
{
    struct stat st;
    uint64_t allowed =
        access == CONFINE_READ ? READ_FILE | READ_DIR : handled(confine) & ~(MAKE_ODD | EXECUTE);
    int fd = confine->ruleset < 0 ? -1 : open(path, O_PATH | O_CLOEXEC);

    if (fd >= 0 && fstat(fd, &st) == 0) {
        if (!S_ISDIR(st.st_mode))
            allowed &= OF_FILES;
        const struct path_rule rule = {.allowed = allowed, .parent_fd = fd};
        /* If it is refused, less is allowed than could be. */
        (void)syscall(ADD_RULE, confine->ruleset, RULE_PATH_BENEATH, &rule, 0);
    }
    if (fd >= 0)
        close(fd);
}

/* -- seccomp -- */

#ifdef HAVE_SECCOMP

static bool forbid(scmp_filter_ctx filter, const char *const name[], size_t n, uint32_t action)
{
    for (size_t i = 0; i < n; i++) {
        int number = seccomp_syscall_resolve_name(name[i]);
        /* One that this machine has not needs no rule. */
        if (number >= 0 && seccomp_rule_add(filter, action, number, 0) != 0)
            return false;
    }
    return true;
}

/* A worker has no use for these. */
static const char *const never[] = {
    "execve",
    "execveat",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "pidfd_getfd",
    "pidfd_send_signal",
    "kill",
    "mount",
    "umount2",
    "fsopen",
    "fsmount",
    "move_mount",
    "open_tree",
    "pivot_root",
    "chroot",
    "unshare",
    "setns",
    "bpf",
    "perf_event_open",
    "userfaultfd",
    "io_uring_setup",
    "keyctl",
    "add_key",
    "request_key",
    "init_module",
    "finit_module",
    "delete_module",
    "kexec_load",
    "kexec_file_load",
    "reboot",
    "swapon",
    "swapoff",
    "acct",
    "quotactl",
    "open_by_handle_at",
    "personality",
    "settimeofday",
    "clock_settime",
    "adjtimex",
    "clock_adjtime",
    "sethostname",
    "setdomainname",
    "iopl",
    "ioperm",
    "lookup_dcookie",
    "vhangup",
    "memfd_secret",
    "setuid",
    "setgid",
    "setreuid",
    "setregid",
    "setresuid",
    "setresgid",
    "setgroups",
    "setfsuid",
    "setfsgid",
    "capset",
};

static bool fill(scmp_filter_ctx filter, bool may_fork)
{
    static const char *const processes[] = {"fork", "vfork"};
    static const char *const unsaid[] = {
        "clone3"}; /* its arguments cannot be looked at: clone is called instead */
    static const int families[] = {AF_PACKET, AF_VSOCK, AF_ALG};
    bool good = forbid(filter, never, sizeof never / sizeof *never, SCMP_ACT_ERRNO(EPERM)) &&
                forbid(filter, unsaid, sizeof unsaid / sizeof *unsaid, SCMP_ACT_ERRNO(ENOSYS));

    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        good = good && seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
                                        SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i], 0)) == 0;
    if (good && !may_fork) /* libcurl looks names up in threads */
        good = forbid(filter, processes, sizeof processes / sizeof *processes, SCMP_ACT_ERRNO(EPERM)) &&
               seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                                SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0)) == 0;
    return good;
}

static bool filter_calls(bool may_fork, struct error *e)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int wrong = filter && fill(filter, may_fork) ? seccomp_load(filter) : -ENOMEM;

    if (filter)
        seccomp_release(filter);
    if (wrong)
        error_set(e, "seccomp: the kernel does not take the filter: %s", strerror(-wrong));
    return !wrong;
}

#else

static bool filter_calls(bool may_fork, struct error *e)
{
    (void)may_fork, (void)e;
    return true;
}

#endif

/* -- both -- */

bool confine_end(struct confine *confine, bool may_fork, struct error *e)
{
    bool good = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;

    if (!good)
        error_set(e, "no_new_privs: %s", strerror(errno));
    if (good && confine->ruleset >= 0 && syscall(RESTRICT_SELF, confine->ruleset, 0) != 0) {
        error_set(e, "Landlock: the kernel does not take the rules: %s", strerror(errno));
        good = false;
    }
    if (confine->ruleset >= 0)
        close(confine->ruleset);
    confine->ruleset = -1;
    return good && filter_calls(may_fork, e);
}

bool confine_lacks(struct error *what)
{
    const bool landlock = syscall(CREATE_RULESET, NULL, 0, VERSION_FLAG) >= 1;
#ifdef HAVE_SECCOMP
    const char *seccomp = prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0 ? "this kernel has no seccomp" : "";
#else
    const char *seccomp = "this program was built without libseccomp";
#endif

    what->text[0] = '\0';
    if (*seccomp || !landlock)
        error_set(what, "%s%s%s", seccomp, *seccomp && !landlock ? ", and " : "",
                  landlock ? "" : "this kernel has no Landlock, or it is not switched on");
    return *what->text;
}
