/**
 * Runs the journals of a node's groups: when a round runs, who is asked, what operators see.
 *
 * Invariants: nothing here is on the path of an acknowledgement; an idle group has no timer and sends nothing; a
 * busy one runs at most one round at a time, in intervals that grow with the load, so that a round's cost is shared
 * by many entries. The Raft log is retained until what it was journaled into is durable.
 * Leaves to others: safety (journal-replica.ts, journal-leader.ts), transport and membership (injected).
 */

import { journalLimits, type Sha256 } from '../core/journal.ts'
import type { JournalLedger } from '../core/journal-ledger.ts'
import { ClusterError } from '../errors.ts'
import type { Clock, RowStore } from '../world.ts'
import { JournalLeader, type JournalMember } from './journal-leader.ts'
import type { JournalGroup } from './journal-log.ts'
import {
  decodeReply,
  decodeRequest,
  encodeMessage,
  type JournalReply,
  type JournalRequest,
} from './journal-messages.ts'
import { JournalReplica } from './journal-replica.ts'
import { JournalRows } from './journal-rows.ts'

export const journalServiceLimits = {
  /** How much longer than `intervalMs` the rounds of a busy group may be apart. */
  stretchMax: 8,
  /** Entries a round should share its cost among: fewer and the interval grows, four times as many and it shrinks. */
  roundEntriesAim: 64,
  /** A follower waits so long for its own log to be committed as far as asked: above two of Raft's heartbeats. */
  lagWaitMs: 600,
  /** First and longest wait after a round without a quorum. */
  retryMs: 200,
  retryMsMax: 5_000,
  /** Stored blocks become durable, and the log behind them free, at least so often while there are new ones. */
  flushMs: 10_000,
} as const

export interface JournalServiceOptions {
  readonly self: string
  readonly ledger: JournalLedger
  readonly store: RowStore
  readonly clock: Clock
  readonly sha256: Sha256
  /** Pause between the first new entry and the round that signs it; config `journalIntervalMs`. */
  readonly intervalMs: number
  /** Members of a group by the newest cluster map, voters and learners, in the map's order. */
  readonly members: (groupId: string) => readonly JournalMember[]
  /** Whether a key is or was the journal key of an admitted node. */
  readonly isKnownSigner: (publicKey: string) => boolean
  /** Sends `sign-journal` to a peer and resolves to the payload of its reply. */
  readonly call: (nodeId: string, groupId: string, payload: Uint8Array) => Promise<Uint8Array>
  /** For the log of the process: rare, and never with names of objects. */
  readonly onFailure?: (groupId: string, why: string, detail: string) => void
}

/** What operators see of one group on this node. */
export interface JournalState {
  readonly groupId: string
  readonly sequence: number | undefined
  readonly batches: number
  /** Signed by this node and not yet known to be co-signed. */
  readonly unsignedBatches: number
  /** Committed entries that no stored block holds. */
  readonly lagEntries: number
  /** For how long there have been such entries; 0: none. */
  readonly lagMs: number
  readonly roundsTotal: number
  readonly entriesTotal: number
  /** Refusals and failures by reason; the reasons are a closed set plus `error`. */
  readonly failuresTotal: Readonly<Record<string, number>>
}

export class JournalService {
  readonly #options: JournalServiceOptions
  readonly #groups = new Map<string, GroupJournal>()

  constructor(options: JournalServiceOptions) {
    this.#options = options
  }

