/**
 * The tree and the signatures of a hypercore, computed by ourselves: what is signed, and what an auditor checks.
 *
 * Invariant: nothing here trusts a stored hash or hypercore's own verification; it is the second opinion. Format:
 * hypercore 11 (flat in-order tree, BLAKE2b-256, manifests from version 1 on, multi-signature without patches).
 */
import { hash as nodeHash } from 'node:crypto'
import crypto from 'hypercore-crypto'
import type { JournalHead, JournalManifest } from '../core/journal.ts'

/** A node of the tree: flat in-order index (leaf of block i: 2i), bytes below it, BLAKE2b-256 hash. */
export interface TreeNode {
  readonly index: number
  readonly size: number
  readonly hash: Uint8Array
}

/** One replica's signature: its place in the manifest's signers, 64 bytes of Ed25519. */
export interface HeadSignature {
  readonly signer: number
  readonly signature: Uint8Array
}

export function leafNode(block: number, bytes: Uint8Array): TreeNode {
  return { index: 2 * block, size: bytes.byteLength, hash: crypto.data(bytes) }
}

/** The parent of two siblings, `left` before `right`. */
export function parentNode(left: TreeNode, right: TreeNode): TreeNode {
  return {
    index: (left.index + right.index) / 2,
    size: left.size + right.size,
    hash: crypto.parent(left, right),
  }
}

/** The roots behind appending blocks to a tree of `length` blocks with these roots. */
export function appendToRoots(
  roots: readonly TreeNode[],
  length: number,
  blocks: readonly Uint8Array[],
): TreeNode[] {
  let grown = [...roots]
  for (const [at, bytes] of blocks.entries()) grown = appendNode(grown, leafNode(length + at, bytes))
  return grown
}

/** The roots behind appending one leaf; `roots` belongs to the callee. */
export function appendNode(roots: TreeNode[], leaf: TreeNode): TreeNode[] {
  roots.push(leaf)
  // As many merges as the new length has trailing zero bits, as in any binary counter of perfect trees.
  for (let count = leaf.index / 2 + 1; count % 2 === 0; count /= 2) {
    const right = roots.pop()
    const left = roots.pop()
    if (left === undefined || right === undefined) throw new Error('journal: roots do not fit the length')
    roots.push(parentNode(left, right))
  }
  return roots
}

export function treeHash(roots: readonly TreeNode[]): Uint8Array {
  return crypto.tree(roots)
}

/** What a signer of a journal signs: hypercore's tree namespace, journal key, tree hash, length, fork 0. */
export function signable(journalKey: string, head: JournalHead): Buffer {
  const message = Buffer.alloc(112)
  message.set(treeNamespace, 0)
  message.set(Buffer.from(journalKey, 'hex'), 32)
  message.set(Buffer.from(head.treeHash, 'hex'), 64)
  message.writeBigUInt64LE(BigInt(head.length), 96)
  return message
}

/** First of hypercore's signing namespaces (`hypercore-crypto` namespace of "hypercore"). */
const treeNamespace = crypto.namespace('hypercore', 1)[0] ?? new Uint8Array(32)

export function verifySignature(
  journalKey: string,
  publicKey: string,
  head: JournalHead,
  signature: Uint8Array,
) {
  return crypto.verify(signable(journalKey, head), signature, Buffer.from(publicKey, 'hex'))
}

/** Why a multi-signature does not carry a head; undefined: it does. */
export function certificateFault(
  journalKey: string,
  manifest: JournalManifest,
  head: JournalHead,
  certificate: Uint8Array | undefined,
): string | undefined {
  if (certificate === undefined || certificate.byteLength === 0) return 'head has no signature'
  const proofs = decodeCertificate(certificate)
  if (proofs === undefined) return 'multi-signature is malformed'
  const valid = new Set<string>()
  for (const { signer, signature } of proofs) {
    const publicKey = manifest.signers[signer]
    if (publicKey === undefined)
      return `multi-signature names signer ${signer}, the journal has ${manifest.signers.length}`
    if (!verifySignature(journalKey, publicKey, head, signature)) {
      return `signature of ${publicKey.slice(0, 16)} does not fit the head of length ${head.length}`
    }
    valid.add(publicKey)
  }
  if (valid.size < manifest.quorum) return `${valid.size} of ${manifest.quorum} signatures needed`
  return undefined
}

/** hypercore's multi-signature: count, then (signer, 64 bytes, patch length 0) each, then an empty patch. */
export function encodeCertificate(signatures: readonly HeadSignature[]): Buffer {
  const parts: Uint8Array[] = [Uint8Array.of(signatures.length)]
  for (const { signer, signature } of signatures) {
    // One byte each in compact-encoding below 0xfd: a group has a handful of replicas.
    parts.push(Uint8Array.of(signer), signature, Uint8Array.of(0))
  }
  parts.push(Uint8Array.of(0))
  return Buffer.concat(parts)
}

/** Reads back `encodeCertificate`; undefined when it is anything else (patches are not allowed in journals). */
export function decodeCertificate(bytes: Uint8Array): HeadSignature[] | undefined {
  const count = bytes[0] ?? 0
  if (count === 0 || count >= 0xfd || bytes.byteLength !== 2 + 66 * count) return undefined
  const proofs: HeadSignature[] = []
  for (let at = 1; at < 1 + 66 * count; at += 66) {
    const signer = bytes[at] ?? 0xff
    if (signer >= 0xfd || bytes[at + 65] !== 0) return undefined
    proofs.push({ signer, signature: bytes.subarray(at + 1, at + 65) })
  }
  return bytes[bytes.byteLength - 1] === 0 ? proofs : undefined
}

/** A short name of a head in messages to people: first bytes of SHA-256 over what is signed. */
export function headFingerprint(journalKey: string, head: JournalHead): string {
  return nodeHash('sha256', signable(journalKey, head), 'hex').slice(0, 16)
}
