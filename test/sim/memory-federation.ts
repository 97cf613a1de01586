/**
 * A federation in this process, for tests of the S3 front: the real object store of a gateway over the real state
 * machines, each in a Raft group of one replica with its rows in memory, and shards in memory on six nodes.
 *
 * So what S3 promises is implemented once and tested where it is decided. Left out: disks, sockets, elections, journals
 * and background workers, which have tests of their own. `faults` are the points at which tests wait or fail.
 */
import { ClusterObjectStore } from '../../gateway/object/cluster-object-store.ts'
import { ClusterClient } from '../../node/client.ts'
import { catalog } from '../../node/core/catalog.ts'
import type { CatalogCommand } from '../../node/core/catalog-types.ts'
import type { ClusterMap, MapGroup, Pool } from '../../node/core/cluster-map.ts'
import { registryMachine } from '../../node/core/registry.ts'
import { slotCount } from '../../node/core/slots.ts'
import type { StateMachine } from '../../node/core/state-machine.ts'
import { ClusterError } from '../../node/errors.ts'
import { systemClock, systemRandom } from '../../node/io/system-world.ts'
import type { Answer, Caller, Handlers, MessageName, Requests } from '../../node/protocol/messages.ts'
import { groupHandlers } from '../../node/services/group-service.ts'
import { ReplicaHost } from '../../node/services/replica.ts'
import type { Clock } from '../../node/world.ts'
import { nodesOf } from '../unit/cluster-fixture.ts'
import { ed25519, foundingMap, genesisOf } from '../unit/registry-fixture.ts'
import { MemoryKms } from './memory-kms.ts'
import { MemoryShards } from './memory-shards.ts'
import { fastLimits, until, voters } from './replica-cluster.ts'
import { SimStore } from './sim-store.ts'

/** Stripes of 64 KiB: an object of a few hundred KB has several, and a read of it several steps. */
const pool: Pool = {
  poolId: 'default',
  code: 'cauchy-xor',
  dataShards: 4,
  parityShards: 2,
  cellBytes: 16 * 1024,
  sites: [],
}

/** Which replica serves which group: each on a node of its own, so that each has rows of its own. */
const groups: readonly MapGroup[] = [
  { groupId: 'registry', kind: 'registry', members: voters('a-2') },
  { groupId: 'catalog-1', kind: 'catalog', members: voters('a-1') },
  { groupId: 'catalog-2', kind: 'catalog', members: voters('b-1') },
  { groupId: 'catalog-3', kind: 'catalog', members: voters('c-1') },
]

const map: ClusterMap = {
  ...foundingMap,
  nodes: nodesOf([2, 2, 2]),
  pools: [pool],
  groups,
  slots: Array.from({ length: slotCount }, (_, slot) => `catalog-${(slot % 3) + 1}`),
}

const limits: typeof fastLimits = {
  ...fastLimits,
  // A single voter waits for nobody.
  raft: { ...fastLimits.raft, electionTimeoutMinMs: 1, electionTimeoutMaxMs: 2 },
  tickMs: 2,
}

/** Commands with which a write becomes visible. */
const commits: readonly CatalogCommand['kind'][] = ['put-version', 'put-part', 'complete-upload']

/** Set by tests; each is called at its point and may throw or wait. */
export interface FederationFaults {
  /** Before a holder is asked for cells; `offset`: where their stripe begins in the blob, in bytes. */
  onRead?: (offset: number) => void | Promise<void>
  /** After a body was read, verified and stored, before it becomes visible. */
  onCommit?: () => void | Promise<void>
}

export interface FederationOptions {
  readonly faults?: FederationFaults
  /** Lowered by tests that cannot afford parts of 5 MiB. */
  readonly partBytesMin?: number
  /** The gateway's clock. */
  readonly gatewayClock?: Clock
  /** The clock of the nodes. */
  readonly nodeClock?: Clock
}

