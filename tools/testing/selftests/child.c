// SPDX-License-Identifier: GPL-2.0-only
/* Child processes and what they say to their parent */
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "fixture.h"

void check(bool so, const char *what, const char *file, int line)
{
	if (so)
		return;
	fprintf(stderr, "# %s:%d: not so: %s (errno %d)\n", file, line, what,
		errno);
	_exit(1);
}

pid_t spawn(int (*fn)(int sock, void *arg), void *arg, int *sock)
{
	int socks[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, socks))
		return -errno;
	fflush(NULL);
	pid = fork();
	if (!pid) {
		close(socks[0]);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(fn(socks[1], arg));
	}
	close(socks[1]);
	if (pid < 0) {
		close(socks[0]);
		return -errno;
	}
	*sock = socks[0];
	return pid;
}

/* Exit status, or 128 and the signal that ended the child, like a shell */
int wait_for(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return -errno;
	if (WIFSIGNALED(status))
		return 128 + WTERMSIG(status);
	return WEXITSTATUS(status);
}

int in_child(int (*fn)(int sock, void *arg), void *arg)
{
	int sock, rc;
	pid_t pid;

	pid = spawn(fn, arg, &sock);
	if (pid < 0)
		return pid;
	rc = wait_for(pid);
	close(sock);
	return rc;
}

int tell(int sock, __u64 number)
{
	ssize_t n = send(sock, &number, sizeof(number), MSG_NOSIGNAL);

	return n == sizeof(number) ? 0 : -EPIPE;
}

int hear(int sock, __u64 *number)
{
	ssize_t n = recv(sock, number, sizeof(*number), MSG_WAITALL);

	return n == sizeof(*number) ? 0 : -EPIPE;
}

union fd_control {
	char buf[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

int send_fd(int sock, int fd)
{
	union fd_control control = {};
	char byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	return sendmsg(sock, &msg, MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

int receive_fd(int sock)
{
	union fd_control control = {};
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	struct cmsghdr *cmsg;
	ssize_t n;
	int fd;

	n = recvmsg(sock, &msg, 0);
	if (n != 1)
		return n ? -errno : -EPIPE;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg || cmsg->cmsg_type != SCM_RIGHTS)
		return -ENOMSG;
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	return fd;
}
