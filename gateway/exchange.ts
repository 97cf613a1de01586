/**
 * One request and its answer on the wire: identifiers, whole and streamed answers, and what becomes of a request
 * body that nobody read.
 *
 * Invariants: an answer is written once; a streamed answer that cannot be completed ends in a torn connection, never
 * in a short success; no answer leaves bytes of a body in the way of the next request. Knows nothing of operations.
 */
import { randomFillSync } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '../node/world.ts'
import type { GatewayLimits } from './limits.ts'
import type { StreamedBody } from './operation.ts'
import { announcesBody } from './s3/body.ts'
import { WireBody } from './s3/wire.ts'

const idAlphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const idLength = 16
const idPool = Buffer.alloc(idLength * 64)
let idPoolUsed = idPool.length

/** 80 random bits as 16 characters: names a request in answers, logs and the journal, and makes its retry idempotent. */
export function createRequestId(): string {
  if (idPoolUsed === idPool.length) {
    randomFillSync(idPool)
    idPoolUsed = 0
  }
  let id = ''
  for (let index = 0; index < idLength; index++) id += idAlphabet[(idPool[idPoolUsed + index] ?? 0) & 31]
  idPoolUsed += idLength
  return id
}

/** The client's address, IPv4 as such; '' when its connection is gone. */
export function remoteIp({ socket }: IncomingMessage): string {
  return socket.remoteAddress?.replace(/^::ffff:/, '') ?? ''
}

export interface ExchangeOptions {
  readonly raw: IncomingMessage
  readonly res: ServerResponse
  readonly clock: Clock
  readonly limits: GatewayLimits
  /** The client waits for `100 Continue` before it sends its body. */
  readonly expectsContinue: boolean
  /** Names this gateway in x-amz-id-2. */
  readonly hostName: string
  /** Answers tell clients to close: the gateway is stopping. */
  readonly closing: () => boolean
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly turnAroundMs: number
}

export class Exchange {
  readonly raw: IncomingMessage
  readonly requestId = createRequestId()
  readonly hostId: string
  readonly wire: WireBody
  bytesOut = 0
  /** The head of the answer, and how long it took to come; undefined: none was given yet. */
  answer: Answer | undefined
  readonly #beganMs: number
  readonly #res: ServerResponse
  readonly #options: ExchangeOptions
  readonly #abort = new AbortController()
  #continued: boolean
  #always: Readonly<Record<string, string>> = {}

  constructor(options: ExchangeOptions) {
    this.#options = options
    this.#beganMs = options.clock.monotonicMs()
    this.raw = options.raw
    this.#res = options.res
    this.hostId = Buffer.from(`${options.hostName}/${this.requestId}`).toString('base64')
    this.#continued = !options.expectsContinue
    this.wire = new WireBody(options.raw, {
      clock: options.clock,
      idleMs: options.limits.bodyIdleMs,
      queueBytesMax: options.limits.bodyQueueBytesMax,
      beforeFirstRead: () => {
        if (this.#continued) return
        this.#continued = true
        this.#res.writeContinue()
      },
    })
    this.#res.on('close', () => {
      if (!this.#res.writableFinished) this.#abort.abort()
    })
    // A write to a connection that is gone; 'close' says so too.
    this.#res.on('error', () => this.#abort.abort())
  }

  /** Aborted when the client goes away before its answer is complete. */
  get signal(): AbortSignal {
    return this.#abort.signal
  }

  get headersSent(): boolean {
    return this.#res.headersSent
  }

  /** Headers of the answer, whatever it will be. Names in lower case. */
  sayAlways(headers: Readonly<Record<string, string>>): void {
    this.#always = { ...this.#always, ...headers }
  }

  /** An answer whose body is at hand. Headers in lower case. */
  sendWhole(status: number, headers: Readonly<Record<string, string>>, body: string | Buffer): void {
    // Node would write headers in the encoding of a string body; as bytes they stay as they are.
    const data = typeof body === 'string' ? Buffer.from(body) : body
    const bytes = data.length
    const bodyless = status === 204 || status === 304
    const all = this.#headers(headers)
    if (!bodyless && all['content-length'] === undefined && this.raw.method !== 'HEAD') {
      all['content-length'] = String(bytes)
    }
    const empty = bodyless || bytes === 0 || this.raw.method === 'HEAD'
    if (!empty) this.bytesOut += bytes
    this.#sendAndSettle(status, all, empty ? undefined : data)
  }