export class MemoryFederation implements Caller {
  readonly store: ClusterObjectStore
  readonly client: ClusterClient
  readonly kms = new MemoryKms(['testkey-1', 'testkey-2'])
  faults: FederationFaults
  readonly #options: FederationOptions
  readonly #hosts = new Map<string, ReplicaHost>()
  readonly #shards = new Map(map.nodes.map(({ nodeId }) => [nodeId, new MemoryShards()]))
  readonly #handlers: ReadonlyMap<string, Handlers>

  private constructor(options: FederationOptions) {
    this.#options = options
    this.faults = options.faults ?? {}
    this.client = new ClusterClient({
      caller: this,
      map: () => map,
      isUp: () => true,
      clock: options.gatewayClock ?? systemClock,
      random: systemRandom,
    })
    const [registry] = groups
    if (registry === undefined) throw new Error('no registry')
    this.#handlers = new Map(
      map.nodes.map(({ nodeId }) => {
        const find = (groupId: string) => this.#hosts.get(nodeId)?.groups.get(groupId)
        return [nodeId, { ...groupHandlers(find, registry), ...this.#shards.get(nodeId)?.handlers }]
      }),
    )
    const quiet = () => undefined
    const events = { onSiteRuleWaived: quiet, onHolderReplaced: quiet, onDegradedRead: quiet }
    this.store = new ClusterObjectStore(this.client, this.kms, events)
  }

  /** Starts every group and waits until each serves. */
  static async start(options: FederationOptions = {}): Promise<MemoryFederation> {
    const federation = new MemoryFederation(options)
    const registry = registryMachine(genesisOf(map), ed25519)
    for (const group of groups)
      await federation.#startGroup(group, group.kind === 'catalog' ? catalog : registry)
    return federation
  }

  /** Sealed shards on all nodes. */
  get shardCount(): number {
    return [...this.#shards.values()].reduce((sum, shards) => sum + shards.count, 0)
  }

  close(): void {
    for (const host of this.#hosts.values()) host.close()
  }

  async call<M extends MessageName>(
    to: string,
    message: M,
    request: Requests[M],
    options: Parameters<Caller['call']>[3] = {},
  ): Promise<Answer<M>> {
    const handler = this.#handlers.get(to)?.[message]
    if (handler === undefined) throw new ClusterError('BadMessage', `${to} does not serve ${message}`)
    const signal = options.signal ?? new AbortController().signal
    if (message === 'read-shard') {
      const { firstCell } = request as Requests['read-shard']
      await this.faults.onRead?.(firstCell * pool.cellBytes * pool.dataShards)
    }
    if (signal.aborted) throw new ClusterError('Timeout', 'the caller gave up')
    const sent =
      message === 'catalog-propose' ? await this.#onPropose(request as Requests['catalog-propose']) : request
    const body = options.body === undefined ? undefined : Buffer.concat(options.body)
    const answer = await handler(sent as Requests[M], { from: 'gw-1', body, timeoutMs: 10_000, signal })
    answer.sent?.()
    return { reply: answer.reply, body: answer.body && Buffer.concat(answer.body) }
  }

  send(): void {
    throw new Error('a group of one replica sends no messages')
  }

  async #onPropose(request: Requests['catalog-propose']): Promise<Requests['catalog-propose']> {
    const { command } = request
    if (commits.includes(command.kind)) await this.faults.onCommit?.()
    const { partBytesMin } = this.#options
    if (command.kind !== 'complete-upload' || partBytesMin === undefined) return request
    return { ...request, command: { ...command, partBytesMin } }
  }

  async #startGroup({ groupId, members }: MapGroup, machine: StateMachine): Promise<void> {
    const [member] = members
    if (member === undefined) throw new Error(`group ${groupId} has no member`)
    const { nodeId } = member
    const host = new ReplicaHost({
      nodeId,
      store: new SimStore(),
      clock: this.#options.nodeClock ?? systemClock,
      random: systemRandom,
      network: this,
      limits,
      onFatal: (cause) => {
        throw cause
      },
    })
    this.#hosts.set(nodeId, host)
    const group = await host.addGroup({ groupId, epoch: 1, members }, machine)
    await until(`${groupId} to lead itself`, () => group.status().role === 'leader')
  }
}
