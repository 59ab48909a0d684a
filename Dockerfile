# The worker and all other commands of breachwatch. No Kafka broker and no JVM in here.
FROM python:3.11.14-slim-bookworm AS build
# The hot path becomes machine code: docs/internals/adr/0005-compiled.md.
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev
ENV HATCH_BUILD_HOOKS_ENABLE=1
WORKDIR /src
RUN python -m venv /opt/breachwatch
# The dependencies are the files of the lock, each checked by its hash. The last step reads no index.
COPY requirements.lock ./
RUN /opt/breachwatch/bin/pip wheel --no-cache-dir --no-deps --require-hashes --wheel-dir /opt/wheels --requirement requirements.lock
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY stream ./stream
RUN /opt/breachwatch/bin/pip wheel --no-cache-dir --no-deps --wheel-dir /opt/wheels .
RUN /opt/breachwatch/bin/pip install --no-cache-dir --no-index --find-links /opt/wheels breachwatch

FROM python:3.11.14-slim-bookworm
RUN useradd --system --uid 10001 --user-group --no-create-home breachwatch
COPY --from=build /opt/breachwatch /opt/breachwatch
ENV PATH=/opt/breachwatch/bin:$PATH PYTHONUNBUFFERED=1
# Faust wants a folder to write in, also with tables that are kept in memory.
WORKDIR /var/lib/breachwatch
RUN chown breachwatch:breachwatch .
USER breachwatch
LABEL org.opencontainers.image.title="breachwatch" \
    org.opencontainers.image.description="Streaming SLA breach detector for tickets, on Kafka" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="0.1.0"
EXPOSE 9300
# For workers. Other commands serve /healthz on ports of their own, or not at all: replace it there, or use --no-healthcheck.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-c", "import os, sys; from http.client import HTTPConnection as C; c = C('127.0.0.1', int(os.environ.get('BREACHWATCH_METRICS_PORT', '9300')), timeout=3); c.request('GET', '/healthz'); sys.exit(c.getresponse().status != 200)"]
ENTRYPOINT ["breachwatch"]
CMD ["worker"]
