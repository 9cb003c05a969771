/*
 * notify: tells the service manager (systemd's sd_notify protocol) how this service is. Without NOTIFY_SOCKET nothing
 * happens.
 */
#ifndef WOO_GHL_BASE_NOTIFY_H
#define WOO_GHL_BASE_NOTIFY_H

/* "READY=1\nSTATUS=..." */
void notify_manager(const char *state);

#endif
