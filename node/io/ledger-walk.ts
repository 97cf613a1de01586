/**
 * Reads one journal from storage as an auditor does: every hash and signature computed again, nothing believed.
 *
 * Invariant: reads below hypercore, so that nothing is repaired or fetched on the way, and changes nothing. A walk
 * that ends without a fault has recomputed the tree from the blocks (or, for erased bodies, from their leaf hashes),
 * and a quorum of the manifest's signers has signed exactly that tree. Whether those signers are the right ones and
 * whether journals belong together is for ledger-verify.ts.
 */
import { hash } from 'node:crypto'
import type { ReadBatch } from 'hypercore'
import type { JournalManifest } from '../core/journal.ts'
import { type BatchHead, decodeBatchHead, decodeBody, toHex } from '../core/journal-block.ts'
import { JournalCipher } from './ledger-cipher.ts'
import { appendNode, certificateFault, leafNode, type TreeNode, treeHash } from './ledger-tree.ts'

export const ledgerWalkLimits = {
  /** Faults reported per journal: one broken block can break every one behind it. */
  faultsMax: 20,
} as const

/** Where the blocks and tree nodes of a journal are read from. */
export interface JournalStorage {
  read(): ReadBatch
}

/** One event with its place; `event` is the parsed JSON. */
export interface WalkedEvent {
  readonly groupId: string
  readonly sequence: number
  readonly block: number
  readonly event: Readonly<Record<string, unknown>>
}

export interface WalkOptions {
  /** The owner's key: opens bodies and checks the commitments. */
  readonly ownerKey?: Uint8Array | undefined
  readonly onEvent?: ((event: WalkedEvent) => void) | undefined
  /** Lengths (in blocks) whose tree hash the caller wants to know. */
  readonly lengths?: ReadonlySet<number>
}

export interface WalkedJournal {
  readonly key: string
  readonly manifest: JournalManifest
  /** Stored length in blocks. */
  readonly length: number
  readonly treeHash: string
  /** Tree hash at the lengths asked for and at the stored one. */
  readonly treeHashes: ReadonlyMap<number, string>
  readonly firstIndex: number
  /** `firstIndex - 1` when it has no entries. */
  readonly lastIndex: number
  readonly erasedBodies: number
  readonly certificate: Uint8Array | undefined
  /** What does not hold, most telling first. */
  readonly faults: readonly string[]
}

/** Walks a journal. Read errors of the storage are faults too. */
export async function walkJournal(
  storage: JournalStorage,
  journal: { readonly key: string; readonly manifest: JournalManifest },
  options: WalkOptions = {},
): Promise<WalkedJournal> {
  const walk = new Walk(storage, journal, options)
  await walk.run()
  return walk.result()
}

class Walk {
  readonly #storage: JournalStorage
  readonly #journal: { readonly key: string; readonly manifest: JournalManifest }
  readonly #options: WalkOptions
  readonly #cipher: JournalCipher | undefined
  readonly #faults: string[] = []
  readonly #treeHashes = new Map<number, string>()
  #roots: TreeNode[] = []
  #length = 0
  #certificate: Uint8Array | undefined
  #nextIndex: number
  #erased = 0

  constructor(
    storage: JournalStorage,
    journal: { readonly key: string; readonly manifest: JournalManifest },
    options: WalkOptions,
  ) {
    this.#storage = storage
    this.#journal = journal
    this.#options = options
    this.#nextIndex = journal.manifest.firstIndex
    if (options.ownerKey !== undefined) this.#cipher = new JournalCipher(options.ownerKey, journal.key)
  }

