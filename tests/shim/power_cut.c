/*
 * What a disk still has after a power cut, for the files below $SHIM_ROOT: only what was synced.
 *
 * Preloaded into a process, this keeps an image of the synced state in $SHIM_IMAGE:
 *
 *   inodes/NUMBER   the synced content of a file, whatever its name
 *   tree/...        the synced names, each a hard link to an inode's content
 *
 * A write is noted as dirty. fsync and fdatasync of a file copy what is dirty to its inode in the image; fsync of a
 * folder makes the image's names those that the folder has now. Nothing else makes anything durable: not
 * sync_file_range, not close, not rename, and syncing a file does not keep its name (though most file systems would).
 * A folder whose own name is not in the image yet keeps nothing.
 *
 * The image may be taken by SIGKILL at any moment; it then has a part of what was being synced, as a disk would.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILES_MAX 4096
#define EXTENTS_MAX 64

struct extent {
    off_t from, upto;
};

struct file {
    ino_t inode;
    int extents;
    struct extent dirty[EXTENTS_MAX];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct file files[FILES_MAX];
static int file_count;
static const char *root, *image;

#define REAL(result, name, ...)                                                                                    \
    static result (*real_##name)(__VA_ARGS__);                                                                      \
    if (!real_##name) *(void **)&real_##name = dlsym(RTLD_NEXT, #name)

static void fatal(const char *what) {
    dprintf(2, "power_cut.so: %s: %s\n", what, strerror(errno));
    abort();
}

__attribute__((constructor)) static void start(void) {
    root = getenv("SHIM_ROOT");
    image = getenv("SHIM_IMAGE");
    if (!root || !image) fatal("SHIM_ROOT and SHIM_IMAGE must be set");
}

/* Whether a path is one of ours; then `relative` is what follows the root. */
static int below_root(const char *path, char *relative) {
    size_t length = strlen(root);
    if (strncmp(path, root, length) != 0 || (path[length] != '/' && path[length] != 0)) return 0;
    snprintf(relative, PATH_MAX, "%s", path + length);
    return 1;
}

static int tracked(int fd, struct stat *status, char *relative) {
    char link[64], path[PATH_MAX];
    if (!root || fstat(fd, status) != 0) return 0;
    if (!S_ISREG(status->st_mode) && !S_ISDIR(status->st_mode)) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return below_root(path, relative);
}

static struct file *file_of(ino_t inode) {
    for (int i = 0; i < file_count; i++)
        if (files[i].inode == inode) return &files[i];
    if (file_count == FILES_MAX) fatal("too many files");
    struct file *file = &files[file_count++];
    file->inode = inode;
    /* What a process before this one left unsynced is not known: all of it may be. */
    file->dirty[0] = (struct extent){0, LLONG_MAX};
    file->extents = 1;
    return file;
}

static void make_dirty(ino_t inode, off_t from, off_t upto) {
    struct file *file = file_of(inode);
    if (file->extents > 0 && file->dirty[file->extents - 1].upto == from) {
        file->dirty[file->extents - 1].upto = upto;
        return;
    }
    if (file->extents == EXTENTS_MAX) {
        /* What lies between is clean, so copying it changes nothing. */
        for (int i = 1; i < file->extents; i++) {
            if (file->dirty[i].from < file->dirty[0].from) file->dirty[0].from = file->dirty[i].from;
            if (file->dirty[i].upto > file->dirty[0].upto) file->dirty[0].upto = file->dirty[i].upto;
        }
        file->extents = 1;
    }
    file->dirty[file->extents++] = (struct extent){from, upto};
}

static void inode_path(ino_t inode, char *path) {
    snprintf(path, PATH_MAX, "%s/inodes/%llu", image, (unsigned long long)inode);
}

static int open_real(const char *path, int flags, mode_t mode) {
    REAL(int, open, const char *, int, ...);
    return real_open(path, flags, mode);
}

static int open_inode(ino_t inode) {
    char path[PATH_MAX];
    inode_path(inode, path);
    int fd = open_real(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) fatal(path);
    return fd;
}

static ssize_t write_real(int fd, const void *bytes, size_t count, off_t at) {
    REAL(ssize_t, pwrite, int, const void *, size_t, off_t);
    return real_pwrite(fd, bytes, count, at);
}

