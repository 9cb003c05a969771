/*
 * alert_send: how an alert reaches a person: ALERT_COMMAND, ALERT_URL, or both.
 *
 * An alert is sent by a process of its own, this program under the name ALERT_SENDER: nobody waits for it, it holds none
 * of its starter's descriptors, and it may take its time. The command gets a clean environment; it is killed after 30 s.
 * What fails is logged, kept in DATA_DIR/alerts and tried again, after 1, 2, 4 ... 60 minutes, for a day.
 *
 * An alert is a JSON object of texts: kind, shop, host, what, since, costs, mend; `over` (a boolean) with an all-clear.
 */
#pragma once

#include "base/json.h"
#include "config/config.h"

#define ALERT_SENDER ".send-alert" /* argv[1] of the process */

/* Starts the process; it gets the alert's JSON, sends it, and then what is due of those that failed. A blank: only that.
 * False if it could not be started. */
bool alert_send(const char *text, size_t len);
/* A process that does so for one that will be confined; a socket to it, or -1. It ends when the socket closes. */
int alert_apart(void);
bool alert_send_apart(int apart, const char *text, size_t len);

/* What that process does. An exit code. */
int alert_sender(void);

struct alert_result {
    char command[300], url[300]; /* why it failed; "" = it went well, or is not set */
};
/* Sends it now, and waits for the end. */
void alert_deliver(const struct config *config, const json_t *alert, struct alert_result *result);

/* How the last one ended: at (ms since 1970), kind, command, url; "" = well. NULL = none was sent from this machine. */
json_t *alert_last(const struct config *config);
/* How many wait to be tried again; *due: one of them may be tried now. */
long alert_waiting(const struct config *config, bool *due);
