/**
 * A member of the federation: identity, cluster map, network and admin server; what nodes, gateways and auditors share.
 *
 * Order of a start: keys and genesis from disk -> services by the owner -> `serve`: listen, announce, find the others.
 * What a member must remember (newest map, addresses of peers) lies in its data directory, so that a restart needs
 * neither the DHT nor the registry to find its way.
 */
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ClusterMap, MapNode } from './core/cluster-map.ts'
import { verifyGenesis } from './core/genesis.ts'
import type { Genesis } from './core/registry-types.ts'
import { AdminServer } from './io/admin-server.ts'
import { writeFileDurably } from './io/durable-file.ts'
import { ed25519Verify, loadOrCreateProcessKeys, type ProcessKeys } from './io/identity.ts'
import type { Logger } from './io/process-life.ts'
import { Swarm } from './io/swarm.ts'
import { systemClock } from './io/system-world.ts'
import { TlsTransport } from './io/tls-transport.ts'
import { Metrics, type TableMetrics, wireMetrics } from './metrics.ts'
import { parseClusterMap } from './protocol/cluster-map-schema.ts'
import type { Serve } from './protocol/inbound.ts'
import type { Handlers } from './protocol/messages.ts'
import { AddressBook } from './services/address-book.ts'
import { agreedClock, offsetAmong } from './services/agreed-clock.ts'
import { createFunnel } from './services/funnel.ts'
import { MapWatch } from './services/map-watch.ts'
import { MemberService } from './services/member-service.ts'
import { version } from './version.ts'
import type { Clock } from './world.ts'

/** The fields that configurations of all members have (config.ts). */
export interface MemberConfig {
  readonly nodeId: string
  readonly dataDir: string
  readonly genesis: string
  readonly listen: { readonly host: string; readonly port: number }
  /** What peers are told when that is not the address to dial (0.0.0.0, address translation). */
  readonly advertiseHost?: string | undefined
  readonly admin: { readonly host: string; readonly port: number }
  readonly dht: readonly string[]
  readonly addressHints: Readonly<Record<string, { readonly host: string; readonly port: number }>>
}

export class Member {
  readonly nodeId: string
  readonly genesis: Genesis
  readonly keys: ProcessKeys
  readonly metrics: Metrics
  readonly admin: AdminServer
  readonly transport: TlsTransport
  readonly swarm: Swarm
  readonly logger: Logger
  /** Wall time as most members see it; for decisions that retention depends on. */
  readonly agreedClock: Clock
  readonly #config: MemberConfig
  readonly #wire: TableMetrics<keyof typeof wireMetrics>
  readonly #book: AddressBook
  readonly #watch: MapWatch
  readonly #members: MemberService
  #serve: Serve | undefined
  #keeping: Promise<unknown> = Promise.resolve()
  #cancelShow: () => void = () => undefined

