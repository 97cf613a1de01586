/**
 * What a leader knows about one follower: how far its log matches, what is on its way to it, whether it answers.
 *
 * Three states as in etcd/raft: `probe` (matching point unknown: one append at a time), `replicate` (pipelined
 * appends, bounded in number and bytes), `snapshot` (the follower is behind our log: nothing is sent until the
 * transfer ends). Invariant: match < next.
 */

interface InflightAppend {
  readonly lastIndex: number
  readonly bytes: number
}

export interface InflightBounds {
  readonly inflightAppendsMax: number
  readonly inflightBytesMax: number
}

export class Progress {
  /** Highest index known to be durable at the follower and equal to ours. */
  match = 0
  next: number
  state: 'probe' | 'replicate' | 'snapshot' = 'probe'
  /** Has answered since the last quorum check. */
  recentlyActive = false
  /** Highest ReadIndex round that the follower confirmed. */
  confirmedRound = 0
  /** Commit index last told; the rest of the news waits for the next append, tick or heartbeat. */
  sentCommit = 0
  /** In `snapshot`: the index that the transfer will bring the follower to. */
  pendingSnapshot = 0
  #probeSent = false
  #inflight: InflightAppend[] = []
  #inflightBytes = 0

  constructor(next: number) {
    this.next = next
  }

  /** Whether appends have to wait for an answer. */
  paused(bounds: InflightBounds): boolean {
    if (this.state === 'probe') return this.#probeSent
    if (this.state === 'snapshot') return true
    return (
      this.#inflight.length >= bounds.inflightAppendsMax || this.#inflightBytes >= bounds.inflightBytesMax
    )
  }

  /** Notes an append that was sent: `lastIndex` of its entries (or of the log before it), `bytes` 0 when empty. */
  sent(lastIndex: number, bytes: number): void {
    if (this.state === 'probe') {
      this.#probeSent = true
      return
    }
    if (bytes === 0) return
    this.next = lastIndex + 1
    this.#inflight.push({ lastIndex, bytes })
    this.#inflightBytes += bytes
  }

  /** The follower's log matches up to `index`. Returns whether that is news. */
  accept(index: number): boolean {
    while ((this.#inflight[0]?.lastIndex ?? Number.POSITIVE_INFINITY) <= index) {
      this.#inflightBytes -= this.#inflight.shift()?.bytes ?? 0
    }
    const news = index > this.match
    if (news) {
      this.match = index
      this.#probeSent = false
    }
    this.next = Math.max(this.next, index + 1)
    return news
  }

  /**
   * The follower lacks the entry at `prevIndex`; it may agree with us up to `agreement`.
   * Returns false for an answer to an append that is no longer of interest (reordered or duplicated).
   */
  reject(prevIndex: number, agreement: number): boolean {
    if (this.state === 'replicate') {
      if (prevIndex <= this.match) return false
      this.becomeProbe()
      return true
    }
    if (this.state !== 'probe' || this.next - 1 !== prevIndex) return false
    this.next = Math.max(this.match + 1, Math.min(prevIndex, agreement + 1))
    this.#probeSent = false
    return true
  }

  /** Lets the next append go although the last was not answered: the follower is alive, the append may be lost. */
  resume(): void {
    this.#probeSent = false
    if (this.#inflight.length > 0) this.#inflightBytes -= this.#inflight.shift()?.bytes ?? 0
  }

  becomeProbe(): void {
    this.next = this.state === 'snapshot' ? Math.max(this.match, this.pendingSnapshot) + 1 : this.match + 1
    this.#enter('probe')
  }

  becomeReplicate(): void {
    this.next = this.match + 1
    this.#enter('replicate')
  }

  becomeSnapshot(): void {
    this.#enter('snapshot')
  }

  #enter(state: Progress['state']): void {
    this.state = state
    this.pendingSnapshot = 0
    this.#probeSent = false
    this.#inflight = []
    this.#inflightBytes = 0
  }
}
