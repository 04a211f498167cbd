# kagiya in a container: built from this folder, run by nobody in particular, on a file system that it cannot write to.
#
#   docker build -t kagiya .
#   docker run --read-only --cap-drop=ALL --security-opt=no-new-privileges -v kagiya-data:/data -p 8787:8787 \
#     -e KAGIYA_ISSUER=https://keys.example.com -e KAGIYA_TRUSTED_PROXIES=172.17.0.1 kagiya
#
# It listens on all addresses of the container, so it wants to know what protects the way there: TLS of its own
# (KAGIYA_TLS_CERT, KAGIYA_TLS_KEY) or a proxy (KAGIYA_TRUSTED_PROXIES). docs/deploy.md has the rest.

FROM rust:1.95-slim-trixie AS build
# The image has the C compiler that SQLite and the cryptography (aws-lc) are built with.
WORKDIR /kagiya
COPY Cargo.toml Cargo.lock rust-toolchain.toml ./
COPY src src
COPY migrations migrations
COPY benches benches
COPY bench bench
COPY examples examples
RUN cargo build --release --locked --bin kagiya \
    && install -D --mode=0755 target/release/kagiya /rootfs/usr/bin/kagiya \
    && install -d --mode=0700 /rootfs/data

FROM debian:trixie-slim
# The roots by which it knows others: identity providers, and its own issuer when the doctor asks there.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build --chown=10001:10001 /rootfs/ /
USER 10001:10001
ENV KAGIYA_DATA_DIR=/data \
    KAGIYA_LISTEN=0.0.0.0:8787 \
    KAGIYA_LOG_FORMAT=json
VOLUME /data
EXPOSE 8787
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/kagiya"]
CMD ["serve"]
