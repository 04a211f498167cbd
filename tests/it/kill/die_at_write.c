/* Preloaded into a server, kills it at a chosen write: to the SQLite files, or to a socket of IPv4, which is the database's or a
   caller's. Armed by the file that DIE_AT names: a number, and "before" or "after" for the moment at that write, or "told" for the
   moment before an answer of HTTP. With ONLY_SYNCS, what is written to a file counts when it is synced. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static int counted;

static int is_watched(int fd, int syncs) {
  struct stat status;
  if (fstat(fd, &status) != 0) return 0;
  if (S_ISSOCK(status.st_mode)) {
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    return getsockname(fd, (struct sockaddr *)&address, &length) == 0 && address.ss_family == AF_INET;
  }
  if (!S_ISREG(status.st_mode) || (ONLY_SYNCS && !syncs)) return 0;
  char link[64], path[512];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length <= 0) return 0;
  path[length] = 0;
  return strstr(path, "kagiya.db") != NULL && strstr(path, "-shm") == NULL;
}

static void at(int fd, char moment, int syncs, const void *bytes) {
  const char *path = getenv("DIE_AT");
  if (path == NULL) return;
  int file = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  char order[32] = "";
  long length = syscall(SYS_read, file, order, sizeof order - 1);
  syscall(SYS_close, file);
  const char *word = strchr(order, ' ');
  if (length <= 0 || word == NULL || !is_watched(fd, syncs)) return;
  int is_answer = moment == 'b' && bytes != NULL && strncmp(bytes, "HTTP/1.1 ", 9) == 0;
  if (word[1] != moment && !(word[1] == 't' && is_answer)) return;
  if (__sync_add_and_fetch(&counted, 1) == atoi(order)) {
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;) pause();
  }
}

#define WATCHED(result, name, parameters, arguments, bytes) \
  result name parameters { \
    static result(*real) parameters; \
    if (real == NULL) real = (result(*) parameters)dlsym(RTLD_NEXT, #name); \
    at(fd, 'b', strstr(#name, "sync") != NULL, bytes); \
    result done = real arguments; \
    at(fd, 'a', strstr(#name, "sync") != NULL, NULL); \
    return done; \
  }

WATCHED(ssize_t, write, (int fd, const void *bytes, size_t length), (fd, bytes, length), bytes)
WATCHED(ssize_t, writev, (int fd, const struct iovec *parts, int count), (fd, parts, count), parts->iov_base)
WATCHED(ssize_t, pwrite, (int fd, const void *bytes, size_t length, off_t place), (fd, bytes, length, place), NULL)
WATCHED(ssize_t, pwrite64, (int fd, const void *bytes, size_t length, off64_t place), (fd, bytes, length, place), NULL)
WATCHED(ssize_t, send, (int fd, const void *bytes, size_t length, int flags), (fd, bytes, length, flags), bytes)
WATCHED(ssize_t, sendto,
        (int fd, const void *bytes, size_t length, int flags, const struct sockaddr *to, socklen_t size),
        (fd, bytes, length, flags, to, size), bytes)
WATCHED(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags), message->msg_iov->iov_base)
WATCHED(int, fsync, (int fd), (fd), NULL)
WATCHED(int, fdatasync, (int fd), (fd), NULL)