  /** Starts journaling a group of which this node is a member. Once per group. */
  add(group: JournalGroup): void {
    if (this.#groups.has(group.groupId)) throw new Error(`journal: group ${group.groupId} was added twice`)
    this.#groups.set(group.groupId, new GroupJournal(group, this.#options))
  }

  /** Stops journaling a group that this node left. */
  async remove(groupId: string): Promise<void> {
    const group = this.#groups.get(groupId)
    this.#groups.delete(groupId)
    await group?.close()
  }

  /** The handler of `sign-journal`. Throws GroupUnavailable for groups that are not here, BadMessage. */
  async handle(
    from: string,
    request: { groupId: string; payload: Uint8Array },
  ): Promise<{ payload: Uint8Array }> {
    const group = this.#groups.get(request.groupId)
    if (group === undefined)
      throw new ClusterError('GroupUnavailable', `no journal of ${request.groupId} here`)
    const reply = await group.answer(from, decodeRequest(request.payload))
    return { payload: encodeMessage(reply) }
  }

  states(): JournalState[] {
    return [...this.#groups.values()].map((group) => group.state())
  }

  /** Makes everything stored durable now; for a clean stop. */
  async flush(): Promise<void> {
    await Promise.all([...this.#groups.values()].map((group) => group.flush()))
  }

  async close(): Promise<void> {
    await Promise.all([...this.#groups.values()].map((group) => group.close()))
  }
}

class GroupJournal {
  readonly #group: JournalGroup
  readonly #options: JournalServiceOptions
  readonly #replica: JournalReplica
  readonly #leader: JournalLeader
  readonly #failures: Record<string, number> = {}
  readonly #unsubscribe: () => void
  #cancelRound: (() => void) | undefined
  #cancelFlush: (() => void) | undefined
  #running: Promise<void> | undefined
  #pulling: Promise<void> | undefined
  #closed = false
  #stretch = 1
  #failed = 0
  /** The followers know the newest certificate, or there is none. */
  #announced = true
  #seenLeader: string | undefined
  #stored = 0
  #flushed = 0
  /** Since when entries wait, on the monotonic clock. */
  #waitingSince: number | undefined
  #rounds = 0
  #entries = 0

  constructor(group: JournalGroup, options: JournalServiceOptions) {
    this.#group = group
    this.#options = options
    const { groupId } = group
    const voters = () => options.members(groupId).filter(({ learner }) => !learner)
    this.#replica = new JournalReplica({
      group,
      ledger: options.ledger,
      rows: new JournalRows(options.store, groupId),
      sha256: options.sha256,
      signers: () => voters().map(({ publicKey }) => publicKey),
      isKnownSigner: options.isKnownSigner,
    })
    this.#leader = new JournalLeader({
      self: options.self,
      replica: this.#replica,
      members: () => options.members(groupId),
      ask: (nodeId, request) => this.#ask(nodeId, request),
      onFailure: (why, detail) => this.#onFailure(why, detail),
    })
    this.#unsubscribe = group.onCommitted(() => this.#wake())
    // Nothing may be compacted until what it became is durable; `flush` tells how far that is.
    group.retainFrom(0)
    this.#wake()
  }

  state(): JournalState {
    const lagEntries = Math.max(0, this.#group.status().committed - this.#stored)
    const since = this.#waitingSince
    return {
      groupId: this.#group.groupId,
      sequence: this.#replica.journal?.manifest.sequence,
      batches: this.#replica.journal?.batches ?? 0,
      unsignedBatches: this.#replica.pendingBatches,
      lagEntries,
      lagMs: lagEntries > 0 && since !== undefined ? this.#options.clock.monotonicMs() - since : 0,
      roundsTotal: this.#rounds,
      entriesTotal: this.#entries,
      failuresTotal: { ...this.#failures },
    }
  }

  async answer(from: string, request: JournalRequest): Promise<JournalReply> {
    if (request.kind === 'history') return this.#replica.history(request)
    const { term, leader } = this.#group.status()
    if (term !== request.term || leader !== from) {
      return {
        kind: 'refused',
        why: 'not-leader',
        detail: `term ${term} is led by ${leader ?? 'nobody known'}`,
      }
    }
    if (request.kind === 'collect') return this.#replica.collect(request.term)
    let reply = await this.#replica.sign(request)
    if (reply.kind === 'refused' && reply.why === 'lagging') {
      await this.#untilCommitted(request.lastIndexes.at(-1) ?? 0)
      reply = await this.#replica.sign(request)
    }
    if (reply.kind === 'refused') {
      this.#onFailure(reply.why, reply.detail)
      if (reply.why === 'behind') this.#pull(from)
    }
    await this.#noteStored()
    return reply
  }

  async flush(): Promise<void> {
    this.#cancelFlush?.()
    this.#cancelFlush = undefined
    const reached = this.#stored
    await this.#replica.flush()
    this.#flushed = Math.max(this.#flushed, reached)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#unsubscribe()
    this.#cancelRound?.()
    this.#cancelFlush?.()
    await this.#running
    await this.#pulling
  }

  // --- pace ---

  /** Something was committed or the leader changed. */
  #wake(): void {
    if (this.#closed) return
    const { leader, committed } = this.#group.status()
    if (leader !== this.#seenLeader) {
      this.#seenLeader = leader
      this.#leader.reset()
      // A follower that was away learns from the leader what it missed, even if nothing new happens.
      if (leader !== undefined && leader !== this.#options.self) this.#pull(leader)
    }
    if (committed > this.#stored) this.#waitingSince ??= this.#options.clock.monotonicMs()
    if (leader === this.#options.self && committed > this.#stored) this.#schedule()
  }

  #schedule(delayMs = this.#options.intervalMs * this.#stretch): void {
    if (this.#closed || this.#cancelRound !== undefined || this.#running !== undefined) return
    this.#cancelRound = this.#options.clock.after(delayMs, () => {
      this.#cancelRound = undefined
      this.#running = this.#run()
        .catch((error: unknown) => {
          this.#onError(error)
          return this.#afterFailure()
        })
        .then((next) => {
          this.#running = undefined
          if (next !== undefined) this.#schedule(next)
        })
    })
  }

  /** One round; resolves to the pause before the next one, undefined when there is nothing to do. */
  async #run(): Promise<number | undefined> {
    const { term, leader, committed } = this.#group.status()
    const { intervalMs } = this.#options
    if (leader !== this.#options.self) return undefined
    if (committed <= this.#stored && this.#announced === false) {
      this.#announced = true
      this.#stretch = 1
      await this.#leader.announce(term)
      return this.#group.status().committed > this.#stored ? intervalMs : undefined
    }
    const startedMs = this.#options.clock.monotonicMs()
    const result = await this.#leader.round(term)
    await this.#noteStored()
    if (result.outcome === 'failed') return this.#afterFailure()
    this.#failed = 0
    if (result.outcome === 'idle') return undefined
    this.#rounds += 1
    this.#entries += result.entries
    this.#announced = false
    const waits = this.#group.status().committed > this.#stored
    this.#waitingSince = waits ? startedMs : undefined
    // A backlog is worked off without pauses; otherwise many entries share a round.
    if (result.entries >= journalLimits.batchEntriesMax) return 0
    this.#adapt(result.entries)
    return intervalMs * this.#stretch
  }

  #adapt(entries: number): void {
    const { roundEntriesAim, stretchMax } = journalServiceLimits
    if (entries < roundEntriesAim) this.#stretch = Math.min(stretchMax, this.#stretch * 2)
    else if (entries > 4 * roundEntriesAim) this.#stretch = Math.max(1, this.#stretch / 2)
  }

  #afterFailure(): number {
    this.#failed += 1
    const { retryMs, retryMsMax } = journalServiceLimits
    return Math.min(retryMsMax, retryMs * 2 ** Math.min(10, this.#failed - 1))
  }

  async #noteStored(): Promise<void> {
    const stored = (await this.#replica.storedIndex()) ?? this.#stored
    const waits = this.#group.status().committed > stored
    if (!waits) this.#waitingSince = undefined
    // What waits now came behind the block that was just stored: about now, as far as a follower can tell.
    else if (stored > this.#stored) this.#waitingSince = this.#options.clock.monotonicMs()
    this.#stored = stored
    if (this.#stored <= this.#flushed || this.#cancelFlush !== undefined || this.#closed) return
    this.#cancelFlush = this.#options.clock.after(journalServiceLimits.flushMs, () => {
      this.flush().catch((error: unknown) => this.#onError(error))
    })
  }

  // --- peers ---

  async #ask(nodeId: string, request: JournalRequest): Promise<JournalReply> {
    return decodeReply(await this.#options.call(nodeId, this.#group.groupId, encodeMessage(request)))
  }

  /** Fetches from `nodeId` what it has stored and we have not; one fetch at a time. */
  #pull(nodeId: string): void {
    if (this.#pulling !== undefined || this.#closed) return
    this.#pulling = this.#pullAll(nodeId)
      .catch((error: unknown) => this.#onError(error))
      .then(() => {
        this.#pulling = undefined
      })
  }

  async #pullAll(nodeId: string): Promise<void> {
    if (!(await this.#replica.recover())) {
      // Not committed far enough yet: the next commit asks again.
      this.#seenLeader = undefined
      return
    }
    for (;;) {
      const reply = await this.#ask(nodeId, { kind: 'history', ...(await this.#replica.certified()) })
      if (reply.kind !== 'history' || reply.journals.length === 0 || this.#closed) return
      await this.#replica.adopt(reply.journals)
      await this.#noteStored()
      if (reply.journals.length < journalLimits.historyJournalsMax) return
    }
  }

  #untilCommitted(index: number): Promise<void> {
    if (this.#group.status().committed >= index) return Promise.resolve()
    return new Promise((resolve) => {
      const finish = (): void => {
        stop()
        cancel()
        resolve()
      }
      const cancel = this.#options.clock.after(journalServiceLimits.lagWaitMs, finish)
      const stop = this.#group.onCommitted(() => {
        if (this.#group.status().committed >= index) finish()
      })
    })
  }

  #onError(error: unknown): void {
    this.#onFailure('error', error instanceof Error ? error.message : String(error))
  }

  #onFailure(why: string, detail: string): void {
    this.#failures[why] = (this.#failures[why] ?? 0) + 1
    this.#options.onFailure?.(this.#group.groupId, why, detail)
  }
}
