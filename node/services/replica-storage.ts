/**
 * Where one group's replica lies in the node's row store, and every write that it makes there.
 *
 *     g/<group>/state                epoch, term, vote                durable before it is spoken of
 *     g/<group>/current              the generation that counts
 *     g/<group>/v/<generation>/l/..  log entries by index             durable before they are acknowledged
 *     g/<group>/v/<generation>/base  position before the first log entry
 *     g/<group>/v/<generation>/a     applied index                    written in one batch with its rows
 *     g/<group>/v/<generation>/m     members at the applied index
 *     g/<group>/v/<generation>/q/..  replies of recent requests       part of the replicated state
 *     g/<group>/v/<generation>/r/..  rows of the state machine        part of the replicated state
 *
 * A snapshot is staged under the next generation and becomes the state by one write of `current`: a crash before
 * it leaves the old log and rows whole. What an abandoned generation left is deleted at the next start.
 */
import type { RaftPersisted } from '../core/raft-config.ts'
import type { LogSource } from '../core/raft-log.ts'
import { type Entry, entryBytes, type Member, type SnapshotPosition } from '../core/raft-messages.ts'
import type { PersistRequest } from '../core/raft-state.ts'
import { ClusterError } from '../errors.ts'
import type { Row, RowMutation, RowRange, RowSnapshot, RowStore } from '../world.ts'
import {
  asMap,
  asMembers,
  asNumber,
  decodeEntry,
  decodeValue,
  encodeEntry,
  encodeValue,
} from './replica-codec.ts'

/** The parts of a generation that are the replicated state: what a snapshot carries. */
export const replicatedSpaces = ['q/', 'r/'] as const
export type ReplicatedSpace = (typeof replicatedSpaces)[number]

/** Rows of dead generations that one write deletes. */
const deletedAtATime = 1_000

export interface GroupIdentity {
  readonly groupId: string
  /** Counts the incarnations of the group. */
  readonly epoch: number
  /** Members of a new group; a replica that has state of its own ignores them. */
  readonly members: readonly Member[]
}

/** First key that does not start with `prefix`; every prefix here ends in '/'. */
function endOf(prefix: string): string {
  return `${prefix.slice(0, -1)}0`
}

/** Fixed width, so that the order of keys is the order of numbers. */
function digits(value: number): string {
  return value.toString(16).padStart(13, '0')
}

export class GroupStorage implements LogSource {
  readonly groupId: string
  readonly #store: RowStore
  readonly #root: string
  #generation = 1
  #prefix: string
  /** Bytes of each retained entry from #firstIndex on. */
  #sizes: number[] = []
  #firstIndex = 1
  #logBytes = 0
  #appliedIndex = 0
  /** The generation of the snapshot that is being staged; the newest number ever used here. */
  #stagedGeneration: number | undefined
  #newestGeneration = 1
  /** Prefixes of generations to be deleted. */
  readonly #garbage: string[] = []

  constructor(groupId: string, store: RowStore) {
    if (!/^[a-z0-9][a-z0-9._-]{0,63}$/.test(groupId)) {
      throw new ClusterError('Internal', `not a group id: ${groupId}`)
    }
    this.groupId = groupId
    this.#store = store
    this.#root = `g/${groupId}/`
    this.#prefix = this.#prefixOf(1)
  }

