#!/bin/sh
# The same with SkyRL tx in two JAX processes, a coordinator and a worker on loopback, as on two hosts.
#
# Run: npm run build && integration/skyrl-run-two.sh [FOLDER]      see skyrl-run.sh
# Needs the machine for itself: 22 GB of memory with swap behind it, three quarters of an hour on two cores.
SKYRL_PROCESSES=2 exec "$(dirname "$0")/skyrl-run.sh" "$@"
