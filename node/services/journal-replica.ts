/**
 * One replica's part in the journals of its group: derive, sign, store, remember. Leader and followers use the same.
 *
 * Invariants: it signs a head only after deriving every block behind it from its own committed entries and after the
 * head is durable in its rows; of one journal it signs only heads that extend each other; it signs for no leader
 * older than the newest that it promised anything to. Why that is enough: decision 0150.
 * Leaves to others: who leads (journal-leader.ts), transport and pace (journal-service.ts), what may follow what
 * (journal-chain.ts).
 */

import {
  type JournalHead,
  type JournalManifest,
  journalLimits,
  majority,
  type Sha256,
} from '../core/journal.ts'
import { fromHex, toHex } from '../core/journal-block.ts'
import type { Journal, JournalLedger, SealedBatch } from '../core/journal-ledger.ts'
import { ClusterError } from '../errors.ts'
import { chainBase, checkHistory, checkSuccessor, Refused } from './journal-chain.ts'
import { type JournalGroup, JournalLog } from './journal-log.ts'
import type { JournalHistory, JournalPosition, JournalReply, JournalRequest } from './journal-messages.ts'
import { type HeadRow, type JournalRow, type JournalRows, noHead } from './journal-rows.ts'

export const journalReplicaLimits = {
  /** Wait for peers to deliver blocks whose entries this node no longer has. */
  catchUpTimeoutMs: 30_000,
} as const

export interface ReplicaOptions {
  readonly group: JournalGroup
  readonly ledger: JournalLedger
  readonly rows: JournalRows
  readonly sha256: Sha256
  /** Journal keys (hex) of the group's voters by the newest cluster map, in the map's order. */
  readonly signers: () => readonly string[]
  /** Whether a key is or was the journal key of an admitted node: decides whose history is believed. */
  readonly isKnownSigner: (publicKey: string) => boolean
}

/** The newest journal of the chain, with what is signed beyond the stored batches. */
interface Tip {
  readonly journal: Journal
  pending: SealedBatch[]
  head: HeadRow
}

export type SignRequest = Extract<JournalRequest, { kind: 'sign' }>

export class JournalReplica {
  readonly #options: ReplicaOptions
  readonly #log: JournalLog
  #fence = 0
  #tip: Tip | undefined
  #recovered = false
  #queue: Promise<unknown> = Promise.resolve()

  constructor(options: ReplicaOptions) {
    this.#options = options
    this.#log = new JournalLog(options.group, options.sha256)
  }

  get groupId(): string {
    return this.#options.group.groupId
  }

  /** The newest journal, or undefined before the first. */
  get journal(): Journal | undefined {
    return this.#tip?.journal
  }

  /** Batches that this replica signed and that are not stored yet. */
  get pendingBatches(): number {
    return this.#tip?.pending.length ?? 0
  }

  /** The head behind the first `count` pending batches. */
  headAfter(count: number): JournalHead {
    const tip = this.#tip
    if (tip === undefined || tip.pending.length < count)
      throw new Error('journal: not so many pending batches')
    return tip.journal.headAfter(tip.pending.slice(0, count))
  }

  /** What this replica holds; undefined when it has signed and stored nothing. */
  position(): JournalPosition | undefined {
    if (this.#tip === undefined) return undefined
    const { journal, pending } = this.#tip
    return {
      manifest: journal.manifest,
      stored: journal.batches,
      pending: pending.map((batch) => batch.lastIndex),
    }
  }

  /** Last Raft index in a stored block; undefined before the first journal. */
  async storedIndex(): Promise<number | undefined> {
    return await this.#tip?.journal.lastIndex()
  }

  /** What to ask others for in `history`: everything behind the newest co-signed block stored here. */
  async certified(): Promise<{ sequence: number; batches: number }> {
    const base = await chainBase(this.#options.ledger, this.#tip?.journal, Number.POSITIVE_INFINITY)
    return { sequence: base?.manifest.sequence ?? -1, batches: base?.batches ?? 0 }
  }

  /**
   * Brings the hypercores back to what the rows know, once after a start. Resolves to false while the log is not
   * known to be committed far enough: nothing is signed until then.
   */
  recover(): Promise<boolean> {
    return this.#serially(() => this.#recover())
  }

  /** Promises the leader of `term` to sign for no older one, and tells what was signed. */
  collect(term: number): Promise<JournalReply> {
    return this.#answer(async () => {
      await this.#admit(term)
      if (term > this.#fence) {
        await this.#options.rows.write([this.#options.rows.fence(term)], { durable: true })
        this.#fence = term
      }
      return { kind: 'promise', position: this.position() }
    })
  }

