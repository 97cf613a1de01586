/**
 * One journal of a node as a hypercore: sealing, heads, signatures, appending, catching up, erasing.
 *
 * Invariant: `append` is the only way in besides replication, and hypercore refuses it without a quorum's signatures
 * over the tree that it makes. `sign` trusts its caller to have made durable what it signs.
 */
import type Hypercore from 'hypercore'
import type { JournalHead, JournalManifest } from '../core/journal.ts'
import { decodeBatchHead, encodeBody, fromHex, toHex } from '../core/journal-block.ts'
import type { Journal, SealedBatch } from '../core/journal-ledger.ts'
import { ClusterError } from '../errors.ts'
import { type JournalCipher, sealBatch } from './ledger-cipher.ts'
import {
  appendToRoots,
  certificateFault,
  encodeCertificate,
  signable,
  treeHash,
  verifySignature,
} from './ledger-tree.ts'

export const ledgerJournalLimits = {
  /** Wait for a single missing block from a peer. */
  fetchTimeoutMs: 5_000,
  /** A catching-up journal that has all heads gives up on bodies when none has come for so long: they were erased. */
  bodiesTimeoutMs: 3_000,
  /** How often a catching-up journal asks its peers again for a newer head. */
  catchUpPollMs: 50,
} as const

/** The journal key pair of this process: `KeyPair` of io/identity.ts. */
export interface JournalSigner {
  /** Raw public key, hex. */
  readonly publicKey: string
  /** Ed25519 signature in hex. */
  sign(bytes: Uint8Array): string
}

/** One hypercore. See the interface for what the members mean. */
export class StoredJournal implements Journal {
  readonly key: string
  readonly manifest: JournalManifest
  readonly #core: Hypercore
  readonly #cipher: JournalCipher
  readonly #signer: JournalSigner
  #last: { length: number; index: number } | undefined

  constructor(
    core: Hypercore,
    manifest: JournalManifest,
    tools: { cipher: JournalCipher; signer: JournalSigner },
  ) {
    this.#core = core
    this.manifest = manifest
    this.key = toHex(core.key)
    this.#cipher = tools.cipher
    this.#signer = tools.signer
  }

