/**
 * Connections of hyperswarm between the members of a federation, on the federation's own DHT.
 *
 * Invariants: only keys of admitted nodes get a connection, in either direction, and lose it when they are no longer
 * admitted; the public DHT is never touched (the bootstrap nodes must be given). One Noise stream per pair of members
 * is shared by protomux: addresses of members here, journals by whoever listens to `onConnection`.
 * Leaves to others: what members tell each other (services/member-service.ts), replication (journal), liveness
 * (transport: hyperswarm notices a dead peer after 13 s and more).
 */
import { createHash } from 'node:crypto'
import type { Duplex } from 'node:stream'
import HyperDHT from 'hyperdht'
import Hyperswarm, { type PeerDiscovery, type SwarmStream } from 'hyperswarm'
import Protomux, { type Message } from 'protomux'
import type { MemberLink, MemberLinkListener, MemberLinks } from '../protocol/member-links.ts'
import type { Address } from './channel.ts'
import type { KeyPair } from './identity.ts'
import type { Admission } from './tls-context.ts'

export const swarmLimits = {
  /** Members that one process is connected to; hyperswarm's default of 64 is less than a federation may have. */
  peersMax: 1_024,
  /** A dial that is refused (the peer's map does not have us yet) says nothing for 8 s, and blocks the peer's own dial. */
  dialMs: 2_000,
  /** Dials at once. */
  parallelDials: 16,
  /** Telling the DHT that we leave. */
  closeMs: 1_000,
  /** Unknown keys that tried to connect are remembered by hyperswarm: above this they are forgotten at once. */
  strangersMax: 256,
} as const

const channelName = 'bundescloud/members/1'

/** Hands out the streams to admitted members, for protocols that run over protomux on the same stream. */
export interface SwarmConnections {
  /** Called for every connection, also for those that are open already. The listener must not end the stream. */
  onConnection(run: (stream: Duplex, peer: { readonly nodeId: string }) => void): void
}

export interface SwarmOptions {
  readonly federationId: string
  /** The node's TLS identity; Noise uses the same key. */
  readonly keyPair: KeyPair
  /** Seeds of the federation's DHT; at least one. */
  readonly bootstrap: readonly Address[]
  /** Where UDP is bound. */
  readonly host: string
  readonly admitted: Admission
}

/** A DHT node whose dials end in time. */
class PromptDht extends HyperDHT {
  readonly #dialling = new Set<Duplex>()

  override connect(publicKey: Buffer, options: object): Duplex {
    const stream = super.connect(publicKey, options)
    const timer = setTimeout(() => stream.destroy(), swarmLimits.dialMs)
    const settled = () => {
      clearTimeout(timer)
      this.#dialling.delete(stream)
    }
    this.#dialling.add(stream)
    stream.once('open', settled)
    stream.once('close', settled)
    return stream
  }

  /** Gives up every dial under way, so that it can be tried anew. */
  hangUp(): void {
    for (const stream of this.#dialling) stream.destroy()
  }
}

export class Swarm implements SwarmConnections, MemberLinks {
  readonly #options: SwarmOptions
  readonly #dht: PromptDht
  readonly #swarm: Hyperswarm
  readonly #open = new Map<SwarmStream, string>()
  readonly #runs: ((stream: Duplex, peer: { readonly nodeId: string }) => void)[] = []
  /** Attempts of keys that are not admitted, so far. */
  refusals = 0
  #listener: MemberLinkListener | undefined
  #discovery: PeerDiscovery | undefined
  #closed = false

