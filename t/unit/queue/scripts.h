/*
 * What rules.c plays. See there for the language. The clock begins at 1000: "sells A 100" was modified 900 s ago.
 */
static const struct script scripts[] = {
    /* -- claim: kind, origin, time -- */
    {"a new sale is queued",
     "sells A 100 > queued; is current=A latest=A body=body-A sold=1 ended=0 look=0 due=0 "
     "accepted=0 changed=1 expires=- modified=100"},
    {"a new sale is leased at once", "sells A 100 to=t > leased; is lease=t until=60 current=A waiting=-"},
    {"without a modified time other bytes are a later save, and the same bytes a redelivery",
     "sells A - bytes=x > queued; +5; sells A - bytes=x > duplicate; is changed=0; sells A - bytes=y > "
     "duplicate; is "
     "changed=1; +1; ends B - spool ago=3 > stale"},
    {"the same again changes nothing", "sells A 100 > queued; sells A 100 > duplicate; is changed=0"},
    {"saved without a change: what comes late is older",
     "sells A 100 > queued; sells A 120 > duplicate; is changed=1 modified=120; ends B 110 > stale"},
    {"saved without a change: the bytes of the new second are known, those of the old one not",
     "sells A 100 bytes=x > queued; sells A 120 bytes=y > duplicate; ends B 120 > queued; sells A2 120 "
     "bytes=y > "
     "duplicate; ends C 120 bytes=x > queued"},
    {"an end that was never sold is remembered",
     "ends A 100 > ignored; is changed=1 ended=1 current=- latest=A latest-status=refunded expires=1000; "
     "ends A 100 > duplicate; ends B 90 > stale"},
    {"an end is no nothing if the order was sold, is linked, is waited for or is a dead letter",
     "sells A 100 to=t > leased; finish t > done; ends B 110 > queued"},
    {"sold, as the spool knows", "ends A 100 recovered sold > queued"},
    {"linked to a contact alone", "learn - c1 - > kept; ends A 100 > queued"},
    {"its opportunity is gone",
     "ends A 100 created=900 to=t > leased; knows gone=1; finish t > done; ends B 110 > queued"},
    {"a create of it may come true",
     "ends A 100 created=900 to=t > leased; attempt t opportunity 60; finish t > done; ends B 110 > queued"},
    {"a dead letter whose body is deleted",
     "ends A 100 created=900 to=t > leased; refuse t > dead; delete > yes; ends B 110 > queued"},
    {"an unmapped status of an unknown order is remembered",
     "follows A 100 > ignored; is changed=1 ended=0 latest=A latest-status=- modified=100; follows B 90 > "
     "stale"},
    {"an end of a sale is queued in its place",
     "sells A 100 > queued; +5; ends B 110 > queued; is current=B waiting=- sold=1 ended=1 accepted=0"},
    {"an unmapped status follows with the latest mapped one",
     "sells A 100 > queued; ends B 110 > queued; follows C 120 > queued; "
     "is current=C status=refunded follows=0 latest=C latest-status=refunded ended=1"},
    {"an unmapped status leaves the status that GHL has",
     "sells A 100 to=t > leased; finish t > done; follows C 120 > queued; is current=C follows=1"},
    {"an older version is stale",
     "sells B 110 > queued; ends A 100 > stale; is changed=0 current=B latest=B"},
    {"without a date the arrival counts",
     "sells A - > queued; is modified=-1000000; +2; ends B - > queued; is current=B"},
    {"behind a worker only the newest waits",
     "sells A 100 to=t > leased; ends B 110 > busy; is current=A waiting=B; ends C 120 > busy; is current=A "
     "waiting=C; ends B 110 > stale; ends C 120 > duplicate"},
    {"back to what it was before is news",
     "sells A 100 > queued; ends B 110 > queued; sells A 120 > queued; is current=A"},

    {"what the spool has beside the store is older than what the store knows, also under another key",
     "sells A 100 to=t > leased; deleted D > busy; sells A 100 spool ago=2 hash=k2 bytes=x > stale; is "
     "waiting=D"},

    /* -- a backup that was put back -- */
    {"an order that waits in it may have been done",
     "sells A 100 > queued; is look=0; +60; forgets; lease t > taken; is look=1"},
    {"but not one that came since",
     "forgets; +300; sells A 100 > queued; is look=0; lease t > taken; is look=0"},
    {"nor one whose opportunity it knows", "sells A 100 to=t > leased; learn t c1 o1; finish t > done; +60; "
                                           "forgets; ends B 110 > queued; is look=0; lease t > taken; "
                                           "is look=0"},
    {"its next version is looked for, too",
     "sells A 100 > queued; +60; forgets; +9; ends B 110 to=t > leased; is look=1"},
    {"also if it was never sold, as far as the backup knows",
     "ends A 100 > ignored; +60; forgets; ends B 110 > queued; is look=1"},

    {"a sale of before the start is news when it is asked for",
     "ends A 100 status=completed > ignored; +60; sells A 100 fetched status=completed > queued; is sold=1 "
     "current=A ended=0; "
     "sells A 100 fetched > duplicate"},
    /* -- erased -- */
    {"an erased version takes the place of what waits",
     "sells A 100 > queued; ends E 110 erased > queued; is current=E waiting=- erased=1 sold=1"},
    {"and of what waits behind a worker",
     "sells A 100 to=t > leased; sells B 110 > busy; ends E 120 erased > busy; is current=A waiting=E; "
     "knows email=e; finish t next=u > next; is current=E waiting=- email=-"},
    {"and of a dead letter's body",
     "sells A 100 to=t > leased; refuse t > dead; ends E 110 erased > queued; is current=E dead=-"},
    {"no version that names a person comes after it",
     "sells A 100 to=t > leased; knows email=e; finish t > done; is email=e; ends E 110 erased to=t > "
     "leased; is email=-; "
     "finish t > done; sells A 100 > stale; sells A 100 fetched > stale; sells B 110 > stale; sells C 120 > "
     "stale; "
     "ends D 130 fetched > stale; follows F 140 > stale; sells G 150 recovered sold > stale; is changed=0 "
     "current=- latest=E"},
    {"nor after an order that was never sold",
     "ends E 110 erased > ignored; is erased=1; sells A 100 > stale; sells B 120 > stale"},
    {"but its status follows, and so does its deletion",
     "sells A 100 to=t > leased; finish t > done; sells E 110 erased > queued; ends F 120 erased > queued; "
     "is current=F; "
     "deleted D > queued; is latest-status=trash erased=1"},

    /* -- deleted, restored -- */
    {"an order that came back from the bin", "sells A 100 > queued; deleted D > queued; is restored=0; sells "
                                             "A 120 > queued; is restored=1; deleted D > queued; is "
                                             "restored=1 latest-status=trash"},
    {"what the shop shows after an old deletion is news, though its bytes came before",
     "sells A 100 > queued; +1; deleted D > queued; +1; sells A 100 fetched > queued; is current=A latest=A "
     "latest-status=processing; deleted D fetched ago=9 > stale"},
    {"what was read before is none",
     "sells A 100 > queued; +1; ends B 100 > queued; +1; sells A 100 fetched ago=2 > stale; "
     "sells A 100 fetched > queued"},

    /* -- one second -- */
    {"an equal second is not older", "sells A 100 > queued; ends B 100 > queued; is current=B ended=1"},
    {"A, B, A's bytes again: B stays",
     "sells A 100 > queued; ends B 100 > queued; sells A 100 > duplicate; is current=B latest=B changed=0"},
    {"also if B is a dead letter",
     "sells A 100 > queued; ends B 100 > queued; lease t > taken; refuse t > dead; "
     "sells A 100 > duplicate; is dead=0 latest=B; ends B 100 > queued; is dead=- current=B"},
    {"also if all is done",
     "sells A 100 to=t > leased; ends B 100 > busy; finish t next=u > next; finish u > done; sells A 100 > "
     "duplicate; is current=- latest=B"},
    {"long hashes of bytes are known again, too",
     "sells A 100 bytes=0123456789abcdef0123456789abcdef > queued; ends B 100 > queued; "
     "sells A2 100 bytes=0123456789abcdef0123456789abcdef > duplicate; is current=B"},
    {"other bytes of an earlier version of that second are news",
     "sells A 100 > queued; ends B 100 > queued; sells A 100 bytes=A2 > queued; is current=A"},
    {"a new second forgets the bytes of the last",
     "sells A 100 > queued; ends B 101 > queued; sells A 101 > queued; is current=A"},
    {"fifteen versions of a second are known",
     "sells A 100 bytes=0000000000000001 > queued; ends B 100 bytes=0000000000000002; sells C 100 "
     "bytes=0000000000000003; ends D 100 bytes=0000000000000004; sells E 100 bytes=0000000000000005; ends F "
     "100 "
     "bytes=0000000000000006; sells G 100 bytes=0000000000000007; ends H 100 bytes=0000000000000008; sells I "
     "100 "
     "bytes=0000000000000009; ends J 100 bytes=000000000000000a; sells A 100 bytes=0000000000000001 > "
     "duplicate; "
     "is current=J"},
    {"what lay in the spool for a second is older within one",
     "sells B 100 > queued; ends A 100 spool ago=3 > stale; ends C 100 spool ago=1 > queued"},
    {"what was in the spool just now and needs nothing is remembered",
     "follows B 100 > ignored; ends A 100 spool ago=1 > ignored; is ended=1 latest=A changed=1"},
    {"what was read from the shop before is older within a second",
     "sells B 100 > queued; +3; ends A 100 fetched ago=4 > stale; ends A 100 fetched > queued"},
    {"what came out of the spool makes the latest arrival no earlier",
     "sells A 100 > queued; ends B 100 spool ago=1 > queued; ends C 100 fetched ago=1 > stale"},
    {"what a worker could not hand back is never newer within one",
     "ends B 100 > ignored; sells A 100 recovered ago=10 > queued; is current=A status=refunded sold=1"},
    {"what a worker could not hand back is queued if the store forgot it",
     "ends B 100 recovered sold created=900 ago=10 > queued; is sold=1 look=1 current=B"},
    {"hashed with another key: the same second and status are the same version",
     "sells A 100 > queued; sells A2 100 hash=h2 > duplicate; ends B2 100 hash=h2 > queued; is current=B2"},
    {"without a modified time a version hashed with another key is news",
     "sells A - > queued; sells A2 - hash=h2 > queued; is current=A2"},
    {"another key: what GHL holds is unknown", "sells A 100 to=t > leased; knows opp=o1 part=p; finish t > "
                                               "done; is part=p; ends B 110 hash=h2 > queued; "
                                               "is part=- opp=o1"},

    /* -- clocks -- */
    {"a shop whose clock is ahead: its own order counts",
     "sells A 5000 > queued; +10; ends B 5001 > queued; ends C 5000 > stale; is current=B"},
    {"its clock is set right: what comes then is newer",
     "sells A 5000 > queued; +10; ends B 1010 > queued; is current=B modified=1010"},
    {"the store's clock was set back: what comes now is newest",
     "sells A - > queued; +-50; ends B - > queued; is current=B"},

    /* -- known or fresh -- */
    {"fresh: created less than two minutes ago", "sells A 100 created=119 > queued; is look=0"},
    {"not fresh: created earlier", "sells A 100 created=120 > queued; is look=1"},
    {"not fresh: the store may have forgotten it", "sells A 100 created=5 up=119 > queued; is look=1"},
    {"fresh again: the store is up for two minutes", "sells A 100 created=5 up=120 > queued; is look=0"},
    {"known before the store lost something: look before an end is ignored",
     "ends A 100 > ignored; +300; ends B 110 up=100 > queued; is look=1"},
    {"known after it: nothing to look for",
     "ends A 100 > ignored; +300; ends B 110 up=400 > ignored; is look=0"},
    {"queued before the store lost something: look before it is created",
     "sells A 100 > queued; +300; sells B 110 up=100 > queued; is look=1"},
    {"as the last one that is known, but something may have come between",
     "sells A 100 to=T > leased; knows part=P; finish T > done; +300; sells A 110 up=100 > queued; is "
     "part=-"},
    {"known as an end, and told to be sold",
     "ends A 100 > ignored; ends A 100 spool sold > queued; is current=A sold=1"},
    {"waits as an end, and is told to be sold",
     "ends A 100 created=900 > queued; ends A 100 spool sold > duplicate; is current=A sold=1"},
    {"a worker has the end, and it is told to be sold",
     "ends A 100 created=900 to=T > leased; ends A 100 spool sold > duplicate; is sold=1 waiting=A"},
    {"dropped, and told to be sold", "sells A 100 > queued; lease T > taken; refuse T > dead; drop; "
                                     "sells A 100 spool sold > duplicate; is current=-"},
    {"the same, said again", "sells A 100 > queued; +300; sells A 110 up=100 > duplicate; is look=1"},
    {"with its opportunity: nothing to look for",
     "sells A 100 to=T > leased; learn T C O; finish T; +300; sells B 110 up=100 > queued; is look=0"},
    {"not fresh: it stood under another key", "sells A 100 created=5 moved > queued; is look=1"},
    {"fresh when it came into the spool", "sells A 100 spool created=3610 ago=3600 > queued; is look=0"},
    {"dated two days ahead: not fresh", "sells A 100 created=-200000 > queued; is look=1"},
    {"an end of an order that is not fresh is looked for",
     "ends A 100 created=900 > queued; is look=1 sold=0 current=A; lease t > taken; finish t > done; is "
     "look=0; "
     "ends B 110 created=900 > ignored"},
    {"an unmapped status of one that is not fresh is only remembered",
     "follows A 100 created=900 > ignored; is look=1; ends B 110 created=900 > queued; is look=1"},
    {"a deletion of an unknown order says nothing of a sale that comes then",
     "deleted D > ignored; is changed=0 ended=0 latest-status=-; +5; sells A 1004 created=900 > queued; is "
     "look=1 ended=0"},
    {"ids from the spool alone make no order known",
     "learn - c1 - > kept; is contact=c1; sells A 100 created=900 > queued; is look=1 contact=c1"},
    {"a linked order's end is queued", "learn - c1 o1 > kept; ends A 100 > queued; is current=A sold=0"},

    /* -- a sale that comes late -- */
    {"a late sale after its end counts with the end's status",
     "ends B 110 > ignored; sells A 100 > queued; is current=A status=refunded sold=1 latest=- modified=110; "
     "ends B 110 > queued; is current=B"},
    {"a late sale after an unmapped status",
     "follows B 110 > ignored; sells A 100 > queued; is current=A sold=1 "
     "latest-status=processing modified=110; follows B 110 > queued"},
    {"a late sale while its end waits",
     "ends B 110 created=900 > queued; sells A 100 > stale; is changed=1 current=B sold=1 waiting=-"},
    {"a late sale while a worker has its end: once more",
     "ends B 110 created=900 to=t > leased; sells A 100 > stale; is changed=1 waiting=B sold=1; finish t "
     "next=u > "
     "next; is current=B sold=1"},
    {"also if its lease just ran out", "ends B 110 created=900 to=t > leased; +61; sells A 100 > stale; is "
                                       "sold=1; finish t > queued; is current=B sold=1"},
    {"a late sale: what its end replaced within a second is no news, the end is",
     "follows A 100 > ignored; ends B 100 > ignored; sells C 90 > queued; follows A 100 > duplicate; is "
     "current=C; "
     "ends B 100 > queued; is current=B; follows A 100 > duplicate; ends B 100 > duplicate"},
    {"a second late sale is stale",
     "ends C 120 > ignored; sells A 100 > queued; sells B 110 > stale; is current=A"},
    {"an older end says no late sale",
     "ends B 110 created=900 > queued; ends A 100 > stale; is sold=0 changed=0"},
    {"no late sale: the opportunity is there",
     "ends B 110 created=900 to=t > leased; knows opp=o1; finish t > done; sells A 100 > stale"},
    {"no late sale: the opportunity is gone",
     "ends B 110 created=900 to=t > leased; knows gone=1; finish t > done; sells A 100 > stale"},
    {"no late sale: a create may come true",
     "ends B 110 created=900 to=t > leased; attempt t opportunity 60; finish t > done; sells A 100 > stale"},
    {"no late sale: a dead letter without its body",
     "ends B 110 created=900 to=t > leased; refuse t > dead; delete > yes; sells A 100 > stale"},

    /* -- deletion -- */
    {"a deletion ends what is known, with its content",
     "sells A 100 > queued; deleted D > queued; is body=body-A current=D status=trash ended=1 modified=100"},
    {"a deletion of one that follows",
     "sells A 100 to=t > leased; finish t > done; follows B 110 > queued; is follows=1; +5; deleted D > "
     "queued; is follows=0 body=body-B accepted=0"},
    {"a deletion waits behind a worker with the newest content",
     "sells A 100 to=t > leased; sells B 110 > busy; deleted D > busy; is body=body-A current=A waiting=D "
     "next-status=trash"},
    {"a deletion: what came before it is no news, a restored order is",
     "sells A 100 > queued; deleted D > queued; +5; sells A 100 > duplicate; is status=trash; sells B 100 > "
     "queued; "
     "is current=B"},
    {"a late sale after a deletion: what the deletion ended is no news",
     "ends A 100 > ignored; deleted D > ignored; sells C 90 > queued; is status=trash; ends A 100 > "
     "duplicate; "
     "is current=C"},
    {"a deletion repeated is the same",
     "sells A 100 > queued; deleted D > queued; +5; deleted D > duplicate"},
    {"restored and deleted again", "sells A 100 > queued; +5; deleted D > queued; +5; sells B 1008 > queued; "
                                   "+5; deleted D > queued; is status=trash"},
    {"a deletion of a done order has its own body", "sells A 100 to=t > leased; knows opp=o1; finish t > "
                                                    "done; deleted D > queued; is body=body-D current=D"},

    /* -- which order -- */
    {"another order_key is another order",
     "sells A 100 key=k1 > queued; ends B 110 key=k2 > other; ends C 120 > queued; is key=k1 current=C"},
    {"an order without one takes the first",
     "sells A 100 > queued; ends B 110 key=k1 > queued; is key=k1; ends C 120 key=k2 > other"},
    {"when it was created",
     "sells A 100 created=50 > queued; is created=-50; ends B 110 > queued; is created=-50"},

    /* -- the lease -- */
    {"a lease is one worker's", "sells A 100 > queued; lease t > taken; lease u > held; +59; renew t > yes; "
                                "lease u early > held; renew u > no"},
    {"nothing to lease", "lease t > not-due; ends A 100 > ignored; lease t early > not-due"},
    {"not due yet; but early",
     "sells A 100 to=t > leased; retry t 30 > queued; lease u > not-due; lease u early > taken"},
    {"due at its time", "sells A 100 to=t > leased; retry t 30 > queued; +30; lease u > taken"},
    {"due too far ahead: a clock was set back",
     "sells A 100 to=t > leased; retry t 30 > queued; +-90000; lease u > taken"},
    {"taken over, it is due, whenever it was due before",
     "sells A 100 to=t > leased; retry t 3600 > queued; lease u early > taken; +60; lease v > taken"},
    {"what was tried since", "sells A 100 > queued; tried 10 > no; +20; lease t > taken; tried 0 > yes; "
                             "retry t 0 > queued; +5; tried 5 > yes; "
                             "tried 4 > no; +-3600; tried 3600 > no"},
    {"a lease that ran out is taken over, and what was written is unknown",
     "sells A 100 to=t > leased; knows opp=o1 contact=c1 part=p note=n; finish t > done; is unsettled=-; "
     "ends B 110 "
     "to=t > "
     "leased; is part=p; +60; lease u > taken; is lease=u part=- note-part=n unsettled=120; renew t > no"},
    {"an arrival takes over, too", "sells A 100 to=t > leased; learn t c1 o1; +61; ends B 110 > queued; is "
                                   "lease=- current=B waiting=- part=- "
                                   "unsettled=119"},
    {"a contact that may come late is settled, too",
     "sells A 100 to=t > leased; attempt t contact 60 > yes; +60; lease u > taken; is unsettled=120"},
    {"a contact that is known is settled alone",
     "sells A 100 to=t > leased; learn t c1 - > kept; +60; lease u > taken; is unsettled=120"},
    {"a take over begins with what waited",
     "sells A 100 to=t > leased; ends B 110 > busy; +60; lease u > taken; is current=B waiting=-"},
    {"a worker whose lease ran out goes on if nobody took it",
     "sells A 100 to=t > leased; +70; renew t > yes; is until=60; finish t > done"},
    {"the index holds a leased one until its lease ends",
     "sells A 100 > queued; is index-due=0; lease t > taken; is index-due=60; finish t > done; is "
     "index-due=-"},

    /* -- ends -- */
    {"finished: nothing waits, the link stays",
     "sells A 100 to=t > leased; knows opp=o1 contact=c1 part=p note=n; finish t > done; "
     "is current=- lease=- due=- opp=o1 contact=c1 part=p note-part=n expires=1000 latest=A"},
    {"finished with a waiting body: leased to the next",
     "sells A 100 to=t > leased; ends B 110 > busy; knows opp=o1; finish t next=u > next; is current=B "
     "lease=u "
     "until=60 opp=o1; finish u > done"},
    {"finished with a waiting body: due now",
     "sells A 100 to=t > leased; ends B 110 > busy; finish t > queued; is current=B lease=- due=0"},
    {"finished without the lease: ids are kept",
     "sells A 100 to=t > leased; +60; lease u > taken; is current=A; finish u > done; finish t > lost"},
    {"ids of a worker that lost its lease are kept if there are none",
     "sells A 100 to=t > leased; +60; lease u > taken; knows contact=c9 opp=o9; finish t > lost; is opp=o9 "
     "contact=c9 "
     "lease=u current=A"},
    {"an id that somebody else learned stays",
     "sells A 100 to=t > leased; learn - c1 o1 > kept; finish t > done; is opp=o1 contact=c1"},
    {"the worker's own ids win",
     "sells A 100 to=t > leased; knows opp=o1; finish t > done; is opp=o1 contact=-"},
    {"retried: counted, due, with its reason", "sells A 100 to=t > leased; retry t 30 counted > queued; is "
                                               "tries=1 due=30 current=A lease=-; +30; lease t > "
                                               "taken; retry t 5 > queued; is tries=1 due=5"},
    {"retried with a waiting body: that one, now",
     "sells A 100 to=t > leased; ends B 110 > busy; retry t 30 counted > queued; is current=B due=0 tries=0"},
    {"what waited has fresh attempts and no reason",
     "sells A 100 to=t > leased; retry t 5 counted > queued; is reason=GHL,is,away; +5; lease t > taken; "
     "ends B 110 > busy; "
     "finish t next=u > next; is tries=0 reason=-"},
    {"so has a new version, and what is done", "sells A 100 to=t > leased; retry t 5 counted > queued; ends "
                                               "B 110 > queued; is reason=-; lease t > taken; retry t 5; "
                                               "lease t early > taken; finish t > done; is reason=- tries=0"},
    {"retried with a waiting body while work is held: later",
     "sells A 100 to=t > leased; ends B 110 > busy; retry t 30 hold > queued; is current=B due=30"},
    {"retried without the lease", "sells A 100 to=t > leased; retry u 30 > lost; is lease=t"},
    {"a new version has fresh attempts, and is due now",
     "sells A 100 to=t > leased; retry t 30 counted; ends B 110 > queued; is tries=0 due=0"},
    {"refused: a dead letter", "sells A 100 to=t > leased; refuse t > dead; is dead=0 current=A lease=- "
                               "index-due=-; lease u early > not-due"},
    {"refused: why, and what is known of GHL", "sells A 100 to=t > leased; knows opp=o9; refuse t > dead; is "
                                               "reason=GHL,refused,it opp=o9 index-age=- index-dead=0"},
    {"how long an order waits",
     "sells A 100 to=t > leased; +5; is index-age=-5 index-dead=-; finish t > done; is index-age=-"},
    {"refused with a waiting body: that one",
     "sells A 100 to=t > leased; ends B 110 > busy; refuse t > queued; is current=B dead=- due=0 lease=-"},
    {"refused without the lease", "sells A 100 to=t > leased; refuse u > lost; is dead=-"},

    /* -- writes of unknown outcome -- */
    {"a write of unknown outcome is repeated when its window is over",
     "sells A 100 to=t > leased; knows opp=o1 part=p note=n unsettled=120; finish t > queued; is current=A "
     "due=120 part=- "
     "note-part=n unsettled=120; +120; lease u > taken; is unsettled=-; knows part=p; finish u > done; is "
     "part=p"},
    {"why it waits then", "sells A 100 to=t > leased; knows opp=o1 unsettled=9; finish t > queued; is "
                          "reason=a,write,to,GHL,whose,answer,was,lost,is,repeated,to,be,sure"},
    {"begun before the window was over, ended after it: once more",
     "sells A 100 to=t > leased; knows opp=o1 unsettled=10; retry t 0 > queued; lease t > taken; knows "
     "part=p; +11; "
     "finish t > queued; is part=- due=0; lease t > taken; is unsettled=-"},
    {"retried after a known write, within the window: the part is unknown",
     "sells A 100 to=t > leased; knows opp=o1 part=p note=n unsettled=10; retry t 30 > queued; is part=- "
     "note-part=n; "
     "+30; lease t > taken; is part=- unsettled=-"},
    {"refused within the window: the part is unknown",
     "sells A 100 to=t > leased; knows opp=o1 part=p unsettled=10; refuse t > dead; is part=-; +30; requeue "
     "> due; "
     "lease t > taken; is part=- unsettled=-"},
    {"the next version within the window: the part is unknown",
     "sells A 100 to=t > leased; ends B 110 > busy; knows opp=o1 part=p unsettled=10; finish t next=u > "
     "next; is "
     "part=- unsettled=10; knows part=q; finish u > queued; is due=10"},
    {"a new version while a write is repeated", "sells A 100 to=t > leased; knows opp=o1 unsettled=120; "
                                                "finish t > queued; ends B 110 to=t > leased; is current=B "
                                                "part=- unsettled=120; finish t > queued; is due=120"},

    /* -- attempts -- */
    {"an attempt is recorded with the lease alone",
     "sells A 100 to=t > leased; attempt u opportunity 60 > no; is attempt=-; +30; attempt t opportunity 60 "
     "> yes; is "
     "attempt=opportunity window=60 until=60 refused=0"},
    {"its note, and when it began",
     "sells A 100 to=t > leased; +5; attempt t opportunity 60; +5; is note=note began=-5"},
    {"the worker's id ends it, at the end", "sells A 100 to=t > leased; attempt t opportunity 60; knows "
                                            "opp=o1 contact=c1; finish t > done; is attempt=-"},
    {"of its own kind only", "sells A 100 to=t > leased; attempt t opportunity 60; knows contact=c1; finish "
                             "t > done; is attempt=opportunity"},
    {"a contact's, too", "sells A 100 to=t > leased; attempt t contact 60; retry t 0 > queued; is "
                         "attempt=contact; lease t > taken; knows "
                         "contact=c1; retry t 0 > queued; is attempt=-"},
    {"and not by an opportunity",
     "sells A 100 to=t > leased; attempt t contact 60; knows opp=o1; retry t 0 > queued; is attempt=contact"},
    {"it survives retries, versions and take overs",
     "sells A 100 to=t > leased; attempt t opportunity 60; unknown t 90 > yes; is window=90; unknown t 60; "
     "is window=90; "
     "retry t 5; ends B 110 > queued; lease t > taken; +60; lease u > taken; is attempt=opportunity "
     "window=90"},
    {"it survives a dead letter and its revival",
     "sells A 100 to=t > leased; attempt t opportunity 60; refused t 70 > yes; refuse t > dead; is "
     "attempt=opportunity "
     "refused=1 window=60; requeue > due; is attempt=opportunity refused=1"},
    {"the id of its create ends it", "sells A 100 to=t > leased; attempt t opportunity 60; learn t c1 - > "
                                     "kept; is attempt=opportunity; learn t c1 o1 > "
                                     "kept; is attempt=- opp=o1"},
    {"so does the id if a worker learned it without the lease",
     "sells A 100 to=t > leased; attempt t opportunity 60; +60; lease u > taken; learn t - o1 > kept; is "
     "attempt=- opp=o1"},
    {"an attempt that never left is forgotten", "sells A 100 to=t > leased; attempt t opportunity 60; "
                                                "impossible t > yes; is attempt=-; impossible u > no"},
    {"a finished order's note was made",
     "sells A 100 to=t > leased; knows opp=o1; attempt t note 60 > yes; finish t > done; is attempt=-"},
    {"a finished order's create is still unknown if it gave no id",
     "sells A 100 to=t > leased; attempt t opportunity 60 > yes; finish t > done; is attempt=opportunity; "
     "ends B 110 > queued"},
    {"an attempt whose outcome is unknown is not replaced by another kind's",
     "sells A 100 to=t > leased; attempt t opportunity 60 > yes; attempt t contact 60 > no; is "
     "attempt=opportunity; +61; "
     "attempt t contact 60 > yes; is attempt=contact"},
    {"nor by another of its kind; unless it was refused",
     "sells A 100 to=t > leased; attempt t opportunity 60 > yes; unknown t 90; attempt t opportunity 60 > "
     "no; refused t 0 > "
     "yes; attempt t opportunity 60 > yes; is refused=0 window=60"},
    {"a note's attempt stops nothing",
     "sells A 100 to=t > leased; attempt t note 60 > yes; attempt t note 60 > yes; "
     "attempt t contact 60 > yes; is attempt=contact"},

    /* -- ids -- */
    {"with the lease a contact replaces the one before",
     "sells A 100 to=t > leased; learn t c1 o1; knows part=p; retry t 0; lease t; is part=p; learn t c2 - > "
     "kept; is "
     "contact=c2 former=c1 part=-; learn t c3 - > kept; is former=c2,c1"},
    {"without it, none", "sells A 100 to=t > leased; learn t c1 o1 > kept; learn - c2 - > other-contact; "
                         "learn - - o2 > other-opportunity; "
                         "learn - c2 o2 > others; is contact=c1 opp=o1 former=-; learn - c1 o1 > kept"},
    {"a contact is former once, whatever the others are called",
     "sells A 100 to=t > leased; learn t c10 -; learn t c1 -; learn t c2 -; is former=c1,c10; learn t c10 -; "
     "learn t c1 "
     "-; is former=c2,c1,c10"},
    {"a lost contact is a former one",
     "sells A 100 to=t > leased; learn t c1 o1; lose u > no; lose t > yes; is contact=- former=c1 opp=o1"},
    {"ids of a done order are kept as long as it", "sells A 100 to=t > leased; finish t > done; +100; learn "
                                                   "- c1 - > kept; is expires=1000; sells B 110 > queued; is "
                                                   "expires=-; learn - - o1 > kept; is expires=-"},
    {"the worker's contact replaces the one that somebody else learned, which is a former one",
     "sells A 100 to=t > leased; learn - c9 - > kept; knows contact=c1; finish t > done; is contact=c1 "
     "former=c9"},

    /* -- dead letters -- */
    {"its version again revives it",
     "sells A 100 to=t > leased; refuse t > dead; sells A 100 > queued; is dead=- current=A "
     "tries=0; sells A 100 > duplicate"},
    {"an older version does not",
     "sells B 110 to=t > leased; refuse t > dead; sells A 100 > stale; is dead=0"},
    {"a newer one does",
     "sells A 100 to=t > leased; refuse t > dead; ends B 110 > queued; is dead=- current=B sold=1"},
    {"a person's hand does",
     "sells A 100 to=t > leased; retry t 5 counted; +5; lease t; refuse t > dead; requeue > due; is "
     "dead=- current=A due=0 tries=0 reason=-; requeue > none"},
    {"its body is deleted: the next version is news",
     "sells A 100 to=t > leased; refuse t > dead; delete > yes; is dead=0 current=- body=-; delete > no; "
     "requeue > no-body; "
     "is latest=-; sells A 100 > queued; is current=A dead=-"},
    {"dropped: neither its end nor a late sale brings it back; a sale does",
     "sells B 110 to=t > leased; refuse t > dead; drop > yes; is dead=- current=- latest=B sold=0 "
     "expires=1000; "
     "sells A 100 > stale; ends C 120 > ignored; sells D 130 > queued"},
    {"a requeued one waits anew",
     "sells A 100 to=t > leased; refuse t > dead; +9; requeue > due; is accepted=0"},
    {"no dead letter", "sells A 100 > queued; drop > no; delete > no; requeue > none"},
    {"bytes that are no order", "keep > yes; is dead=0 body=bytes reason=no,order; keep > no; requeue > due"},
    {"gone in GHL: a person's hand looks for it again",
     "sells A 100 to=t > leased; knows opp=o1 part=p gone=1; finish t > done; is gone=0; requeue > no-body; "
     "is gone=- opp=- "
     "look=1 sold=1 part=-; sells A 100 > queued"},
};
