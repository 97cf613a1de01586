/**
 * A process as a member of its federation: one object that puts together identity, network, discovery, cluster map,
 * metrics and the admin server.
 *
 * Invariants: parts learn of a new map in one order (admission first, then connections, then the search); what is
 * cached on disk (map, addresses) only saves time: it is checked like anything from the network, and a cache that
 * cannot be read or written is reported and changes nothing.
 * Leaves to others: what the process serves (`serve`), its other metrics, checks and routes.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ClusterMap, MapNode } from './core/cluster-map.ts'
import { AdminServer } from './io/admin-server.ts'
import type { Address } from './io/channel.ts'
import { writeFileDurably } from './io/durable-file.ts'
import { ed25519Verify, type KeyPair } from './io/identity.ts'
import { Swarm } from './io/swarm.ts'
import { TlsTransport } from './io/tls-transport.ts'
import { Metrics, type TableMetrics, wireMetrics } from './metrics.ts'
import { parseClusterMap } from './protocol/cluster-map-schema.ts'
import type { Handlers } from './protocol/messages.ts'
import { AddressBook } from './services/address-book.ts'
import { createFunnel } from './services/funnel.ts'
import { MapWatch } from './services/map-watch.ts'
import { MemberService } from './services/member-service.ts'
import type { Clock } from './world.ts'

export const membershipLimits = {
  /** Addresses that arrive together are written together. */
  addressFileDelayMs: 500,
} as const

export interface MembershipOptions {
  /** Kind of the process, for metrics: node, gateway, auditor. */
  readonly process: string
  readonly version: string
  readonly nodeId: string
  /** The TLS and Noise identity. */
  readonly keyPair: KeyPair
  readonly genesis: ClusterMap
  /** Keeps `cluster-map.json` and `addresses.json`; must exist. */
  readonly directory: string
  /** Where peers connect. */
  readonly listen: Address
  /** What peers are told when that is not the address to dial (0.0.0.0, NAT). */
  readonly advertiseHost?: string
  readonly admin: Address
  /** Seeds of the federation's DHT. None: no swarm, peers are found by hints and cached addresses alone. */
  readonly dht: readonly Address[]
  readonly addressHints?: Readonly<Record<string, Address>>
  readonly clock: Clock
  /** A cache could not be read or written. */
  readonly warn: (message: string, cause: unknown) => void
}

export interface Membership {
  readonly transport: TlsTransport
  readonly mapWatch: MapWatch
  readonly book: AddressBook
  /** Undefined without seeds; `onConnection` hands out the streams for journals. */
  readonly swarm: Swarm | undefined
  readonly metrics: Metrics
  readonly admin: AdminServer
  /** Serves peers, looks for members, opens the admin server; once. Resolves with where it listens. */
  serve(handlers: Handlers): Promise<{ listen: Address; admin: Address }>
  close(): Promise<void>
}

/** Roles that peers call; the others only call. */
const servingRoles: readonly string[] = ['catalog', 'shard', 'witness']

/** Puts the parts together; nothing listens or dials before `serve`. */
export async function openMembership(options: MembershipOptions): Promise<Membership> {
  const { nodeId, keyPair, clock } = options
  const files = new MemberFiles(options)
  const metrics = new Metrics({ process: options.process, nodeId, version: options.version })
  const wire = metrics.table(wireMetrics)
  const mapWatch: MapWatch = new MapWatch({
    initial: await files.newestMap(),
    // Called only after both exist.
    caller: { call: (...call) => transport.call(...call), send: (...call) => transport.send(...call) },
    clock,
    isUp: (peer) => transport.isUp(peer),
    store: (map) => files.storeMap(map),
  })
  const book = new AddressBook({
    federationId: options.genesis.federationId,
    nodeId,
    sign: keyPair.sign,
    verify: ed25519Verify,
    nodeOf: mapWatch.nodeOf,
    hints: options.addressHints ?? {},
  })
  for (const record of await files.addresses()) book.accept(record)
  let funnel: ReturnType<typeof createFunnel> | undefined
  const transport: TlsTransport = new TlsTransport({
    nodeId,
    keyPair,
    admitted: mapWatch.admitted,
    nodeOf: mapWatch.nodeOf,
    addressOf: (peer) => book.addressOf(peer),
    serve: (inbound) => {
      if (funnel === undefined) throw new Error('the transport listens only after the funnel is made')
      return funnel(inbound)
    },
    epoch: () => mapWatch.epoch,
    ownAddress: () => book.own(),
    observer: {
      heardEpoch: (_peer, epoch) => mapWatch.heardEpoch(epoch),
      refused: (reason) => wire.add('bundescloud_peer_refused_total', 1, reason),
      dropped: (message) => wire.add('bundescloud_peer_dropped_total', 1, message),
    },
  })
  const swarm =
    options.dht.length === 0
      ? undefined
      : new Swarm({
          federationId: options.genesis.federationId,
          keyPair,
          bootstrap: options.dht,
          host: options.listen.host,
          admitted: mapWatch.admitted,
        })
  const others = (): MapNode[] =>
    mapWatch.map.nodes.filter((node) => node.nodeId !== nodeId && node.state !== 'suspended')
  const members =
    swarm &&
    new MemberService({ links: swarm, book, clock, wanted: () => others().map((node) => node.nodeId) })
  const applyMap = () => {
    transport.watch(
      others()
        .filter((node) => node.roles.some((role) => servingRoles.includes(role)))
        .map((node) => node.nodeId),
    )
    transport.mapChanged()
    swarm?.mapChanged()
    members?.searchSoon()
  }
  const admin = new AdminServer({ metrics })
  admin.addCheck('registry', async () => assertRegistry(mapWatch.map, (peer) => transport.isUp(peer)))
  metrics.peers(() => transport.peers())
  gauges(metrics, wire, { mapWatch, book, members, others })
  return {
    transport,
    mapWatch,
    book,
    swarm,
    metrics,
    admin,
    async serve(handlers) {
      funnel = createFunnel({
        handlers,
        epoch: () => mapWatch.epoch,
        heardEpoch: (_peer, epoch) => mapWatch.heardEpoch(epoch),
        heardAddress: (record) => book.accept(record),
        metrics: metrics.funnel(),
      })
      const listen = await transport.listen(options.listen)
      book.onNew((record) => {
        transport.addressChanged(record.nodeId)
        files.storeAddresses(() => book.records())
      })
      book.announce({ host: options.advertiseHost ?? listen.host, port: listen.port }, clock.wallMs())
      mapWatch.onChange(applyMap)
      members?.start()
      applyMap()
      mapWatch.start()
      return { listen, admin: await admin.listen(options.admin) }
    },
    async close() {
      mapWatch.stop()
      members?.stop()
      await Promise.all([admin.close(), transport.close(), swarm?.close()])
      await files.close()
    },
  }
}

