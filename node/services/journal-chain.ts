/**
 * The rules by which a replica lets a journal follow another one.
 *
 * Invariant: a chain that passes here leaves out no co-signed block that this replica stores, and its journals are
 * signed by the voters of their time. Refusals say why; they are answers, not failures.
 */

import { type JournalManifest, majority } from '../core/journal.ts'
import type { Journal, JournalLedger } from '../core/journal-ledger.ts'
import { ClusterError } from '../errors.ts'
import type { Refusal } from './journal-messages.ts'

/** A replica's reason not to sign; becomes a reply. */
export class Refused extends Error {
  readonly why: Refusal

  constructor(why: Refusal, detail: string) {
    super(detail)
    this.name = 'Refused'
    this.why = why
  }
}

/**
 * The newest journal that a journal of `term` may continue: `tip`, or the one before it when the tip has no co-signed
 * block and is of an older leader. That leader may have got signatures, but not a quorum: a leader of a newer term
 * asked a majority first, and would have closed the tip if one of them had signed in it.
 */
export async function chainBase(
  ledger: JournalLedger,
  tip: Journal | undefined,
  term: number,
): Promise<Journal | undefined> {
  if (tip === undefined || tip.batches > 0 || tip.manifest.term >= term) return tip
  const { previous } = tip.manifest
  if (previous === undefined) return undefined
  const base = await ledger.find(previous.key)
  if (base === undefined) throw new Refused('behind', 'the previous journal is not stored here')
  return base
}

/**
 * Throws Refused unless a leader of `term` may let `manifest` follow `base`.
 *
 * `voters`: journal keys in map order, the signers of a journal of this term. A journal of an earlier term is one that
 * the leader closes for a predecessor; its signers need only be known. Either way an auditor checks them again.
 */
export async function checkSuccessor(
  manifest: JournalManifest,
  base: Journal | undefined,
  now: {
    readonly term: number
    readonly voters: readonly string[]
    readonly isKnown: (publicKey: string) => boolean
    /** First index that this replica's log still has. */
    readonly logFirstIndex: number
  },
): Promise<void> {
  const sequence = (base?.manifest.sequence ?? -1) + 1
  if (manifest.sequence > sequence) throw new Refused('behind', `the next journal here would be ${sequence}`)
  if (manifest.sequence < sequence) throw new Refused('fork', `journal ${sequence - 1} is co-signed already`)
  const { previous } = manifest
  if (previous?.key !== base?.key) throw new Refused('fork', 'it links to another journal')
  if (base !== undefined && previous !== undefined) {
    const head = base.head()
    if (head.length < previous.length) throw new Refused('behind', 'the previous journal is shorter here')
    if (head.length !== previous.length || head.treeHash !== previous.treeHash) {
      throw new Refused('fork', 'its link leaves out co-signed blocks')
    }
    const firstIndex = (await base.lastIndex()) + 1
    // A gap is only believed by a replica whose own log does not reach back either.
    const gapAllowed = now.logFirstIndex > firstIndex && manifest.firstIndex > firstIndex
    if (manifest.firstIndex !== firstIndex && !gapAllowed) {
      throw new Refused('fork', `its first entry is not ${firstIndex}`)
    }
    if (manifest.term < base.manifest.term) throw new Refused('fork', 'its term goes back')
  }
  if (manifest.term > now.term)
    throw new Refused('fork', `it is of term ${manifest.term}, now is ${now.term}`)
  const fits =
    manifest.term === now.term
      ? manifest.signers.join() === now.voters.join()
      : manifest.signers.every((signer) => now.isKnown(signer))
  if (!fits || manifest.quorum !== majority(manifest.signers.length)) {
    throw new Refused('signers', 'its signers are not the voters of the cluster map known here')
  }
}

/**
 * Whether a co-signed journal of another replica continues what is stored here. Throws Forbidden.
 *
 * `isKnown`: whether a key is or was the journal key of an admitted node; the voters of an earlier time are not
 * known any more, but strangers never were.
 */
export function checkHistory(
  manifest: JournalManifest,
  base: Journal | undefined,
  isKnown: (publicKey: string) => boolean,
): void {
  const { previous } = manifest
  const head = base?.head()
  if (!manifest.signers.every(isKnown)) {
    throw new ClusterError('Forbidden', `journal: history of ${manifest.groupId} names unknown signers`)
  }
  if (
    previous?.key !== base?.key ||
    previous?.length !== head?.length ||
    previous?.treeHash !== head?.treeHash
  ) {
    const what = `journal ${manifest.sequence} of ${manifest.groupId}`
    throw new ClusterError('Forbidden', `journal: ${what} does not continue the one stored here`)
  }
}
