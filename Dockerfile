# Camera Ingest: one image, a command for each program (operator, worker, gateway, standalone, demo).
# The last stage holds Python, what it loads, and this project: no shell, package manager or compiler.
# Any builder will do; BuildKit is not needed.

# A Debian (or a child of it) with Python 3.11, venv and pip: the Python that the tests run on.
ARG BASE=docker.io/library/python:3.11-slim-bookworm

FROM ${BASE} AS base

FROM base AS requirements
COPY pyproject.toml ./
RUN python3 -c 'import tomllib; project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
        print(*project["dependencies"], *project["optional-dependencies"]["standalone"], sep="\n")' \
        > requirements.txt

# Most of the image, and a layer of its own: it changes with what is required only.
FROM base AS dependencies
WORKDIR /build
COPY --from=requirements /requirements.txt ./
COPY constraints.txt tools/image_root.py ./
RUN python3 -m venv --without-pip /app \
    && python3 -m pip --python /app/bin/python3 install --no-cache-dir --no-compile \
        --only-binary :all: --constraint constraints.txt --requirement requirements.txt \
    && python3 image_root.py /app /image \
    && rm -r /app \
    && mkdir /writable && mkdir -m 1777 /writable/tmp && mkdir -m 0770 /writable/cameras

# The project's wheel, to be laid over that.
FROM base AS project
WORKDIR /build
COPY . ./
RUN python3 -m pip wheel --no-cache-dir --no-deps --wheel-dir /wheels . \
    && python3 -m venv --without-pip /app \
    && python3 -m pip --python /app/bin/python3 install --no-index --no-deps --no-compile \
        --root /project --no-warn-script-location /wheels/*.whl \
    && python3 -m compileall -q -s /project --invalidation-mode unchecked-hash /project

FROM scratch
COPY --from=dependencies /image/ /
# From the base as it came, whatever authorities a builder lends to the stages above.
COPY --from=base /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
# All that is ever written, and each only by some commands: docs/guide/container.md.
COPY --from=dependencies --chown=65532:0 /writable/ /
COPY --from=project /project/ /
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Camera Ingest" \
      org.opencontainers.image.description="IP cameras into a dependable stream of fresh frames and events." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV PATH=/app/bin \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
# A number, so that Kubernetes can see that it is not root; any other will do.
USER 65532:65532
WORKDIR /
EXPOSE 8000
# No HEALTHCHECK: each command listens elsewhere; compose.yaml and the chart ask what fits theirs.
ENTRYPOINT ["camera-ingest"]
CMD ["--help"]
