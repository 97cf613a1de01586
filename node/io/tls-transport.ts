/**
 * The network of a process: mutual TLS to and from the nodes of the cluster map.
 *
 * Invariants: a connection whose key is not that of an admitted node is closed before a message is read from it, and
 * a connection of a node that stops being admitted is destroyed as soon as the new map is known. One control
 * connection per peer and direction, a few bulk connections beside it; a control message never waits behind a body.
 * Leaves to others: where peers are (address book), what the map says (map-watch), what messages do (funnel).
 */
import type { Socket } from 'node:net'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import type { MapNode } from '../core/cluster-map.ts'
import { ClusterError } from '../errors.ts'
import type { SignedAddress } from '../protocol/address-record.ts'
import { BodyPool } from '../protocol/body-pool.ts'
import { decodePayload, encodePayload } from '../protocol/codec.ts'
import type { Inbound, Serve } from '../protocol/inbound.ts'
import {
  type Answer,
  type Caller,
  type ConnectionClass,
  type MessageName,
  type MessageSpec,
  messages,
  type Replies,
  type Requests,
} from '../protocol/messages.ts'
import type { PeerState } from '../world.ts'
import { type Address, bodyLength } from './channel.ts'
import type { RawAnswer } from './channel-client.ts'
import { ServerChannel } from './channel-server.ts'
import type { KeyPair } from './identity.ts'
import { type Admission, connectionClass, peerKey, TlsContext } from './tls-context.ts'
import { TlsPeer } from './tls-peer.ts'

export const transportLimits = {
  /** Bulk connections to one peer: enough to fill several cores of the other end and to outlive a slow disk. */
  bulkConnections: 4,
  /** Connections that one peer may have to us: its own, and those of its previous life not yet noticed dead. */
  connectionsPerPeer: 32,
  /** Sockets altogether, those in their handshake included. */
  connections: 4_096,
} as const

/** Why a connection to us was refused: labels of a metric. */
export type RefusalReason = 'handshake' | 'unadmitted' | 'version' | 'too-many' | 'malformed' | 'revoked'

/** What the transport tells; every part may be left out. Called synchronously, must not throw. */
export interface TransportObserver {
  /** A watched peer came up or went down. */
  readonly peerChanged?: (state: PeerState) => void
  /** A peer told the epoch of its cluster map: when it is newer than ours, ours is to be fetched. */
  readonly heardEpoch?: (nodeId: string, epoch: number) => void
  readonly refused?: (reason: RefusalReason) => void
  readonly dropped?: (message: MessageName) => void
}

export interface TransportOptions {
  readonly nodeId: string
  /** TLS identity; its public half is this node's key in the cluster map. */
  readonly keyPair: KeyPair
  readonly admitted: Admission
  /** The node of the current map with this id, undefined when it is not admitted (or suspended). */
  readonly nodeOf: (nodeId: string) => MapNode | undefined
  readonly addressOf: (nodeId: string) => Address | undefined
  readonly serve: Serve
  /** Epoch of the current map. */
  readonly epoch: () => number
  /** Our signed address, told to every peer that we dial. */
  readonly ownAddress?: () => SignedAddress | undefined
  readonly observer?: TransportObserver
  readonly bulkConnections?: number
  /** What a connection carries before it is renewed; default `peerLimits.connectionBytes`. */
  readonly connectionBytes?: number
  /** Default true; false reads accepted connections by 'data' events, see direct-read.ts. */
  readonly directRead?: boolean
}

interface InboundPeer {
  readonly node: MapNode
  readonly publicKey: string
  readonly connection: ConnectionClass
}

export class TlsTransport implements Caller {
  readonly #options: TransportOptions
  readonly #context: TlsContext
  readonly #server: Server
  readonly #bodies = new BodyPool()
  readonly #sockets = new Set<TLSSocket>()
  /** Every accepted connection below TLS, also those whose handshake is under way: closing must end them, too. */
  readonly #accepted = new Set<Socket>()
  readonly #inbound = new Map<ServerChannel, string>()
  readonly #peers = new Map<string, TlsPeer>()
  readonly #closing = new AbortController()

