#include "cli/rekey.h"
#include "worker/rekey.h"
#include <stdio.h>
#include <sysexits.h>

int rekey_run(struct app *app)
{
    struct rekey_counts counts;
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
