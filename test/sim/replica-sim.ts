/**
 * Whole replica hosts in virtual time: the code of production from `propose` to rows, over simulated disks, network
 * and clock. The same seed gives the same run.
 *
 * Clients behave like gateways: they repeat what got no answer, with the same request id, elsewhere. Bounds are tiny,
 * so that compaction, snapshots of many chunks and full queues are everyday events.
 */
import assert from 'node:assert/strict'
import type { Member } from '../../node/core/raft-messages.ts'
import type { StateMachine } from '../../node/core/state-machine.ts'
import { ClusterError } from '../../node/errors.ts'
import {
  type AppliedEntry,
  decodeMessages,
  encodeMessages,
  type Group,
  type GroupMessage,
  ReplicaHost,
  type ReplicaLimits,
} from '../../node/services/replica.ts'
import type { Clock } from '../../node/world.ts'
import { SeededRandom } from './random.ts'
import { SimStore } from './sim-store.ts'
import { Timeline } from './timeline.ts'

export const tinyLimits: ReplicaLimits = {
  raft: {
    electionTimeoutMinMs: 1_000,
    electionTimeoutMaxMs: 2_000,
    heartbeatMs: 250,
    appendBytesMax: 600,
    inflightAppendsMax: 4,
    inflightBytesMax: 2_000,
    uncommittedBytesMax: 8_000,
    applyBytesMax: 500,
    tailBytesMax: 500,
    promotionLagMax: 10,
  },
  tickMs: 50,
  proposalsMax: 50,
  proposalBytesMax: 10_000,
  proposalBatchBytesMax: 500,
  readsMax: 50,
  logEntriesMax: 15,
  logBytesMax: 3_000,
  logPinnedFactor: 4,
  logTrimEntries: 5,
  snapshotChunkBytes: 250,
  snapshotRetryMs: 300,
  snapshotRetriesMax: 5,
}

export interface ReplicaSimOptions {
  readonly seed: number
  readonly machine: StateMachine
  readonly founders: readonly string[]
}

interface SimReplica {
  store: SimStore
  host: ReplicaHost | undefined
  group: Group | undefined
  diskFactor: number
  readonly members: readonly Member[]
}

export class ReplicaSim {
  readonly random: SeededRandom
  readonly time = new Timeline()
  readonly replicas = new Map<string, SimReplica>()
  dropChance = 0
  /** Snapshots of which a replica received the last chunk. */
  snapshots = 0
  /** Chunks that were not the only one of their snapshot. */
  laterChunks = 0
  repeatedRequests = 0
  readonly #machine: StateMachine
  readonly #blocked = new Set<string>()
  /** What every replica must agree on, by index. */
  readonly #applied = new Map<number, AppliedEntry>()
  readonly #firstApplied = new Map<string, number>()
  readonly #failures: unknown[] = []

  constructor({ seed, machine, founders }: ReplicaSimOptions) {
    this.random = new SeededRandom(seed)
    this.#machine = machine
    const members = founders.map((nodeId) => ({ nodeId, learner: false }))
    for (const nodeId of founders) this.add(nodeId, members)
  }