  constructor(options: TransportOptions) {
    this.#options = options
    this.#context = new TlsContext(options.keyPair, options.nodeId)
    this.#server = createServer(this.#context.serverOptions(), (socket) => this.#accept(socket))
    this.#server.maxConnections = transportLimits.connections
    this.#server.on('connection', (socket) => {
      this.#accepted.add(socket)
      socket.once('close', () => this.#accepted.delete(socket))
    })
    this.#server.on('tlsClientError', (_error, socket) => {
      this.#options.observer?.refused?.('handshake')
      socket.destroy()
    })
  }

  /** Accepts connections at `address` (port 0: any free one); resolves with where that is. */
  async listen(address: Address): Promise<Address> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(address.port, address.host, () => {
        this.#server.off('error', reject)
        resolve()
      })
    })
    const bound = this.#server.address()
    if (bound === null || typeof bound === 'string') throw new Error('not listening on TCP')
    return { host: address.host, port: bound.port }
  }

  /** Keeps connections to exactly these peers (without ourselves): dials the new, drops the others. */
  watch(nodeIds: Iterable<string>): void {
    const wanted = new Set(nodeIds)
    wanted.delete(this.#options.nodeId)
    for (const [nodeId, peer] of this.#peers) {
      if (wanted.has(nodeId)) continue
      this.#peers.delete(nodeId)
      peer.close(new ClusterError('PeerUnreachable', `${nodeId} is no longer watched`))
      this.#options.observer?.peerChanged?.({ nodeId, up: false, rttMs: undefined })
    }
    for (const nodeId of wanted) this.#peer(nodeId)
  }

  /** Looks at every connection again after the cluster map changed: whoever is no longer admitted is cut off. */
  mapChanged(): void {
    for (const [channel, publicKey] of this.#inbound) {
      const node = this.#options.admitted(publicKey)
      if (node) channel.peer = node
      else {
        this.#options.observer?.refused?.('revoked')
        channel.close(new ClusterError('NotAdmitted', `${channel.peer.nodeId} is no longer admitted`))
      }
    }
    for (const [nodeId, peer] of this.#peers) {
      peer.keyChanged(this.#options.nodeOf(nodeId)?.publicKey)
      peer.nudge()
    }
  }

  /** The address book knows a new address of this peer. */
  addressChanged(nodeId: string): void {
    this.#peers.get(nodeId)?.nudge()
  }

  /** Liveness of all watched peers. */
  peers(): PeerState[] {
    return [...this.#peers.values()].map((peer) => peer.state)
  }

  /** Liveness of one peer; a node always reaches itself. */
  isUp(nodeId: string): boolean {
    return nodeId === this.#options.nodeId || (this.#peers.get(nodeId)?.state.up ?? false)
  }

  async call<M extends MessageName>(
    to: string,
    message: M,
    request: Requests[M],
    options: { timeoutMs?: number; body?: readonly Uint8Array[]; signal?: AbortSignal } = {},
  ): Promise<Answer<M>> {
    const spec: MessageSpec = messages[message]
    const { reply, body, release } =
      to === this.#options.nodeId
        ? await this.#callOurselves(spec, request, options)
        : await this.#reachable(to).call(spec, request, options)
    // The peer runs the same table of messages, or the one before: see the rule of compatibility in frame.ts.
    return { reply: reply as Replies[M], body, release }
  }

  send<M extends 'raft' | 'raft-bulk'>(to: string, message: M, request: Requests[M]): void {
    if (to === this.#options.nodeId) throw new Error('one-way messages to ourselves are a bug')
    const sent = this.#options.nodeOf(to) !== undefined && this.#peer(to).send(messages[message], request)
    if (!sent) this.#options.observer?.dropped?.(message)
  }

  /** Stops listening, destroys every connection; open calls are rejected with PeerUnreachable. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return
    this.#closing.abort()
    const reason = new ClusterError('PeerUnreachable', 'this process is shutting down')
    for (const peer of this.#peers.values()) peer.close(reason)
    this.#peers.clear()
    for (const channel of [...this.#inbound.keys()]) channel.close(undefined)
    for (const socket of this.#sockets) socket.destroy()
    for (const socket of this.#accepted) socket.destroy()
    if (this.#server.listening) await new Promise((resolve) => this.#server.close(resolve))
  }

  #accept(socket: TLSSocket): void {
    // Until it has a channel, an error of the socket would have no listener and end the process.
    socket.on('error', () => socket.destroy())
    const peer = this.#identify(socket)
    if (typeof peer === 'string') {
      this.#options.observer?.refused?.(peer)
      socket.destroy()
    } else this.#serveConnection(socket, peer)
  }

  #identify(socket: TLSSocket): InboundPeer | RefusalReason {
    const connection = connectionClass(socket)
    if (connection === undefined) return 'version'
    const publicKey = peerKey(socket)
    const node = publicKey === undefined ? undefined : this.#options.admitted(publicKey)
    if (publicKey === undefined || node === undefined) return 'unadmitted'
    let sameKey = 0
    for (const key of this.#inbound.values()) if (key === publicKey) sameKey++
    return sameKey < transportLimits.connectionsPerPeer ? { node, publicKey, connection } : 'too-many'
  }

  #serveConnection(socket: TLSSocket, peer: InboundPeer): void {
    this.#sockets.add(socket)
    const channel = new ServerChannel({
      socket,
      peer: peer.node,
      connection: peer.connection,
      serve: this.#options.serve,
      bodies: this.#bodies,
      directRead: this.#options.directRead ?? true,
      closed: (reason) => {
        this.#sockets.delete(socket)
        this.#inbound.delete(channel)
        if (reason?.code === 'BadMessage') this.#options.observer?.refused?.('malformed')
      },
    })
    this.#inbound.set(channel, peer.publicKey)
    // Whoever reaches us is alive: a returning peer need not wait for our next redial.
    this.#peers.get(peer.node.nodeId)?.nudge()
  }

  #reachable(nodeId: string): TlsPeer {
    if (this.#options.nodeOf(nodeId) === undefined) {
      throw new ClusterError('PeerUnreachable', `${nodeId} is not an admitted node`)
    }
    return this.#peer(nodeId)
  }

  #peer(nodeId: string): TlsPeer {
    const known = this.#peers.get(nodeId)
    if (known) return known
    if (this.#closing.signal.aborted)
      throw new ClusterError('PeerUnreachable', 'this process is shutting down')
    const { observer } = this.#options
    const peer = new TlsPeer({
      nodeId,
      context: this.#context,
      bodies: this.#bodies,
      ...(this.#options.connectionBytes && { connectionBytes: this.#options.connectionBytes }),
      bulkConnections: this.#options.bulkConnections ?? transportLimits.bulkConnections,
      target: () => {
        const address = this.#options.addressOf(nodeId)
        const publicKey = this.#options.nodeOf(nodeId)?.publicKey
        return address && publicKey ? { address, publicKey } : undefined
      },
      epoch: this.#options.epoch,
      ownAddress: () => this.#options.ownAddress?.(),
      changed: (state) => observer?.peerChanged?.(state),
      heardEpoch: (epoch) => observer?.heardEpoch?.(nodeId, epoch),
    })
    this.#peers.set(nodeId, peer)
    peer.nudge()
    return peer
  }

  /** A node that is its own catalog or shard node needs no socket; the payload is still encoded, so nothing is shared. */
  async #callOurselves(
    spec: MessageSpec,
    request: unknown,
    options: { timeoutMs?: number; body?: readonly Uint8Array[]; signal?: AbortSignal },
  ): Promise<RawAnswer> {
    const from = this.#options.nodeOf(this.#options.nodeId)
    if (from === undefined) throw new ClusterError('NotAdmitted', 'this node is not in the cluster map')
    const timeoutMs = options.timeoutMs ?? spec.timeoutMs
    const late = AbortSignal.timeout(timeoutMs)
    const signal = AbortSignal.any([late, this.#closing.signal, ...(options.signal ? [options.signal] : [])])
    const inbound: Inbound = {
      from,
      messageId: spec.id,
      oneWay: false,
      connection: spec.connection,
      payload: encodePayload(request, 0),
      body: options.body && bodyLength(options.body) > 0 ? Buffer.concat(options.body) : undefined,
      release: undefined,
      timeoutMs,
      signal,
    }
    const gaveUp = Promise.withResolvers<never>()
    const giveUp = () =>
      gaveUp.reject(
        late.aborted
          ? new ClusterError('Timeout', `own answer took more than ${timeoutMs} ms`)
          : signal.reason,
      )
    signal.addEventListener('abort', giveUp, { once: true })
    try {
      const outbound = await Promise.race([this.#options.serve(inbound), gaveUp.promise])
      const body = outbound.body && bodyLength(outbound.body) > 0 ? Buffer.concat(outbound.body) : undefined
      outbound.sent?.()
      const reply = outbound.reply === undefined ? undefined : decodePayload(encodePayload(outbound.reply, 0))
      return { reply, body, release: undefined }
    } finally {
      signal.removeEventListener('abort', giveUp)
    }
  }
}
