/* The shim is built from this folder alone; what it shares with the engine's
 * reader of logs is compiled in here. */
#include "runtime/log/logformat.c"
#include "runtime/log/logscan.c"
