/**
 * The callee's end of one connection: requests in, replies out.
 *
 * Invariants: a peer that asks faster than it is served, or does not read its replies, is not read from (bulk) or is
 * answered Overloaded (control, so that pings still get through): memory per connection is bounded. What a handler
 * throws becomes an error frame, and only operating errors are told as they are.
 * Leaves to others: who the peer is and when it must go (tls-transport.ts), roles and metrics (services/funnel.ts).
 */
import type { TLSSocket } from 'node:tls'
import type { MapNode } from '../core/cluster-map.ts'
import { ClusterError } from '../errors.ts'
import type { BodyPool } from '../protocol/body-pool.ts'
import { encodeFrame, type Frame, type FrameKind, FrameParser } from '../protocol/frame.ts'
import type { Inbound, Outbound, Serve } from '../protocol/inbound.ts'
import { type ConnectionClass, messages } from '../protocol/messages.ts'
import { bodyLength, errorToPayload, scratchBytes, writeFrame } from './channel.ts'
import { readInto } from './direct-read.ts'

export const serverChannelLimits = {
  /** Handlers at work per connection. Bulk: times the largest body this is what a peer can make us hold. */
  openRequests: { control: 4_096, bulk: 8 },
  /** Replies that the peer has not read; above this its requests are not read. Bytes. */
  replyBytes: { control: 4 * 1024 * 1024, bulk: 8 * 1024 * 1024 },
} as const satisfies Record<string, Record<ConnectionClass, number>>

export interface ServerChannelOptions {
  readonly socket: TLSSocket
  readonly peer: MapNode
  readonly connection: ConnectionClass
  readonly serve: Serve
  readonly bodies: BodyPool
  /** Decrypt straight into bodies where the runtime can; see direct-read.ts. */
  readonly directRead: boolean
  /** Called once, when the connection is gone; `reason` is set when this end closed it. */
  readonly closed: (reason: ClusterError | undefined) => void
}

type AnsweredFrame = Pick<Frame, 'messageId' | 'requestId'>

/** A request that is being answered. The signal is made when somebody looks at it: most handlers never do. */
class Request implements Inbound {
  readonly from: MapNode
  readonly messageId: number
  readonly oneWay: boolean
  readonly connection: ConnectionClass
  readonly payload: Buffer
  readonly body: Buffer | undefined
  readonly release: (() => void) | undefined
  readonly timeoutMs: number
  #abort: AbortController | undefined
  readonly requestId: number
  cancelled = false

  constructor(frame: Frame, from: MapNode, connection: ConnectionClass) {
    this.requestId = frame.requestId
    this.from = from
    this.messageId = frame.messageId
    this.oneWay = frame.kind === 'oneWay'
    this.connection = connection
    this.payload = frame.payload
    this.body = frame.body
    this.release = frame.release
    this.timeoutMs = frame.deadlineMs
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController()
      if (this.cancelled) this.#abort.abort()
    }
    return this.#abort.signal
  }

  cancel(): void {
    this.cancelled = true
    this.#abort?.abort()
  }
}

export class ServerChannel {
  readonly #options: ServerChannelOptions
  readonly #socket: TLSSocket
  readonly #parser: FrameParser
  readonly #open = new Map<number, Request>()
  #queue: Request[] = []
  #running = 0
  #closed = false
  /** The peer as the newest cluster map has it. */
  peer: MapNode

  constructor(options: ServerChannelOptions) {
    this.#options = options
    this.peer = options.peer
    const socket = options.socket
    this.#socket = socket
    this.#parser = new FrameParser(options.connection, (frame) => this.#received(frame), options.bodies)
    if (!options.directRead || !this.#readDirectly()) {
      socket.on('data', (chunk: Buffer) => this.#read(() => this.#parser.push(chunk, { owned: true })))
    }
    socket.on('drain', () => this.#work())
    socket.on('error', () => this.close(undefined))
    socket.on('end', () => this.close(undefined))
    socket.on('close', () => this.close(undefined))
  }

  /** Ends the connection; handlers at work see their signal aborted. */
  close(reason: ClusterError | undefined): void {
    if (this.#closed) return
    this.#closed = true
    this.#socket.destroy()
    for (const request of this.#open.values()) request.cancel()
    this.#open.clear()
    this.#queue = []
    this.#options.closed(reason)
  }

  #readDirectly(): boolean {
    const scratch = Buffer.allocUnsafeSlow(scratchBytes)
    return readInto(this.#socket, {
      buffer: () => this.#parser.bodyTarget() ?? scratch,
      read: (count, buffer) => {
        this.#read(() => {
          if (buffer === scratch) this.#parser.push(scratch.subarray(0, count), { owned: false })
          else this.#parser.bodyFilled(count)
        })
        return !this.#closed && !this.#socket.isPaused()
      },
    })
  }