  get batches(): number {
    return Math.floor(this.#core.length / 2)
  }

  async isComplete(): Promise<boolean> {
    for (let batch = 0; batch < this.batches; batch += 1) {
      if (!(await this.#core.has(2 * batch + 1))) return false
    }
    return true
  }

  async lastIndex(): Promise<number> {
    const { batches } = this
    if (batches === 0) return this.manifest.firstIndex - 1
    if (this.#last?.length !== batches) {
      this.#last = { length: batches, index: (await this.batchAt(batches - 1)).lastIndex }
    }
    return this.#last.index
  }

  async batchAt(batch: number): Promise<{ firstIndex: number; lastIndex: number }> {
    // Only a journal that was fetched can lack a head, and then peers have it.
    const block = await this.#core.get(2 * batch + 1, { timeout: ledgerJournalLimits.fetchTimeoutMs })
    if (block === null) throw new Error(`journal ${this.key.slice(0, 16)}: head of batch ${batch} is missing`)
    const { firstIndex, lastIndex } = decodeBatchHead(block)
    return { firstIndex, lastIndex }
  }

  head(): JournalHead {
    return { length: this.#core.state.length, treeHash: toHex(treeHash(this.#core.state.roots)) }
  }

  certificate(): Uint8Array | undefined {
    return this.#core.state.signature ?? undefined
  }

  seal(batch: number, firstIndex: number, events: readonly Uint8Array[]): SealedBatch {
    const lastIndex = firstIndex + events.length - 1
    const position = { batch, firstIndex, lastIndex }
    const blocks = sealBatch(this.manifest, this.#cipher, position, { plaintext: encodeBody(events), events })
    return { firstIndex, lastIndex, blocks }
  }

  headAfter(batches: readonly SealedBatch[]): JournalHead {
    const { length, roots } = this.#core.state
    const blocks = batches.flatMap((batch) => batch.blocks)
    return { length: length + blocks.length, treeHash: toHex(treeHash(appendToRoots(roots, length, blocks))) }
  }

  sign(head: JournalHead): Uint8Array {
    return fromHex(this.#signer.sign(signable(this.key, head)), 64)
  }

  verify(signer: number, head: JournalHead, signature: Uint8Array): boolean {
    const publicKey = this.manifest.signers[signer]
    return publicKey !== undefined && verifySignature(this.key, publicKey, head, signature)
  }

  assemble(signatures: readonly { signer: number; signature: Uint8Array }[]): Uint8Array {
    return encodeCertificate(signatures.slice(0, this.manifest.quorum))
  }

  certificateFault(head: JournalHead, certificate: Uint8Array): string | undefined {
    return certificateFault(this.key, this.manifest, head, certificate)
  }

  async append(batches: readonly SealedBatch[], certificate: Uint8Array): Promise<void> {
    const length = this.batches + batches.length
    const blocks = batches.flatMap((batch) => batch.blocks)
    try {
      await this.#core.append(blocks, { signature: certificate })
    } catch (cause) {
      if (!isInvalidSignature(cause)) throw cause
      const fault = this.certificateFault(this.headAfter(batches), certificate)
      throw new ClusterError('Forbidden', `journal: ${fault ?? 'invalid signature'}`, { cause })
    }
    const last = batches.at(-1)
    if (last !== undefined) this.#last = { length, index: last.lastIndex }
  }

  async catchUp(batches: number, timeoutMs: number): Promise<void> {
    const deadline = Date.now() + timeoutMs
    const { replicator } = this.#core.core
    replicator.eagerUpgrade = true
    this.#core.setActive(true)
    const range = this.#core.download({ start: 0, end: -1 })
    try {
      while (this.batches < batches) await this.#poll(deadline, batches)
      // No newer head from now on: it would come without its blocks. One that was asked for already may still come.
      replicator.eagerUpgrade = false
      while (!(await this.isComplete())) await this.#poll(deadline, batches)
      await this.#untilNoBodyComes(deadline)
    } finally {
      replicator.eagerUpgrade = false
      range.destroy()
      this.#core.setActive(false)
    }
  }

  async #poll(deadline: number, batches: number): Promise<void> {
    if (Date.now() >= deadline) {
      throw new ClusterError('Timeout', `journal ${this.key.slice(0, 16)}: no peer has batch ${batches - 1}`)
    }
    await delay(ledgerJournalLimits.catchUpPollMs)
  }

  /** Bodies that were erased everywhere never come: waits while others do. */
  async #untilNoBodyComes(deadline: number): Promise<void> {
    let missing = await this.#missingBodies()
    let changed = Date.now()
    while (missing > 0 && Date.now() < Math.min(deadline, changed + ledgerJournalLimits.bodiesTimeoutMs)) {
      await delay(ledgerJournalLimits.catchUpPollMs)
      const now = await this.#missingBodies()
      if (now !== missing) changed = Date.now()
      missing = now
    }
  }

  async #missingBodies(): Promise<number> {
    let missing = 0
    for (let block = 0; block < this.#core.length; block += 2)
      if (!(await this.#core.has(block))) missing += 1
    return missing
  }

  /**
   * Clears the sealed body of a batch for a lawful erasure; its head, with the body's hash and the commitments,
   * stays, and so does every hash of the tree. Not undone by anything on this node: peers must clear it too.
   */
  async eraseBody(batch: number): Promise<void> {
    await this.#core.clear(2 * batch, 2 * batch + 1)
  }

  /** A stored block; undefined when it was erased or not fetched. */
  async block(index: number): Promise<Uint8Array | undefined> {
    return (await this.#core.get(index, { wait: false })) ?? undefined
  }

  close(): Promise<void> {
    return this.#core.close()
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

function isInvalidSignature(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'INVALID_SIGNATURE'
}
