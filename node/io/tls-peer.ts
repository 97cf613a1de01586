/**
 * Everything this process has towards one peer: a control connection that tells whether it lives, and a few bulk
 * connections.
 *
 * Invariants: a peer is up from its first answered ping until its connection is reset and cannot be made again, or
 * until nothing was heard from it for `pingIntervalMs * silentPings`; calls to a peer that is not up fail at once
 * (or wait for the dial that is under way); open calls and their bytes are bounded.
 * Leaves to others: whom to watch, where peers listen and which key they have (tls-transport.ts).
 *
 * Liveness is counted in ticks of this process' own timer, not in elapsed time: when this process was stopped or its
 * event loop was busy, its peers have not been silent.
 */
import { ClusterError } from '../errors.ts'
import type { SignedAddress } from '../protocol/address-record.ts'
import type { BodyPool } from '../protocol/body-pool.ts'
import { type MessageSpec, messages } from '../protocol/messages.ts'
import type { PeerState } from '../world.ts'
import { type Address, bodyLength } from './channel.ts'
import { ClientChannel, type RawAnswer, type RawCall } from './channel-client.ts'
import { Gate } from './gate.ts'
import type { TlsContext } from './tls-context.ts'

export const peerLimits = {
  /** A dead peer is to be noticed well within the 5 s in which writes must go on without its site. */
  pingIntervalMs: 500,
  silentPings: 3,
  /** TCP, TLS and the first ping. */
  dialTimeoutMs: 1_500,
  /** Redials: jittered and doubling between these, so that a returning node is not stormed. */
  redialMsMin: 50,
  redialMsMax: 1_000,
  /** Thousands of small calls are normal under load; more means that the peer does not keep up. */
  controlCalls: 8_192,
  controlBytes: 32 * 1024 * 1024,
  /** Bodies under way to one peer: what a slow node can make a gateway hold. */
  bulkCalls: 512,
  bulkBytes: 64 * 1024 * 1024,
  /** One-way messages behind more queued bytes than this are dropped: Raft repeats them. */
  oneWayQueueBytes: 8 * 1024 * 1024,
  /**
   * A connection that carried this much is replaced: with AES-GCM a key is good for 2^24.5 records of 16 KiB, about
   * 388 GB (RFC 8446, 5.5), and OpenSSL does not change keys by itself. Bytes.
   */
  connectionBytes: 128 * 1024 * 1024 * 1024,
  /** After a failed bulk dial the open ones must do for this long. */
  bulkRedialMs: 200,
} as const

export interface PeerOptions {
  readonly nodeId: string
  readonly context: TlsContext
  readonly bulkConnections: number
  readonly bodies: BodyPool
  /** Default `peerLimits.connectionBytes`. */
  readonly connectionBytes?: number
  /** Where it listens and which key it must prove; undefined: not known, or not admitted. */
  readonly target: () => { readonly address: Address; readonly publicKey: string } | undefined
  /** Epoch of our cluster map, told with every ping. */
  readonly epoch: () => number
  /** Our signed address, told with the first ping of a connection. */
  readonly ownAddress: () => SignedAddress | undefined
  readonly changed: (state: PeerState) => void
  readonly heardEpoch: (epoch: number) => void
}

/** What is open towards the peer, per class of connection. */
interface Load {
  calls: number
  bytes: number
}

