# Reenact as a container: see docs/install.md.
#
#   docker build -t reenact .
#   docker run --rm -v reenact:/data -v "$PWD:/work" reenact run release.yaml

FROM rust:1.95-slim-trixie AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY src src
COPY config config
COPY templates templates
# A workspace has to be whole, also where only one member of it is built.
COPY benches benches
RUN cargo build --release --locked --bin reenact

FROM debian:trixie-slim
# Steps are programs: what yours need comes on top of this, in an image of your own (`FROM reenact`).
RUN useradd --uid 10001 --user-group --create-home reenact \
    && install -d -o reenact -g reenact -m 700 /data \
    && install -d -o reenact -g reenact /work
COPY --from=build /src/target/release/reenact /usr/local/bin/reenact
# By its number, so that whoever runs it can see that it is not root.
USER 10001:10001
ENV REENACT_DATA=/data
VOLUME /data
WORKDIR /work
ENTRYPOINT ["reenact"]
CMD ["--help"]
