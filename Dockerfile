# Vedette in a container: docker build -t vedette .
# The build needs a package index for pip; the image has no pip and no compiler, runs as nobody in
# particular, and writes to /var/lib/vedette and /tmp only.

FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN python -m venv /build && python -m venv --without-pip /opt/vedette
COPY requirements/build.txt requirements/run.txt requirements/
RUN /build/bin/pip install --require-hashes --requirement requirements/build.txt \
    && /build/bin/pip --python /opt/vedette/bin/python install --only-binary :all: \
        --require-hashes --requirement requirements/run.txt
COPY pyproject.toml README.md LICENSE ./
COPY ingest ingest
COPY detectors detectors
COPY alerts alerts
COPY api api
COPY vedette vedette
RUN /build/bin/pip wheel --no-build-isolation --no-deps --no-index --wheel-dir /wheels . \
    && /build/bin/pip --python /opt/vedette/bin/python install --no-deps --no-index /wheels/*.whl

FROM python:3.13-slim
RUN groupadd --system --gid 10001 vedette \
    && useradd --system --uid 10001 --gid vedette --no-create-home --shell /usr/sbin/nologin vedette \
    && install --directory --owner vedette --group vedette --mode 0700 /var/lib/vedette
COPY --from=build /opt/vedette /opt/vedette
ENV PATH=/opt/vedette/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    XDG_STATE_HOME=/var/lib
USER 10001:10001
WORKDIR /var/lib/vedette
VOLUME /var/lib/vedette
EXPOSE 8787
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ.get('VEDETTE_API__PORT', '8787') + '/readyz', timeout=4)"]
ENTRYPOINT ["vedette"]
CMD ["run", "--config", "/etc/vedette/vedette.toml"]
