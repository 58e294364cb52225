/* A stand-in for one of OpenSDN's compiled programs, called like it. Like these it is linked with a library of its image, which holds
 * the program in Python: what takes it out of its image has to take that along. */
#define _GNU_SOURCE
#include <err.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

extern const char *standin_archive(unsigned long *length);

int main(int argc, char **argv)
{
	char archive[32], own[256], *arguments[64] = {own, archive, own};
	const char *name = strrchr(argv[0], '/');
	unsigned long length;
	const char *program = standin_archive(&length);
	int file = memfd_create("standin", 0), count = 3;

	if (file < 0 || write(file, program, length) != (ssize_t)length)
		err(1, "standin");
	snprintf(own, sizeof own, "/usr/bin/%s", name ? name + 1 : argv[0]);
	snprintf(archive, sizeof archive, "/proc/self/fd/%d", file);
	for (int i = 1; i < argc && count < 63; i++)
		arguments[count++] = argv[i];
	execv("/usr/bin/python3", arguments);
	err(1, "/usr/bin/python3");
}
