/**
 * What a replica of a group must remember about its journals before it speaks: durable rows of the node's store.
 *
 * Rows (JSON, `v: 1`): `journal/<group>/fence`; `journal/<group>/manifest/<sequence>`;
 * `journal/<group>/head/<sequence>`; `journal/<group>/batch/<sequence>/<batch>`, kept until the hypercore that
 * holds the batch was flushed. Invariants: a head row is durable before the signature that it tells of leaves the
 * node; of one journal, heads in these rows only ever extend each other; the newest sequence is the newest journal.
 */
import type { JournalManifest } from '../core/journal.ts'
import type { RowMutation, RowStore } from '../world.ts'
import { decodeManifest } from './journal-messages.ts'

/** What this replica signed and knows to be co-signed in one journal. */
export interface HeadRow {
  /** Batches that it signed, and the tree hash behind them. */
  readonly signed: number
  readonly signedHash: string
  /** Batches known to be co-signed, with the multi-signature over their head (hex). */
  readonly certified: number
  readonly certificate: string | undefined
}

export interface JournalRow {
  readonly manifest: JournalManifest
  readonly head: HeadRow
  /** Last Raft index by batch number; only of batches that the hypercore may lose with the power. */
  readonly lastIndexes: ReadonlyMap<number, number>
}

/** A journal as the caller knows it. */
interface Named {
  readonly key: string
  readonly manifest: JournalManifest
}

export const noHead: HeadRow = { signed: 0, signedHash: '', certified: 0, certificate: undefined }

const digits = 16

export class JournalRows {
  readonly #store: RowStore
  readonly #prefix: string
  /** Which rows exist: journal key and batch numbers by sequence. */
  readonly #known = new Map<number, { key: string; batches: Set<number> }>()

  constructor(store: RowStore, groupId: string) {
    this.#store = store
    this.#prefix = `journal/${groupId}/`
  }

  /** Everything remembered; journals in the order of their sequence. `keyOf` gives the public key of a manifest. */
  async load(
    keyOf: (manifest: JournalManifest) => string,
  ): Promise<{ fence: number; journals: JournalRow[] }> {
    let fence = 0
    const manifests = new Map<number, JournalManifest>()
    const heads = new Map<number, HeadRow>()
    const batches = new Map<number, Map<number, number>>()
    for await (const row of this.#store.scan({ gte: this.#prefix, lt: `${this.#prefix}~` })) {
      const [kind, sequenceText, batchText] = row.key.slice(this.#prefix.length).split('/')
      const sequence = Number(sequenceText)
      const value: unknown = JSON.parse(Buffer.from(row.value).toString())
      if (kind === 'fence') fence = (value as { term: number }).term
      else if (kind === 'manifest') manifests.set(sequence, decodeManifest(value))
      else if (kind === 'head') heads.set(sequence, value as HeadRow)
      else if (kind === 'batch') {
        const some = batches.get(sequence) ?? new Map<number, number>()
        some.set(Number(batchText), (value as { last: number }).last)
        batches.set(sequence, some)
      }
    }
    this.#known.clear()
    const journals: JournalRow[] = []
    for (const [sequence, manifest] of manifests) {
      const lastIndexes = batches.get(sequence) ?? new Map<number, number>()
      this.#known.set(sequence, { key: keyOf(manifest), batches: new Set(lastIndexes.keys()) })
      journals.push({ manifest, head: heads.get(sequence) ?? noHead, lastIndexes })
    }
    return { fence, journals }
  }

  fence(term: number): RowMutation {
    return this.#put('fence', { term })
  }

  /** Makes a journal the newest one: others of its number or a higher one never got a quorum and are forgotten. */
  newest(journal: Named): RowMutation[] {
    const { sequence } = journal.manifest
    const mutations: RowMutation[] = []
    for (const [other, known] of this.#known) {
      if (other > sequence || (other === sequence && known.key !== journal.key)) {
        mutations.push(...this.#dropJournal(other))
      }
    }
    if (!this.#known.has(sequence)) {
      this.#known.set(sequence, { key: journal.key, batches: new Set() })
      mutations.push(this.#put(`manifest/${pad(sequence)}`, journal.manifest))
    }
    return mutations
  }

  head(sequence: number, head: HeadRow): RowMutation {
    return this.#put(`head/${pad(sequence)}`, head)
  }

  batch(sequence: number, batch: number, last: number): RowMutation {
    this.#known.get(sequence)?.batches.add(batch)
    return this.#put(`batch/${pad(sequence)}/${pad(batch)}`, { last })
  }

  /** Forgets what the hypercores hold durably: journals before `sequence`, and its batches below `batches`. */
  forget(sequence: number, batches: number): RowMutation[] {
    const mutations: RowMutation[] = []
    for (const [other, known] of this.#known) {
      if (other < sequence) mutations.push(...this.#dropJournal(other))
      if (other !== sequence) continue
      for (const batch of known.batches) {
        if (batch >= batches) continue
        known.batches.delete(batch)
        mutations.push(this.#drop(`batch/${pad(sequence)}/${pad(batch)}`))
      }
    }
    return mutations
  }

  write(mutations: readonly RowMutation[], options: { durable: boolean }): Promise<void> {
    return this.#store.write(mutations, options)
  }

  #dropJournal(sequence: number): RowMutation[] {
    const batches = [...(this.#known.get(sequence)?.batches ?? [])]
    this.#known.delete(sequence)
    return [
      this.#drop(`manifest/${pad(sequence)}`),
      this.#drop(`head/${pad(sequence)}`),
      ...batches.map((batch) => this.#drop(`batch/${pad(sequence)}/${pad(batch)}`)),
    ]
  }

  #put(key: string, value: object): RowMutation {
    return { key: this.#prefix + key, value: Buffer.from(JSON.stringify({ v: 1, ...value })) }
  }

  #drop(key: string): RowMutation {
    return { key: this.#prefix + key, value: undefined }
  }
}

function pad(value: number): string {
  return String(value).padStart(digits, '0')
}