  async run(): Promise<void> {
    try {
      const head = await this.#read((batch) => batch.getHead())
      if (head === null) return
      this.#length = head.length
      this.#certificate = head.signature ?? undefined
      if (head.fork !== 0) this.#fault(`it was truncated and written again (fork ${head.fork})`)
      if (head.length % 2 !== 0) this.#fault(`it ends in the middle of a batch (length ${head.length})`)
      for (let batch = 0; 2 * batch < head.length; batch += 1) {
        if (!(await this.#batch(batch))) return
      }
      this.#checkHead(head.rootHash)
    } catch (error) {
      this.#fault(`storage cannot be read: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  result(): WalkedJournal {
    const { manifest } = this.#journal
    return {
      ...this.#journal,
      length: this.#length,
      treeHash: this.#treeHashes.get(this.#length) ?? '',
      treeHashes: this.#treeHashes,
      firstIndex: manifest.firstIndex,
      lastIndex: this.#nextIndex - 1,
      erasedBodies: this.#erased,
      certificate: this.#certificate,
      faults: this.#faults,
    }
  }

  /** False: the tree cannot be computed any further. */
  async #batch(batch: number): Promise<boolean> {
    const [body, bodyLeaf, headBlock, headLeaf] = await this.#read((reader) =>
      Promise.all([
        reader.getBlock(2 * batch),
        reader.getTreeNode(4 * batch),
        reader.getBlock(2 * batch + 1),
        reader.getTreeNode(4 * batch + 2),
      ]),
    )
    if (headBlock === null) {
      this.#fault(`block ${2 * batch + 1} (head of batch ${batch}) is missing`)
      return false
    }
    const bodyNode = body === null ? bodyLeaf : leafNode(2 * batch, body)
    if (bodyNode === null) {
      this.#fault(`block ${2 * batch} is missing, and so is its hash`)
      return false
    }
    const headNode = leafNode(2 * batch + 1, headBlock)
    if (body !== null) this.#checkLeaf(bodyNode, bodyLeaf)
    this.#checkLeaf(headNode, headLeaf)
    this.#roots = appendNode(appendNode(this.#roots, bodyNode), headNode)
    const length = 2 * batch + 2
    if (length === this.#length || this.#options.lengths?.has(length)) {
      this.#treeHashes.set(length, toHex(treeHash(this.#roots)))
    }
    const head = this.#decodeHead(batch, headBlock)
    if (body === null) this.#erased += 1
    else if (head !== undefined) this.#checkBody(head, body)
    return true
  }

  #checkLeaf(computed: TreeNode, stored: TreeNode | null): void {
    if (stored === null || Buffer.compare(computed.hash, stored.hash) === 0) return
    this.#fault(`block ${computed.index / 2} was changed: its hash is not the one in the tree`)
  }

  #decodeHead(batch: number, bytes: Uint8Array): BatchHead | undefined {
    const { manifest } = this.#journal
    let head: BatchHead
    try {
      head = decodeBatchHead(bytes)
    } catch (error) {
      this.#fault(`block ${2 * batch + 1}: ${error instanceof Error ? error.message : String(error)}`)
      return undefined
    }
    const place = `block ${2 * batch + 1}`
    if (
      head.groupId !== manifest.groupId ||
      head.term !== manifest.term ||
      head.sequence !== manifest.sequence
    ) {
      this.#fault(`${place} belongs to journal ${head.sequence} of ${head.groupId}`)
    }
    if (head.batch !== batch) this.#fault(`${place} says that it is batch ${head.batch}`)
    if (head.firstIndex !== this.#nextIndex) {
      this.#fault(`${place} begins with entry ${head.firstIndex} where ${this.#nextIndex} is next`)
    }
    this.#nextIndex = head.lastIndex + 1
    return head
  }

  #checkBody(head: BatchHead, body: Uint8Array): void {
    const place = `block ${2 * head.batch}`
    if (Buffer.compare(hash('sha256', body, 'buffer'), head.bodyHash) !== 0) {
      this.#fault(`${place} is not the body that the head of batch ${head.batch} names`)
      return
    }
    if (this.#cipher === undefined) return
    try {
      const events = decodeBody(this.#cipher.open(head, body))
      if (events.length !== head.commitments.length) this.#fault(`${place} has ${events.length} events`)
      const commitments = this.#cipher.commitments(head.firstIndex, events)
      for (const [at, event] of events.entries())
        this.#checkEvent(head, at, { event, commitment: commitments[at] })
    } catch (error) {
      this.#fault(`${place}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  #checkEvent(
    head: BatchHead,
    at: number,
    opened: { event: Uint8Array; commitment: Buffer | undefined },
  ): void {
    const { commitment } = opened
    const expected = head.commitments[at]
    const index = head.firstIndex + at
    if (commitment === undefined || expected === undefined || Buffer.compare(commitment, expected) !== 0) {
      this.#fault(`block ${2 * head.batch}: entry ${index} is not the one that was committed to`)
    }
    const event: Record<string, unknown> = JSON.parse(Buffer.from(opened.event).toString())
    if (event.index !== index)
      this.#fault(`block ${2 * head.batch}: entry ${index} calls itself ${String(event.index)}`)
    const { groupId, sequence } = this.#journal.manifest
    this.#options.onEvent?.({ groupId, sequence, block: 2 * head.batch, event })
  }

  #checkHead(rootHash: Uint8Array): void {
    if (this.#length === 0) return
    const computed = this.#treeHashes.get(this.#length) ?? ''
    if (computed !== toHex(rootHash))
      this.#fault(`the head of length ${this.#length} names another tree than the blocks make`)
    const { key, manifest } = this.#journal
    const fault = certificateFault(
      key,
      manifest,
      { length: this.#length, treeHash: computed },
      this.#certificate,
    )
    if (fault !== undefined) this.#fault(`no quorum for length ${this.#length}: ${fault}`)
  }

  #fault(message: string): void {
    if (this.#faults.length < ledgerWalkLimits.faultsMax) this.#faults.push(message)
  }

  /** Reads several things in one go, as hypercore-storage wants it. */
  #read<T>(ask: (batch: ReadBatch) => Promise<T>): Promise<T> {
    const batch = this.#storage.read()
    const answer = ask(batch)
    batch.tryFlush()
    return answer
  }
}
