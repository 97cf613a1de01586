/**
 * The journals of a node: one multi-signer hypercore per link of a group's chain, in one corestore directory.
 *
 * Invariant: a block is appended only together with a multi-signature of a majority of the manifest's signers over
 * the tree that it makes; hypercore checks that again. This node's key never signs by itself here: the service
 * makes durable what it signs first. hypercore does not fsync: everything here is derived from the Raft log and
 * may fall back to an older co-signed head after a power loss, up to the last `flush`.
 * Leaves to others: what is signed when (services/journal-*.ts), replication streams (swarm), verifying offline.
 */
import { mkdir } from 'node:fs/promises'
import type { Duplex } from 'node:stream'
import Corestore from 'corestore'
import Hypercore, { type Manifest } from 'hypercore'
import crypto from 'hypercore-crypto'
import { type JournalManifest, majority } from '../core/journal.ts'
import { decodeUserData, encodeUserData, fromHex, toHex } from '../core/journal-block.ts'
import type { JournalLedger } from '../core/journal-ledger.ts'
import { ClusterError } from '../errors.ts'
import { JournalCipher } from './ledger-cipher.ts'
import { type JournalSigner, StoredJournal } from './ledger-journal.ts'

export type { JournalSigner, StoredJournal }

export const ledgerLimits = {
  /** Open journals of all groups above which old ones are closed: each holds some memory. */
  openJournalsMax: 64,
  /** The newest journals of a group stay open: a replica's tip is among them. */
  openPerGroupMin: 8,
} as const

export class Ledger implements JournalLedger {
  readonly publicKey: string
  readonly #store: Corestore
  readonly #signer: JournalSigner
  readonly #ownerKey: Uint8Array
  readonly #open = new Map<string, Promise<StoredJournal>>()
  readonly #watchers = new Set<(journal: StoredJournal) => void>()
  #flushing: Promise<void> | undefined

  private constructor(store: Corestore, signer: JournalSigner, ownerKey: Uint8Array) {
    this.#store = store
    this.#signer = signer
    this.#ownerKey = ownerKey
    this.publicKey = signer.publicKey
  }

  /**
   * Opens (or creates) the ledger of a node.
   *
   * @param directory owned by this process alone; hypercore locks it
   * @param ownerKey 32 bytes, config `journalKey` of the data's owner, the same on all replicas of its groups
   */
  static async open(
    directory: string,
    keys: { signer: JournalSigner; ownerKey: Uint8Array },
  ): Promise<Ledger> {
    await mkdir(directory, { recursive: true })
    // hypercore refuses directories that were moved or restored, lest a single writer forks. Ours cannot: what was
    // signed is known to the rows, and RocksDB's own lock keeps a second process out.
    const store = new Corestore(directory, { allowBackup: true })
    await store.ready()
    return new Ledger(store, keys.signer, keys.ownerKey)
  }

  keyOf(manifest: JournalManifest): string {
    return journalKeyOf(manifest)
  }

