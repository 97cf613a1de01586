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
import { bodyLength, errorToPayload, writeFrame } from './channel.ts'

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
  /** Called once, when the connection is gone; `reason` is set when this end closed it. */
  readonly closed: (reason: ClusterError | undefined) => void
}

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
  cancelled = false

  constructor(frame: Frame, from: MapNode, connection: ConnectionClass) {
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
  readonly #open = new Map<number, Request>()
  #oneWayOpen = 0
  #closed = false
  /** The peer as the newest cluster map has it. */
  peer: MapNode

  constructor(options: ServerChannelOptions) {
    this.#options = options
    this.peer = options.peer
    const socket = options.socket
    this.#socket = socket
    const parser = new FrameParser(options.connection, (frame) => this.#received(frame), options.bodies)
    socket.on('data', (chunk: Buffer) => {
      try {
        parser.push(chunk, { owned: true })
      } catch (cause) {
        this.close(
          cause instanceof ClusterError
            ? cause
            : new ClusterError('BadMessage', 'unreadable request', { cause }),
        )
      }
    })
    socket.on('drain', () => this.#regulate())
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
    this.#options.closed(reason)
  }

  #received(frame: Frame): void {
    if (this.#closed) return
    if (frame.kind === 'request') this.#request(frame)
    else if (frame.kind === 'oneWay') this.#oneWay(frame)
    else if (frame.kind === 'cancel') this.#open.get(frame.requestId)?.cancel()
    else throw new ClusterError('BadMessage', `a caller must not send ${frame.kind} frames`)
  }

  #request(frame: Frame): void {
    if (this.#open.has(frame.requestId)) {
      throw new ClusterError('BadMessage', `request ${frame.requestId} is already open`)
    }
    const { connection, serve } = this.#options
    if (
      connection === 'control' &&
      frame.messageId !== messages.ping.id &&
      this.#open.size >= serverChannelLimits.openRequests.control
    ) {
      this.#answer(frame, new ClusterError('Overloaded', 'too many open requests on this connection'))
      return
    }
    const request = new Request(frame, this.peer, connection)
    this.#open.set(frame.requestId, request)
    this.#regulate()
    serve(request).then(
      (outbound) => this.#done(frame, request, outbound),
      (error: unknown) =>
        this.#done(frame, request, error instanceof Error ? error : new Error(String(error))),
    )
  }

  #oneWay(frame: Frame): void {
    // The sender repeats what is lost; better to drop than to queue what is out of date when its turn comes.
    if (this.#oneWayOpen >= serverChannelLimits.openRequests.control) return
    this.#oneWayOpen++
    const done = () => {
      this.#oneWayOpen--
    }
    this.#options.serve(new Request(frame, this.peer, this.#options.connection)).then(done, done)
  }

  #done(frame: Frame, request: Request, result: Outbound | Error): void {
    if (this.#open.get(frame.requestId) === request) this.#open.delete(frame.requestId)
    if (!this.#closed && !request.cancelled) this.#answer(frame, result)
    else if (!(result instanceof Error)) result.sent?.()
    this.#regulate()
  }

  #answer(frame: Frame, result: Outbound | Error): void {
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

  #encode(frame: Frame, kind: FrameKind, value: unknown, bodyBytes: number): Buffer {
    return encodeFrame(
      { kind, messageId: frame.messageId, requestId: frame.requestId, deadlineMs: 0 },
      value,
      { bodyBytes, connection: this.#options.connection },
    )
  }

  /** Reads from the peer only while it leaves us room. */
  #regulate(): void {
    if (this.#closed) return
    const { connection } = this.#options
    const full =
      this.#socket.writableLength > serverChannelLimits.replyBytes[connection] ||
      (connection === 'bulk' && this.#open.size >= serverChannelLimits.openRequests.bulk)
    if (full && !this.#socket.isPaused()) this.#socket.pause()
    else if (!full && this.#socket.isPaused()) this.#socket.resume()
  }
}