  /** Entries and bytes that the log holds in the store. */
  get logSize(): { readonly entries: number; readonly bytes: number } {
    return { entries: this.#sizes.length, bytes: this.#logBytes }
  }

  get firstIndex(): number {
    return this.#firstIndex
  }

  /** What the rows show: the last entry whose write was given to the store. */
  get appliedIndex(): number {
    return this.#appliedIndex
  }

  /**
   * Reads the replica's state, or founds the group durably when there is none.
   *
   * @throws ClusterError Internal when the store holds another epoch of the group
   */
  async load(identity: GroupIdentity): Promise<RaftPersisted> {
    const state = this.#store.getSync(`${this.#root}state`)
    if (state === undefined) return this.#found(identity)
    const { epoch, term, vote } = asMap(decodeValue(state))
    if (epoch !== identity.epoch) {
      throw new ClusterError('Internal', `group ${this.groupId}: epoch ${String(epoch)} on disk`, {
        details: { expected: identity.epoch },
      })
    }
    this.#generation = asNumber(this.#read(`${this.#root}current`).generation)
    this.#prefix = this.#prefixOf(this.#generation)
    this.#newestGeneration = this.#generation
    await this.#deleteOtherGenerations()
    const base = this.#read(`${this.#prefix}base`)
    this.#firstIndex = asNumber(base.index) + 1
    this.#appliedIndex = asNumber(this.#read(`${this.#prefix}a`).index)
    return {
      hardState: { term: asNumber(term), votedFor: typeof vote === 'string' ? vote : undefined },
      base: { index: asNumber(base.index), term: asNumber(base.term) },
      appliedIndex: this.#appliedIndex,
      members: asMembers(this.#read(`${this.#prefix}m`).members),
      entries: await this.#loadLog(),
    }
  }

  /** The mutations of a persist request, in order; takes note of the log's new size. */
  persist(request: PersistRequest, epoch: number): RowMutation[] {
    const mutations: RowMutation[] = []
    if (request.snapshot !== undefined) this.#install(request.snapshot, mutations)
    if (request.remove !== undefined) {
      const { from, to } = request.remove
      for (let index = from; index < to; index += 1)
        mutations.push({ key: this.#logKey(index), value: undefined })
      for (const bytes of this.#sizes.splice(from - this.#firstIndex)) this.#logBytes -= bytes
    }
    for (const entry of request.entries) {
      mutations.push({ key: this.#logKey(entry.index), value: encodeEntry(entry) })
      this.#sizes.push(entryBytes(entry))
      this.#logBytes += entryBytes(entry)
    }
    if (request.hardState !== undefined) {
      const { term, votedFor } = request.hardState
      const value = encodeValue({ epoch, term, vote: votedFor ?? null })
      mutations.push({ key: `${this.#root}state`, value })
    }
    return mutations
  }

  /**
   * Forgets the log up to and with `index`, whose term is `term` and which is applied. Need not be durable: the rows
   * that stand for the entries are written before, and the store keeps the order.
   */
  trim(index: number, term: number): RowMutation[] {
    const mutations: RowMutation[] = [{ key: `${this.#prefix}base`, value: encodeValue({ index, term }) }]
    for (let at = this.#firstIndex; at <= index; at += 1) {
      mutations.push({ key: this.#logKey(at), value: undefined })
    }
    for (const bytes of this.#sizes.splice(0, index + 1 - this.#firstIndex)) this.#logBytes -= bytes
    this.#firstIndex = index + 1
    return mutations
  }

  /** The smallest index that may be kept so that the log from there on is within the bounds. */
  firstWithin(bounds: { readonly entries: number; readonly bytes: number }): number {
    let bytes = this.#logBytes
    let drop = Math.max(0, this.#sizes.length - bounds.entries)
    for (let at = 0; at < drop; at += 1) bytes -= this.#sizes[at] ?? 0
    while (bytes > bounds.bytes && drop < this.#sizes.length) {
      bytes -= this.#sizes[drop] ?? 0
      drop += 1
    }
    return this.#firstIndex + drop
  }

  /** Opens an empty generation for a snapshot; what was staged before is dropped. */
  beginStaging(): void {
    this.discardStaged()
    this.#newestGeneration += 1
    this.#stagedGeneration = this.#newestGeneration
  }

  /** Writes rows of the snapshot, their space in front of their keys. Resolves when they are durable. */
  stage(rows: readonly Row[]): Promise<void> {
    if (this.#stagedGeneration === undefined) throw new Error('nothing is being staged')
    const prefix = this.#prefixOf(this.#stagedGeneration)
    const mutations = rows.map(({ key, value }) => ({ key: prefix + key, value }))
    return this.#store.write(mutations, { durable: true })
  }

  /** Gives up what is staged. Its rows are deleted when there is time. */
  discardStaged(): void {
    const generation = this.#stagedGeneration
    this.#stagedGeneration = undefined
    if (generation !== undefined) this.#garbage.push(this.#prefixOf(generation))
  }

  /** Deletes the rows of generations that count no more, in small writes. */
  async collectGarbage(): Promise<void> {
    for (let prefix = this.#garbage.shift(); prefix !== undefined; prefix = this.#garbage.shift()) {
      await this.#deleteRange(prefix, endOf(prefix))
    }
  }

  /** Records what was applied; goes in one write with the rows. */
  appliedRow(index: number): RowMutation {
    this.#appliedIndex = index
    return { key: `${this.#prefix}a`, value: encodeValue({ index }) }
  }

  /** Records the members that an applied entry brought; goes in one write with the applied index. */
  membersRow(members: readonly Member[]): RowMutation {
    return { key: `${this.#prefix}m`, value: encodeValue({ members }) }
  }

  /** LogSource: entries that left the core's memory. */
  read(from: number, to: number, bytesMax: number): readonly Entry[] {
    const entries: Entry[] = []
    let bytes = 0
    for (let index = from; index < to; index += 1) {
      bytes += this.#sizes[index - this.#firstIndex] ?? 0
      if (bytes > bytesMax && entries.length > 0) break
      const value = this.#store.getSync(this.#logKey(index))
      if (value === undefined) throw new Error(`group ${this.groupId}: log entry ${index} is missing`)
      entries.push(decodeEntry(index, value))
    }
    return entries
  }

  /** Key in the store of a key of the replicated state. */
  keyOf(space: ReplicatedSpace, key: string): string {
    return this.#prefix + space + key
  }

  get(space: ReplicatedSpace, key: string): Uint8Array | undefined {
    return this.#store.getSync(this.#prefix + space + key)
  }

  /**
   * Rows of a space (all of it without a range) with keys relative to it; `from` is the store or a snapshot of it.
   */
  scan(from: RowStore | RowSnapshot, space: ReplicatedSpace, range?: RowRange): AsyncIterable<Row> {
    const prefix = this.#prefix + space
    const absolute =
      range === undefined
        ? { gte: prefix, lt: endOf(prefix) }
        : { ...range, gte: prefix + range.gte, lt: prefix + range.lt }
    return relativeRows(from.scan(absolute), prefix.length)
  }

  #read(key: string): Readonly<Record<string, unknown>> {
    const value = this.#store.getSync(key)
    if (value === undefined) throw new Error(`row ${key} is missing`)
    return asMap(decodeValue(value))
  }

  #prefixOf(generation: number): string {
    return `${this.#root}v/${digits(generation)}/`
  }

  #logKey(index: number): string {
    return `${this.#prefix}l/${digits(index)}`
  }

  async #found({ epoch, members }: GroupIdentity): Promise<RaftPersisted> {
    await this.#store.write(
      [
        { key: `${this.#root}state`, value: encodeValue({ epoch, term: 0, vote: null }) },
        { key: `${this.#root}current`, value: encodeValue({ generation: 1 }) },
        { key: `${this.#prefix}base`, value: encodeValue({ index: 0, term: 0 }) },
        this.appliedRow(0),
        this.membersRow(members),
      ],
      { durable: true },
    )
    const hardState = { term: 0, votedFor: undefined }
    return { hardState, base: { index: 0, term: 0 }, appliedIndex: 0, members, entries: [] }
  }

  async #loadLog(): Promise<{ index: number; term: number; members?: readonly Member[] }[]> {
    const entries: { index: number; term: number; members?: readonly Member[] }[] = []
    const prefix = `${this.#prefix}l/`
    this.#sizes = []
    this.#logBytes = 0
    for await (const { key, value } of this.#store.scan({ gte: prefix, lt: endOf(prefix) })) {
      const index = Number.parseInt(key.slice(prefix.length), 16)
      if (index < this.#firstIndex) continue
      const entry = decodeEntry(index, value)
      const { term } = entry
      entries.push(entry.kind === 'members' ? { index, term, members: entry.members } : { index, term })
      this.#sizes.push(entryBytes(entry))
      this.#logBytes += entryBytes(entry)
    }
    return entries
  }

  /** Makes the staged generation the one that counts. The log begins anew behind the snapshot. */
  #install({ index, term, members }: SnapshotPosition, mutations: RowMutation[]): void {
    if (this.#stagedGeneration === undefined) throw new Error('nothing is staged')
    this.#garbage.push(this.#prefix)
    this.#generation = this.#stagedGeneration
    this.#stagedGeneration = undefined
    this.#prefix = this.#prefixOf(this.#generation)
    this.#firstIndex = index + 1
    this.#sizes = []
    this.#logBytes = 0
    mutations.push(
      { key: `${this.#root}current`, value: encodeValue({ generation: this.#generation }) },
      { key: `${this.#prefix}base`, value: encodeValue({ index, term }) },
      this.appliedRow(index),
      this.membersRow(members),
    )
  }

  async #deleteOtherGenerations(): Promise<void> {
    const all = `${this.#root}v/`
    await this.#deleteRange(all, this.#prefix)
    await this.#deleteRange(endOf(this.#prefix), endOf(all))
  }

  async #deleteRange(gte: string, lt: string): Promise<void> {
    for (;;) {
      const mutations: RowMutation[] = []
      for await (const { key } of this.#store.scan({ gte, lt, limit: deletedAtATime })) {
        mutations.push({ key, value: undefined })
      }
      if (mutations.length === 0) return
      // Durable for its pace: the store's queue is not filled with deletions.
      await this.#store.write(mutations, { durable: true })
    }
  }
}

async function* relativeRows(rows: AsyncIterable<Row>, prefixLength: number): AsyncGenerator<Row> {
  for await (const { key, value } of rows) yield { key: key.slice(prefixLength), value }
}