function gauges(
  metrics: Metrics,
  wire: TableMetrics<keyof typeof wireMetrics>,
  parts: {
    mapWatch: MapWatch
    book: AddressBook
    members: MemberService | undefined
    others: () => readonly MapNode[]
  },
): void {
  metrics.beforeScrape(() => {
    const missing = parts.others().filter((node) => !parts.book.has(node.nodeId))
    wire.set('bundescloud_member_missing', missing.length)
    wire.set('bundescloud_member_links', parts.members?.linked ?? 0)
    wire.set('bundescloud_map_epoch', parts.mapWatch.epoch)
  })
}

/** Without a majority of the registry within reach this process cannot do its work. */
function assertRegistry(map: ClusterMap, isUp: (nodeId: string) => boolean): void {
  const group = map.groups.find(({ kind }) => kind === 'registry')
  const voters = (group?.members ?? []).filter(({ learner }) => !learner)
  const up = voters.filter((member) => isUp(member.nodeId)).length
  if (up * 2 <= voters.length) throw new Error(`${up} of ${voters.length} registry replicas are reachable`)
}

/** The caches of a member. */
class MemberFiles {
  readonly #options: MembershipOptions
  #writing: Promise<void> = Promise.resolve()
  #addressTimer: (() => void) | undefined
  #addressesDue: (() => readonly unknown[]) | undefined

  constructor(options: MembershipOptions) {
    this.#options = options
  }

  async newestMap(): Promise<ClusterMap> {
    const { genesis } = this.#options
    const cached = parseClusterMap(await this.#read('cluster-map.json'))
    const usable = cached?.federationId === genesis.federationId && cached.epoch > genesis.epoch
    return usable ? cached : genesis
  }

  async addresses(): Promise<readonly unknown[]> {
    const cached = await this.#read('addresses.json')
    return Array.isArray(cached) ? cached : []
  }

  storeMap(map: ClusterMap): void {
    this.#write('cluster-map.json', map)
  }

  storeAddresses(records: () => readonly unknown[]): void {
    this.#addressesDue = records
    this.#addressTimer ??= this.#options.clock.after(membershipLimits.addressFileDelayMs, () => this.#flush())
  }

  async close(): Promise<void> {
    this.#addressTimer?.()
    this.#flush()
    await this.#writing
  }

  #flush(): void {
    this.#addressTimer = undefined
    const due = this.#addressesDue
    this.#addressesDue = undefined
    if (due) this.#write('addresses.json', due())
  }

  async #read(name: string): Promise<unknown> {
    try {
      return JSON.parse(await readFile(join(this.#options.directory, name), 'utf8'))
    } catch (cause) {
      const absent = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT'
      if (!absent) this.#options.warn(`cannot read ${name}, going on without it`, cause)
      return undefined
    }
  }

  /** One after the other: the newest content must be the last one written. */
  #write(name: string, content: unknown): void {
    const text = `${JSON.stringify(content)}\n`
    this.#writing = this.#writing.then(async () => {
      try {
        await writeFileDurably(join(this.#options.directory, name), text)
      } catch (cause) {
        this.#options.warn(`cannot write ${name}`, cause)
      }
    })
  }
}