export class TlsPeer {
  readonly #options: PeerOptions
  #control: ClientChannel | undefined
  #bulk: ClientChannel[] = []
  readonly #retired = new Set<ClientChannel>()
  #bulkBlockedUntilMs = 0
  #up = false
  #announcedUp = false
  #rttMs: number | undefined
  #clockOffsetMs: number | undefined
  /** The key of the connections that are open or being made. */
  #provenKey: string | undefined
  /** A dial is under way whose outcome is not known: calls wait for it. */
  #deciding = false
  readonly #gate = new Gate()
  #redialTimer: NodeJS.Timeout | undefined
  #failures = 0
  #pingTimer: NodeJS.Timeout | undefined
  #heardAtPing = 0
  #silentPings = 0
  #closed = false
  readonly #load: { control: Load; bulk: Load } = {
    control: { calls: 0, bytes: 0 },
    bulk: { calls: 0, bytes: 0 },
  }

  constructor(options: PeerOptions) {
    this.#options = options
  }

  get state(): PeerState {
    const { nodeId } = this.#options
    return { nodeId, up: this.#up, rttMs: this.#rttMs, clockOffsetMs: this.#clockOffsetMs }
  }

  /** Dials now unless there is a connection or a dial; for the start, a new address, a sign of life. */
  nudge(): void {
    if (this.#closed || this.#control !== undefined) return
    clearTimeout(this.#redialTimer)
    this.#dial()
  }

  /** The cluster map says which key the peer has now (undefined: none): connections that proved another one end. */
  keyChanged(publicKey: string | undefined): void {
    if (this.#provenKey === undefined || this.#provenKey === publicKey) return
    this.#lost(
      new ClusterError('PeerUnreachable', `${this.#options.nodeId} is no longer admitted with this key`),
    )
  }

  /** See `Caller.call`. */
  async call(
    spec: MessageSpec,
    request: unknown,
    options: { timeoutMs?: number; body?: readonly Uint8Array[]; signal?: AbortSignal } = {},
  ): Promise<RawAnswer> {
    const bytes = options.body ? bodyLength(options.body) : 0
    const timeoutMs = options.timeoutMs ?? spec.timeoutMs
    const load = this.#load[spec.connection]
    this.#assertRoom(spec, load, bytes)
    load.calls++
    load.bytes += bytes
    try {
      if (!this.#up) await this.#whenDecided(timeoutMs, options.signal)
      const channel = spec.connection === 'control' ? this.#control : this.#bulkChannel()
      if (!this.#up || channel === undefined) throw this.#down()
      return await channel.call({
        messageId: spec.id,
        request,
        body: options.body,
        timeoutMs,
        signal: options.signal,
      } satisfies RawCall)
    } finally {
      load.calls--
      load.bytes -= bytes
    }
  }

  /** Sends a one-way message; false when it was dropped. Bulk ones share one connection: their order matters. */
  send(spec: MessageSpec, request: unknown): boolean {
    if (!this.#up) return false
    const channel = spec.connection === 'control' ? this.#control : this.#firstBulk()
    return channel?.post(spec.id, request, peerLimits.oneWayQueueBytes) ?? false
  }

  /** Ends everything; open calls are rejected with `reason`. The peer cannot be used again. */
  close(reason: ClusterError): void {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#redialTimer)
    this.#lost(reason)
  }

  #assertRoom(spec: MessageSpec, load: Load, bytes: number): void {
    const [calls, bytesMax] =
      spec.connection === 'control'
        ? [peerLimits.controlCalls, peerLimits.controlBytes]
        : [peerLimits.bulkCalls, peerLimits.bulkBytes]
    if (load.calls >= calls || load.bytes + bytes > bytesMax) {
      throw new ClusterError('Overloaded', `too much is under way to ${this.#options.nodeId}`)
    }
  }

  async #whenDecided(timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.#closed || !this.#deciding) throw this.#down()
    const late = () =>
      new ClusterError('Timeout', `${this.#options.nodeId} could not be reached within ${timeoutMs} ms`)
    await this.#gate.wait({ timeoutMs, late, signal })
  }

  #dial(): void {
    const target = this.#options.target()
    // Without an address there is nothing to wait for: whoever learns one calls `nudge`.
    if (target === undefined) {
      this.#setUp(false)
      return
    }
    this.#deciding = true
    const control = new ClientChannel({
      nodeId: this.#options.nodeId,
      address: target.address,
      publicKey: target.publicKey,
      connection: 'control',
      context: this.#options.context,
      dialTimeoutMs: peerLimits.dialTimeoutMs,
      bodies: this.#options.bodies,
      closed: (reason) => this.#controlClosed(control, reason),
    })
    this.#control = control
    this.#provenKey = target.publicKey
    // The handshake alone proves nothing: in TLS 1.3 it ends here before the peer has looked at our key.
    this.#ping(control, peerLimits.dialTimeoutMs).then(
      () => {
        // That took the handshake too: the round trip is measured by the next ones.
        this.#rttMs = undefined
        this.#established(control)
      },
      (cause: unknown) =>
        control.close(
          new ClusterError('PeerUnreachable', `${this.#options.nodeId} refused us or is silent`, { cause }),
        ),
    )
  }

  #established(control: ClientChannel): void {
    if (this.#control !== control) return
    this.#failures = 0
    this.#silentPings = 0
    this.#pingTimer = setInterval(() => this.#tick(control), peerLimits.pingIntervalMs)
    this.#setUp(true)
  }

  #tick(control: ClientChannel): void {
    if (control.heard === this.#heardAtPing) this.#silentPings++
    else this.#silentPings = 0
    this.#heardAtPing = control.heard
    if (this.#silentPings >= peerLimits.silentPings) {
      this.#lost(new ClusterError('PeerUnreachable', `${this.#options.nodeId} is silent`))
      return
    }
    this.#retire()
    if (this.#isWorn(control, control.openCalls === 0 ? 1 : 2)) {
      // Dialled again at once, like after a reset. It waits for a moment without calls, but not for ever.
      control.close(this.#worn())
      return
    }
    const timeoutMs = peerLimits.pingIntervalMs * peerLimits.silentPings
    this.#ping(control, timeoutMs).catch(() => {
      // Silence is counted by the ticks, and the end of the connection reports itself.
    })
  }

  async #ping(control: ClientChannel, timeoutMs: number): Promise<void> {
    const sentAtMs = performance.now()
    const address = control.wasReady ? undefined : this.#options.ownAddress()
    const { reply } = await control.call({
      messageId: messages.ping.id,
      request: { sentMs: Date.now(), epoch: this.#options.epoch(), ...(address && { address }) },
      body: undefined,
      timeoutMs,
      signal: undefined,
    })
    const rttMs = performance.now() - sentAtMs
    // Smoothed as in RFC 6298.
    this.#rttMs = this.#rttMs === undefined ? rttMs : this.#rttMs + (rttMs - this.#rttMs) / 8
    const { epoch, receivedMs }: { epoch?: unknown; receivedMs?: unknown } = Object(reply)
    // The peer looked at its clock about half a round trip ago.
    if (typeof receivedMs === 'number') this.#clockOffsetMs = receivedMs - (Date.now() - rttMs / 2)
    if (typeof epoch === 'number') this.#options.heardEpoch(epoch)
  }

  /** A connection that was good is dialled again at once; calls wait for the outcome. */
  #controlClosed(control: ClientChannel, reason: ClusterError): void {
    if (this.#control !== control) return
    clearInterval(this.#pingTimer)
    this.#control = undefined
    if (this.#closed) return
    if (this.#up) {
      this.#up = false
      this.#dial()
      if (this.#control === undefined) this.#lost(reason)
      return
    }
    this.#lost(reason)
  }

  /** The peer is down: nothing towards it stays open, and it is dialled again later. */
  #lost(reason: ClusterError): void {
    clearInterval(this.#pingTimer)
    const control = this.#control
    this.#control = undefined
    this.#provenKey = undefined
    control?.close(reason)
    for (const channel of [...this.#bulk.splice(0), ...this.#retired]) channel.close(reason)
    this.#setUp(false)
    if (this.#closed) return
    const ceilingMs = Math.min(peerLimits.redialMsMin * 2 ** this.#failures, peerLimits.redialMsMax)
    this.#failures = Math.min(this.#failures + 1, 16)
    clearTimeout(this.#redialTimer)
    this.#redialTimer = setTimeout(() => this.nudge(), ceilingMs * (0.5 + Math.random() / 2))
  }

  #setUp(up: boolean): void {
    this.#up = up
    this.#deciding = false
    this.#gate.open()
    if (up === this.#announcedUp) return
    this.#announcedUp = up
    this.#options.changed(this.state)
  }

  /** The open connection with the fewest calls; a new one while there are fewer than allowed and all are in use. */
  #bulkChannel(): ClientChannel | undefined {
    this.#retire()
    let best: ClientChannel | undefined
    for (const channel of this.#bulk) {
      if (best === undefined || channel.openCalls < best.openCalls) best = channel
    }
    if (best !== undefined && best.openCalls === 0) return best
    if (this.#bulk.length >= this.#options.bulkConnections) return best
    if (best !== undefined && performance.now() < this.#bulkBlockedUntilMs) return best
    return this.#dialBulk() ?? best
  }

  /** Worn connections take no new calls and end with their last one. */
  #retire(): void {
    for (const channel of this.#bulk.filter((one) => this.#isWorn(one))) {
      this.#bulk.splice(this.#bulk.indexOf(channel), 1)
      this.#retired.add(channel)
    }
    for (const channel of this.#retired) {
      if (channel.openCalls === 0) channel.close(this.#worn())
    }
  }

  #isWorn(channel: ClientChannel, times = 1): boolean {
    return channel.carriedBytes >= times * (this.#options.connectionBytes ?? peerLimits.connectionBytes)
  }

  #worn(): ClusterError {
    return new ClusterError('PeerUnreachable', `the connection to ${this.#options.nodeId} is renewed`)
  }

  #firstBulk(): ClientChannel | undefined {
    this.#retire()
    return this.#bulk[0] ?? this.#dialBulk()
  }

  #dialBulk(): ClientChannel | undefined {
    const target = this.#options.target()
    if (target === undefined) return undefined
    const channel = new ClientChannel({
      nodeId: this.#options.nodeId,
      address: target.address,
      publicKey: target.publicKey,
      connection: 'bulk',
      context: this.#options.context,
      dialTimeoutMs: peerLimits.dialTimeoutMs,
      bodies: this.#options.bodies,
      closed: () => {
        if (!channel.wasReady) this.#bulkBlockedUntilMs = performance.now() + peerLimits.bulkRedialMs
        if (this.#retired.delete(channel)) return
        const at = this.#bulk.indexOf(channel)
        if (at >= 0) this.#bulk.splice(at, 1)
        // Bulk connections die with their process: find out whether that is gone.
        if (this.#up && this.#control !== undefined) this.#probe(this.#control)
      },
    })
    this.#bulk.push(channel)
    return channel
  }

  #probe(control: ClientChannel): void {
    this.#ping(control, peerLimits.dialTimeoutMs).catch(() => {
      // As in #tick.
    })
  }

  #down(): ClusterError {
    return new ClusterError('PeerUnreachable', `${this.#options.nodeId} is down`)
  }
}
