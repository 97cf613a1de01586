/**
 * The caller's end of one connection: dialling, requests out, replies in.
 *
 * Invariants: nothing is sent before the peer has proved the key that the cluster map says; every call settles
 * exactly once, at the latest when the connection dies; a call with a body settles only when the socket no longer
 * reads the body, so that its owner may use the bytes again. Bodies of replies are decrypted straight into the buffer
 * that the caller gets.
 * Leaves to others: when to dial, choice of a connection, bounds per peer, liveness (tls-peer.ts).
 */
import type { OnReadOpts } from 'node:net'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { ClusterError } from '../errors.ts'
import type { BodyPool } from '../protocol/body-pool.ts'
import { decodePayload } from '../protocol/codec.ts'
import { encodeFrame, type Frame, type FrameKind, FrameParser } from '../protocol/frame.ts'
import type { ConnectionClass } from '../protocol/messages.ts'
import { type Address, bodyLength, errorFromPayload, scratchBytes, writeFrame } from './channel.ts'
import { abortError, Gate } from './gate.ts'
import { connectionClass, peerKey, type TlsContext } from './tls-context.ts'

/** The reply to one request, not yet typed. */
export interface RawAnswer {
  readonly reply: unknown
  readonly body: Buffer | undefined
  readonly release: (() => void) | undefined
}

export interface RawCall {
  readonly messageId: number
  readonly request: unknown
  readonly body: readonly Uint8Array[] | undefined
  readonly timeoutMs: number
  readonly signal: AbortSignal | undefined
}

export interface ClientChannelOptions {
  readonly nodeId: string
  readonly address: Address
  /** The raw key (hex) that the peer must prove. */
  readonly publicKey: string
  readonly connection: ConnectionClass
  readonly context: TlsContext
  readonly dialTimeoutMs: number
  readonly bodies: BodyPool
  /** Called once, when the connection is gone or could not be made. */
  readonly closed: (reason: ClusterError) => void
}

type Outcome = { readonly answer: RawAnswer } | { readonly error: Error }

interface OpenCall {
  readonly resolve: (answer: RawAnswer) => void
  readonly reject: (error: Error) => void
  readonly signal: AbortSignal | undefined
  readonly aborted: (() => void) | undefined
  timer: NodeJS.Timeout | undefined
  /** The socket still reads the body. */
  sending: boolean
  /** How the call ends as soon as the socket no longer reads its body. */
  outcome: Outcome | undefined
}

export class ClientChannel {
  readonly #options: ClientChannelOptions
  readonly #socket: TLSSocket
  readonly #parser: FrameParser
  readonly #open = new Map<number, OpenCall>()
  readonly #dialTimer: NodeJS.Timeout
  #nextRequestId = 1
  #ready: 'dialling' | 'ready' | 'closed' = 'dialling'
  #closedBy: ClusterError | undefined
  readonly #gate = new Gate()
  /** Rises with everything that the peer sends: liveness looks at it. */
  heard = 0
  /** Bytes of frames and bodies in both directions: a key may encrypt only so many. */
  carriedBytes = 0

