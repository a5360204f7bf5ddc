#!/bin/sh
# One image, five roles: web, worker, relay, beat, migrate. `exec`, so that the process itself receives SIGTERM.
set -eu
mkdir -p "$VAR_DIR"
case "${1:-web}" in
  web) exec granian --interface wsgi --host 0.0.0.0 --port "${PORT:-8080}" --workers "${WEB_WORKERS:-2}" \
       --blocking-threads "${WEB_THREADS:-16}" --backlog 1024 --no-ws frozenshop.wsgi:application ;;
  worker) exec celery -A frozenshop worker --concurrency "${WORKER_CONCURRENCY:-4}" --without-gossip --without-mingle --loglevel INFO ;;
  relay) exec python3 manage.py relay ;;
  beat) exec celery -A frozenshop beat --pidfile= --loglevel INFO ;;
  migrate) python3 manage.py migrate --noinput && python3 manage.py load_base_data && exec python3 manage.py sync_schedule ;;
  *) exec "$@" ;;
esac