static void copy(int from, int to, struct extent extent, off_t size) {
    char buffer[65536];
    off_t at = extent.from, upto = extent.upto < size ? extent.upto : size;
    while (at < upto) {
        size_t want = (size_t)(upto - at) < sizeof buffer ? (size_t)(upto - at) : sizeof buffer;
        ssize_t got = pread(from, buffer, want, at);
        if (got <= 0 || write_real(to, buffer, (size_t)got, at) != got) fatal("copying to the image");
        at += got;
    }
}

static void truncate_real(int fd, off_t size) {
    REAL(int, ftruncate, int, off_t);
    if (real_ftruncate(fd, size) != 0) fatal("truncating in the image");
}

static void keep_content(int fd, const struct stat *status) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    struct file *file = file_of(status->st_ino);
    /* The descriptor given may be open for writing only. */
    int from = open_real(link, O_RDONLY | O_CLOEXEC, 0), to = open_inode(status->st_ino);
    if (from < 0) fatal(link);
    for (int i = 0; i < file->extents; i++) copy(from, to, file->dirty[i], status->st_size);
    truncate_real(to, status->st_size);
    file->extents = 0;
    close(from);
    close(to);
}

/* Gives an inode's content a name in the image, in one step. */
static void keep_name(ino_t inode, const char *path) {
    char content[PATH_MAX], fresh[PATH_MAX];
    struct stat old, new;
    close(open_inode(inode)); /* Content that was never synced is empty. */
    inode_path(inode, content);
    if (stat(content, &new) != 0) fatal(content);
    if (stat(path, &old) == 0 && old.st_ino == new.st_ino) return;
    snprintf(fresh, sizeof fresh, "%s/fresh", image);
    unlink(fresh);
    if (link(content, fresh) != 0 || rename(fresh, path) != 0) fatal(path);
}

static void keep_names(const char *relative) {
    char real[2 * PATH_MAX], kept[2 * PATH_MAX], path[3 * PATH_MAX];
    struct dirent *entry;
    struct stat status;
    snprintf(real, sizeof real, "%s%s", root, relative);
    snprintf(kept, sizeof kept, "%s/tree%s", image, relative);
    DIR *folder = opendir(kept);
    if (!folder) return;
    while ((entry = readdir(folder))) {
        snprintf(path, sizeof path, "%s/%s", real, entry->d_name);
        if (lstat(path, &status) == 0) continue;
        snprintf(path, sizeof path, "%s/%s", kept, entry->d_name);
        if (remove(path) != 0) fatal(path);
    }
    closedir(folder);
    folder = opendir(real);
    if (!folder) fatal(real);
    while ((entry = readdir(folder))) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        snprintf(path, sizeof path, "%s/%s", real, entry->d_name);
        if (lstat(path, &status) != 0) continue; /* It was renamed or removed meanwhile. */
        snprintf(path, sizeof path, "%s/%s", kept, entry->d_name);
        if (S_ISREG(status.st_mode)) keep_name(status.st_ino, path);
        else if (S_ISDIR(status.st_mode) && mkdir(path, 0755) != 0 && errno != EEXIST) fatal(path);
    }
    closedir(folder);
}

/* Nothing is written meanwhile: what comes after a sync began is not synced by it. */
static int sync_and_keep(int fd, int (*real_sync)(int)) {
    struct stat status;
    char relative[PATH_MAX];
    if (!tracked(fd, &status, relative)) return real_sync(fd);
    pthread_mutex_lock(&lock);
    int result = real_sync(fd);
    if (fstat(fd, &status) != 0) fatal("fstat");
    if (result == 0 && S_ISDIR(status.st_mode)) keep_names(relative);
    if (result == 0 && S_ISREG(status.st_mode)) keep_content(fd, &status);
    pthread_mutex_unlock(&lock);
    return result;
}

int fsync(int fd) {
    REAL(int, fsync, int);
    return sync_and_keep(fd, real_fsync);
}

int fdatasync(int fd) {
    REAL(int, fdatasync, int);
    return sync_and_keep(fd, real_fdatasync);
}

