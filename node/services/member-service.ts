/**
 * Finds the members of the federation: exchanges signed addresses with whoever the swarm connects us to, and keeps
 * searching while somebody is missing.
 *
 * Invariants: only records that the address book accepted are passed on; a link that sends too many bad ones is cut;
 * the search never stops, it only slows down.
 * Leaves to others: connections and admission (io/swarm.ts), checks (address-book.ts), liveness (transport pings:
 * hyperswarm notices the dead too late).
 */
import { decodePayload, encodePayload } from '../protocol/codec.ts'
import type { MemberLink, MemberLinks } from '../protocol/member-links.ts'
import type { Clock } from '../world.ts'
import type { AddressBook } from './address-book.ts'

export const memberLimits = {
  /** Records in one message: more than any federation has members. */
  recordsMax: 4_096,
  /** A message of that many records. Bytes. */
  messageBytesMax: 4 * 1024 * 1024,
  /** Bad records before a link is cut; some are normal while cluster maps differ. */
  badRecordsMax: 256,
  /** Searching the DHT while members are missing: two that announce at the same moment do not see each other. */
  searchMsMin: 250,
  searchMsMax: 15_000,
  /** Searching when everybody is found, for those who moved. */
  refreshMs: 60_000,
} as const

export interface MemberServiceOptions {
  readonly links: MemberLinks
  readonly book: AddressBook
  readonly clock: Clock
  /** Nodes of the current map that should be found, without ourselves. */
  readonly wanted: () => readonly string[]
}

export class MemberService {
  readonly #options: MemberServiceOptions
  readonly #links = new Map<MemberLink, { badRecords: number }>()
  #cancel: (() => void) | undefined
  #searches = 0
  #searching = false
  #stopped = true

  constructor(options: MemberServiceOptions) {
    this.#options = options
    options.links.listen({
      opened: (link) => this.#opened(link),
      message: (link, bytes) => this.#message(link, bytes),
      closed: (link) => this.#links.delete(link),
    })
    options.book.onNew((record) => this.#send([...this.#links.keys()], [record]))
  }

  /** Members that a swarm connection reaches right now. */
  get linked(): number {
    return this.#links.size
  }

  /** Members that have not said yet where they are. */
  missing(): string[] {
    return this.#options.wanted().filter((nodeId) => !this.#options.book.has(nodeId))
  }

  start(): void {
    this.#stopped = false
    this.searchSoon()
  }

  /** Searches again with short pauses: after a new map, or when members are silent. */
  searchSoon(): void {
    if (this.#stopped) return
    this.#searches = 0
    this.#schedule(0)
  }

  stop(): void {
    this.#stopped = true
    this.#cancel?.()
  }

  #schedule(delayMs: number): void {
    this.#cancel?.()
    this.#cancel = this.#options.clock.after(delayMs, () => this.#search())
  }

  async #search(): Promise<void> {
    if (this.#searching) return
    this.#searching = true
    await this.#options.links.search()
    this.#searching = false
    if (this.#stopped) return
    const pauseMs = Math.min(memberLimits.searchMsMin * 2 ** this.#searches, memberLimits.searchMsMax)
    this.#searches = Math.min(this.#searches + 1, 16)
    const complete = this.missing().length === 0 && this.#links.size >= this.#options.wanted().length
    this.#schedule(complete ? memberLimits.refreshMs : pauseMs)
  }

  #opened(link: MemberLink): void {
    this.#links.set(link, { badRecords: 0 })
    this.#send([link], this.#options.book.records())
  }

  #message(link: MemberLink, bytes: Uint8Array): void {
    const state = this.#links.get(link)
    if (state === undefined) return
    const records = readRecords(bytes)
    if (records === undefined) {
      link.close(new Error('malformed message about members'))
      return
    }
    for (const record of records) {
      if (this.#options.book.accept(record) === 'bad') state.badRecords++
    }
    if (state.badRecords > memberLimits.badRecordsMax) {
      link.close(new Error('too many bad address records'))
    }
  }

  #send(links: readonly MemberLink[], records: readonly unknown[]): void {
    if (links.length === 0 || records.length === 0) return
    const message = encodePayload({ records }, 0)
    for (const link of links) link.send(message)
  }
}

function readRecords(bytes: Uint8Array): readonly unknown[] | undefined {
  if (bytes.length > memberLimits.messageBytesMax) return undefined
  let message: unknown
  try {
    message = decodePayload(bytes)
  } catch {
    // Malformed bytes of a peer: the caller cuts the link.
    return undefined
  }
  const records: unknown = Object(message).records
  return Array.isArray(records) && records.length <= memberLimits.recordsMax ? records : undefined
}
