/**
 * Proposals of one group from their arrival to their answer: queued until they get a place in the log, then waiting
 * until the entry at that place is applied.
 *
 * Invariant: every proposal is resolved or rejected exactly once. Bounded by number and bytes.
 */
import type { ClusterError } from '../errors.ts'
import type { ReplicaLimits } from './replica-limits.ts'

export interface Proposal {
  /** The encoded command; empty for a change of members, which the core makes its own entry for. */
  readonly data: Uint8Array
  readonly deadlineMs: number
  resolve(reply: unknown): void
  reject(cause: ClusterError): void
}

interface PlacedProposal {
  readonly proposal: Proposal
  readonly term: number
}

export class Proposals {
  readonly #limits: ReplicaLimits
  #queued: Proposal[] = []
  #queuedBytes = 0
  readonly #placed = new Map<number, PlacedProposal>()

  constructor(limits: ReplicaLimits) {
    this.#limits = limits
  }

  /** Proposals without an answer. */
  get count(): number {
    return this.#queued.length + this.#placed.size
  }

  get isFull(): boolean {
    return this.count >= this.#limits.proposalsMax || this.#queuedBytes >= this.#limits.proposalBytesMax
  }

  get hasQueued(): boolean {
    return this.#queued.length > 0
  }

  queue(proposal: Proposal): void {
    this.#queued.push(proposal)
    this.#queuedBytes += proposal.data.byteLength
  }

  /** Takes the next append's proposals out of the queue: as many as fit its bytes, at least one. */
  takeBatch(): Proposal[] {
    let count = 0
    let bytes = 0
    for (const { data } of this.#queued) {
      if (count > 0 && bytes + data.byteLength > this.#limits.proposalBatchBytesMax) break
      bytes += data.byteLength
      count += 1
    }
    this.#queuedBytes -= bytes
    return this.#queued.splice(0, count)
  }

  /** The proposal became the entry at `index` of `term`. */
  place(proposal: Proposal, { index, term }: { index: number; term: number }): void {
    this.#placed.set(index, { proposal, term })
  }

  /**
   * The entry at `index` was applied. If it is of another term, the proposal that waited there was overwritten by
   * another leader's entry: `lost` tells it so.
   */
  answer(
    entry: { readonly index: number; readonly term: number; readonly reply: unknown },
    lost: () => ClusterError,
  ): void {
    const placed = this.#placed.get(entry.index)
    if (placed === undefined) return
    this.#placed.delete(entry.index)
    if (placed.term === entry.term) placed.proposal.resolve(entry.reply)
    else placed.proposal.reject(lost())
  }

  /** Rejects what is overdue; it may still be committed. */
  expire(nowMs: number, cause: () => ClusterError): void {
    for (const [index, { proposal }] of this.#placed) {
      if (proposal.deadlineMs > nowMs) continue
      this.#placed.delete(index)
      proposal.reject(cause())
    }
    if (!this.#queued.some((proposal) => proposal.deadlineMs <= nowMs)) return
    const overdue = this.#queued.filter((proposal) => proposal.deadlineMs <= nowMs)
    this.#queued = this.#queued.filter((proposal) => proposal.deadlineMs > nowMs)
    for (const proposal of overdue) {
      this.#queuedBytes -= proposal.data.byteLength
      proposal.reject(cause())
    }
  }

  /** Rejects everything. */
  refuse(cause: ClusterError): void {
    const all = [...[...this.#placed.values()].map(({ proposal }) => proposal), ...this.#queued]
    this.#placed.clear()
    this.#queued = []
    this.#queuedBytes = 0
    for (const proposal of all) proposal.reject(cause)
  }
}