  /**
   * An answer that is made while it is sent. Waits for its first bytes before it commits to the status, so that a
   * store that cannot even begin is an error answer (thrown). Resolves when the last byte is with the kernel.
   */
  async sendStream(
    status: number,
    headers: Readonly<Record<string, string>>,
    body: StreamedBody,
  ): Promise<void> {
    const iterator = body.chunks[Symbol.asyncIterator]()
    try {
      const first = await iterator.next()
      if (first.done === true) throw new Error('a stored object ended before its first byte')
      this.#writeHead(status, { ...this.#headers(headers), 'content-length': String(body.bytes) })
      await this.#pump(iterator, first.value, body.bytes)
    } catch (error) {
      if (this.#res.headersSent) this.#res.destroy()
      throw error
    } finally {
      await iterator.return?.()
    }
  }

  async #pump(iterator: AsyncIterator<Buffer>, first: Buffer, bytes: number): Promise<void> {
    let left = bytes
    let chunk: Buffer | undefined = first
    while (chunk !== undefined) {
      left -= chunk.length
      if (left < 0) throw new Error('a stored object is longer than its size')
      this.bytesOut += chunk.length
      if (left === 0) {
        this.#res.end(chunk)
        this.#settleUnread()
        return this.#drained('finish')
      }
      if (!this.#res.write(chunk)) await this.#drained('drain')
      const next: IteratorResult<Buffer> = await iterator.next()
      chunk = next.done === true ? undefined : next.value
    }
    throw new Error('a stored object is shorter than its size')
  }

  /** Begins a 200 whose body will take long; white space keeps it alive until `sendSlowEnd`. */
  beginSlow(headers: Readonly<Record<string, string>>, head: string): void {
    this.#writeHead(200, this.#headers(headers))
    this.#res.write(head)
  }

  keepSlowAlive(): void {
    if (!this.#res.writableNeedDrain) this.#res.write(' ')
  }

  endSlow(body: string): void {
    this.bytesOut += Buffer.byteLength(body)
    this.#res.end(body)
    this.#settleUnread()
  }

  /** Tears the connection: nothing truthful is left to say. */
  destroy(): void {
    this.wire.release()
    this.#res.destroy()
  }

  #writeHead(status: number, headers: Readonly<Record<string, string>>): void {
    this.answer = { status, headers, turnAroundMs: this.#options.clock.monotonicMs() - this.#beganMs }
    this.#res.writeHead(status, headers)
  }

  #headers(headers: Readonly<Record<string, string>>): Record<string, string> {
    const all: Record<string, string> = {
      'x-amz-id-2': this.hostId,
      'x-amz-request-id': this.requestId,
      server: 'Bundescloud',
      ...this.#always,
      ...headers,
    }
    if (this.#options.closing()) all.connection = 'close'
    return all
  }

  #sendAndSettle(status: number, headers: Record<string, string>, body: Buffer | undefined): void {
    const unread = this.#unreadBytes()
    if (unread === 0 || (this.#continued && unread <= this.#options.limits.drainBytesMax)) {
      this.#writeHead(status, headers)
      this.#res.end(body)
      this.#settleUnread()
      return
    }
    headers.connection = 'close'
    this.#writeHead(status, headers)
    if (!this.#continued) {
      // The client has not sent its body and learns that it need not.
      this.#res.end(body)
      return
    }
    if (body === undefined) this.#res.flushHeaders()
    else this.#res.write(body)
    this.#linger()
  }

  #unreadBytes(): number {
    if (this.raw.complete || this.raw.destroyed || !announcesBody(this.raw)) return 0
    const length = this.raw.headers['content-length']
    return length === undefined ? Number.POSITIVE_INFINITY : Number(length) - this.wire.receivedBytes
  }

  /** Reads and drops the small rest of a body, so that the connection serves the next request. */
  #settleUnread(): void {
    const { raw } = this
    this.wire.release()
    if (raw.complete || raw.destroyed || !announcesBody(raw)) {
      raw.resume()
      return
    }
    const cancel = this.#options.clock.after(this.#options.limits.lingerMs, () => raw.destroy())
    raw.once('close', cancel)
    raw.once('end', cancel)
    raw.on('error', dropError)
    raw.resume()
  }

  /**
   * Closing at once, with unread bytes in the kernel, resets the connection and takes the answer away from the client.
   * So the rest is read for a while; then the connection closes.
   */
  #linger(): void {
    const { raw } = this
    const { clock, limits } = this.#options
    this.wire.release()
    let left: number = limits.lingerBytesMax
    let ended = false
    const end = (): void => {
      if (ended) return
      ended = true
      cancel()
      this.#res.end()
    }
    const cancel = clock.after(limits.lingerMs, end)
    raw.on('error', dropError)
    raw.on('data', (chunk: Buffer) => {
      left -= chunk.length
      if (left < 0) end()
    })
    raw.once('end', end)
    raw.once('close', end)
    raw.resume()
  }

  /** Waits for the reader. Throws when it goes away or takes nothing for `responseIdleMs`. */
  #drained(event: 'drain' | 'finish'): Promise<void> {
    const res = this.#res
    if (event === 'finish' && res.writableFinished) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const settle = (error: Error | undefined): void => {
        cancel()
        res.off(event, done)
        res.off('close', gone)
        if (error === undefined) resolve()
        else reject(error)
      }
      const done = (): void => settle(undefined)
      const gone = (): void => settle(res.writableFinished ? undefined : new ClientGone())
      const cancel = this.#options.clock.after(this.#options.limits.responseIdleMs, () =>
        settle(new ClientGone()),
      )
      res.once(event, done)
      res.once('close', gone)
      if (res.destroyed) gone()
    })
  }
}

/** The client left before its answer was complete: nobody's error. */
export class ClientGone extends Error {
  constructor() {
    super('the client is gone')
    this.name = 'ClientGone'
  }
}

function dropError(): void {
  // 'close' follows; the answer was already given.
}
