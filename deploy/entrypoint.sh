#!/bin/sh
# The file system is read-only and numba wants to write beside what it reads: each container works on a copy in memory
# of the cache that the image was built with. Code compiled for other processors is compiled anew, once a start.
set -eu
if [ -d /opt/numba ] && [ -n "${NUMBA_CACHE_DIR:-}" ] && [ ! -e "$NUMBA_CACHE_DIR" ]; then
    cp -r /opt/numba "$NUMBA_CACHE_DIR"
fi
if [ -n "${PROMETHEUS_MULTIPROC_DIR:-}" ]; then
    mkdir -p "$PROMETHEUS_MULTIPROC_DIR"
fi
# A load balancer asks /livez by the container's own address, which nobody knows before it runs.
if [ -n "${ALLOW_OWN_ADDRESS:-}" ]; then
    ALLOWED_HOSTS="${ALLOWED_HOSTS:+$ALLOWED_HOSTS,}$(hostname -i | tr ' ' ',')"
    export ALLOWED_HOSTS
fi
exec "$@"
