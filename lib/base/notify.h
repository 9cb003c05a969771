/*
 * notify: tells the service manager (systemd's sd_notify protocol) how this service is. Without NOTIFY_SOCKET nothing
 * happens.
 */
#pragma once

/* "READY=1\nSTATUS=..." */
void notify_manager(const char *state);
