/**
 * The leader's part: close what the last leader left, open a journal for the term, collect signatures.
 *
 * Invariants: before the first block of a term a majority of the newest journal's signers has promised to sign for no
 * older leader, and everything that one of them signed is closed into the chain; a block is stored only with a
 * quorum; the leader's own signature is durable before anyone is asked. One request at a time per peer.
 * Leaves to others: when a round runs (journal-service.ts), what a replica accepts (journal-replica.ts).
 */

import { type JournalManifest, majority } from '../core/journal.ts'
import { fromHex, toHex } from '../core/journal-block.ts'
import type { JournalPosition, JournalReply, JournalRequest } from './journal-messages.ts'
import type { JournalReplica, SignRequest } from './journal-replica.ts'

export const journalLeaderLimits = {
  /** Attempts to catch up with the most advanced replica in one take-over; each closes the gap or fails. */
  takeOverRoundsMax: 8,
} as const

/** A member of the group as the cluster map names it. */
export interface JournalMember {
  readonly nodeId: string
  /** Journal key, hex. */
  readonly publicKey: string
  readonly learner: boolean
}

export interface LeaderOptions {
  readonly self: string
  readonly replica: JournalReplica
  readonly members: () => readonly JournalMember[]
  /** Sends a request to a peer; rejects when it cannot be reached or does not answer. */
  readonly ask: (nodeId: string, request: JournalRequest) => Promise<JournalReply>
  /** Told why a peer or a step failed, for the metrics. */
  readonly onFailure: (why: string, detail: string) => void
}

/** signed: blocks were stored. idle: nothing to sign. failed: no quorum; try again later. */
export interface RoundResult {
  readonly outcome: 'signed' | 'idle' | 'failed'
  /** Entries that the round stored. */
  readonly entries: number
}

const failed: RoundResult = { outcome: 'failed', entries: 0 }

export class JournalLeader {
  readonly #options: LeaderOptions
  readonly #busy = new Set<string>()
  #term: number | undefined

  constructor(options: LeaderOptions) {
    this.#options = options
  }

  /** Leadership was lost: the next round takes over anew. */
  reset(): void {
    this.#term = undefined
  }

