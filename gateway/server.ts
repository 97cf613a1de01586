/**
 * The S3 endpoint: a fastify instance whose every request goes through the pipeline, and the bounds of HTTP itself.
 *
 * S3 addresses, methods and bodies are not fastify's: requests are taken over before it parses them. Fastify brings
 * the server's life cycle, time-outs and graceful close.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { type FastifyInstance, type FastifyServerOptions, fastify } from 'fastify'
import type { Registry } from 'prom-client'
import type { Clock } from '../node/world.ts'
import type { AccessLog } from './access-log/access-log.ts'
import type { AccountSource } from './accounts.ts'
import type { GatewayLogger } from './answers.ts'
import type { CredentialSource } from './auth/credential-source.ts'
import { awsBucketDefaults, type BucketDefaults } from './bucket-defaults.ts'
import type { QueryParts } from './iam/query-action.ts'
import { type GatewayLimits, gatewayLimits } from './limits.ts'
import { createGatewayMetrics } from './metrics.ts'
import type { ObjectStore } from './object/object-store.ts'
import type { EventTargets } from './operation.ts'
import { operations } from './operations/index.ts'
import { Pipeline } from './pipeline.ts'
import { createRouter } from './router.ts'
import { xmlHead } from './s3/xml.ts'
import { prepareXxHash } from './s3/xxhash.ts'

export interface GatewayOptions {
  readonly store: ObjectStore
  readonly credentials: CredentialSource
  readonly accounts: AccountSource
  /** Absent: AWS's. */
  readonly bucketDefaults?: BucketDefaults
  /** What IAM and STS are served with, sessions among it; absent: neither is spoken. */
  readonly query?: QueryParts
  readonly region: string
  /** Host names under which buckets are addressed virtual-host style. */
  readonly domains: readonly string[]
  /** Host names under which buckets are visited as websites; absent: none. */
  readonly websiteDomains?: readonly string[]
  readonly clock: Clock
  readonly registry: Registry
  readonly logger?: GatewayLogger
  /** Names this gateway in x-amz-id-2. */
  readonly hostName?: string
  /** Whether POST forms may be signed in the way before Signature Version 4; absent: no. */
  readonly legacyFormSignatures?: boolean
  /** Certificate and key (PEM); absent: plain HTTP. */
  readonly tls?: { readonly cert: string; readonly key: string }
  /** Without TLS: requests may bring keys all the same (SSE-C), since nobody on the way can read them. */
  readonly confidential?: boolean
  /** Lowered by tests. */
  readonly limits?: Partial<GatewayLimits>
  /** ARNs (and `eventbridge`) that events can be sent to; absent: none. */
  readonly eventTargets?: EventTargets
  /** Where lines about requests go; absent: nowhere. */
  readonly accessLog?: AccessLog
}

/** The router of fastify sees one address only: S3's addresses are decoded by the pipeline. */
const everything = '/'

/** Builds the endpoint; `listen` and `close` are the caller's. */
export function createGateway(options: GatewayOptions): FastifyInstance {
  const limits: GatewayLimits = { ...gatewayLimits, ...options.limits }
  const pipeline = new Pipeline({
    store: options.store,
    credentials: options.credentials,
    accounts: options.accounts,
    bucketDefaults: options.bucketDefaults ?? awsBucketDefaults,
    sessions: options.query?.sessions,
    query: options.query,
    router: createRouter(operations),
    region: options.region,
    domains: options.domains.map((domain) => domain.toLowerCase()),
    websiteDomains: (options.websiteDomains ?? []).map((domain) => domain.toLowerCase()),
    clock: options.clock,
    limits,
    eventTargets: options.eventTargets ?? new Set<string>(),
    accessLog: options.accessLog,
    metrics: createGatewayMetrics(options.registry),
    hostName: options.hostName ?? 'gateway',
    secure: options.tls !== undefined,
    legacyFormSignatures: options.legacyFormSignatures ?? false,
    confidential: options.tls !== undefined || options.confidential === true,
    logger: options.logger,
  })
  const expecting = new WeakSet<IncomingMessage>()
  const app = fastify(serverOptions(limits, options.tls))

  app.addHook('onReady', prepareXxHash)
  app.addHook('onRequest', (request, reply, done) => {
    // Taken over before any parser of fastify's looks at content types or bodies.
    reply.hijack()
    const raw = request.raw as IncomingMessage
    const res = reply.raw as ServerResponse
    const url = request.originalUrl
    void pipeline.serve({ raw, res, url, expectsContinue: expecting.has(raw) })
    done()
  })
  app.route({
    method: ['GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'OPTIONS'],
    url: everything,
    handler: neverReached,
  })
  app.setNotFoundHandler(neverReached)
  app.addHook('preClose', (done) => {
    pipeline.close()
    const cancel = options.clock.after(limits.closeGraceMs, () => app.server.closeAllConnections())
    app.server.once('close', cancel)
    done()
  })
  app.server.maxHeadersCount = limits.headerCountMax
  app.server.headersTimeout = limits.headersTimeoutMs
  app.server.on('checkContinue', (raw: IncomingMessage, res: ServerResponse) => {
    expecting.add(raw)
    app.routing(raw, res)
  })
  // RFC 9110 lets a server ignore expectations that it does not know; node would answer 417.
  app.server.on('checkExpectation', (raw: IncomingMessage, res: ServerResponse) => app.routing(raw, res))
  return app
}

function neverReached(): never {
  throw new Error('requests are taken over before routing ends')
}

function serverOptions(limits: GatewayLimits, tls: GatewayOptions['tls']): FastifyServerOptions {
  const shared = {
    logger: false,
    rewriteUrl: () => everything,
    exposeHeadRoutes: false,
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    // Uploads last as long as they send: body.ts bounds their idle time instead.
    requestTimeout: 0,
    connectionTimeout: 0,
    clientErrorHandler: answerBrokenRequest,
  } as const
  const http = { maxHeaderSize: limits.headerBytesMax }
  const options =
    tls === undefined
      ? { ...shared, http }
      : { ...shared, https: { ...http, ...tls, minVersion: 'TLSv1.3' as const } }
  // Fastify types each kind of server apart; what we use of it is the same.
  return options as FastifyServerOptions
}

/** What is not HTTP, or has too many headers, gets an answer in S3's words and loses the connection. */
function answerBrokenRequest(error: Error & { code?: string }, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy()
    return
  }
  const [code, message] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? ['RequestHeaderSectionTooLarge', 'Your request header section exceeds the maximum allowed size.']
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? [
            'RequestTimeout',
            'Your socket connection to the server was not read from or written to within the timeout period.',
          ]
        : ['BadRequest', 'An error occurred when parsing the HTTP request.']
  const body = `${xmlHead}<Error><Code>${code}</Code><Message>${message}</Message></Error>`
  socket.end(
    `HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: application/xml\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
}
