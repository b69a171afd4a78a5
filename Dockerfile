# gradewatch: `docker build -t gradewatch .`; the command's words follow the image's name.
# Runs as uid 10001 with a read-only root and no capabilities, and needs no shell: see
# docs/containers.md and docker-compose.yml.
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS builder
WORKDIR /build
COPY requirements.build.lock requirements.runtime.lock ./
# Two environments: the one that is copied has neither pip nor what builds the wheel.
RUN python3 -m venv /tools \
 && python3 -m venv --without-pip /opt/gradewatch \
 && /tools/bin/pip install --no-cache-dir --require-hashes -r requirements.build.lock \
 && /tools/bin/pip --python /opt/gradewatch/bin/python install --no-cache-dir --require-hashes \
      -r requirements.runtime.lock
COPY pyproject.toml README.md topics.yaml rules.yaml ./
COPY rules rules
COPY streams streams
RUN /tools/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheel . \
 && /tools/bin/pip --python /opt/gradewatch/bin/python install --no-cache-dir --no-deps /wheel/*.whl \
 && mkdir /state

FROM ${PYTHON_IMAGE}
COPY --from=builder /opt/gradewatch /opt/gradewatch
COPY --from=builder --chown=10001:10001 /state /var/lib/gradewatch
# Workers write nothing: their state is in Kafka. The volume is for what a command is told to keep.
ENV PATH=/opt/gradewatch/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/var/lib/gradewatch \
    GRADEWATCH_DATA_DIR=/var/lib/gradewatch \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /var/lib/gradewatch
VOLUME ["/var/lib/gradewatch"]
# A number, so that Kubernetes can tell that it is not root (runAsNonRoot).
USER 10001:10001
EXPOSE 6066
# Alive is not ready: /readyz is for whoever sends requests here. No proxy is asked, whatever is set.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
  CMD ["python3", "-c", "import http.client, os, sys; at = http.client.HTTPConnection('127.0.0.1', int(os.environ.get('GRADEWATCH_WEB_PORT', '6066')), timeout=4); at.request('GET', '/livez'); sys.exit(at.getresponse().status != 200)"]
ENTRYPOINT ["gradewatch"]
CMD ["worker"]