  /** Signs the next batches as leader of `term`. */
  async round(term: number): Promise<RoundResult> {
    if (this.#term !== term) {
      if (!(await this.#takeOver(term))) return failed
      this.#term = term
    }
    const { replica } = this.#options
    const lastIndexes = await replica.plan()
    const last = lastIndexes.at(-1)
    if (last === undefined) return { outcome: 'idle', entries: 0 }
    const before = (await replica.storedIndex()) ?? 0
    const manifest = await this.#manifestFor(term)
    if (!(await this.#gather(this.#request(term, manifest, lastIndexes)))) return failed
    return { outcome: 'signed', entries: last - before }
  }

  /** Tells the others the newest certificate; nobody signs. */
  async announce(term: number): Promise<void> {
    const journal = this.#options.replica.journal
    if (journal === undefined || this.#term !== term) return
    await Promise.all(this.#peers().map((peer) => this.#ask(peer, this.#request(term, journal.manifest, []))))
  }

  #request(term: number, manifest: JournalManifest, lastIndexes: readonly number[]): SignRequest {
    const journal = this.#options.replica.journal
    const stored = journal?.manifest.sequence === manifest.sequence ? journal : undefined
    const certificate = stored?.certificate()
    return {
      kind: 'sign',
      term,
      manifest,
      start: stored?.batches ?? 0,
      certificate: certificate === undefined ? undefined : toHex(certificate),
      lastIndexes,
    }
  }

  /** The journal of this term and these voters; a new one once the old one has nothing pending, or behind a gap. */
  async #manifestFor(term: number): Promise<JournalManifest> {
    const { replica } = this.#options
    const manifest = replica.journal?.manifest
    if (manifest === undefined) return replica.successor(term)
    if (replica.pendingBatches > 0) return manifest
    const next = await replica.successor(term)
    if (await replica.hasGap()) this.#fail('gap', `entries before ${next.firstIndex} left the log unsigned`)
    else if (manifest.term === term && manifest.signers.join() === next.signers.join()) return manifest
    return next
  }

  // --- taking over ---

  async #takeOver(term: number): Promise<boolean> {
    const { replica } = this.#options
    for (let round = 0; round < journalLeaderLimits.takeOverRoundsMax; round += 1) {
      if (!(await replica.recover())) return this.#fail('unready', 'log not committed as far as signed')
      const promises = await this.#collect(term)
      if (promises === undefined) return false
      const best = promises.reduce((a, b) => (isAhead(b.position, a.position) ? b : a))
      if (!(await this.#catchUpWith(best))) return this.#closeTip(term, best.position)
    }
    return this.#fail('behind', 'others stay ahead')
  }

  /** Positions of everyone who promised; undefined unless that is a majority of the newest journal's signers. */
  async #collect(term: number): Promise<Promised[] | undefined> {
    const { replica, self, members } = this.#options
    const own = await replica.collect(term)
    if (own.kind !== 'promise') {
      this.#fail('fenced', own.kind === 'refused' ? own.detail : own.kind)
      return undefined
    }
    const promises: Promised[] = [{ nodeId: self, position: own.position }]
    await Promise.all(
      this.#peers().map(async (peer) => {
        const reply = await this.#ask(peer, { kind: 'collect', term })
        if (reply?.kind === 'promise') promises.push({ nodeId: peer, position: reply.position })
      }),
    )
    const voters = members().filter(({ learner }) => !learner)
    const signers = own.position?.manifest.signers ?? voters.map(({ publicKey }) => publicKey)
    const promised = members().filter(({ nodeId }) => promises.some((promise) => promise.nodeId === nodeId))
    const count = promised.filter(({ publicKey }) => signers.includes(publicKey)).length
    if (count >= majority(signers.length)) return promises
    this.#fail('no-quorum', `${count} of ${majority(signers.length)} promises`)
    return undefined
  }

  /** Fetches what another replica has stored and we have not. False: there is nothing of the kind. */
  async #catchUpWith({ nodeId, position }: Promised): Promise<boolean> {
    const { replica, self, ask } = this.#options
    if (nodeId === self || position === undefined) return false
    const own = await replica.certified()
    const { sequence } = position.manifest
    if (sequence < own.sequence || (sequence === own.sequence && position.stored <= own.batches)) return false
    const reply = await ask(nodeId, { kind: 'history', ...own })
    if (reply.kind !== 'history' || reply.journals.length === 0) return false
    await replica.adopt(reply.journals)
    return true
  }

  /** Has the batches co-signed that the most advanced replica signed beyond the stored ones. */
  async #closeTip(term: number, best: JournalPosition | undefined): Promise<boolean> {
    const { replica } = this.#options
    if (best === undefined || best.pending.length === 0) return true
    const own = replica.position()
    const isSame =
      own?.manifest.sequence === best.manifest.sequence && own.manifest.term === best.manifest.term
    const stored = isSame ? own.stored : 0
    if (stored < best.stored)
      return this.#fail('behind', 'the most advanced replica did not tell its history')
    const lastIndexes = best.pending.slice(stored - best.stored)
    if (lastIndexes.length === 0) return true
    return this.#gather({
      ...this.#request(term, best.manifest, lastIndexes),
      ...(isSame ? {} : { start: 0 }),
    })
  }

  // --- collecting signatures ---

  /** Signs, asks everyone, and stores the batches when a quorum has signed. */
  async #gather(request: SignRequest): Promise<boolean> {
    const { replica, members } = this.#options
    const own = await replica.sign(request)
    if (own.kind === 'refused') return this.#fail(own.why, own.detail)
    const { journal } = replica
    if (journal === undefined) return this.#fail('unready', 'no journal after signing')
    const count = request.lastIndexes.length
    const head = replica.headAfter(count)
    const { signers, quorum } = journal.manifest
    const signatures: { signer: number; signature: Uint8Array }[] = []
    const add = (publicKey: string, reply: JournalReply): void => {
      const signer = signers.indexOf(publicKey)
      if (reply.kind !== 'signature' || signer < 0) return
      const signature = fromHex(reply.signature, reply.signature.length / 2)
      if (journal.verify(signer, head, signature)) signatures.push({ signer, signature })
      else this.#fail('bad-signature', publicKey.slice(0, 16))
    }
    for (const { nodeId, publicKey } of members()) if (nodeId === this.#options.self) add(publicKey, own)
    await this.#askUntil(request, (publicKey, reply) => {
      add(publicKey, reply)
      return signatures.length >= quorum
    })
    if (signatures.length < quorum)
      return this.#fail('no-quorum', `${signatures.length} of ${quorum} signatures`)
    await replica.certify(count, journal.assemble(signatures))
    return true
  }

  /** Asks every peer at once; resolves when `enough` says so or all have answered. */
  #askUntil(
    request: SignRequest,
    enough: (publicKey: string, reply: JournalReply) => boolean,
  ): Promise<void> {
    const peers = this.#options.members().filter(({ nodeId }) => nodeId !== this.#options.self)
    return new Promise((resolve) => {
      let waiting = peers.length
      if (waiting === 0) resolve()
      for (const { nodeId, publicKey } of peers) {
        void this.#ask(nodeId, request).then((reply) => {
          waiting -= 1
          if ((reply !== undefined && enough(publicKey, reply)) || waiting === 0) resolve()
        })
      }
    })
  }

  /** One request at a time to a peer: a slow one is passed over and catches up from history. */
  async #ask(nodeId: string, request: JournalRequest): Promise<JournalReply | undefined> {
    if (this.#busy.has(nodeId)) return undefined
    this.#busy.add(nodeId)
    try {
      const reply = await this.#options.ask(nodeId, request)
      if (reply.kind === 'refused') this.#fail(reply.why, `${nodeId}: ${reply.detail}`)
      return reply
    } catch (error) {
      this.#fail('unreachable', `${nodeId}: ${error instanceof Error ? error.message : String(error)}`)
      return undefined
    } finally {
      this.#busy.delete(nodeId)
    }
  }

  #peers(): string[] {
    const { members, self } = this.#options
    return members().flatMap(({ nodeId }) => (nodeId === self ? [] : [nodeId]))
  }

  #fail(why: string, detail: string): false {
    this.#options.onFailure(why, detail)
    return false
  }
}

interface Promised {
  readonly nodeId: string
  readonly position: JournalPosition | undefined
}

/** Whether `a` tells of signatures for a newer leader than `b`, or of more blocks of the same journal. */
function isAhead(a: JournalPosition | undefined, b: JournalPosition | undefined): boolean {
  if (a === undefined || b === undefined) return a !== undefined
  const [left, right] = [rank(a), rank(b)]
  const at = left.findIndex((value, place) => value !== right[place])
  return at >= 0 && (left[at] ?? 0) > (right[at] ?? 0)
}

function rank({ manifest, stored, pending }: JournalPosition): number[] {
  return [manifest.term, manifest.sequence, stored + pending.length, stored]
}
