# Every process of the federation is this image with another command. It needs no network but its peers'.
# Build: docker build -t bundescloud .     Run: docker run bundescloud node --config /data/config.json

FROM docker.io/library/node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# The runtime itself comes as the npm dependency `node`; nothing of this stage's Node reaches the last one.
RUN npm ci --omit=dev && npm cache clean --force
COPY node ./node
COPY gateway ./gateway
COPY wasm ./wasm
COPY ops/cli ./ops/cli
COPY ops/dev ./ops/dev
COPY tsconfig.json ./

FROM docker.io/library/debian:bookworm-slim
RUN useradd --system --uid 10001 --user-group --no-create-home bundescloud \
  && install -d -o bundescloud -g bundescloud /data
COPY --from=build --chown=root:root /app /app
ENV PATH=/app/node_modules/.bin:$PATH NODE_ENV=production UV_THREADPOOL_SIZE=16
USER 10001:10001
WORKDIR /app
VOLUME /data
# SIGTERM ends every process cleanly; kill -9 loses nothing that was acknowledged.
STOPSIGNAL SIGTERM
ENTRYPOINT ["node", "--max-semi-space-size=2", "--import", "tsx", "ops/cli/main.ts"]
CMD ["--help"]
