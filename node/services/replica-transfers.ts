/**
 * The snapshots that a leader is sending: at most one per peer of this node, whichever group it is for.
 *
 * A transfer that cannot begin now fails at once; Raft asks again when the follower next answers.
 */
import type { RaftMessage, SnapshotPosition } from '../core/raft-messages.ts'
import type { NodeId, RowStore } from '../world.ts'
import type { ReplicaLimits } from './replica-limits.ts'
import { SnapshotTransfer } from './replica-snapshot-sender.ts'
import type { GroupStorage } from './replica-storage.ts'

export interface TransfersParts {
  readonly nodeId: NodeId
  readonly store: RowStore
  readonly storage: GroupStorage
  readonly limits: ReplicaLimits
  /** Position of the rows as they are applied here; undefined when its term is not known any more. */
  position(): SnapshotPosition | undefined
  term(): number
  /** Reserves the one transfer that a peer may receive at a time. */
  acquire(to: NodeId): boolean
  release(to: NodeId): void
  randomId(): string
  send(message: RaftMessage): void
  /** `index`: what the follower was brought to; undefined when it failed. */
  onEnd(to: NodeId, index: number | undefined): void
  onFatal(cause: unknown): void
}

export class SnapshotTransfers {
  readonly #parts: TransfersParts
  readonly #running = new Map<NodeId, SnapshotTransfer>()

  constructor(parts: TransfersParts) {
    this.#parts = parts
  }

  /** Indexes from which followers will need the log when their transfers end. */
  get positions(): number[] {
    return [...this.#running.values()].map((transfer) => transfer.position.index)
  }

  start(to: NodeId, nowMs: number): void {
    const { storage, store, limits } = this.#parts
    const position = this.#parts.position()
    if (this.#running.has(to) || position === undefined || !this.#parts.acquire(to)) {
      this.#parts.onEnd(to, undefined)
      return
    }
    const transfer = new SnapshotTransfer({
      storage,
      snapshot: store.snapshot(),
      position,
      transferId: this.#parts.randomId(),
      limits,
      send: (content) => {
        const envelope = { from: this.#parts.nodeId, to, term: this.#parts.term() } as const
        this.#parts.send({ type: 'snapshot', ...envelope, ...content })
      },
      onEnd: (index) => {
        this.#running.delete(to)
        this.#parts.release(to)
        this.#parts.onEnd(to, index)
      },
      onFatal: (cause) => this.#parts.onFatal(cause),
    })
    this.#running.set(to, transfer)
    transfer.start(nowMs)
  }

  answered(reply: { from: NodeId; transferId: string; nextChunk: number }, nowMs: number): void {
    const transfer = this.#running.get(reply.from)
    if (transfer?.transferId === reply.transferId) transfer.answered(reply.nextChunk, nowMs)
  }

  tick(nowMs: number): void {
    for (const transfer of [...this.#running.values()]) transfer.tick(nowMs)
  }

  /** Ends all of them: leadership is gone or the group closes. */
  end(): void {
    for (const transfer of [...this.#running.values()]) transfer.end(undefined)
  }
}
