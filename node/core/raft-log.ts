/**
 * The replicated log as one node holds it: terms of every retained entry, a bounded tail of entries in memory,
 * and the four cursors durable, committed, applying, applied.
 *
 * Invariants: base <= applied <= applying <= committed <= last; durable <= last; entries up to `committed` never
 * change (an attempt is a bug and throws). Older entries are read back through `LogSource`, which the host
 * implements on its store; terms never are, so that elections and matching cost no IO.
 */
import { type Entry, entryBytes, type SnapshotPosition } from './raft-messages.ts'

/** Reads entries that left memory. Only asked for indexes that are durable and not compacted. */
export interface LogSource {
  /**
   * Entries from `from` up to and without `to`, as many as fit `bytesMax` but at least one.
   */
  read(from: number, to: number, bytesMax: number): readonly Entry[]
}

/** Consecutive entries of one term: the log's terms in a handful of objects. */
interface TermRun {
  readonly from: number
  readonly term: number
}

export class RaftLog {
  /** The entry before the first retained one; a snapshot or compacted state stands for everything up to it. */
  baseIndex: number
  baseTerm: number
  lastIndex: number
  committed: number
  /** Handed to the host for applying; `applied` follows when the host reports. */
  applying: number
  applied: number
  /** Everything up to here survives a crash of this node. */
  durable: number
  #runs: TermRun[] = []
  #tail: Entry[] = []
  #tailBytes = 0
  readonly #source: LogSource

  constructor(base: { index: number; term: number }, source: LogSource) {
    this.baseIndex = base.index
    this.baseTerm = base.term
    this.lastIndex = base.index
    this.committed = base.index
    this.applying = base.index
    this.applied = base.index
    this.durable = base.index
    this.#source = source
  }

  /** Takes note of an entry that the store already holds, in index order, when a node starts. */
  restore(position: { index: number; term: number }): void {
    this.#extend(position.index, position.term)
    this.durable = position.index
  }

  get firstIndex(): number {
    return this.baseIndex + 1
  }

  get lastTerm(): number {
    return this.#runs.at(-1)?.term ?? this.baseTerm
  }

  /** Bytes of entries held in memory. */
  get tailBytes(): number {
    return this.#tailBytes
  }

  /** Term of the entry at `index`; undefined when it is compacted or beyond the end. */
  termAt(index: number): number | undefined {
    if (index === this.baseIndex) return this.baseTerm
    if (index < this.baseIndex || index > this.lastIndex) return undefined
    return this.#runAt(index)?.term
  }

  matches(index: number, term: number): boolean {
    return this.termAt(index) === term
  }

  /** Election restriction (section 3.6.1): is a log that ends at (index, term) at least as complete as ours? */
  isUpToDate(index: number, term: number): boolean {
    return term > this.lastTerm || (term === this.lastTerm && index >= this.lastIndex)
  }

  /** Largest index <= `index` whose term is <= `term`: where two logs can at most agree. */
  lastAgreement(index: number, term: number): { index: number; term: number } {
    let at = Math.min(index, this.lastIndex)
    while (at > this.baseIndex) {
      const run = this.#runAt(at)
      if (run === undefined) break
      if (run.term <= term) return { index: at, term: run.term }
      at = run.from - 1
    }
    return { index: Math.min(at, this.baseIndex), term: at >= this.baseIndex ? this.baseTerm : 0 }
  }

  /** Adds entries behind the last one. */
  append(entries: readonly Entry[]): void {
    for (const entry of entries) {
      this.#extend(entry.index, entry.term)
      this.#tail.push(entry)
      this.#tailBytes += entryBytes(entry)
    }
  }

