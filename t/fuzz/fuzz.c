/* libFuzzer's door: FUZZ_TARGET names what is fuzzed (`make fuzz`). */
#include "rig.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const struct fuzz_target *target;
    const char *name = target ? NULL : getenv("FUZZ_TARGET");

    for (size_t i = 0; name && i < fuzz_target_count; i++)
        if (!strcmp(fuzz_targets[i].name, name))
            target = &fuzz_targets[i];
    check(target != NULL);
    target->run(bytes, len);
    return 0;
}