  constructor(options: SwarmOptions) {
    if (options.bootstrap.length === 0) throw new Error('a federation needs at least one DHT bootstrap node')
    this.#options = options
    this.#dht = new PromptDht({
      bootstrap: options.bootstrap,
      host: options.host,
      // Addresses are reachable: without these two the first connection takes 15 s, and only seeds keep records.
      firewalled: false,
      ephemeral: false,
    })
    this.#swarm = new Hyperswarm({
      keyPair: options.keyPair.sodium(),
      dht: this.#dht,
      firewall: (remote) => options.admitted(remote.toString('hex')) === undefined,
      maxPeers: swarmLimits.peersMax,
      maxParallel: swarmLimits.parallelDials,
    })
    this.#swarm.on('connection', (stream) => this.#connected(stream))
    // A refused key would stay banned after its admission; ours is decided anew at every attempt.
    this.#swarm.on('ban', (peer) => {
      this.refusals++
      peer.ban(false)
      if (this.#swarm.peers.size > swarmLimits.strangersMax) {
        this.#swarm.peers.delete(peer.publicKey.toString('hex'))
      }
    })
  }

  listen(listener: MemberLinkListener): void {
    this.#listener = listener
  }

  onConnection(run: (stream: Duplex, peer: { readonly nodeId: string }) => void): void {
    this.#runs.push(run)
    for (const [stream, nodeId] of this.#open) run(stream, { nodeId })
  }

  async search(): Promise<void> {
    if (this.#closed) return
    try {
      this.#discovery ??= this.#swarm.join(this.#topic(), { server: true, client: true })
      await this.#discovery.refresh()
    } catch (error) {
      // The only reason is that we are closing; a DHT that does not answer is no error of hyperswarm's.
      if (!this.#closed) throw error
    }
  }

  /** Members that are connected now. */
  connected(): string[] {
    return [...new Set(this.#open.values())]
  }

  /** Cuts off whoever is no longer admitted, and lets dials that were refused begin anew. */
  mapChanged(): void {
    for (const stream of this.#open.keys()) {
      if (this.#options.admitted(stream.remotePublicKey.toString('hex')) === undefined) {
        stream.destroy(new Error('no longer admitted'))
      }
    }
    this.#dht.hangUp()
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    // A DHT that answers forgets us; one that is gone must not hold up the end of this process with its timeouts.
    await this.#withPatience(this.#swarm.destroy())
    // Forcing does not cut short what the first call waits for (hyperdht joins both): nothing is owed to it any more.
    await this.#withPatience(this.#swarm.destroy({ force: true }))
  }

  async #withPatience(ending: Promise<void>): Promise<void> {
    const patience = Promise.withResolvers<void>()
    const timer = setTimeout(patience.resolve, swarmLimits.closeMs)
    await Promise.race([ending, patience.promise])
    clearTimeout(timer)
  }

  /** The same for all members, and nothing that the federation's name could be guessed from. */
  #topic(): Buffer {
    return createHash('sha256').update(`bundescloud federation\n${this.#options.federationId}`).digest()
  }

  #connected(stream: SwarmStream): void {
    stream.on('error', () => {
      // Every connection ends with one; 'close' follows and that is what counts.
    })
    const node = this.#options.admitted(stream.remotePublicKey.toString('hex'))
    if (node === undefined) {
      stream.destroy()
      return
    }
    const { nodeId } = node
    this.#open.set(stream, nodeId)
    const link = this.#openLink(stream, nodeId)
    stream.on('close', () => {
      this.#open.delete(stream)
      if (link) this.#listener?.closed(link)
    })
    if (link) this.#listener?.opened(link)
    for (const run of this.#runs) run(stream, { nodeId })
  }

  #openLink(stream: SwarmStream, nodeId: string): MemberLink | undefined {
    const channel = Protomux.from(stream).createChannel({ protocol: channelName, id: this.#topic() })
    if (channel === null) return undefined
    const records: Message = channel.addMessage({
      onmessage: (bytes) => this.#listener?.message(link, bytes),
    })
    const link: MemberLink = {
      nodeId,
      send: (bytes) => {
        if (!channel.closed) records.send(bytes)
      },
      close: (reason) => stream.destroy(reason),
    }
    channel.open()
    return link
  }
}
