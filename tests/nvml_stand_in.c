/* Plays libnvidia-ml.so.1 for the tests: what it says is in the file that NVML_STAND_IN names.

   Each line is `key value`; keys of card 0 begin with `0.`, of its MIG instance 1 with `0.m1.`.
   A value `!N` makes the call return NVML's error N, `crash` raises SIGSEGV, `hang` sleeps for ever,
   `unterminated` fills a text's buffer to its end, without a NUL, and `\xHH` stands for a byte.
   A key that is not there is NVML_ERROR_NOT_SUPPORTED (3). `0.link.2 00000000:41:00.0` is where
   NVLink 2 of card 0 leads, or `down`; `0-1.ancestor` and `0-1.p2p` are of cards 0 and 1.
   Build: cc -shared -fPIC -Wl,-soname,libnvidia-ml.so.1 -o libnvidia-ml.so.1 nvml_stand_in.c */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int nvmlReturn_t;
enum { SUCCESS = 0, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, UNKNOWN = 999 };

/* A handle is a number: 1 + card for a card, 1000 * (1 + card) + instance for an instance. */
typedef size_t handle_t;

static int find(const char *key, char *value, size_t size)
{
    const char *path = getenv("NVML_STAND_IN");
    FILE *table = path ? fopen(path, "r") : NULL;
    char line[512];
    int found = NOT_SUPPORTED;
    size_t length = strlen(key);
    if (!table) return UNKNOWN;
    while (found && fgets(line, sizeof line, table)) {
        line[strcspn(line, "\n")] = 0;
        if (strncmp(line, key, length) == 0 && line[length] == ' ') {
            snprintf(value, size, "%s", line + length + 1);
            found = SUCCESS;
        }
    }
    fclose(table);
    if (found) return found;
    if (strcmp(value, "crash") == 0) raise(SIGSEGV);
    if (strcmp(value, "hang") == 0) for (;;) pause();
    if (value[0] == '!') return atoi(value + 1);
    return SUCCESS;
}

static int find_of(handle_t handle, const char *field, char *value, size_t size)
{
    char key[64];
    if (handle >= 1000)
        snprintf(key, sizeof key, "%zu.m%zu.%s", handle / 1000 - 1, handle % 1000, field);
    else
        snprintf(key, sizeof key, "%zu.%s", handle - 1, field);
    return find(key, value, size);
}

static void unescape(const char *from, char *to, unsigned size)
{
    unsigned at = 0;
    if (strcmp(from, "unterminated") == 0) {
        memset(to, 'A', size);
        return;
    }
    while (*from && at + 1 < size) {
        unsigned byte;
        if (from[0] == '\\' && from[1] == 'x' && sscanf(from + 2, "%2x", &byte) == 1) {
            to[at++] = (char)byte;
            from += 4;
        } else {
            to[at++] = *from++;
        }
    }
    to[at] = 0;
}

static int text(int found, const char *value, char *to, unsigned size)
{
    if (!found) unescape(value, to, size);
    return found;
}

#define TEXT_OF(function, field)                                                   \
    nvmlReturn_t function(handle_t handle, char *to, unsigned size)                \
    {                                                                              \
        char value[512];                                                           \
        int found = find_of(handle, field, value, sizeof value);                   \
        return text(found, value, to, size);                                       \
    }

#define NUMBER_OF(function, field)                                                 \
    nvmlReturn_t function(handle_t handle, unsigned *to)                           \
    {                                                                              \
        char value[512];                                                           \
        int found = find_of(handle, field, value, sizeof value);                   \
        if (!found) *to = (unsigned)strtoul(value, NULL, 10);                      \
        return found;                                                              \
    }

#define PAIR_OF(function, field)                                                   \
    nvmlReturn_t function(handle_t handle, unsigned *first, unsigned *second)      \
    {                                                                              \
        char value[512];                                                           \
        int found = find_of(handle, field, value, sizeof value);                   \
        if (!found && sscanf(value, "%u %u", first, second) != 2) return UNKNOWN;  \
        return found;                                                              \
    }

nvmlReturn_t nvmlInitWithFlags(unsigned flags)
{
    char value[512];
    int found = find("init", value, sizeof value);
    (void)flags;
    printf("{\"init\": \"the library prints on standard output\"}\n");
    fflush(stdout);
    return found == NOT_SUPPORTED ? SUCCESS : found;
}

nvmlReturn_t nvmlShutdown(void) { return SUCCESS; }
const char *nvmlErrorString(int code) { (void)code; return "an error"; }

nvmlReturn_t nvmlSystemGetDriverVersion(char *to, unsigned size)
{
    char value[512];
    int found = find("driver_version", value, sizeof value);
    return text(found, value, to, size);
}

nvmlReturn_t nvmlSystemGetCudaDriverVersion(int *to)
{
    char value[512];
    int found = find("cuda_driver_version", value, sizeof value);
    if (!found) *to = atoi(value);
    return found;
}

nvmlReturn_t nvmlDeviceGetCount_v2(unsigned *to)
{
    char value[512];
    int found = find("count", value, sizeof value);
    if (!found) *to = (unsigned)strtoul(value, NULL, 10);
    return found;
}

nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned index, handle_t *handle)
{
    char value[512];
    int found;
    *handle = index + 1;
    found = find_of(*handle, "handle", value, sizeof value);
    return found == NOT_SUPPORTED ? SUCCESS : found;
}

typedef struct {
    char busIdLegacy[16];
    unsigned domain, bus, device, pciDeviceId, pciSubSystemId;
    char busId[32];
} nvmlPciInfo_t;

