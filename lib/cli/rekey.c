/* What is stored is sealed anew, in words. */
#include "worker/rekey.h"
#include "cli/commands_work.h"
#include <stdio.h>
#include <sysexits.h>

static int seal(struct app *app, void *context)
{
    struct rekey_counts counts;

    (void)context;
    if (!commands_ready(app, "rekey"))
        return EX_TEMPFAIL;
    bool good = rekey(app, &counts);

    printf("sealed anew: %ld bodies and notes, %ld files of the spool\n", counts.blobs, counts.files);
    if (!good || counts.locked)
        fprintf(stderr, "woo_ghl rekey: %ld could not be opened; %s\n", counts.locked, counts.why.text);
    if (counts.in_hand)
        fprintf(stderr, "woo_ghl rekey: %ld are in hand just now; run it again in a minute\n",
                counts.in_hand);
    if (!good || counts.locked || counts.in_hand)
        return EX_TEMPFAIL;
    printf("Nothing here needs DATA_KEY_PREVIOUS or WOO_WEBHOOK_SECRET_PREVIOUS any more.\n");
    return EX_OK;
}

int run_rekey(int argc, char **argv, volatile int *stop)
{
    (void)argc, (void)argv;
    return commands_in_app(stop, seal, NULL);
}
