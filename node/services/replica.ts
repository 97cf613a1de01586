/**
 * The Raft groups of one node: one clock tick for all of them, messages gathered per peer, one store.
 *
 * Because every group ticks at the same moment and messages of one turn of the event loop leave together, the
 * heartbeats of all groups between two nodes are one message (multi-Raft), and an idle group costs a few bytes in
 * it. The network below is best effort; Raft repeats what is lost.
 */
import type { RaftMessage } from '../core/raft-messages.ts'
import type { StateMachine } from '../core/state-machine.ts'
import type { Clock, NodeId, Random, RowStore } from '../world.ts'
import type { GroupMessage } from './replica-codec.ts'
import { Group } from './replica-group.ts'
import type { ReplicaLimits } from './replica-limits.ts'
import type { GroupIdentity } from './replica-storage.ts'

export type { AppliedEntry } from './replica-apply.ts'
export { decodeMessages, encodeMessages, type GroupMessage } from './replica-codec.ts'
export type { Group, GroupSnapshot, GroupStatus, LogRecord } from './replica-group.ts'
export type { ReplicaLimits } from './replica-limits.ts'

/**
 * How messages reach a peer: best effort, ordered per peer, never blocking; dropped when the peer is down or its
 * queue is over its bound. `encodeMessages` makes the bytes. Chunks of snapshots (`message.type === 'snapshot'`,
 * up to a MiB) may take another connection than the rest.
 */
export interface RaftPeerNetwork {
  send(to: NodeId, messages: readonly GroupMessage[]): void
}

export interface ReplicaHostParts {
  readonly nodeId: NodeId
  readonly store: RowStore
  readonly clock: Clock
  readonly random: Random
  readonly network: RaftPeerNetwork
  readonly limits: ReplicaLimits
  /** A write failed or an invariant broke: stop the process. Called at most once. */
  readonly onFatal: (cause: unknown) => void
}

export class ReplicaHost {
  readonly #parts: ReplicaHostParts
  readonly #groups = new Map<string, Group>()
  /** Peers that a snapshot is on its way to, whichever group's. */
  readonly #receiving = new Set<NodeId>()
  readonly #outbox = new Map<NodeId, GroupMessage[]>()
  #flushing = false
  #closed = false
  #failed = false
  #cancelTick: () => void = () => undefined

  constructor(parts: ReplicaHostParts) {
    this.#parts = parts
    this.#scheduleTick()
  }

  get groups(): ReadonlyMap<string, Group> {
    return this.#groups
  }

  /**
   * Starts the replica of a group on this node.
   *
   * @throws ClusterError Internal when the group already runs here or its state on disk is of another epoch
   */
  async addGroup(identity: GroupIdentity, machine: StateMachine): Promise<Group> {
    const { nodeId, store, clock, random, limits } = this.#parts
    if (this.#groups.has(identity.groupId)) throw new Error(`group ${identity.groupId} already runs here`)
    const group = await Group.open(
      {
        nodeId,
        store,
        clock,
        limits,
        seed: Math.floor(random.float() * 2 ** 32),
        send: (to, message) => this.#send(to, message),
        acquireTransfer: (to) => {
          if (this.#receiving.has(to)) return false
          this.#receiving.add(to)
          return true
        },
        releaseTransfer: (to) => this.#receiving.delete(to),
        randomId: () => random.hex(8),
        onFatal: (cause) => this.#fatal(cause),
      },
      identity,
      machine,
    )
    this.#groups.set(identity.groupId, group)
    return group
  }

  /** Messages of the peer `from`, whose identity the transport has verified. Those of unknown groups are ignored. */
  receive(from: NodeId, messages: readonly GroupMessage[]): void {
    for (const { groupId, epoch, message } of messages) {
      const group = this.#groups.get(groupId)
      if (group === undefined || group.epoch !== epoch || !isFrom(message, from)) continue
      group.receive(message)
    }
  }

  /** Stops the replica of a group here: the node is a member no more. Its rows stay in the store. */
  removeGroup(groupId: string): void {
    this.#groups.get(groupId)?.close()
    this.#groups.delete(groupId)
  }

  /** Stops all groups. The store stays open: it belongs to the caller. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#cancelTick()
    for (const group of this.#groups.values()) group.close()
  }

  #scheduleTick(): void {
    this.#cancelTick = this.#parts.clock.after(this.#parts.limits.tickMs, () => {
      if (this.#closed) return
      for (const group of this.#groups.values()) group.tick()
      this.#scheduleTick()
    })
  }

  /** Everything said in this turn of the event loop goes to a peer as one message. */
  #send(to: NodeId, message: GroupMessage): void {
    const queue = this.#outbox.get(to)
    if (queue === undefined) this.#outbox.set(to, [message])
    else queue.push(message)
    if (this.#flushing) return
    this.#flushing = true
    queueMicrotask(() => {
      this.#flushing = false
      const queues = [...this.#outbox]
      this.#outbox.clear()
      if (this.#closed) return
      for (const [peer, messages] of queues) this.#parts.network.send(peer, messages)
    })
  }

  #fatal(cause: unknown): void {
    if (this.#failed) return
    this.#failed = true
    this.close()
    this.#parts.onFatal(cause)
  }
}

function isFrom(message: RaftMessage, from: NodeId): boolean {
  return message.from === from
}
