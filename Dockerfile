# One image for web, worker, relay, beat and migrate. Another base with Python 3.11 may be given: --build-arg BASE=…
ARG BASE=python:3.11.14-slim-bookworm

FROM ${BASE} AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc pkg-config libmariadb-dev python3-dev python3-venv \
    && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /venv && python3 -m venv /tools
COPY requirements.lock deploy/image/requirements-sbom.txt /src/
RUN /venv/bin/pip install --no-cache-dir --require-hashes -r /src/requirements.lock
RUN /tools/bin/pip install --no-cache-dir -r /src/requirements-sbom.txt \
    && /tools/bin/cyclonedx-py environment /venv --output-format JSON --output-file /sbom.cdx.json
# What only installs, and the packages' own tests: no process of ours opens them.
RUN /venv/bin/pip uninstall -qy pip setuptools \
    && find /venv -type d \( -name tests -o -name test \) -not -path '*/django/*' -prune -exec rm -rf {} + \
    && find /venv -name '*.so' -exec strip --strip-unneeded {} +

FROM ${BASE}
RUN apt-get update && apt-get install -y --no-install-recommends libmariadb3 \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log \
    && useradd --system --uid 10001 --home-dir /app --shell /usr/sbin/nologin frozenshop
WORKDIR /app
COPY --from=build /venv /venv
COPY --from=build /sbom.cdx.json /usr/share/doc/frozenshop/sbom.cdx.json
COPY manage.py ./
COPY frozenshop frozenshop
COPY orders orders
COPY logistics logistics
COPY notifications notifications
COPY templates templates
# The buyers' page in a browser; where it was not built, the image goes without it.
COPY manage.py miniprogram/dist/build/h[5] miniprogram/dist/build/h5/
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 VAR_DIR=/tmp/frozenshop \
    METRICS_PORT=9464 METRICS_HOST=0.0.0.0
# Static files are collected, and all code compiled, without any real key: the values live in this layer's command only.
RUN rm miniprogram/dist/build/h5/manage.py \
    && SECRET_KEY=build-time-only-build-time-only-build-time-only FIELD_ENCRYPTION_KEYS=b:QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE= \
    BLIND_INDEX_KEYS=b:QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE= AUDIT_KEY=build-time-only-build-time-only-build-time-only \
    python3 manage.py collectstatic --noinput && rm -rf /tmp/frozenshop && python3 -m compileall -q /app
COPY deploy/image/entrypoint.sh /entrypoint.sh
COPY deploy/image/healthcheck.py /healthcheck.py
# Where a volume of the audit's checkpoints is mounted: a new one takes over whose it is.
RUN mkdir -m 750 /checkpoints && chown 10001:10001 /checkpoints
USER 10001
EXPOSE 8080 9464
ENTRYPOINT ["/entrypoint.sh"]
CMD ["web"]
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["python3", "/healthcheck.py"]
# Last, so that a new commit costs no layer.
ARG VERSION=0.0.0
ARG REVISION=unknown
ENV FROZENSHOP_VERSION=${VERSION} FROZENSHOP_REVISION=${REVISION}
LABEL org.opencontainers.image.title="frozenshop" \
      org.opencontainers.image.description="Order tracking for merchants of frozen food" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