nvmlReturn_t nvmlDeviceGetPciInfo_v3(handle_t handle, nvmlPciInfo_t *info)
{
    char value[512];
    int found = find_of(handle, "pci", value, sizeof value);
    memset(info, 0, sizeof *info);
    return text(found, value, info->busId, sizeof info->busId);
}

typedef struct {
    unsigned long long total, free, used;
} nvmlMemory_t;

nvmlReturn_t nvmlDeviceGetMemoryInfo(handle_t handle, nvmlMemory_t *memory)
{
    char value[512];
    int found = find_of(handle, "memory", value, sizeof value);
    if (!found) memory->total = strtoull(value, NULL, 10);
    return found;
}

nvmlReturn_t nvmlDeviceGetMaxClockInfo(handle_t handle, int kind, unsigned *to)
{
    char value[512];
    int found = find_of(handle, kind == 1 ? "sm_clock" : "memory_clock", value, sizeof value);
    if (!found) *to = (unsigned)strtoul(value, NULL, 10);
    return found;
}

nvmlReturn_t nvmlDeviceGetApplicationsClock(handle_t handle, int kind, unsigned *to)
{
    char value[512];
    int found = find_of(handle, kind == 0 ? "application_clock" : "other_clock", value, sizeof value);
    if (!found) *to = (unsigned)strtoul(value, NULL, 10);
    return found;
}

nvmlReturn_t nvmlDeviceGetGspFirmwareVersion(handle_t handle, char *to)
{
    char value[512];
    int found = find_of(handle, "gsp", value, sizeof value);
    return text(found, value, to, 64);
}

static int find_link(handle_t handle, unsigned link, char *value, size_t size)
{
    char field[32];
    int found;
    snprintf(field, sizeof field, "link.%u", link);
    found = find_of(handle, field, value, size);
    return found == NOT_SUPPORTED && link ? INVALID_ARGUMENT : found;
}

nvmlReturn_t nvmlDeviceGetNvLinkState(handle_t handle, unsigned link, unsigned *to)
{
    char value[512];
    int found = find_link(handle, link, value, sizeof value);
    if (!found) *to = strcmp(value, "down") != 0;
    return found;
}

nvmlReturn_t nvmlDeviceGetNvLinkRemotePciInfo_v2(handle_t handle, unsigned link, nvmlPciInfo_t *to)
{
    char value[512];
    int found = find_link(handle, link, value, sizeof value);
    memset(to, 0, sizeof *to);
    return text(found, value, to->busId, sizeof to->busId);
}

static int find_pair(handle_t one, handle_t other, const char *field, unsigned *to)
{
    char key[64], value[512];
    int found;
    snprintf(key, sizeof key, "%zu-%zu.%s", one - 1, other - 1, field);
    found = find(key, value, sizeof value);
    if (!found) *to = (unsigned)strtoul(value, NULL, 10);
    return found;
}

nvmlReturn_t nvmlDeviceGetTopologyCommonAncestor(handle_t one, handle_t other, unsigned *to)
{
    return find_pair(one, other, "ancestor", to);
}

nvmlReturn_t nvmlDeviceGetP2PStatus(handle_t one, handle_t other, unsigned kind, unsigned *to)
{
    return kind == 2 ? find_pair(one, other, "p2p", to) : INVALID_ARGUMENT;
}

typedef struct {
    unsigned multiprocessorCount, engines[5], gpuInstanceSliceCount, computeInstanceSliceCount;
    unsigned long long memorySizeMB;
} nvmlDeviceAttributes_t;

nvmlReturn_t nvmlDeviceGetAttributes_v2(handle_t handle, nvmlDeviceAttributes_t *to)
{
    char value[512];
    int found = find_of(handle, "attributes", value, sizeof value);
    memset(to, 0, sizeof *to);
    if (!found && sscanf(value, "%u %llu", &to->multiprocessorCount, &to->memorySizeMB) != 2)
        return UNKNOWN;
    return found;
}

nvmlReturn_t nvmlDeviceGetMigDeviceHandleByIndex(handle_t handle, unsigned index, handle_t *part)
{
    char value[512];
    int found;
    *part = handle * 1000 + index;
    found = find_of(*part, "name", value, sizeof value);
    return found == NOT_SUPPORTED ? NOT_FOUND : found;
}

TEXT_OF(nvmlDeviceGetName, "name")
TEXT_OF(nvmlDeviceGetUUID, "uuid")
TEXT_OF(nvmlDeviceGetVbiosVersion, "vbios")
PAIR_OF(nvmlDeviceGetCudaComputeCapability, "capability")
PAIR_OF(nvmlDeviceGetEccMode, "ecc")
PAIR_OF(nvmlDeviceGetMigMode, "mig")
NUMBER_OF(nvmlDeviceGetArchitecture, "architecture")
NUMBER_OF(nvmlDeviceGetNumGpuCores, "cores")
NUMBER_OF(nvmlDeviceGetComputeMode, "compute_mode")
NUMBER_OF(nvmlDeviceGetEnforcedPowerLimit, "power_limit")
NUMBER_OF(nvmlDeviceGetMaxMigDeviceCount, "max_mig")
NUMBER_OF(nvmlDeviceGetPowerManagementDefaultLimit, "default_power_limit")
NUMBER_OF(nvmlDeviceGetPersistenceMode, "persistence")
NUMBER_OF(nvmlDeviceGetMaxPcieLinkGeneration, "pcie_generation")
NUMBER_OF(nvmlDeviceGetMaxPcieLinkWidth, "pcie_width")
NUMBER_OF(nvmlDeviceGetVirtualizationMode, "virtualization")
NUMBER_OF(nvmlDeviceGetGpuInstanceId, "gpu_instance")
NUMBER_OF(nvmlDeviceGetComputeInstanceId, "compute_instance")