  /** Removes `from` and everything behind it; the leader of a newer term has other entries there. */
  truncate(from: number): void {
    if (from <= this.committed) {
      throw new Error(`raft: truncating committed entry ${from}, committed ${this.committed}`)
    }
    const keep = Math.max(0, from - this.#tailStart)
    for (const entry of this.#tail.splice(keep)) this.#tailBytes -= entryBytes(entry)
    while ((this.#runs.at(-1)?.from ?? 0) >= from) this.#runs.pop()
    this.lastIndex = from - 1
    this.durable = Math.min(this.durable, this.lastIndex)
  }

  /** Entries [from, to), as many as fit `bytesMax` but at least one when there is one. */
  slice(from: number, to: number, bytesMax: number): readonly Entry[] {
    if (from >= to) return []
    if (from < this.#tailStart) {
      return this.#source.read(from, Math.min(to, this.#tailStart), bytesMax)
    }
    const start = from - this.#tailStart
    let bytes = 0
    let end = start
    for (; end < this.#tail.length && end - start < to - from; end += 1) {
      const entry = this.#tail[end]
      if (entry === undefined) break
      bytes += entryBytes(entry)
      if (bytes > bytesMax && end > start) break
    }
    return this.#tail.slice(start, end)
  }

  /** Bytes of the entries [from, to) that are in memory; uncommitted ones always are. */
  bytesBetween(from: number, to: number): number {
    const start = this.#tailStart
    let bytes = 0
    for (let index = Math.max(from, start); index < to; index += 1) {
      const entry = this.#tail[index - start]
      if (entry !== undefined) bytes += entryBytes(entry)
    }
    return bytes
  }

  /** Drops the oldest entries from memory above `bytesMax`; those not yet durable or applied stay. */
  trimTail(bytesMax: number): void {
    const droppable = Math.min(this.durable, this.applied)
    let count = 0
    while (this.#tailBytes > bytesMax && this.#tailStart + count <= droppable) {
      const entry = this.#tail[count]
      if (entry === undefined) break
      this.#tailBytes -= entryBytes(entry)
      count += 1
    }
    if (count > 0) this.#tail.splice(0, count)
  }

  /** Forgets entries up to `index`, which the applied state stands for. */
  compact(index: number): void {
    if (index <= this.baseIndex) return
    const term = this.termAt(index)
    if (index > this.applied || term === undefined) {
      throw new Error(`raft: compacting ${index}, applied ${this.applied}`)
    }
    const drop = index + 1 - this.#tailStart
    if (drop > 0) for (const entry of this.#tail.splice(0, drop)) this.#tailBytes -= entryBytes(entry)
    while ((this.#runs[1]?.from ?? Number.POSITIVE_INFINITY) <= index + 1) this.#runs.shift()
    if (index === this.lastIndex) this.#runs = []
    const first = this.#runs[0]
    if (first !== undefined && first.from <= index) this.#runs[0] = { from: index + 1, term: first.term }
    this.baseIndex = index
    this.baseTerm = term
  }

  /** Replaces the whole log by an installed snapshot (section 5.1). */
  reset(position: Pick<SnapshotPosition, 'index' | 'term'>): void {
    this.#runs = []
    this.#tail = []
    this.#tailBytes = 0
    this.baseIndex = position.index
    this.baseTerm = position.term
    this.lastIndex = position.index
    this.committed = position.index
    this.applying = position.index
    this.applied = position.index
    this.durable = Math.min(this.durable, position.index)
  }

  get #tailStart(): number {
    return this.lastIndex - this.#tail.length + 1
  }

  #extend(index: number, term: number): void {
    if (index !== this.lastIndex + 1 || term < this.lastTerm) {
      throw new Error(`raft: entry ${index}/${term} behind ${this.lastIndex}/${this.lastTerm}`)
    }
    if (this.#runs.length === 0 || term > this.lastTerm) this.#runs.push({ from: index, term })
    this.lastIndex = index
  }

  #runAt(index: number): TermRun | undefined {
    for (let at = this.#runs.length - 1; at >= 0; at -= 1) {
      const run = this.#runs[at]
      if (run !== undefined && run.from <= index) return run
    }
    return undefined
  }
}
