/* Plays libnvidia-ml.so.1 for `envsnap run`: who holds memory is in the file that NVML_PROCESSES names.

   Its words are `crash`, `hang`, `babble` (into every open file), `error N` (nvmlInit answers N), or
   for each card `card BUS_ID USED`, and for each process of that card `process PID BYTES`; BYTES -1
   stands for not available. The file is read at each call, so that it can change while the library
   is asked.
   Build: cc -shared -fPIC -Wl,-soname,libnvidia-ml.so.1 -o libnvidia-ml.so.1 nvml_processes.c */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct { unsigned pid; unsigned long long bytes; unsigned instance, part; } process_t;
typedef struct { unsigned long long total, free, used; } memory_t;
typedef struct { char old[16]; unsigned numbers[5]; char bus_id[32]; } pci_t;
enum { SUCCESS = 0, NOT_FOUND = 6, TOO_SMALL = 7, UNKNOWN = 999 };

static void babble(int fd)
{
    static const char text[] = "loading ...\n[1]\n{}\n";
    if (write(fd, text, sizeof text - 1) < 0) return;
}

static int cards(size_t wanted, pci_t *pci, memory_t *memory, unsigned *count, process_t *found)
{
    FILE *table = fopen(getenv("NVML_PROCESSES"), "r");
    char word[32];
    int card = 0;
    unsigned room = count ? *count : 0, at = 0;
    if (!table) return -1;
    while (fscanf(table, "%31s", word) == 1) {
        if (!strcmp(word, "crash")) raise(SIGSEGV);
        if (!strcmp(word, "hang")) for (;;) pause();
        if (!strcmp(word, "babble")) for (int fd = 3; fd < 10; fd++) babble(fd);
        if (!strcmp(word, "card")) {
            char bus[32];
            unsigned long long used;
            if (fscanf(table, "%31s %llu", bus, &used) != 2) break;
            card++;
            if ((size_t)card == wanted && pci) strcpy(pci->bus_id, bus);
            if ((size_t)card == wanted && memory) memory->used = used;
        } else if (!strcmp(word, "process")) {
            unsigned pid;
            long long bytes;
            if (fscanf(table, "%u %lld", &pid, &bytes) != 2) break;
            if ((size_t)card != wanted || !count) continue;
            if (at < room) { found[at].pid = pid; found[at].bytes = (unsigned long long)bytes; }
            at++;
        }
    }
    fclose(table);
    if (count) *count = at;
    return count && at > room ? -TOO_SMALL : card;
}

int nvmlInit_v2(void)
{
    FILE *table = fopen(getenv("NVML_PROCESSES"), "r");
    int failed = 0;
    if (!table) return UNKNOWN;
    if (fscanf(table, "error %d", &failed) != 1) failed = 0;
    fclose(table);
    return failed;
}

int nvmlDeviceGetCount_v2(unsigned *count)
{
    *count = (unsigned)cards(0, NULL, NULL, NULL, NULL);
    return SUCCESS;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, size_t *handle)
{
    *handle = index + 1;
    return SUCCESS;
}

int nvmlDeviceGetPciInfo_v3(size_t handle, pci_t *pci)
{
    memset(pci, 0, sizeof *pci);
    return cards(handle, pci, NULL, NULL, NULL) < 0 ? UNKNOWN : SUCCESS;
}

int nvmlDeviceGetMemoryInfo(size_t handle, memory_t *memory)
{
    memset(memory, 0, sizeof *memory);
    return cards(handle, NULL, memory, NULL, NULL) < 0 ? UNKNOWN : SUCCESS;
}

int nvmlDeviceGetComputeRunningProcesses_v3(size_t handle, unsigned *count, process_t *found)
{
    return cards(handle, NULL, NULL, count, found) == -TOO_SMALL ? TOO_SMALL : SUCCESS;
}

int nvmlDeviceGetGraphicsRunningProcesses_v2(size_t handle, unsigned *count, process_t *found)
{
    (void)handle; (void)found;
    *count = 0;
    return SUCCESS;
}