  constructor(options: ClientChannelOptions) {
    this.#options = options
    this.#parser = new FrameParser(options.connection, (frame) => this.#received(frame), options.bodies)
    const scratch = Buffer.allocUnsafeSlow(scratchBytes)
    const dial: ConnectionOptions & { onread: OnReadOpts; noDelay: boolean } = {
      ...options.context.clientOptions(options.connection),
      host: options.address.host,
      port: options.address.port,
      noDelay: true,
      onread: {
        buffer: () => this.#parser.bodyTarget() ?? scratch,
        callback: (count, buffer) => this.#read(count, buffer === scratch ? scratch : undefined),
      },
    }
    const socket = connect(dial)
    this.#socket = socket
    socket.on('secureConnect', () => this.#secured())
    socket.on('error', (cause) => this.close(this.#unreachable('connection failed', cause)))
    socket.on('end', () => this.close(this.#unreachable('peer closed the connection')))
    socket.on('close', () => this.close(this.#unreachable('connection closed')))
    this.#dialTimer = setTimeout(
      () => this.close(this.#unreachable('no connection in time')),
      options.dialTimeoutMs,
    )
  }

  get ready(): boolean {
    return this.#ready === 'ready'
  }

  /** Whether the peer has ever proved its key on this connection. */
  wasReady = false

  /** Calls that are not settled yet. */
  get openCalls(): number {
    return this.#open.size + this.#gate.waiting
  }

  /** Bytes that the socket has not taken yet. */
  get queuedBytes(): number {
    return this.#socket.writableLength
  }

  /** Sends a request and waits for the reply; see `Caller.call` for errors. */
  async call(call: RawCall): Promise<RawAnswer> {
    if (this.#ready === 'dialling') {
      await this.#gate.wait({
        timeoutMs: call.timeoutMs,
        late: () => this.#timeout(call.timeoutMs),
        signal: call.signal,
      })
    }
    if (this.#ready === 'closed') throw this.#closedBy ?? this.#unreachable('connection closed')
    return new Promise((resolve, reject) => this.#start(call, resolve, reject))
  }

  /** Sends a one-way message; false when the connection is not ready or more than `queueBytesMax` wait already. */
  post(messageId: number, request: unknown, queueBytesMax: number): boolean {
    if (this.#ready !== 'ready' || this.#socket.writableLength > queueBytesMax) return false
    const frame = this.#encode('oneWay', { messageId, requestId: 0, request })
    this.carriedBytes += frame.length
    writeFrame(this.#socket, frame)
    return true
  }

  /** Ends the connection; open calls are rejected with `reason`. */
  close(reason: ClusterError): void {
    if (this.#ready === 'closed') return
    this.#ready = 'closed'
    this.#closedBy = reason
    clearTimeout(this.#dialTimer)
    this.#socket.destroy()
    for (const id of [...this.#open.keys()]) {
      const call = this.#open.get(id)
      if (call) this.#settle(id, call, call.outcome ?? { error: reason })
    }
    this.#gate.open()
    this.#options.closed(reason)
  }

  #secured(): void {
    const socket = this.#socket
    if (connectionClass(socket) !== this.#options.connection) {
      this.close(this.#unreachable('no common version of the protocol'))
    } else if (peerKey(socket) !== this.#options.publicKey) {
      this.close(
        new ClusterError('NotAdmitted', `whoever listens for ${this.#options.nodeId} has another key`),
      )
    } else {
      clearTimeout(this.#dialTimer)
      this.#ready = 'ready'
      this.wasReady = true
      this.#gate.open()
    }
  }

  #start(call: RawCall, resolve: OpenCall['resolve'], reject: OpenCall['reject']): void {
    if (call.signal?.aborted) {
      reject(abortError(call.signal))
      return
    }
    const requestId = this.#nextRequestId
    const body = call.body ?? []
    const bodyBytes = bodyLength(body)
    let frame: Buffer
    try {
      frame = this.#encode('request', {
        messageId: call.messageId,
        requestId,
        request: call.request,
        bodyBytes,
        deadlineMs: call.timeoutMs,
      })
    } catch (error) {
      reject(error instanceof Error ? error : new Error(String(error)))
      return
    }
    this.#nextRequestId = requestId === 0xffff_ffff ? 1 : requestId + 1
    const open: OpenCall = {
      resolve,
      reject,
      signal: call.signal,
      aborted: call.signal && (() => this.#giveUp(requestId, abortError(call.signal))),
      timer: setTimeout(() => this.#overdue(requestId, call.timeoutMs), call.timeoutMs),
      sending: body.length > 0,
      outcome: undefined,
    }
    this.#open.set(requestId, open)
    this.carriedBytes += frame.length + bodyBytes
    if (open.aborted) call.signal?.addEventListener('abort', open.aborted, { once: true })
    writeFrame(this.#socket, frame, body, open.sending ? () => this.#sent(requestId) : undefined)
  }

  #sent(requestId: number): void {
    const call = this.#open.get(requestId)
    if (call === undefined) return
    call.sending = false
    if (call.outcome) this.#settle(requestId, call, call.outcome)
  }

  #overdue(requestId: number, timeoutMs: number): void {
    const call = this.#open.get(requestId)
    if (call === undefined) return
    const error = this.#timeout(timeoutMs)
    if (call.sending) {
      // The peer does not read. Only the end of the connection gives the body back to its owner.
      call.outcome = { error }
      this.close(this.#unreachable('peer does not read'))
    } else this.#giveUp(requestId, error)
  }

  #giveUp(requestId: number, error: Error): void {
    const call = this.#open.get(requestId)
    if (call === undefined || call.outcome) return
    writeFrame(this.#socket, this.#encode('cancel', { messageId: 0, requestId, request: undefined }))
    this.#finish(requestId, call, { error })
  }

  #finish(requestId: number, call: OpenCall, outcome: Outcome): void {
    if (call.sending) call.outcome ??= outcome
    else this.#settle(requestId, call, outcome)
  }

  #settle(requestId: number, call: OpenCall, outcome: Outcome): void {
    this.#open.delete(requestId)
    clearTimeout(call.timer)
    if (call.aborted) call.signal?.removeEventListener('abort', call.aborted)
    if ('answer' in outcome) call.resolve(outcome.answer)
    else call.reject(outcome.error)
  }

  /** `scratch` undefined: the bytes went straight into the body under way. False stops reading. */
  #read(count: number, scratch: Buffer | undefined): boolean {
    this.heard++
    this.carriedBytes += count
    if (this.#ready !== 'ready') return false
    try {
      if (scratch) this.#parser.push(scratch.subarray(0, count), { owned: false })
      else this.#parser.bodyFilled(count)
      return true
    } catch (cause) {
      // Thrown here it would end the process: reads are called by the runtime.
      this.close(
        cause instanceof ClusterError
          ? cause
          : new ClusterError('BadMessage', 'unreadable answer', { cause }),
      )
      return false
    }
  }

  #received(frame: Frame): void {
    const call = this.#open.get(frame.requestId)
    if (call === undefined) {
      // Given up before: the answer crossed the cancel frame.
      frame.release?.()
      return
    }
    const value = frame.payload.length === 0 ? undefined : decodePayload(frame.payload)
    if (frame.kind === 'reply') {
      this.#finish(frame.requestId, call, {
        answer: { reply: value, body: frame.body, release: frame.release },
      })
    } else if (frame.kind === 'error') {
      this.#finish(frame.requestId, call, { error: errorFromPayload(value, this.#options.nodeId) })
    } else throw new ClusterError('BadMessage', `a callee must not send ${frame.kind} frames`)
  }

  #encode(
    kind: FrameKind,
    frame: {
      messageId: number
      requestId: number
      request: unknown
      bodyBytes?: number
      deadlineMs?: number
    },
  ): Buffer {
    return encodeFrame(
      { kind, messageId: frame.messageId, requestId: frame.requestId, deadlineMs: frame.deadlineMs ?? 0 },
      frame.request,
      { bodyBytes: frame.bodyBytes ?? 0, connection: this.#options.connection },
    )
  }

  #timeout(timeoutMs: number): ClusterError {
    return new ClusterError('Timeout', `${this.#options.nodeId} did not answer within ${timeoutMs} ms`)
  }

  #unreachable(why: string, cause?: unknown): ClusterError {
    return new ClusterError('PeerUnreachable', `${this.#options.nodeId}: ${why}`, { cause })
  }
}
