/* A libnvidia-ml.so.1 for the tests: real symbols and structures, made-up devices.
 *
 * Every call reads the file that NVML_STUB_STATE names, so that a test can take a device away in
 * mid-job. Its lines are KEY=VALUE:
 *
 *   init.error=9                  nvmlInit answers that code
 *   driver.error=15               every call but nvmlInit and nvmlShutdown answers that code
 *   devices=2
 *   gpu0.error=15                 every call on that device answers that code
 *   gpu0.name= .uuid= .utilization= .memory=USED:TOTAL (bytes)
 *   gpu0.utilization.error=3      one call on it answers that code
 *   gpu0.compute=PID:BYTES ...    and .graphics, .mps; BYTES - where the driver does not tell
 *   gpu0.samples=PID:PERCENT ...  process utilization; a missing key means no samples at all
 *   gpu0.mig=2                    it has two places for MIG instances, gpu0mig0 and gpu0mig1;
 *                                 one without a uuid is an empty place
 *
 * Compiled with -DOLD_DRIVER it lacks the newer versions of two calls, as an old driver does.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SUCCESS = 0,
    UNINITIALIZED = 1,
    INVALID_ARGUMENT = 2,
    NOT_SUPPORTED = 3,
    NOT_FOUND = 6,
    INSUFFICIENT_SIZE = 7
};

#define MOST 16
#define NOT_AVAILABLE (~0ULL)

typedef struct { unsigned gpu, memory; } utilization_t;
typedef struct { unsigned long long total, free, used; } memory_t;
typedef struct { unsigned version; unsigned long long total, reserved, free, used; } memory_v2_t;
typedef struct {
    unsigned pid;
    unsigned long long used_gpu_memory;
    unsigned gpu_instance_id, compute_instance_id;
} process_t;
typedef struct {
    unsigned pid;
    unsigned long long time_stamp;
    unsigned sm_util, mem_util, enc_util, dec_util;
} sample_t;

static int opened;
static unsigned long long ticks = 1000;

static int look_up(const char *key, char *value, size_t size)
{
    char line[1024];
    size_t length = strlen(key);
    int found = 0;
    FILE *state = fopen(getenv("NVML_STUB_STATE"), "r");
    if (state == NULL)
        abort();
    while (!found && fgets(line, sizeof line, state) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, key, length) == 0 && line[length] == '=') {
            snprintf(value, size, "%s", line + length + 1);
            found = 1;
        }
    }
    fclose(state);
    return found;
}

static int number(const char *key, int otherwise)
{
    char value[64];
    return look_up(key, value, sizeof value) ? atoi(value) : otherwise;
}

/* A handle is two numbers: which device, and which instance of it (-1: the device itself). */
static void *handle_of(int device, int instance)
{
    return (void *)(size_t)((device + 1) * MOST * MOST + instance + 1);
}

static void key_of(void *handle, const char *name, char *key, size_t size)
{
    int device = (int)((size_t)handle / (MOST * MOST)) - 1;
    int instance = (int)((size_t)handle % (MOST * MOST)) - 1;
    if (instance < 0)
        snprintf(key, size, "gpu%d%s", device, name);
    else
        snprintf(key, size, "gpu%dmig%d%s", device, instance, name);
}

static int refusal(void *handle, const char *name)
{
    char key[128], suffix[96];
    int code;
    if (!opened)
        return UNINITIALIZED;
    if ((code = number("driver.error", SUCCESS)) != SUCCESS)
        return code;
    if (handle == NULL)
        return SUCCESS;
    key_of(handle, ".error", key, sizeof key);
    if ((code = number(key, SUCCESS)) != SUCCESS)
        return code;
    snprintf(suffix, sizeof suffix, "%s.error", name);
    key_of(handle, suffix, key, sizeof key);
    return number(key, SUCCESS);
}

static int answer(void *handle, const char *name, char *value, size_t size)
{
    char key[128];
    int code = refusal(handle, name);
    if (code != SUCCESS)
        return code;
    key_of(handle, name, key, sizeof key);
    return look_up(key, value, size) ? SUCCESS : NOT_SUPPORTED;
}

int nvmlInitWithFlags(unsigned flags)
{
    int code = number("init.error", SUCCESS);
    (void)flags;
    if (code == SUCCESS)
        opened++;
    return code;
}

int nvmlShutdown(void)
{
    if (!opened)
        return UNINITIALIZED;
    opened--;
    return SUCCESS;
}

const char *nvmlErrorString(int code)
{
    static char words[32];
    snprintf(words, sizeof words, "stub error %d", code);
    return words;
}

int nvmlDeviceGetCount_v2(unsigned *count)
{
    int code = refusal(NULL, "");
    if (code == SUCCESS)
        *count = (unsigned)number("devices", 0);
    return code;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle)
{
    *handle = handle_of((int)index, -1);
    return refusal(*handle, ".handle");
}

int nvmlDeviceGetUUID(void *handle, char *uuid, unsigned size)
{
    return answer(handle, ".uuid", uuid, size);
}

