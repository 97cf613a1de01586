/**
 * Several ReplicaHosts in one process over an in-memory network with faults: real codec, real clock, any store.
 *
 * For tests of the host. Elections are faster than in production so that a failover takes half a second.
 */
import { performance } from 'node:perf_hooks'
import type { Member } from '../../node/core/raft-messages.ts'
import type { StateMachine } from '../../node/core/state-machine.ts'
import { ReplicaHost } from '../../node/services/replica.ts'
import { decodeMessages, encodeMessages, type GroupMessage } from '../../node/services/replica-codec.ts'
import type { Group } from '../../node/services/replica-group.ts'
import type { ReplicaLimits } from '../../node/services/replica-limits.ts'
import type { Clock, RowStore } from '../../node/world.ts'
import { type KvCommand, kvMachine } from './kv-machine.ts'
import { SeededRandom } from './random.ts'

export const fastLimits: ReplicaLimits = {
  raft: {
    // Three replicas share one event loop with the test, on a machine that does other things too.
    electionTimeoutMinMs: 400,
    electionTimeoutMaxMs: 700,
    heartbeatMs: 50,
    appendBytesMax: 256 * 1024,
    inflightAppendsMax: 64,
    inflightBytesMax: 4 * 2 ** 20,
    uncommittedBytesMax: 16 * 2 ** 20,
    applyBytesMax: 1 * 2 ** 20,
    tailBytesMax: 1 * 2 ** 20,
    promotionLagMax: 100,
  },
  tickMs: 10,
  proposalsMax: 10_000,
  proposalBytesMax: 64 * 2 ** 20,
  proposalBatchBytesMax: 1 * 2 ** 20,
  readsMax: 10_000,
  logEntriesMax: 1_000,
  logBytesMax: 4 * 2 ** 20,
  logPinnedFactor: 4,
  logTrimEntries: 100,
  snapshotChunkBytes: 16 * 1024,
  snapshotRetryMs: 100,
  snapshotRetriesMax: 20,
}

export const realClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs)
    return () => clearTimeout(timer)
  },
}

interface Running {
  readonly host: ReplicaHost
  readonly store: RowStore
  readonly group: Group
}

export class ReplicaCluster {
  readonly random: SeededRandom
  readonly #running = new Map<string, Running>()
  readonly #limits: ReplicaLimits
  readonly #members: readonly Member[]
  readonly #cut = new Set<string>()
  /** Share of frames that are lost. */
  loss = 0
  readonly failures: unknown[] = []
  /** By how much a node's wall clock is ahead of the others'. */
  readonly wallAheadMs = new Map<string, number>()
  /** Sees every message before it leaves; false drops it. */
  filter: (from: string, to: string, message: GroupMessage) => boolean = () => true

  constructor(options: { members: readonly Member[]; limits?: ReplicaLimits; seed?: number }) {
    this.#members = options.members
    this.#limits = options.limits ?? fastLimits
    this.random = new SeededRandom(options.seed ?? 1)
  }

  /** Starts a node that is no founder: it knows itself as a learner until the log tells it more. */
  join(nodeId: string, store: RowStore): Promise<Group> {
    return this.#start(nodeId, { store, machine: kvMachine, members: [{ nodeId, learner: true }] })
  }

  start(nodeId: string, store: RowStore, machine: StateMachine = kvMachine): Promise<Group> {
    return this.#start(nodeId, { store, machine, members: this.#members })
  }

  /** Delivers a message as if `from` had sent it. */
  inject(from: string, to: string, message: GroupMessage): void {
    this.#running.get(to)?.host.receive(from, [message])
  }

  async #start(
    nodeId: string,
    { store, machine, members }: { store: RowStore; machine: StateMachine; members: readonly Member[] },
  ): Promise<Group> {
    const host = new ReplicaHost({
      nodeId,
      store,
      clock: { ...realClock, wallMs: () => realClock.wallMs() + (this.wallAheadMs.get(nodeId) ?? 0) },
      random: this.random,
      network: { send: (to, messages) => this.#deliver(nodeId, to, messages) },
      limits: this.#limits,
      onFatal: (cause) => this.failures.push(cause),
    })
    const group = await host.addGroup({ groupId: 'kv', epoch: 1, members }, machine)
    this.#running.set(nodeId, { host, store, group })
    return group
  }

  /** Stops a node's host; its store stays as it is. */
  stop(nodeId: string): RowStore {
    const running = this.#running.get(nodeId)
    if (running === undefined) throw new Error(`${nodeId} is not running`)
    running.host.close()
    this.#running.delete(nodeId)
    return running.store
  }

  group(nodeId: string): Group {
    const running = this.#running.get(nodeId)
    if (running === undefined) throw new Error(`${nodeId} is not running`)
    return running.group
  }

  get nodes(): string[] {
    return [...this.#running.keys()]
  }

  /** Cuts a node off from all others, or connects it again. */
  isolate(nodeId: string, cut: boolean): void {
    if (cut) this.#cut.add(nodeId)
    else this.#cut.delete(nodeId)
  }

  /** The node that leads with the highest term and is not cut off. */
  async leader(): Promise<Group> {
    return until('a leader', () => {
      const leaders = [...this.#running]
        .filter(([nodeId, { group }]) => !this.#cut.has(nodeId) && group.status().role === 'leader')
        .sort(([, a], [, b]) => b.group.status().term - a.group.status().term)
      return leaders[0]?.[1].group
    })
  }

  /** Proposes on whoever leads, again and again until somebody answers. */
  async propose(command: KvCommand, requestId = this.random.hex(16)): Promise<unknown> {
    const deadline = performance.now() + 20_000
    for (;;) {
      const leader = await this.leader()
      try {
        return await leader.propose(command, { requestId, timeoutMs: 1_000 })
      } catch (cause) {
        if (performance.now() > deadline) throw cause
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
  }

  async close(): Promise<void> {
    for (const { host, store } of this.#running.values()) {
      host.close()
      await store.close()
    }
    this.#running.clear()
  }

  #deliver(from: string, to: string, messages: readonly GroupMessage[]): void {
    if (this.#cut.has(from) || this.#cut.has(to) || this.random.float() < this.loss) return
    const passing = messages.filter((message) => this.filter(from, to, message))
    if (passing.length === 0) return
    const frame = encodeMessages(passing)
    setImmediate(() => {
      if (this.#cut.has(to)) return
      this.#running.get(to)?.host.receive(from, decodeMessages(frame))
    })
  }
}

/** Polls until `look` sees something; fails after 30 s, which no healthy run comes near. */
export async function until<T>(what: string, look: () => T | undefined | false): Promise<T> {
  const deadline = performance.now() + 30_000
  for (;;) {
    const seen = look()
    if (seen !== undefined && seen !== false) return seen
    if (performance.now() > deadline) throw new Error(`waited too long for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

export function voters(...nodeIds: string[]): Member[] {
  return nodeIds.map((nodeId) => ({ nodeId, learner: false }))
}