  /** Errors must not leave: the runtime calls this, and nobody could catch them. */
  #read(take: () => void): void {
    try {
      if (!this.#closed) take()
    } catch (cause) {
      this.close(
        cause instanceof ClusterError
          ? cause
          : new ClusterError('BadMessage', 'unreadable request', { cause }),
      )
    }
  }

  #received(frame: Frame): void {
    if (this.#closed) return
    if (frame.kind === 'request' || frame.kind === 'oneWay') this.#request(frame)
    else if (frame.kind === 'cancel') this.#cancel(frame.requestId)
    else throw new ClusterError('BadMessage', `a caller must not send ${frame.kind} frames`)
  }

  #cancel(requestId: number): void {
    this.#open.get(requestId)?.cancel()
    this.#open.delete(requestId)
  }

  #request(frame: Frame): void {
    const { connection } = this.#options
    const request = new Request(frame, this.peer, connection)
    if (connection === 'control' && frame.messageId !== messages.ping.id && this.#full) {
      // One-way messages are dropped: their sender repeats what is lost, and they would be out of date.
      if (!request.oneWay) this.#answer(request, new ClusterError('Overloaded', 'too many open requests'))
      return
    }
    if (!request.oneWay) {
      if (this.#open.has(frame.requestId)) {
        throw new ClusterError('BadMessage', `request ${frame.requestId} is already open`)
      }
      this.#open.set(frame.requestId, request)
    }
    this.#queue.push(request)
    this.#work()
  }

  /** Starts queued requests while there is room. The queue holds what one read brought: nothing is read meanwhile. */
  #work(): void {
    const bulk = this.#options.connection === 'bulk'
    while (this.#queue.length > 0 && !(bulk && this.#full) && !this.#closed) {
      const request = this.#queue.shift()
      if (request === undefined || request.cancelled) continue
      this.#running++
      this.#options.serve(request).then(
        (outbound) => this.#done(request, outbound),
        (error: unknown) => this.#done(request, error instanceof Error ? error : new Error(String(error))),
      )
    }
    this.#regulate()
  }

  #done(request: Request, result: Outbound | Error): void {
    this.#running--
    if (this.#open.get(request.requestId) === request) this.#open.delete(request.requestId)
    if (!this.#closed && !request.cancelled && !request.oneWay) this.#answer(request, result)
    else if (!(result instanceof Error)) result.sent?.()
    this.#work()
  }

  #answer(frame: AnsweredFrame, result: Outbound | Error): void {
    if (result instanceof Error) {
      writeFrame(this.#socket, this.#encode(frame, 'error', errorToPayload(result), 0))
      return
    }
    const body = result.body ?? []
    let reply: Buffer
    try {
      reply = this.#encode(frame, 'reply', result.reply, bodyLength(body))
    } catch (error) {
      writeFrame(this.#socket, this.#encode(frame, 'error', errorToPayload(error), 0))
      result.sent?.()
      return
    }
    writeFrame(this.#socket, reply, body, result.sent)
  }

  #encode(frame: AnsweredFrame, kind: FrameKind, value: unknown, bodyBytes: number): Buffer {
    return encodeFrame(
      { kind, messageId: frame.messageId, requestId: frame.requestId, deadlineMs: 0 },
      value,
      { bodyBytes, connection: this.#options.connection },
    )
  }

  get #full(): boolean {
    const { connection } = this.#options
    return (
      this.#running >= serverChannelLimits.openRequests[connection] ||
      this.#socket.writableLength > serverChannelLimits.replyBytes[connection]
    )
  }

  /** Reads from the peer only while it leaves us room. */
  #regulate(): void {
    if (this.#closed) return
    const full =
      this.#options.connection === 'bulk'
        ? this.#queue.length > 0 || this.#full
        : this.#socket.writableLength > serverChannelLimits.replyBytes.control
    if (full && !this.#socket.isPaused()) this.#socket.pause()
    else if (!full && this.#socket.isPaused()) this.#socket.resume()
  }
}
