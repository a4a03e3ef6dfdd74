# Sluice in a container: docs/install.md says how to build it and run it.
#
#   docker build -t sluice .
#   docker run --rm sluice demo --seconds 10

# One of the versions that the tests run under. Of this image comes the program only; what it has besides, such as npm, stays here.
ARG NODE_IMAGE=docker.io/library/node:24.21.0-bookworm-slim
ARG BASE_IMAGE=docker.io/library/debian:12.12-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /build
# Downloaded anew only when a version has changed.
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY . .
RUN npm run build \
	&& npm prune --omit=dev --ignore-scripts --no-audit --no-fund \
	&& mkdir -p /image/usr/local/bin /image/opt/sluice/dist /image/etc/sluice \
	&& cp "$(command -v node)" /image/usr/local/bin/node \
	&& cp -R package.json LICENSE sluice.schema.json sluice.openapi.json node_modules /image/opt/sluice/ \
	&& cp -R dist/src /image/opt/sluice/dist/ \
	&& find /image/opt/sluice/dist \( -name '*.map' -o -name '*.d.ts' \) -delete \
	&& chmod 755 /image/opt/sluice/dist/src/cli/main.js \
	&& ln -s /opt/sluice/dist/src/cli/main.js /image/usr/local/bin/sluice

FROM ${BASE_IMAGE}
COPY --from=build /image/ /
# Nobody's number: it owns no file here, and writes none. A port below 1024 is for it where the engine gives those to everybody, as Docker does.
USER 65532:65532
# Drains: sessions have timeouts.drain to end by themselves, so "docker stop" needs a longer --time than that.
STOPSIGNAL SIGTERM
# Asks the admin port that the configuration names, from inside.
HEALTHCHECK --interval=30s --timeout=10s --start-period=10s --retries=3 \
	CMD ["sluice", "status", "-c", "/etc/sluice/sluice.yaml"]
# No shell stands between: process 1 is Sluice, and hears SIGTERM and SIGHUP. It starts no other, so that nobody else has to reap.
ENTRYPOINT ["sluice"]
CMD ["run", "-c", "/etc/sluice/sluice.yaml"]
