#!/bin/sh
# The same with SkyRL tx in two JAX processes, a coordinator and a worker on loopback, as on two hosts.
#
# Run: npm run build && integration/skyrl-run-two.sh [FOLDER]      see skyrl-run.sh
SKYRL_PROCESSES=2 exec "$(dirname "$0")/skyrl-run.sh" "$@"
