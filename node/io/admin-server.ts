/**
 * The operator's door to a process: metrics, health, readiness and status, over plain HTTP on a private address.
 *
 * Invariants: it only reads; it answers when the process is not ready, too; a check that does not end counts as
 * failed. It has no authentication and so belongs on loopback or the operator's own network.
 * Leaves to others: what is ready (`addCheck`), what is shown (`addRoute`), the metrics (metrics.ts).
 */
import fastify, { type FastifyInstance } from 'fastify'
import type { Registry } from 'prom-client'
import type { Address } from './channel.ts'

export const adminLimits = {
  /** A probe that waits longer would be given up by who asks. */
  checkMs: 2_000,
  /** A scrape of everything takes milliseconds; a slow client must not hold a socket for ever. */
  requestMs: 10_000,
} as const

/** Resolves when the thing is ready, throws an Error that says what is wrong (it is shown). */
export type ReadinessCheck = () => Promise<void>

export interface AdminOptions {
  readonly registry: Registry
}

export class AdminServer {
  readonly #server: FastifyInstance
  readonly #checks = new Map<string, ReadinessCheck>()

  constructor(options: AdminOptions) {
    this.#server = fastify({
      logger: false,
      requestTimeout: adminLimits.requestMs,
      forceCloseConnections: true,
    })
    this.#server.get('/metrics', async (_request, reply) => {
      reply.header('content-type', options.registry.contentType)
      return options.registry.metrics()
    })
    this.#server.get('/healthz', async () => ({ status: 'ok' }))
    this.#server.get('/readyz', async (_request, reply) => {
      const failing = await this.failing()
      if (failing.length > 0) reply.code(503)
      return { status: failing.length === 0 ? 'ready' : 'not ready', failing }
    })
  }

  /** Adds a readiness check; its name is shown while it fails. */
  addCheck(name: string, check: ReadinessCheck): void {
    this.#checks.set(name, check)
  }

  /** Adds `GET path`, answered with JSON. Before `listen`. */
  addRoute(path: string, answer: () => unknown): void {
    this.#server.get(path, async (_request, reply) => {
      reply.header('content-type', 'application/json; charset=utf-8')
      return JSON.stringify(await answer())
    })
  }

  /** The checks that fail now, with their reasons. */
  async failing(): Promise<{ name: string; reason: string }[]> {
    const results = await Promise.all(
      [...this.#checks].map(async ([name, check]) => {
        const reason = await failureOf(check)
        return reason === undefined ? [] : [{ name, reason }]
      }),
    )
    return results.flat()
  }

  /** Port 0: any free one; resolves with where it listens. */
  async listen(address: Address): Promise<Address> {
    await this.#server.listen({ host: address.host, port: address.port })
    const bound = this.#server.server.address()
    if (bound === null || typeof bound === 'string') throw new Error('not listening on TCP')
    return { host: address.host, port: bound.port }
  }

  close(): Promise<void> {
    return this.#server.close().then(() => undefined)
  }
}

/** Why a check fails, undefined when it does not. */
async function failureOf(check: ReadinessCheck): Promise<string | undefined> {
  const late = Promise.withResolvers<string>()
  const timer = setTimeout(() => late.resolve('check does not end'), adminLimits.checkMs)
  const checked = (async () => check())().then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  )
  try {
    return await Promise.race([checked, late.promise])
  } finally {
    clearTimeout(timer)
  }
}
