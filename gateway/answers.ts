/**
 * Answers of operations on the wire, and the one place where errors become answers.
 *
 * Invariant: a slow answer carries its error in the body, a streamed object never ends as a short success, and what is a
 * fault of ours is logged without names of objects and without secrets.
 */
import type { Clock } from '../node/world.ts'
import { ClientGone, type Exchange } from './exchange.ts'
import type { GatewayLimits } from './limits.ts'
import type { Outcome } from './metrics.ts'
import type { BucketOperation, OpenOperation, Operation, S3Response, ServiceOperation } from './operation.ts'
import type { Address } from './s3/address.ts'
import type { S3Error } from './s3/errors.ts'
import { toS3Error } from './s3/translate.ts'
import { element, xmlHead } from './s3/xml.ts'

/** What the gateway writes of its own faults; never names of objects, never secrets. */
export interface GatewayLogger {
  error(fields: Readonly<Record<string, unknown>>, message: string): void
}

/** What is known of the request that an error is about. */
export interface AskedFor {
  readonly address: Address | undefined
  readonly operation: Operation | undefined
}

export interface AnswersOptions {
  readonly clock: Clock
  readonly limits: GatewayLimits
  readonly logger: GatewayLogger | undefined
}

export class Answers {
  readonly #options: AnswersOptions

  constructor(options: AnswersOptions) {
    this.#options = options
  }

  /** Sends what `run` makes; throws what it throws. */
  async run(
    operation: BucketOperation | ServiceOperation | OpenOperation,
    exchange: Exchange,
    run: () => Promise<S3Response>,
  ): Promise<void> {
    const response = slow(operation) ? await this.#keepingAlive(exchange, run) : await run()
    if (response !== undefined) await this.send(exchange, response)
  }

  async send(exchange: Exchange, response: S3Response): Promise<void> {
    const headers = response.headers ?? {}
    if (response.body === undefined) exchange.sendWhole(response.status, headers, '')
    else if (typeof response.body === 'string') {
      exchange.sendWhole(response.status, { 'content-type': 'application/xml', ...headers }, response.body)
    } else {
      await exchange.sendStream(response.status, headers, response.body)
    }
  }

  /** Undefined when the answer had to begin before the result was known, and is complete now. */
  async #keepingAlive(exchange: Exchange, run: () => Promise<S3Response>): Promise<S3Response | undefined> {
    const { clock, limits } = this.#options
    let begun = false
    const tick = (): void => {
      if (begun) exchange.keepSlowAlive()
      else exchange.beginSlow({ 'content-type': 'application/xml' }, xmlHead)
      begun = true
      cancel = clock.after(limits.slowAnswerMs, tick)
    }
    let cancel = clock.after(limits.slowAnswerMs, tick)
    try {
      const response = await run()
      if (!begun) return response
      const body = typeof response.body === 'string' ? response.body : ''
      exchange.endSlow(body.startsWith(xmlHead) ? body.slice(xmlHead.length) : body)
      return undefined
    } finally {
      cancel()
    }
  }

  /** Answers an error, whatever was thrown; never throws. */
  fail(thrown: unknown, exchange: Exchange, about: AskedFor): Outcome {
    if (thrown instanceof ClientGone) {
      exchange.destroy()
      return 'RequestTimeout'
    }
    const error = toS3Error(thrown)
    if (error.code === 'InternalError') this.log(error, exchange, about)
    try {
      this.#sendError(error, exchange, about)
    } catch {
      // The connection broke under the answer: there is nobody left to tell.
      exchange.destroy()
    }
    return error.code
  }

  #sendError(error: S3Error, exchange: Exchange, { address, operation }: AskedFor): void {
    const { method } = exchange.raw
    if (exchange.headersSent) {
      // A slow answer carries its error in the body; a streamed object must not end as a success.
      if (slow(operation)) exchange.endSlow(errorMarkup(error, exchange, address))
      else exchange.destroy()
      return
    }
    if (error.code === 'NotModified' || method === 'HEAD') {
      exchange.sendWhole(error.status, { ...error.headers }, '')
      return
    }
    const body = xmlHead + errorMarkup(error, exchange, address)
    const headers: Record<string, string> = { 'content-type': 'application/xml', ...error.headers }
    // Nobody waits longer for the rest of a body that stands still.
    if (error.code === 'RequestTimeout') headers.connection = 'close'
    exchange.sendWhole(error.status, headers, body)
  }

  /** Notes a fault of ours. */
  log(error: S3Error, exchange: Exchange, { operation }: Pick<AskedFor, 'operation'>): void {
    this.#options.logger?.error(
      { requestId: exchange.requestId, operation: operation?.name, cause: error.cause },
      'a request failed inside',
    )
  }
}

function slow(operation: Operation | undefined): boolean {
  return (operation?.kind === 'bucket' || operation?.kind === 'service') && operation.slowAnswer === true
}

function errorMarkup(error: S3Error, exchange: Exchange, address: Address | undefined): string {
  const details = Object.entries(error.details).map(([name, value]) => element(name, value))
  if (address !== undefined && error.details.BucketName === undefined) {
    if (error.code === 'NoSuchBucket' || error.code.startsWith('Bucket')) {
      details.push(element('BucketName', address.bucket))
    }
    if (error.code === 'NoSuchKey' && error.details.Key === undefined)
      details.push(element('Key', address.key))
  }
  return [
    '<Error>',
    element('Code', error.code),
    element('Message', error.message),
    ...details,
    element('Resource', address?.rawPath),
    element('RequestId', exchange.requestId),
    element('HostId', exchange.hostId),
    '</Error>',
  ].join('')
}
