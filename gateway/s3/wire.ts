/**
 * A request's bytes as they arrive, pulled by a consumer: bounded read-ahead, back-pressure to the socket, idle
 * time-out, and an end that tells a complete body from a torn one. Knows nothing of S3's encodings.
 *
 * Invariant: at most `queueBytesMax` plus one read of the socket lie in the queue; the idle clock runs only while
 * the consumer waits.
 */
import type { IncomingMessage } from 'node:http'
import type { Clock } from '../../node/world.ts'
import { S3Error } from './errors.ts'

export interface WireOptions {
  readonly clock: Clock
  readonly idleMs: number
  readonly queueBytesMax: number
  /** Called once, before the first byte is wanted: `100 Continue` goes out here. */
  readonly beforeFirstRead: () => void
}

interface Waiter {
  resolve(chunk: Buffer | undefined): void
  reject(error: Error): void
}

export class WireBody {
  readonly #raw: IncomingMessage
  readonly #options: WireOptions
  readonly #queue: Buffer[] = []
  #queuedBytes = 0
  #started = false
  #ended = false
  #failure: Error | undefined
  #waiter: Waiter | undefined
  #cancelIdle: (() => void) | undefined
  #lastArrivalMs = 0
  /** Bytes taken from the socket so far. */
  receivedBytes = 0

  constructor(raw: IncomingMessage, options: WireOptions) {
    this.#raw = raw
    this.#options = options
  }

  get started(): boolean {
    return this.#started
  }

  /** The next bytes, owned by the caller; undefined at the end. Throws IncompleteBody, RequestTimeout. One call at a time. */
  read(): Promise<Buffer | undefined> {
    if (!this.#started) this.#start()
    const chunk = this.#queue.shift()
    if (chunk !== undefined) {
      this.#queuedBytes -= chunk.length
      if (this.#queuedBytes === 0 && !this.#ended) this.#raw.resume()
      return Promise.resolve(chunk)
    }
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    if (this.#ended) return Promise.resolve(undefined)
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject }
      this.#watch()
    })
  }

  /** Stops listening; what still arrives is the business of whoever settles the connection. */
  release(): void {
    this.#raw.off('data', this.#onData)
    this.#raw.off('end', this.#onEnd)
    this.#raw.off('close', this.#onClose)
    this.#queue.length = 0
    this.#queuedBytes = 0
    this.#cancelIdle?.()
    this.#cancelIdle = undefined
    this.#fail(new S3Error('IncompleteBody'))
  }

  #start(): void {
    this.#started = true
    this.#options.beforeFirstRead()
    if (this.#raw.destroyed && !this.#raw.complete) {
      this.#failure = new S3Error('IncompleteBody')
      return
    }
    this.#raw.on('data', this.#onData)
    this.#raw.on('end', this.#onEnd)
    this.#raw.on('close', this.#onClose)
    // Without a listener an abort would be an uncaught error; 'close' follows and says it.
    this.#raw.on('error', ignoreError)
  }

  readonly #onData = (chunk: Buffer): void => {
    this.receivedBytes += chunk.length
    const waiter = this.#waiter
    if (waiter !== undefined) {
      this.#waiter = undefined
      this.#lastArrivalMs = this.#options.clock.monotonicMs()
      waiter.resolve(chunk)
      return
    }
    this.#queue.push(chunk)
    this.#queuedBytes += chunk.length
    if (this.#queuedBytes >= this.#options.queueBytesMax) this.#raw.pause()
  }

  readonly #onEnd = (): void => {
    this.#ended = true
    this.#settle()
  }

  readonly #onClose = (): void => {
    if (this.#raw.complete) this.#onEnd()
    else this.#fail(new S3Error('IncompleteBody'))
  }

  #fail(error: Error): void {
    if (this.#ended) return
    this.#failure ??= error
    this.#settle()
  }

  #settle(): void {
    this.#cancelIdle?.()
    this.#cancelIdle = undefined
    const waiter = this.#waiter
    this.#waiter = undefined
    if (waiter === undefined) return
    if (this.#failure === undefined) waiter.resolve(undefined)
    else waiter.reject(this.#failure)
  }

  /** One timer for a body, not one for a read: it looks again when it fires early. */
  #watch(): void {
    const { clock, idleMs } = this.#options
    this.#lastArrivalMs = clock.monotonicMs()
    if (this.#cancelIdle !== undefined) return
    const look = (): void => {
      this.#cancelIdle = undefined
      if (this.#waiter === undefined) return
      const restMs = this.#lastArrivalMs + idleMs - clock.monotonicMs()
      if (restMs <= 0) this.#fail(new S3Error('RequestTimeout'))
      else this.#cancelIdle = clock.after(restMs, look)
    }
    this.#cancelIdle = clock.after(idleMs, look)
  }
}

function ignoreError(): void {
  // 'close' follows every error and is what we act on.
}

/** A body that is read before anything is known of who sent it: bounded. Throws MaxMessageLengthExceeded. */
export async function readWhole(wire: WireBody, bytesMax: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for (let chunk = await wire.read(); chunk !== undefined; chunk = await wire.read()) {
    bytes += chunk.length
    if (bytes > bytesMax) throw new S3Error('MaxMessageLengthExceeded')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