  /** Adds a node with an empty disk; it is started by `start`. */
  add(nodeId: string, members: readonly Member[]): void {
    const replica: SimReplica = {
      store: new SimStore(),
      host: undefined,
      group: undefined,
      diskFactor: 1,
      members,
    }
    replica.store = new SimStore(this.#disk(replica))
    this.replicas.set(nodeId, replica)
  }

  async start(nodeId: string): Promise<void> {
    const replica = this.#replica(nodeId)
    if (replica.host !== undefined) return
    const { store } = replica
    const clock: Clock = {
      monotonicMs: () => this.time.now,
      wallMs: () => this.time.now,
      after: (delayMs, run) => this.time.after(delayMs, run),
    }
    const host = new ReplicaHost({
      nodeId,
      store,
      clock,
      random: this.random,
      network: { send: (to, messages) => this.#send(nodeId, to, messages) },
      limits: tinyLimits,
      onFatal: (cause) => this.#failures.push(cause),
    })
    replica.host = host
    const adding = host.addGroup({ groupId: 'g', epoch: 1, members: replica.members }, this.#machine)
    const group = await adding.catch((cause: unknown) => {
      if (replica.host === host) this.#failures.push(cause)
      return undefined
    })
    if (replica.host !== host || group === undefined) return
    replica.group = group
    group.onCommitted((entries) => this.#check(nodeId, entries))
  }

  /** Power loss. */
  crash(nodeId: string): void {
    const replica = this.#replica(nodeId)
    replica.store = replica.store.crash((pending) => this.random.below(pending + 1), this.#disk(replica))
    replica.host?.close()
    replica.host = undefined
    replica.group = undefined
  }

  group(nodeId: string): Group | undefined {
    return this.replicas.get(nodeId)?.group
  }

  get leader(): { readonly nodeId: string; readonly group: Group } | undefined {
    let found: { nodeId: string; group: Group; term: number } | undefined
    for (const [nodeId, { group }] of this.replicas) {
      const status = group?.status()
      if (group === undefined || status?.role !== 'leader') continue
      if (found === undefined || status.term > found.term) found = { nodeId, group, term: status.term }
    }
    return found
  }

  cut(left: readonly string[]): void {
    for (const a of this.replicas.keys()) {
      for (const b of this.replicas.keys())
        if (left.includes(a) !== left.includes(b)) this.#blocked.add(`${a}>${b}`)
    }
  }

  unblockAll(): void {
    this.#blocked.clear()
  }

  setDiskFactor(nodeId: string, factor: number): void {
    this.#replica(nodeId).diskFactor = factor
  }

  /** Lets virtual time pass; promises settle between any two happenings. */
  async runUntil(untilMs: number, over: () => boolean = () => false): Promise<void> {
    while (!over() && this.time.step(untilMs)) {
      await settle()
      if (this.#failures.length > 0) throw this.#failures[0]
    }
  }

  /** The replicated rows of a node, to be compared with another's. */
  async rows(nodeId: string): Promise<Map<string, string>> {
    const group = this.group(nodeId)
    const found = new Map<string, string>()
    if (group === undefined) return found
    const snapshot = group.snapshotRows()
    for await (const { key, value } of snapshot.scan({ gte: '', lt: '\u{10ffff}' })) {
      found.set(key, Buffer.from(value).toString())
    }
    await snapshot.close()
    return found
  }

  #replica(nodeId: string): SimReplica {
    const replica = this.replicas.get(nodeId)
    if (replica === undefined) throw new Error(`no node ${nodeId}`)
    return replica
  }

  #disk(replica: SimReplica): (done: () => void) => void {
    return (done) => this.time.after(this.random.between(1, 12) * replica.diskFactor, done)
  }

  #send(from: string, to: string, messages: readonly GroupMessage[]): void {
    if (this.random.chance(this.dropChance)) return
    const frame = encodeMessages(messages)
    this.time.after(this.random.between(0.5, 8), () => {
      if (this.#blocked.has(`${from}>${to}`)) return
      const received = decodeMessages(frame)
      for (const { message } of received) {
        if (message.type !== 'snapshot') continue
        if (message.last) this.snapshots += 1
        if (message.chunk > 0) this.laterChunks += 1
      }
      this.replicas.get(to)?.host?.receive(from, received)
    })
  }

  /** Replicas apply the same entries with the same replies, and no request twice. */
  #check(nodeId: string, entries: readonly AppliedEntry[]): void {
    try {
      for (const entry of entries) {
        const known = this.#applied.get(entry.index)
        if (known !== undefined) assert.deepEqual(entry, known, `${nodeId} differs at ${entry.index}`)
        this.#applied.set(entry.index, entry)
        if (entry.repeated) this.repeatedRequests += 1
        if (entry.repeated) continue
        const first = this.#firstApplied.get(entry.requestId) ?? entry.index
        assert.equal(first, entry.index, `request ${entry.requestId} was applied twice`)
        this.#firstApplied.set(entry.requestId, entry.index)
      }
    } catch (cause) {
      this.#failures.push(cause)
    }
  }
}

/** All promises that can go on have gone on. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Whether a client may try again, as `errors.ts` says. */
export function mayRetry(cause: unknown): boolean {
  return cause instanceof ClusterError && cause.retryable
}
