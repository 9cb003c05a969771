/*
 * files: small files that are whole or not there, in directories of our own.
 *
 * A file is written under a temporary name (FILES_TEMP), fsynced, put in place by one atomic step, and the
 * directory is fsynced. Directories are 0700, files 0600. Errors name the path.
 */
#pragma once

#include "base/buf.h"
#include <stdint.h>

#define FILES_TEMP ".temp-" /* what a temporary file's name begins with */

/* Opens the directory, made if missing; its parent must exist. A descriptor, or -1 with the error set. */
int files_open_dir(const char *path, struct error *e) MUST_CHECK;

enum files_result {
    FILES_OK,
    FILES_EXISTS,  /* write, if_absent: there is one, which stays as it is */
    FILES_MISSING, /* read: no such file */
    FILES_FAILED,  /* the error is set; nothing is left behind */
};

/* Durable when it says OK. if_absent: never replaces. */
enum files_result files_write(int dir, const char *name, const void *bytes, size_t len, bool if_absent,
                              struct error *e) MUST_CHECK;

/* Appends the file's bytes. */
enum files_result files_read(int dir, const char *name, struct buf *out, struct error *e) MUST_CHECK;
/* The same from a descriptor: a file from its start, a pipe to its end. False with the error and errno set; EFBIG: it has
 * more than `out` takes. */
bool files_read_fd(int fd, struct buf *out, struct error *e) MUST_CHECK;

/* Which file a name stands for: a file that was put back from a backup, or made anew, is another one. birth 0: neither
 * kernel nor file system knows when it was made. False with errno set. */
struct files_identity {
    unsigned dev_major, dev_minor;
    uint64_t inode;
    int64_t birth_s;
    unsigned birth_ns;
};
bool files_identify(int dir, const char *name, struct files_identity *out) MUST_CHECK;

/* Locks a file of that directory, made if missing. False: another process has the lock. *fd holds it until it is closed,
 * in a child, too; -1 = it cannot be locked, so nobody is kept out. */
bool files_lock(const char *directory, const char *name, int *fd);

/* Maps the first `size` bytes (whole pages) of a file that processes share; it is made, and filled with zeros, if it is
 * missing. The mapping lives on in a child; munmap ends it. NULL with errno set. */
void *files_map(int dir, const char *name, size_t size) MUST_CHECK;

/* Calls for the name of each entry of the directory, in no order. False with errno if it cannot be read. */
bool files_each(int dir, void (*visit)(void *context, int dir, const char *name), void *context);

/* Removes temporary files that nobody has touched for an hour: left by a crash. How many. */
long files_clean(int dir);
