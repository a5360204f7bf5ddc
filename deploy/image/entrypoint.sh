#!/bin/sh
# One image, five roles: web, worker, relay, beat, migrate. Each ends by SIGTERM: `exec`, so that the process itself
# receives it, but for web, which goes on serving for a moment, unready, until nobody sends requests any more.
set -eu
role="${1:-web}"
mkdir -p "$VAR_DIR"
echo "$role" > "$VAR_DIR/role"

# Where processes behind one address add up what they count; what a former start left there is no more.
count_together() {
  export PROMETHEUS_MULTIPROC_DIR="$VAR_DIR/metrics-$role"
  rm -rf "$PROMETHEUS_MULTIPROC_DIR" && mkdir "$PROMETHEUS_MULTIPROC_DIR"
}

web() {
  rm -f "$VAR_DIR/draining"
  count_together
  granian --interface wsgi --host "${WEB_HOST:-0.0.0.0}" --port "${PORT:-8080}" --workers "${WEB_WORKERS:-2}" \
    --blocking-threads "${WEB_THREADS:-16}" --backlog 1024 --no-ws --workers-kill-timeout 25 frozenshop.wsgi:application &
  server=$!
  trap 'trap "" TERM INT; touch "$VAR_DIR/draining"; sleep "${WEB_DRAIN_SECONDS:-5}"; kill -TERM "$server" || true' TERM INT
  code=0
  while kill -0 "$server" 2>/dev/null; do wait "$server" && code=0 || code=$?; done
  exit "$code"
}

case "$role" in
  web) web ;;
  # SIGQUIT is Celery's soft shutdown: 20 s for what is under way; what isn't done by then goes back to the broker.
  # A name of its own: of two workers of one name the second ends at its start, and containers may share the host's name.
  worker) count_together; exec env REMAP_SIGTERM=SIGQUIT celery -A frozenshop worker \
       --hostname "worker-$(cut -c1-8 /proc/sys/kernel/random/uuid)@%h" --concurrency "${WORKER_CONCURRENCY:-4}" \
       --without-gossip --without-mingle --loglevel INFO ${WORKER_QUEUES:+--queues "$WORKER_QUEUES"} ;;
  relay) exec python3 manage.py relay ;;
  beat) exec celery -A frozenshop beat --pidfile= --loglevel INFO ;;
  migrate) python3 manage.py migrate --noinput && python3 manage.py load_base_data && exec python3 manage.py sync_schedule ;;
  *) exec "$@" ;;
esac
