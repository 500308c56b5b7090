# A small image: the program alone, for a user without rights. From the project's folder:
#     docker build --tag callboard .
FROM rust:1.95-bookworm AS build
WORKDIR /source
COPY . .
RUN cargo build --release --locked --bin callboard && mkdir /empty

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /source/target/release/callboard /usr/local/bin/callboard
COPY --from=build --chown=65532:65532 /empty /data
COPY --from=build --chown=65532:65532 /empty /workspace
# Beyond loopback it asks for credentials: callboard token and callboard key make them, in the container.
ENV CALLBOARD_BIND=0.0.0.0:3001 CALLBOARD_DATA_DIR=/data CALLBOARD_AUTH__REQUIRED=true \
    CALLBOARD_SERVER__WORKSPACE=/workspace
USER 65532:65532
VOLUME /data
EXPOSE 3001
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["/usr/local/bin/callboard", "status", "--ready"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/callboard"]
CMD ["serve"]
