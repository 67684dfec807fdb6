# The image of Sidestream: one static program on a base without a shell.
#
#   docker build -t sidestream:0.1.0 --build-arg VERSION=0.1.0 --build-arg REVISION=$(git rev-parse HEAD) .
#   docker run --rm -p 8080:8080 -v "$PWD/config:/etc/sidestream:ro" sidestream:0.1.0
#
# For other kinds of machines: docker buildx build --platform linux/amd64,linux/arm64.
# The builder without BuildKit builds for its own.

# To the patch: the same commit gives the same bits only by the same compiler.
ARG GO_VERSION=1.26.8

# The compiler runs on the machine that builds, whatever it builds for. "linux"
# stands for the daemon's own kind of machine.
FROM --platform=${BUILDPLATFORM:-linux} golang:${GO_VERSION}-bookworm AS build

# Where modules come from, if not from the usual place; see "go help goproxy".
ARG GOPROXY

WORKDIR /src
# By themselves, so that a change of the source downloads nothing.
COPY go.mod go.sum ./
RUN go mod download

COPY adapters adapters
COPY proxy proxy
COPY cmd cmd

ARG TARGETOS
ARG TARGETARCH
# sidestream_noembed leaves out the embedded NATS server.
ARG TAGS
ARG VERSION=devel
ARG REVISION
# When the image's files were changed last, in seconds since 1970. BuildKit
# takes it for the image's own time too.
ARG SOURCE_DATE_EPOCH=0
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -buildvcs=false -tags "$TAGS" \
        -ldflags "-s -w -buildid= -X main.release=$VERSION -X main.revision=$REVISION" \
        -o /image/sidestream ./cmd/sidestream && \
    mkdir /image/data && \
    touch -d "@$SOURCE_DATE_EPOCH" /image/sidestream /image/data

FROM gcr.io/distroless/static-debian12:nonroot

COPY LICENSE /usr/share/doc/sidestream/LICENSE
# An empty directory for durable histories. A new volume that is mounted there
# takes its owner over. It is no VOLUME: an unnamed one would be lost with the
# container, and look as if it weren't.
COPY --from=build --chown=65532:65532 /image/data /var/lib/sidestream
COPY --from=build /image/sidestream /sidestream

ARG VERSION=devel
ARG REVISION
LABEL org.opencontainers.image.title="Sidestream" \
      org.opencontainers.image.description="A reverse proxy and sidecar that turns HTTP APIs, NATS, Kafka and webhooks into Server-Sent Events" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="gcr.io/distroless/static-debian12:nonroot" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

ENV SIDESTREAM_CONFIG=/etc/sidestream/routes.yaml
# In numbers, so that Kubernetes can tell that it isn't root.
USER 65532:65532
# A routing table that names no directory keeps its histories below.
WORKDIR /var/lib/sidestream
# The streams, and /healthz, /readyz, /metrics and /streams. The latter are for
# loopback only, unless the table or SIDESTREAM_ADMIN=:9090 says otherwise.
EXPOSE 8080 9090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["/sidestream", "healthcheck"]
ENTRYPOINT ["/sidestream"]
CMD ["serve"]