  async open(manifest: JournalManifest): Promise<StoredJournal> {
    const key = journalKeyOf(manifest)
    const known = this.#open.get(key)
    if (known !== undefined) return known
    const opening = this.#openJournal(key, manifest)
    this.#open.set(key, opening)
    opening.catch(() => this.#open.delete(key))
    const journal = await opening
    await this.#closeOld(journal)
    return journal
  }

  async find(key: string): Promise<StoredJournal | undefined> {
    const auth = await this.#store.getAuth(crypto.discoveryKey(fromHex(key, 32)))
    const manifest = auth === null ? undefined : fromHypercoreManifest(auth.manifest)
    return manifest === undefined ? undefined : this.open(manifest)
  }

  /** Every journal on disk: key and manifest. Cores that are not journals are passed over. */
  async *list(): AsyncGenerator<{ key: string; manifest: JournalManifest }> {
    for await (const discoveryKey of this.#store.list()) {
      const auth = await this.#store.getAuth(discoveryKey)
      const manifest = auth === null ? undefined : fromHypercoreManifest(auth.manifest)
      if (auth !== null && manifest !== undefined) yield { key: toHex(auth.key), manifest }
    }
  }

  /** Calls `run` for every journal that grows; returns how to stop that. */
  onGrowth(run: (journal: StoredJournal) => void): () => void {
    this.#watchers.add(run)
    return () => this.#watchers.delete(run)
  }

  /** Serves (and, while catching up, fetches) journals over a Noise connection. */
  replicate(stream: Duplex): void {
    this.#store.replicate(stream)
  }

  flush(): Promise<void> {
    // Concurrent callers of one turn share a flush; a later caller needs one that starts after its append.
    this.#flushing ??= Promise.resolve().then(() => {
      this.#flushing = undefined
      return this.#store.storage.db.flush()
    })
    return this.#flushing
  }

  async close(): Promise<void> {
    this.#watchers.clear()
    await this.#store.close()
  }

  async #openJournal(key: string, manifest: JournalManifest): Promise<StoredJournal> {
    const core = this.#store.get({ manifest: toHypercoreManifest(manifest), active: false })
    await core.ready()
    // Replicas derive their blocks; only `catchUp` asks peers for them.
    core.core.replicator.eagerUpgrade = false
    core.on('append', () => {
      for (const run of this.#watchers) run(journal)
    })
    const cipher = new JournalCipher(this.#ownerKey, key)
    const journal = new StoredJournal(core, manifest, { cipher, signer: this.#signer })
    return journal
  }

  /** Closes journals that nobody extends any more: well before the newest open one of the group, and not `wanted`. */
  async #closeOld(wanted: StoredJournal): Promise<void> {
    const { groupId } = wanted.manifest
    if (this.#open.size <= ledgerLimits.openJournalsMax) return
    const journals = await Promise.all(this.#open.values())
    const ofGroup = journals.filter(({ manifest }) => manifest.groupId === groupId)
    const newest = Math.max(...ofGroup.map(({ manifest }) => manifest.sequence))
    for (const journal of ofGroup) {
      if (journal === wanted || journal.manifest.sequence > newest - ledgerLimits.openPerGroupMin) continue
      this.#open.delete(journal.key)
      await journal.close()
    }
  }
}

/** The public key of the journal that a manifest defines. */
export function journalKeyOf(manifest: JournalManifest): string {
  return toHex(Hypercore.key(toHypercoreManifest(manifest)))
}

export function toHypercoreManifest(manifest: JournalManifest): Manifest {
  const signers = manifest.signers.map((publicKey) => ({ publicKey: Buffer.from(fromHex(publicKey, 32)) }))
  if (new Set(manifest.signers).size !== signers.length) {
    throw new ClusterError('BadMessage', 'journal: a signer is named twice')
  }
  if (signers.length === 0 || manifest.quorum !== majority(signers.length)) {
    throw new ClusterError(
      'BadMessage',
      `journal: quorum ${manifest.quorum} of ${signers.length} is no majority`,
    )
  }
  return {
    version: 2,
    quorum: manifest.quorum,
    signers,
    userData: Buffer.from(encodeUserData(manifest)),
  }
}

/** Reads a hypercore manifest back; undefined when it is not one of a journal in every respect. */
export function fromHypercoreManifest(manifest: Manifest | null): JournalManifest | undefined {
  if (!manifest?.userData || manifest.allowPatch || manifest.prologue || manifest.version !== 2)
    return undefined
  const signers = manifest.signers.map(({ publicKey }) => toHex(publicKey))
  if (manifest.linked?.length || manifest.quorum !== majority(signers.length)) return undefined
  if (new Set(signers).size !== signers.length) return undefined
  try {
    return { ...decodeUserData(manifest.userData), signers, quorum: manifest.quorum }
  } catch {
    // Another program's user data: not a journal of ours.
    return undefined
  }
}
