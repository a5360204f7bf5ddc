# One image for web, worker, relay and beat. Another base may be given: --build-arg BASE=…
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc pkg-config libmariadb-dev python3-dev python3-venv \
    && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /venv
COPY requirements-base.txt requirements.txt /src/
RUN /venv/bin/pip install --no-cache-dir -r /src/requirements.txt

FROM ${BASE}
RUN apt-get update && apt-get install -y --no-install-recommends libmariadb3 && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /app frozenshop
WORKDIR /app
COPY --from=build /venv /venv
COPY manage.py ./
COPY frozenshop frozenshop
COPY orders orders
COPY logistics logistics
COPY notifications notifications
COPY templates templates
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 VAR_DIR=/tmp/frozenshop
# Static files are collected without any real key: the values below live in this layer's command only.
RUN SECRET_KEY=build-time-only-build-time-only-build-time-only FIELD_ENCRYPTION_KEYS=b:QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE= \
    BLIND_INDEX_KEYS=b:QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE= AUDIT_KEY=build-time-only-build-time-only-build-time-only \
    python3 manage.py collectstatic --noinput
COPY deploy/entrypoint.sh /entrypoint.sh
USER 10001
EXPOSE 8080
ENTRYPOINT ["/entrypoint.sh"]
CMD ["web"]