/* The write happens under the lock, so that no sync takes it for written before it is. */
static ssize_t write_at(int fd, const void *bytes, size_t count, off_t at) {
    struct stat status;
    char relative[PATH_MAX];
    if (!tracked(fd, &status, relative)) return write_real(fd, bytes, count, at);
    pthread_mutex_lock(&lock);
    ssize_t written = write_real(fd, bytes, count, at);
    if (written > 0) make_dirty(status.st_ino, at, at + written);
    pthread_mutex_unlock(&lock);
    return written;
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) { return write_at(fd, bytes, count, at); }

ssize_t pwrite64(int fd, const void *bytes, size_t count, off_t at) { return write_at(fd, bytes, count, at); }

ssize_t write(int fd, const void *bytes, size_t count) {
    REAL(ssize_t, write, int, const void *, size_t);
    struct stat status;
    char relative[PATH_MAX];
    if (!tracked(fd, &status, relative)) return real_write(fd, bytes, count);
    pthread_mutex_lock(&lock);
    ssize_t written = real_write(fd, bytes, count);
    off_t upto = lseek(fd, 0, SEEK_CUR);
    if (written > 0) make_dirty(status.st_ino, upto - written, upto);
    pthread_mutex_unlock(&lock);
    return written;
}

/* Ways to write that nobody here uses: better loud than unnoticed. */
static void refuse(int fd, const char *what) {
    struct stat status;
    char relative[PATH_MAX];
    errno = ENOSYS;
    if (tracked(fd, &status, relative)) fatal(what);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(ssize_t, writev, int, const struct iovec *, int);
    refuse(fd, "writev");
    return real_writev(fd, parts, count);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) {
    REAL(ssize_t, pwritev, int, const struct iovec *, int, off_t);
    refuse(fd, "pwritev");
    return real_pwritev(fd, parts, count, at);
}

static int opened(int flags, int existed, int fd) {
    struct stat status;
    char relative[PATH_MAX], content[PATH_MAX];
    if (fd < 0 || !(flags & (O_CREAT | O_TRUNC)) || !tracked(fd, &status, relative)) return fd;
    pthread_mutex_lock(&lock);
    if (!existed) {
        /* Its number may have been another file's. Names that the image still has for that one keep its content. */
        inode_path(status.st_ino, content);
        if (unlink(content) != 0 && errno != ENOENT) fatal(content);
        file_of(status.st_ino)->extents = 0;
    } else if (flags & O_TRUNC) {
        make_dirty(status.st_ino, 0, LLONG_MAX);
    }
    pthread_mutex_unlock(&lock);
    return fd;
}

#define OPEN(name)                                                                                                  \
    int name(const char *path, int flags, ...) {                                                                    \
        REAL(int, name, const char *, int, ...);                                                                    \
        va_list rest;                                                                                               \
        va_start(rest, flags);                                                                                      \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;                                     \
        va_end(rest);                                                                                               \
        int existed = access(path, F_OK) == 0;                                                                      \
        return opened(flags, existed, real_##name(path, flags, mode));                                        \
    }

OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                                                \
    int name(int folder, const char *path, int flags, ...) {                                                        \
        REAL(int, name, int, const char *, int, ...);                                                               \
        va_list rest;                                                                                               \
        va_start(rest, flags);                                                                                      \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;                                     \
        va_end(rest);                                                                                               \
        int existed = faccessat(folder, path, F_OK, 0) == 0;                                                        \
        return opened(flags, existed, real_##name(folder, path, flags, mode));                                \
    }

OPENAT(openat)
OPENAT(openat64)

#define TRUNCATE(name)                                                                                              \
    int name(int fd, off_t size) {                                                                                  \
        REAL(int, name, int, off_t);                                                                                \
        struct stat status;                                                                                         \
        char relative[PATH_MAX];                                                                                    \
        if (!tracked(fd, &status, relative)) return real_##name(fd, size);                                          \
        pthread_mutex_lock(&lock);                                                                                  \
        int result = real_##name(fd, size);                                                                         \
        /* Cut off and grown again, the bytes would be zeros. */                                                    \
        if (result == 0) make_dirty(status.st_ino, size, LLONG_MAX);                                                \
        pthread_mutex_unlock(&lock);                                                                                \
        return result;                                                                                              \
    }

TRUNCATE(ftruncate)
TRUNCATE(ftruncate64)
