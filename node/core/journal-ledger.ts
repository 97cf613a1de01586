/**
 * What the journal service needs of the hypercores: the interface that `node/io/ledger.ts` implements.
 *
 * A ledger stores co-signed blocks only; what is signed but not yet co-signed lives in the service and in its
 * durable rows. Nothing here is durable by itself until `flush` resolves.
 */
import type { JournalHead, JournalManifest } from './journal.ts'

/** Consecutive entries of a journal as two blocks: sealed body, clear head. */
export interface SealedBatch {
  readonly firstIndex: number
  readonly lastIndex: number
  readonly blocks: readonly [Uint8Array, Uint8Array]
}

/** One journal as this process holds it. Batch b is the blocks 2b and 2b+1. */
export interface Journal {
  readonly key: string
  readonly manifest: JournalManifest
  /** Batches that are stored and co-signed. */
  readonly batches: number
  /** Whether the heads of all those batches are here: replication brings a new length before its blocks. */
  isComplete(): Promise<boolean>
  /** Raft index of the last stored entry; `firstIndex - 1` when empty. */
  lastIndex(): Promise<number>
  /** Entries of a stored batch, read from its head block. */
  batchAt(batch: number): Promise<{ firstIndex: number; lastIndex: number }>
  /** The head that is stored. */
  head(): JournalHead
  /** The stored head's multi-signature; undefined for an empty journal. */
  certificate(): Uint8Array | undefined
  /** Turns canonical events into the blocks of batch `batch`; equal on every replica. */
  seal(batch: number, firstIndex: number, events: readonly Uint8Array[]): SealedBatch
  /** The head that appending these batches to the stored ones would give. */
  headAfter(batches: readonly SealedBatch[]): JournalHead
  /** Our Ed25519 signature of a head: 64 bytes. The caller has made it durable that it signs this. */
  sign(head: JournalHead): Uint8Array
  /** Whether `signature` is that of signer number `signer` of the manifest. */
  verify(signer: number, head: JournalHead, signature: Uint8Array): boolean
  /** A quorum's signatures as one. */
  assemble(signatures: readonly { readonly signer: number; readonly signature: Uint8Array }[]): Uint8Array
  /** Why a certificate does not carry a head; undefined: it does. */
  certificateFault(head: JournalHead, certificate: Uint8Array): string | undefined
  /** Stores batches behind the stored ones. Throws unless the certificate carries the head behind them. */
  append(batches: readonly SealedBatch[], certificate: Uint8Array): Promise<void>
  /** Fetches stored batches from connected peers until there are `batches` of them; rejects at the deadline. */
  catchUp(batches: number, timeoutMs: number): Promise<void>
}

export interface JournalLedger {
  /** Raw Ed25519 key (hex) that `Journal.sign` signs with. */
  readonly publicKey: string
  keyOf(manifest: JournalManifest): string
  /** Opens the journal of a manifest, creating it when it is not stored. */
  open(manifest: JournalManifest): Promise<Journal>
  /** Opens a stored journal by its public key; undefined when it is not here. */
  find(key: string): Promise<Journal | undefined>
  /** Every stored journal of every group, in no order. */
  list(): AsyncIterable<{ readonly key: string; readonly manifest: JournalManifest }>
  /** Makes everything appended so far survive a power loss. */
  flush(): Promise<void>
}