  /** Signs or stores what the leader asks for. The caller has checked that `request` comes from the leader. */
  sign(request: SignRequest): Promise<JournalReply> {
    return this.#answer(() => this.#sign(request))
  }

  /** Stores the first `count` pending batches, which a quorum signed. */
  certify(count: number, certificate: Uint8Array): Promise<void> {
    return this.#serially(async () => {
      if (this.#tip === undefined) throw new Error('journal: nothing to certify')
      await this.#store(this.#tip, count, certificate)
    })
  }

  /** Whether the entry behind the stored ones is gone from the log: only another journal can go on behind the gap. */
  async hasGap(): Promise<boolean> {
    return !this.#log.reaches((await this.storedIndex()) ?? 0)
  }

  /** For the leader: last index of every batch behind the stored ones, the pending ones and then newly cut ones. */
  plan(): Promise<number[]> {
    return this.#serially(async () => {
      const pending = this.#tip?.pending.map(({ lastIndex }) => lastIndex) ?? []
      const after = pending.at(-1) ?? (await this.#beforeNext())
      return [...pending, ...(await this.#log.plan(after, journalLimits.pendingBatchesMax - pending.length))]
    })
  }

  /** For the leader: the journal that would follow the newest one, which must have nothing pending. */
  async successor(term: number): Promise<JournalManifest> {
    const signers = [...this.#options.signers()]
    const journal = this.journal
    return {
      groupId: this.groupId,
      term,
      sequence: (journal?.manifest.sequence ?? -1) + 1,
      firstIndex: (await this.#beforeNext()) + 1,
      signers,
      quorum: majority(signers.length),
      previous: journal === undefined ? undefined : { key: journal.key, ...journal.head() },
    }
  }

  /** Stored journals behind a position, oldest first. */
  history(behind: { sequence: number; batches: number }): Promise<JournalReply> {
    return this.#answer(async () => {
      const manifests: JournalManifest[] = []
      for await (const { manifest } of this.#options.ledger.list()) {
        if (manifest.groupId === this.groupId && manifest.sequence >= behind.sequence)
          manifests.push(manifest)
      }
      manifests.sort((a, b) => a.sequence - b.sequence)
      const found: JournalHistory[] = []
      for (const manifest of manifests) {
        if (found.length >= journalLimits.historyJournalsMax) break
        const journal = await this.#options.ledger.open(manifest)
        const start = manifest.sequence === behind.sequence ? behind.batches : 0
        const certificate = journal.certificate()
        if (journal.batches <= start || certificate === undefined) continue
        const lastIndexes = await lastIndexesFrom(journal, start)
        found.push({ manifest, stored: journal.batches, certificate: toHex(certificate), start, lastIndexes })
      }
      return { kind: 'history', journals: found }
    })
  }

  /** Takes over what another replica has stored: derived from our own log, or fetched when that is too short. */
  adopt(journals: readonly JournalHistory[]): Promise<void> {
    return this.#serially(async () => {
      if (!(await this.#recover())) throw new ClusterError('GroupUnavailable', 'journal: not recovered yet')
      for (const history of journals) await this.#adoptOne(history)
    })
  }

  /** Makes everything stored durable; then the log and the rows behind it are no longer needed. */
  async flush(): Promise<void> {
    const { ledger, rows, group } = this.#options
    const reached = await this.#serially(async () => {
      const journal = this.#recovered ? this.journal : undefined
      if (journal === undefined) return undefined
      return {
        sequence: journal.manifest.sequence,
        batches: journal.batches,
        index: await journal.lastIndex(),
      }
    })
    if (reached === undefined) return
    await ledger.flush()
    await this.#serially(() => rows.write(rows.forget(reached.sequence, reached.batches), { durable: false }))
    group.retainFrom(reached.index + 1)
  }

  // --- signing ---

  async #sign(request: SignRequest): Promise<JournalReply> {
    await this.#admit(request.term)
    const target = await this.#target(request)
    const { journal } = target
    await this.#storeCertified(target, request)
    const skip = journal.batches - request.start
    const boundary = request.lastIndexes[skip - 1]
    if (boundary !== undefined && boundary !== (await journal.lastIndex())) {
      throw new Refused('fork', `batch ${journal.batches - 1} ends elsewhere`)
    }
    const wanted = request.lastIndexes.slice(skip)
    if (wanted.length === 0) return { kind: 'stored' }
    const { pending } = target
    const shared = Math.min(wanted.length, pending.length)
    for (let at = 0; at < shared; at += 1) {
      if (pending[at]?.lastIndex === wanted[at]) continue
      throw new Refused('conflict', `batch ${journal.batches + at} was signed with another end`)
    }
    const derived = await this.#derive(target, wanted.slice(shared))
    if (derived === undefined) throw new Refused('lagging', `entry ${wanted.at(-1)} is not committed here`)
    await this.#remember(target, request.term, derived)
    // A learner, or a voter that joined after the journal was opened, keeps up without a vote.
    if (!journal.manifest.signers.includes(this.#options.ledger.publicKey)) return { kind: 'stored' }
    const head = journal.headAfter(target.pending.slice(0, wanted.length))
    return { kind: 'signature', signature: toHex(journal.sign(head)) }
  }

  /** Makes durable what is about to be signed, then makes it the state. */
  async #remember(target: Tip, term: number, derived: readonly SealedBatch[]): Promise<void> {
    const { rows } = this.#options
    const { journal } = target
    const { sequence } = journal.manifest
    const first = journal.batches + target.pending.length
    const pending = [...target.pending, ...derived]
    const signed = journal.batches + pending.length
    if (derived.length > 0 && signed <= target.head.signed) {
      throw new Refused('conflict', `other blocks were signed here up to batch ${target.head.signed - 1}`)
    }
    const head = { ...target.head, signed, signedHash: journal.headAfter(pending).treeHash }
    const mutations = [
      ...rows.newest(journal),
      ...derived.map((batch, at) => rows.batch(sequence, first + at, batch.lastIndex)),
      rows.head(sequence, head),
      ...(term > this.#fence ? [rows.fence(term)] : []),
    ]
    await rows.write(mutations, { durable: true })
    this.#fence = Math.max(this.#fence, term)
    target.pending = pending
    target.head = head
    this.#tip = target
  }

  /** The journal that the request may extend. */
  async #target({ manifest, term }: SignRequest): Promise<Tip> {
    const { ledger, signers, isKnownSigner } = this.#options
    if (manifest.groupId !== this.groupId) throw new Refused('fork', 'journal of another group')
    const key = ledger.keyOf(manifest)
    const tip = this.#tip
    if (tip?.journal.key === key) return tip
    const base = await chainBase(ledger, tip?.journal, term)
    // A leader closes an older journal in which another replica had signed more than we have.
    if (base?.key === key) return tipOf(base)
    await checkSuccessor(manifest, base, {
      term,
      voters: signers(),
      isKnown: isKnownSigner,
      logFirstIndex: this.#log.firstIndex,
    })
    if (tip !== undefined && tip.pending.length > 0 && tip.journal.manifest.term >= term) {
      throw new Refused('conflict', `journal ${tip.journal.manifest.sequence} of this term is not closed`)
    }
    return tipOf(await ledger.open(manifest))
  }

  /** Stores what we signed and the leader now proves to be co-signed. */
  async #storeCertified(target: Tip, request: SignRequest): Promise<void> {
    const count = request.start - target.journal.batches
    if (count <= 0) return
    if (count > target.pending.length || request.certificate === undefined) {
      throw new Refused('behind', `batch ${target.journal.batches} was not signed here`)
    }
    try {
      await this.#store(target, count, bytesOf(request.certificate))
    } catch (cause) {
      if (!(cause instanceof ClusterError && cause.code === 'Forbidden')) throw cause
      throw new Refused('behind', 'the quorum signed other blocks than this replica')
    }
  }

  async #store(tip: Tip, count: number, certificate: Uint8Array): Promise<void> {
    const { rows } = this.#options
    const { journal } = tip
    await journal.append(tip.pending.slice(0, count), certificate)
    tip.pending = tip.pending.slice(count)
    tip.head = { ...tip.head, certified: journal.batches, certificate: toHex(certificate) }
    // Not durable by itself: if it is lost, the batch counts as signed only, and the next leader asks for it.
    await rows.write([rows.head(journal.manifest.sequence, tip.head)], { durable: false })
  }

  /** Batches with these last indexes behind the pending ones; undefined when the log is not committed so far. */
  async #derive(tip: Tip, bounds: readonly number[]): Promise<SealedBatch[] | undefined> {
    const { journal, pending } = tip
    const derived: SealedBatch[] = []
    let next = (pending.at(-1)?.lastIndex ?? (await journal.lastIndex())) + 1
    for (const last of bounds) {
      if (last < next || last - next >= journalLimits.batchEntriesMax) {
        throw new ClusterError('BadMessage', `sign-journal: batch ${next}..${last}`)
      }
      const events = await this.#log.events(next, last)
      if (events === undefined) return undefined
      derived.push(journal.seal(journal.batches + pending.length + derived.length, next, events))
      next = last + 1
    }
    return derived
  }

  // --- catching up ---

  async #recover(): Promise<boolean> {
    if (this.#recovered) return true
    const { ledger, rows } = this.#options
    const { fence, journals } = await rows.load((manifest) => ledger.keyOf(manifest))
    this.#fence = Math.max(this.#fence, fence)
    let tip: Tip | undefined
    for (const row of journals) {
      tip = { journal: await ledger.open(row.manifest), pending: [], head: row.head }
      if (!(await this.#restore(tip, row))) return false
    }
    const newest = journals.at(-1)
    if (tip !== undefined && newest !== undefined && !(await this.#resume(tip, newest))) return false
    this.#tip = tip
    this.#recovered = true
    return true
  }

  /** Puts back co-signed batches that a power loss took from the hypercore. False: log not committed so far yet. */
  async #restore({ journal, head }: Tip, { lastIndexes }: JournalRow): Promise<boolean> {
    const { catchUpTimeoutMs } = journalReplicaLimits
    if (!(await journal.isComplete())) await journal.catchUp(head.certified, catchUpTimeoutMs)
    const lost = range(journal.batches, head.certified).map((batch) => lastIndexes.get(batch))
    if (lost.length === 0) return true
    const bounds = lost.filter((bound) => bound !== undefined)
    const derivable = bounds.length === lost.length && this.#log.reaches(await journal.lastIndex())
    if (!derivable || head.certificate === undefined) {
      await journal.catchUp(head.certified, catchUpTimeoutMs)
      return true
    }
    const batches = await this.#derive({ journal, head, pending: [] }, bounds)
    if (batches === undefined) return false
    await journal.append(batches, bytesOf(head.certificate))
    return true
  }

  /** Derives again what was signed and is not stored. False: log not committed so far yet. */
  async #resume(tip: Tip, { head, lastIndexes }: JournalRow): Promise<boolean> {
    const unsure = range(tip.journal.batches, head.signed).map((batch) => lastIndexes.get(batch))
    const bounds = unsure.filter((bound) => bound !== undefined)
    if (bounds.length < unsure.length)
      throw new Error(`journal: lost rows of batches signed in ${tip.journal.key}`)
    const pending = await this.#derive(tip, bounds)
    if (pending === undefined) return false
    if (pending.length > 0 && tip.journal.headAfter(pending).treeHash !== head.signedHash) {
      throw new Error(`journal: derives another head than it signed in ${tip.journal.key}`)
    }
    tip.pending = pending
    return true
  }

  async #adoptOne(history: JournalHistory): Promise<void> {
    const { ledger, rows, isKnownSigner } = this.#options
    const { manifest } = history
    const base = await chainBase(ledger, this.#tip?.journal, Number.POSITIVE_INFINITY)
    if (manifest.sequence < (base?.manifest.sequence ?? 0)) return
    const key = ledger.keyOf(manifest)
    if (key !== base?.key) checkHistory(manifest, base, isKnownSigner)
    const target = this.#tip?.journal.key === key ? this.#tip : tipOf(await ledger.open(manifest))
    if (target.journal.batches >= history.stored) return
    const before = target.journal.batches
    await this.#fetch(target.journal, history)
    const { batches } = target.journal
    // What we signed beyond it stays pending, unless the quorum signed something else instead of ours.
    const ours = target.pending.splice(0, batches - before).at(-1)
    if (ours?.lastIndex !== (await target.journal.lastIndex())) target.pending = []
    target.head = { ...target.head, certified: batches, certificate: history.certificate }
    await rows.write([...rows.newest(target.journal), rows.head(manifest.sequence, target.head)], {
      durable: false,
    })
    this.#tip = target
  }

  async #fetch(journal: Journal, { start, stored, lastIndexes, certificate }: JournalHistory): Promise<void> {
    const bounds = start <= journal.batches ? lastIndexes?.slice(journal.batches - start) : undefined
    const listed = bounds?.length === stored - journal.batches
    if (bounds !== undefined && listed && this.#log.reaches(await journal.lastIndex())) {
      const batches = await this.#derive({ journal, pending: [], head: noHead }, bounds)
      if (batches === undefined)
        throw new ClusterError('GroupUnavailable', 'journal: log is not committed so far')
      await journal.append(batches, bytesOf(certificate))
      return
    }
    await journal.catchUp(stored, journalReplicaLimits.catchUpTimeoutMs)
  }

  // --- small things ---

  /**
   * Index before the first entry that can still be journaled: the last stored one, unless the log was compacted beyond
   * it (its bounds were reached without a quorum of signers). What lies between is in no journal, and audits say so.
   */
  async #beforeNext(): Promise<number> {
    return Math.max((await this.storedIndex()) ?? 0, this.#log.firstIndex - 1)
  }

  async #admit(term: number): Promise<void> {
    if (!(await this.#recover()))
      throw new Refused('unready', 'the log is not known to be committed as far as signed')
    if (term < this.#fence) throw new Refused('fenced', `promised to the leader of term ${this.#fence}`)
  }

  async #answer(run: () => Promise<JournalReply>): Promise<JournalReply> {
    try {
      return await this.#serially(run)
    } catch (error) {
      if (error instanceof Refused) return { kind: 'refused', why: error.why, detail: error.message }
      throw error
    }
  }

  /** One operation at a time: they read and change the same heads across waits. */
  #serially<T>(run: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(run)
    this.#queue = result.catch(() => undefined)
    return result
  }
}

function tipOf(journal: Journal): Tip {
  const certificate = journal.certificate()
  if (certificate === undefined) return { journal, pending: [], head: noHead }
  const { batches } = journal
  const head = { signed: batches, signedHash: journal.head().treeHash, certified: batches }
  return { journal, pending: [], head: { ...head, certificate: toHex(certificate) } }
}

async function lastIndexesFrom(journal: Journal, start: number): Promise<number[] | undefined> {
  if (journal.batches - start > journalLimits.historyBatchesMax) return undefined
  const found: number[] = []
  for (let batch = start; batch < journal.batches; batch += 1)
    found.push((await journal.batchAt(batch)).lastIndex)
  return found
}

function bytesOf(hex: string): Uint8Array {
  return fromHex(hex, hex.length / 2)
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, at) => from + at)
}
