/** Entries and keys that the journal's tests share. Deterministic: the golden files depend on them. */
import { createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto'
import type { CommittedEntry, JournalManifest } from '../../../node/core/journal.ts'
import type { JournalSigner } from '../../../node/io/ledger.ts'

/** An Ed25519 pair whose seed is the hash of `name`. */
export function signerOf(name: string): JournalSigner {
  const seed = createHash('sha256').update(name).digest()
  const prefix = Buffer.from('302e020100300506032b657004220420', 'hex')
  const key = createPrivateKey({ key: Buffer.concat([prefix, seed]), format: 'der', type: 'pkcs8' })
  const publicKey = createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32).toString('hex')
  return { publicKey, sign: (bytes) => sign(null, bytes, key).toString('hex') }
}

export const ownerKey = createHash('sha256').update('journal owner').digest()

/** Entry `index` of a group whose clients put small objects; every fifth is another kind. */
export function entryAt(index: number, term = 1): CommittedEntry {
  const base = { index, term, requestId: `req-${index}`, actor: 'gw-1' }
  if (index === 1) return { index, term, kind: 'noop' }
  if (index % 5 === 0) {
    const command = {
      kind: 'delete-object',
      bucketId: 'b1',
      key: `k/${index - 1}`,
      nowMs: 1_000 + index,
      conditions: {},
    } as const
    return { ...base, kind: 'command', command }
  }
  return { ...base, kind: 'command', command: putVersion(index) }
}

export function entries(from: number, to: number, term = 1): CommittedEntry[] {
  return Array.from({ length: to - from + 1 }, (_, at) => entryAt(from + at, term))
}

function putVersion(index: number): NonNullable<CommittedEntry['command']> {
  const blobId = index.toString(16).padStart(32, '0')
  const data = Buffer.alloc(64, index)
  return {
    kind: 'put-version',
    bucketId: 'b1',
    version: {
      versionId: (1_000 + index).toString(16).padStart(32, '0'),
      key: `k/${index}`,
      bytes: 48,
      etag: createHash('md5').update(data).digest('hex'),
      modifiedMs: 1_000 + index,
      ownerId: 'polizei',
      metadata: { user: { 'device-id': 'cam-7' }, system: { 'content-type': 'video/mp4' } },
      extents: [{ blobId, bytes: 48 }],
      dataKey: { wrapping: 'aes-256-gcm/b1', bytes: Buffer.from('must never be in a journal') },
      segmentBytes: 65_536,
    },
    blobs: [{ kind: 'inline', blobId, bytes: 64, data }],
    conditions: index % 2 === 0 ? { ifNoneMatch: '*' } : {},
  }
}

export function manifestOf(
  signers: readonly JournalSigner[],
  changes: Partial<JournalManifest> = {},
): JournalManifest {
  return {
    groupId: 'catalog-1',
    term: 1,
    sequence: 0,
    firstIndex: 1,
    signers: signers.map(({ publicKey }) => publicKey),
    quorum: Math.floor(signers.length / 2) + 1,
    previous: undefined,
    ...changes,
  }
}