  private constructor(parts: {
    config: MemberConfig
    kind: string
    logger: Logger
    genesis: Genesis
    keys: ProcessKeys
  }) {
    const { config, logger, genesis, keys } = parts
    const { nodeId } = config
    const { federationId } = genesis.map
    this.nodeId = nodeId
    this.genesis = genesis
    this.keys = keys
    this.logger = logger
    this.#config = config
    this.metrics = new Metrics({ process: parts.kind, nodeId, version })
    this.#wire = this.metrics.table(wireMetrics)
    this.admin = new AdminServer({ registry: this.metrics.registry })
    const nodeOf = (id: string) => this.#watch.nodeOf(id)
    this.#book = new AddressBook({
      federationId,
      nodeId,
      sign: keys.node.sign,
      verify: ed25519Verify,
      nodeOf,
      hints: config.addressHints,
    })
    this.transport = new TlsTransport({
      nodeId,
      keyPair: keys.node,
      admitted: (publicKey) => this.#watch.admitted(publicKey),
      nodeOf,
      addressOf: (id) => this.#book.addressOf(id),
      serve: (inbound) => this.#served(inbound),
      epoch: () => this.#watch.epoch,
      ownAddress: () => this.#book.own(),
      observer: {
        heardEpoch: (_from, epoch) => this.#watch.heardEpoch(epoch),
        refused: (reason) => this.#wire.add('bundescloud_peer_refused_total', 1, reason),
        dropped: (message) => this.#wire.add('bundescloud_peer_dropped_total', 1, message),
        peerChanged: ({ nodeId: peer, up }) => logger.info({ peer, up }, up ? 'peer is up' : 'peer is down'),
      },
    })
    this.agreedClock = agreedClock(systemClock, () => this.transport.peers())
    this.#watch = new MapWatch({
      initial: newestMap(genesis, this.#path('map.json')),
      caller: this.transport,
      clock: systemClock,
      isUp: (id) => this.transport.isUp(id),
      store: (map) => this.#keep('map.json', map),
    })
    this.swarm = new Swarm({
      federationId,
      keyPair: keys.node,
      bootstrap: config.dht.map(addressOf),
      host: config.listen.host,
      admitted: this.#watch.admitted,
    })
    this.#members = new MemberService({
      links: this.swarm,
      book: this.#book,
      clock: systemClock,
      wanted: () => this.#others(),
    })
    this.#watch.onChange(() => this.#mapChanged())
    this.#book.onNew((record) => {
      this.transport.addressChanged(record.nodeId)
      this.#keep('addresses.json', this.#book.records())
    })
  }

  /** Loads or creates what the member keeps on disk. Throws when the genesis is not sound or not signed. */
  static async open(config: MemberConfig, kind: string, logger: Logger): Promise<Member> {
    mkdirSync(config.dataDir, { recursive: true, mode: 0o700 })
    const genesis = verifyGenesis(JSON.parse(readFileSync(config.genesis, 'utf8')), ed25519Verify)
    const keys = await loadOrCreateProcessKeys(config.dataDir)
    const member = new Member({ config, kind, logger, genesis, keys })
    for (const record of readJson<unknown[]>(member.#path('addresses.json')) ?? [])
      member.#book.accept(record)
    return member
  }

  /** The newest cluster map that this member knows. */
  readonly map = (): ClusterMap => this.#watch.map

  /** Whether the peer answers; a member always reaches itself. */
  readonly isUp = (nodeId: string): boolean => this.transport.isUp(nodeId)

  /** Calls `listener` with every newer map. */
  onMap(listener: (map: ClusterMap) => void): void {
    this.#watch.onChange(listener)
  }

  /** For the replica that applies a new map first: no need to wait for the next poll. */
  offerMap(map: unknown): void {
    this.#watch.offer(map)
  }

  /** Starts to listen, to answer with `handlers` and to find the others; resolves with where it listens. */
  async serve(handlers: Handlers): Promise<Record<'listen' | 'admin', { host: string; port: number }>> {
    this.#serve = createFunnel({
      handlers,
      epoch: () => this.#watch.epoch,
      heardEpoch: (_from, epoch) => this.#watch.heardEpoch(epoch),
      heardAddress: (record) => this.#book.accept(record),
      metrics: this.metrics.funnel(),
    })
    this.metrics.peers(() => this.transport.peers())
    this.metrics.clockOffset(() => offsetAmong(this.transport.peers()))
    this.admin.addCheck('registry', async () => this.#checkRegistry())
    const listen = await this.transport.listen(this.#config.listen)
    const admin = await this.admin.listen(this.#config.admin)
    const host = this.#config.advertiseHost ?? listen.host
    this.#book.announce({ host, port: listen.port }, systemClock.wallMs())
    this.#mapChanged()
    this.#watch.start()
    this.#members.start()
    this.#showMembers()
    return { listen, admin }
  }

  async close(): Promise<void> {
    this.#cancelShow()
    this.#members.stop()
    this.#watch.stop()
    await this.admin.close()
    await Promise.all([this.swarm.close(), this.transport.close()])
    await this.#keeping
  }

  #served(inbound: Parameters<Serve>[0]): ReturnType<Serve> {
    if (this.#serve === undefined) throw new Error('a request arrived before this member serves')
    return this.#serve(inbound)
  }

  #mapChanged(): void {
    this.transport.watch(this.#servers())
    this.transport.mapChanged()
    this.swarm.mapChanged()
    this.#members.searchSoon()
    this.#wire.set('bundescloud_map_epoch', this.#watch.epoch)
  }

  /** Everybody else who may speak: all are watched, so that liveness is known before it is needed. */
  #others(): string[] {
    const { nodes } = this.#watch.map
    return nodes
      .filter((node) => node.nodeId !== this.nodeId && node.state !== 'suspended')
      .map((node) => node.nodeId)
  }

  /** The others that serve requests; gateways and auditors only call. */
  #servers(): string[] {
    const serving = new Set(this.#watch.map.nodes.filter(serves).map((node) => node.nodeId))
    return this.#others().filter((nodeId) => serving.has(nodeId))
  }

  async #checkRegistry(): Promise<void> {
    const registry = this.#watch.map.groups.find((group) => group.kind === 'registry')
    const voters = registry?.members.filter((member) => !member.learner).map((member) => member.nodeId) ?? []
    const reached = voters.filter(this.isUp)
    if (reached.length * 2 <= voters.length) {
      throw new Error(`${reached.length} of ${voters.length} registry replicas are reached`)
    }
  }

  #showMembers(): void {
    this.#wire.set('bundescloud_member_missing', this.#members.missing().length)
    this.#wire.set('bundescloud_member_links', this.#members.linked)
    this.#cancelShow = systemClock.after(SHOW_MEMBERS_MS, () => this.#showMembers())
  }

  #path(name: string): string {
    return join(this.#config.dataDir, name)
  }

  /** One after the other, so that the newest is written last; a lost one costs a search, not data. */
  #keep(name: string, value: unknown): void {
    this.#keeping = this.#keeping
      .then(() => writeFileDurably(this.#path(name), JSON.stringify(value)))
      .catch((cause: unknown) => {
        this.logger.error({ err: cause, file: name }, 'cannot remember for the next start')
      })
  }
}

function serves(node: MapNode): boolean {
  return node.roles.some((role) => role === 'catalog' || role === 'shard' || role === 'witness')
}

const SHOW_MEMBERS_MS = 5_000

/** The cached map when it is sound and newer than the founding one. */
function newestMap(genesis: Genesis, file: string): ClusterMap {
  const cached = parseClusterMap(readJson(file))
  const newer = cached !== undefined && cached.federationId === genesis.map.federationId
  return newer && cached.epoch > genesis.map.epoch ? cached : genesis.map
}

/** Content of a file that may be missing or half-written by an older version: then undefined. */
function readJson<T>(file: string): T | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as T
  } catch {
    // A cache only: without it the member asks its peers.
    return undefined
  }
}

function addressOf(text: string): { host: string; port: number } {
  const colon = text.lastIndexOf(':')
  return { host: text.slice(0, colon), port: Number(text.slice(colon + 1)) }
}