int nvmlDeviceGetName(void *handle, char *name, unsigned size)
{
    return answer(handle, ".name", name, size);
}

int nvmlDeviceGetUtilizationRates(void *handle, utilization_t *utilization)
{
    char value[64];
    int code = answer(handle, ".utilization", value, sizeof value);
    if (code == SUCCESS) {
        utilization->gpu = (unsigned)atoi(value);
        utilization->memory = 0;
    }
    return code;
}

int nvmlDeviceGetMemoryInfo(void *handle, memory_t *memory)
{
    char value[128];
    int code = answer(handle, ".memory", value, sizeof value);
    if (code == SUCCESS) {
        sscanf(value, "%llu:%llu", &memory->used, &memory->total);
        memory->free = memory->total - memory->used;
    }
    return code;
}

#ifndef OLD_DRIVER
int nvmlDeviceGetMemoryInfo_v2(void *handle, memory_v2_t *memory)
{
    memory_t plain;
    int code = nvmlDeviceGetMemoryInfo(handle, &plain);
    if (code != SUCCESS)
        return code;
    if (memory->version != (sizeof(memory_v2_t) | 2u << 24))
        return INVALID_ARGUMENT;
    memory->total = plain.total;
    memory->used = plain.used;
    memory->free = plain.free;
    memory->reserved = 0;
    return SUCCESS;
}
#endif

static int running(void *handle, const char *name, unsigned *count, process_t *processes)
{
    char value[1024];
    process_t found[MOST];
    unsigned many = 0;
    int code = answer(handle, name, value, sizeof value);
    if (code != SUCCESS)
        return code;
    for (char *word = strtok(value, " "); word != NULL && many < MOST; word = strtok(NULL, " ")) {
        char *colon = strchr(word, ':');
        memset(&found[many], 0, sizeof found[many]);
        found[many].pid = (unsigned)atoi(word);
        found[many].used_gpu_memory =
            colon[1] == '-' ? NOT_AVAILABLE : strtoull(colon + 1, NULL, 10);
        many++;
    }
    code = *count < many ? INSUFFICIENT_SIZE : SUCCESS;
    if (code == SUCCESS && many > 0)
        memcpy(processes, found, many * sizeof found[0]);
    *count = many;
    return code;
}

#ifdef OLD_DRIVER
#define RUNNING(kind) nvmlDeviceGet##kind##RunningProcesses_v2
#else
#define RUNNING(kind) nvmlDeviceGet##kind##RunningProcesses_v3
#endif

int RUNNING(Compute)(void *handle, unsigned *count, process_t *processes)
{
    return running(handle, ".compute", count, processes);
}

int RUNNING(Graphics)(void *handle, unsigned *count, process_t *processes)
{
    return running(handle, ".graphics", count, processes);
}

int RUNNING(MPSCompute)(void *handle, unsigned *count, process_t *processes)
{
    return running(handle, ".mps", count, processes);
}

int nvmlDeviceGetProcessUtilization(
    void *handle, sample_t *samples, unsigned *count, unsigned long long since)
{
    char value[1024];
    unsigned many = 0;
    int code = answer(handle, ".samples", value, sizeof value);
    if (code == NOT_SUPPORTED)
        return number("samples.supported", 1) ? NOT_FOUND : NOT_SUPPORTED;
    if (code != SUCCESS)
        return code;
    if (ticks <= since)
        ticks = since + 1;
    for (char *word = strtok(value, " "); word != NULL; word = strtok(NULL, " ")) {
        if (samples != NULL && many < *count) {
            memset(&samples[many], 0, sizeof samples[many]);
            samples[many].pid = (unsigned)atoi(word);
            samples[many].time_stamp = ticks;
            samples[many].sm_util = (unsigned)strtoul(strchr(word, ':') + 1, NULL, 10);
        }
        many++;
    }
    code = samples == NULL && many > 0 ? INSUFFICIENT_SIZE : SUCCESS;
    *count = many;
    return code;
}

int nvmlDeviceGetMigMode(void *handle, unsigned *current, unsigned *pending)
{
    char value[64];
    int code = answer(handle, ".mig", value, sizeof value);
    if (code == SUCCESS)
        *current = *pending = 1;
    return code;
}

int nvmlDeviceGetMaxMigDeviceCount(void *handle, unsigned *count)
{
    char value[64];
    int code = answer(handle, ".mig", value, sizeof value);
    if (code == SUCCESS)
        *count = (unsigned)atoi(value);
    return code;
}

int nvmlDeviceGetMigDeviceHandleByIndex(void *handle, unsigned index, void **instance)
{
    char value[64];
    int device = (int)((size_t)handle / (MOST * MOST)) - 1;
    int code = refusal(handle, ".mig");
    if (code != SUCCESS)
        return code;
    *instance = handle_of(device, (int)index);
    code = answer(*instance, ".uuid", value, sizeof value);
    return code == NOT_SUPPORTED ? NOT_FOUND : code;
}
