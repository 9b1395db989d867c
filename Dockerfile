# One image for every role: weighbridge up, serve, worker, scheduler, inspect, ...
#
#   docker build -t weighbridge .
#   docker build -t weighbridge:embedded --build-arg EMBEDDED=1 .    no Celery, no PostgreSQL
#
# What is in it is decided by deploy/image/rootfs, which `make image` and the tests run
# without any engine. docs/deploying/image.md tells how it is run.

# Only the build happens in it: no file of it is in the image. To pin it, give the digest
# that `skopeo inspect --format '{{.Digest}}' docker://docker.io/library/debian:13-slim`
# prints: --build-arg BASE=docker.io/library/debian@sha256:...
ARG BASE=docker.io/library/debian:13-slim

FROM ${BASE} AS build
ARG EMBEDDED=
ARG SOURCE_DATE_EPOCH=
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        binutils ca-certificates python3.13 python3.13-venv
COPY . /source
RUN /source/deploy/image/rootfs ${EMBEDDED:+--embedded} /rootfs

FROM scratch
LABEL org.opencontainers.image.title="weighbridge" \
      org.opencontainers.image.description="Weighs container images at the registry, without pulling them" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /rootfs /
# STATE_DIRECTORY is where the database is kept unless it is configured elsewhere.
ENV PATH=/usr/bin \
    LANG=C.UTF-8 \
    HOME=/data \
    STATE_DIRECTORY=/data
USER 65532:65532
WORKDIR /
VOLUME ["/data"]
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
    CMD ["/usr/bin/weighbridge", "health"]
ENTRYPOINT ["/usr/bin/weighbridge"]
# In a container loopback is reached by nobody. Elsewhere Weighbridge starts only with a
# token, or where the configuration says web.anonymous_read.
CMD ["up", "--bind", "0.0.0.0:8080"]
