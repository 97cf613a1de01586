/**
 * The committed log of one group as canonical events.
 *
 * Invariant: hands out events of consecutive committed entries or nothing; what it remembers between `plan` and
 * signing is only a saving, the same bytes would be derived again.
 */
import { batchCut, type CommittedEntry, encodeEvent, journalLimits, type Sha256 } from '../core/journal.ts'

export const journalLogLimits = {
  /** Entries read from the log at once: each may carry an inlined object. */
  readEntriesMax: 64,
} as const

/** The Raft group as the journal sees it; implemented over the consensus layer by the lead's wiring. */
export interface JournalGroup {
  readonly groupId: string
  status(): {
    readonly leader: string | undefined
    readonly term: number
    /** Last committed Raft index that this node knows. */
    readonly committed: number
    /** First index that the log still has. */
    readonly firstIndex: number
  }
  /** Committed entries from `from` on, consecutive, at most `limit`; empty when `from` is compacted or uncommitted. */
  entries(from: number, limit: number): Promise<readonly CommittedEntry[]>
  /** Calls the listener after `committed` or the leader has changed. Returns how to stop that. */
  onCommitted(listener: () => void): () => void
  /** The log may be compacted below `index`, as far as its own bounds ask for; 0: nothing may be. */
  retainFrom(index: number): void
}

export class JournalLog {
  readonly #group: JournalGroup
  readonly #sha256: Sha256
  /** Events of batches that were just cut, by their last index. */
  #planned = new Map<number, Uint8Array[]>()

  constructor(group: JournalGroup, sha256: Sha256) {
    this.#group = group
    this.#sha256 = sha256
  }

  /** The last indexes of the batches that follow entry `after`, at most `count`; their events are kept for signing. */
  async plan(after: number, count: number): Promise<number[]> {
    this.#planned = new Map()
    const bounds: number[] = []
    let last = after
    while (bounds.length < count) {
      const events = await this.#cut(last + 1)
      if (events.length === 0) break
      last += events.length
      this.#planned.set(last, events)
      bounds.push(last)
    }
    return bounds
  }

  /** Events of entries [first, last]; undefined when the log does not have them all as committed. */
  async events(first: number, last: number): Promise<Uint8Array[] | undefined> {
    const planned = this.#planned.get(last)
    if (planned?.length === last - first + 1) return planned
    if (last > this.#group.status().committed) return undefined
    const events: Uint8Array[] = []
    while (first + events.length <= last) {
      const limit = Math.min(journalLogLimits.readEntriesMax, last - first - events.length + 1)
      const some = await this.#read(first + events.length, limit)
      if (some.length === 0) return undefined
      events.push(...some)
    }
    return events
  }

  /** First index that the log still has. */
  get firstIndex(): number {
    return this.#group.status().firstIndex
  }

  /** Whether the log still has the entry behind `index`. */
  reaches(index: number): boolean {
    return this.firstIndex <= index + 1
  }

  /** Events of the next batch from `first` on, cut at the bounds. */
  async #cut(first: number): Promise<Uint8Array[]> {
    const events: Uint8Array[] = []
    for (;;) {
      const some = await this.#read(first + events.length, journalLogLimits.readEntriesMax)
      events.push(...some)
      const count = batchCut(events)
      if (some.length === 0 || count < events.length || count === journalLimits.batchEntriesMax) {
        return events.slice(0, count)
      }
    }
  }

  async #read(from: number, limit: number): Promise<Uint8Array[]> {
    if (from > this.#group.status().committed) return []
    const entries = await this.#group.entries(from, limit)
    return entries.map((entry, at) => {
      if (entry.index !== from + at)
        throw new Error(`journal: got entry ${entry.index}, asked for ${from + at}`)
      return encodeEvent(entry, this.#sha256)
    })
  }
}
