/**
 * Turns committed entries into rows and replies, in order, one write per batch.
 *
 * Owns the determinism of applying: every replica decodes the same bytes, sees the rows of exactly the entries
 * before, and recognises the same repeated requests. The write is not waited for to be durable: rows can be made
 * again from the log, and the store keeps the order of the log's writes and these.
 */
import type { Entry } from '../core/raft-messages.ts'
import type { StateMachine } from '../core/state-machine.ts'
import type { Row, RowMutation, RowRange, RowStore } from '../world.ts'
import { decodeCommand } from './replica-codec.ts'
import { decodeReply, type RequestRing } from './replica-requests.ts'
import type { GroupStorage } from './replica-storage.ts'

/** A committed command and what came of it. */
export interface AppliedEntry {
  readonly index: number
  readonly term: number
  readonly requestId: string
  readonly command: unknown
  readonly reply: unknown
  /** An earlier entry had the same request id: nothing was changed, the reply is that entry's. */
  readonly repeated: boolean
}

export interface ApplierParts {
  readonly store: RowStore
  readonly storage: GroupStorage
  readonly machine: StateMachine
  readonly requests: RequestRing
  /** Gets every write that was started; a failed one is fatal. */
  readonly onWrite: (write: Promise<void>) => void
}

export class Applier {
  readonly #store: RowStore
  readonly #storage: GroupStorage
  readonly #machine: StateMachine
  readonly #requests: RequestRing
  readonly #onWrite: (write: Promise<void>) => void
  /** Rows of this batch that are not yet written, by key relative to the group. */
  readonly #pending = new Map<string, Uint8Array | undefined>()
  #mutations: RowMutation[] = []
  readonly #rows = { get: (key: string) => this.#get(key) }

  constructor(parts: ApplierParts) {
    this.#store = parts.store
    this.#storage = parts.storage
    this.#machine = parts.machine
    this.#requests = parts.requests
    this.#onWrite = parts.onWrite
  }

  /**
   * Applies the entries, at once when none of them needs a scan.
   *
   * The rows are visible when the result is there. Throws (or rejects) only on a bug or a failed store: the
   * process has to stop, because skipping an entry would make this replica another one.
   */
  apply(entries: readonly Entry[]): AppliedEntry[] | Promise<AppliedEntry[]> {
    const results: AppliedEntry[] = []
    for (let at = 0; at < entries.length; at += 1) {
      const entry = entries[at]
      if (entry === undefined) break
      const scans = this.#applyOne(entry, results)
      if (scans !== undefined) return this.#applyWithScans(entries, at, results, scans)
    }
    this.#write(entries.at(-1)?.index)
    return results
  }

  async #applyWithScans(
    entries: readonly Entry[],
    from: number,
    results: AppliedEntry[],
    firstScans: readonly RowRange[],
  ): Promise<AppliedEntry[]> {
    let scans: readonly RowRange[] | undefined = firstScans
    for (let at = from; at < entries.length; at += 1) {
      const entry = entries[at]
      if (entry === undefined) break
      scans ??= this.#applyOne(entry, results)
      if (scans === undefined) continue
      this.#write(entry.index - 1)
      const scanned: Row[][] = []
      for (const range of scans) scanned.push(await this.#scan(range))
      this.#applyOne(entry, results, scanned)
      scans = undefined
    }
    this.#write(entries.at(-1)?.index)
    return results
  }

  /** Returns the scans that the entry needs and that `scanned` does not hold; then nothing was applied. */
  #applyOne(entry: Entry, results: AppliedEntry[], scanned?: Row[][]): readonly RowRange[] | undefined {
    if (entry.kind === 'members') this.#mutations.push(this.#storage.membersRow(entry.members))
    if (entry.kind !== 'command') return undefined
    const { index, term } = entry
    const { requestId, leaderMs, command } = decodeCommand(entry.data)
    const answered = this.#requests.find(requestId, index)
    if (answered !== undefined) {
      const reply = decodeReply(this.#pendingOr('q/', answered))
      results.push({ index, term, requestId, command, reply, repeated: true })
      return undefined
    }
    if (scanned === undefined) {
      const scans = this.#machine.scansOf?.(command)
      if (scans !== undefined && scans.length > 0) return scans
    }
    const rows = this.#rows
    const input = { index, term, command, leaderMs, rows, scanned: scanned ?? [] }
    const { reply, mutations } = this.#machine.apply(input)
    for (const { key, value } of mutations) this.#put('r/', key, value)
    const remembered = this.#requests.remember(index, requestId, reply)
    this.#put('q/', remembered.key, remembered.value)
    results.push({ index, term, requestId, command, reply, repeated: false })
    return undefined
  }

  #put(space: 'q/' | 'r/', key: string, value: Uint8Array | undefined): void {
    this.#pending.set(space + key, value)
    this.#mutations.push({ key: this.#storage.keyOf(space, key), value })
  }

  #get(key: string): Uint8Array | undefined {
    const own = `r/${key}`
    return this.#pending.has(own) ? this.#pending.get(own) : this.#storage.get('r/', key)
  }

  #pendingOr(space: 'q/', key: string): Uint8Array {
    const value = this.#pending.get(space + key) ?? this.#storage.get(space, key)
    if (value === undefined) throw new Error(`the reply of a remembered request is missing: ${key}`)
    return value
  }

  async #scan(range: RowRange): Promise<Row[]> {
    const rows: Row[] = []
    for await (const row of this.#storage.scan(this.#store, 'r/', range)) rows.push(row)
    return rows
  }

  /** Writes rows and applied index together; the store shows them at once and fails the process if it cannot. */
  #write(index: number | undefined): void {
    if (index === undefined) return
    const mutations = this.#mutations
    mutations.push(this.#storage.appliedRow(index))
    this.#mutations = []
    this.#pending.clear()
    this.#onWrite(this.#store.write(mutations, { durable: false }))
  }
}
