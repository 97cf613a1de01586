/**
 * What a journal records: committed Raft entries of one group as canonical events, cut into batches.
 *
 * Invariant: a pure function of the entries. Every replica renders the same bytes from its own log, on any machine
 * and in any process, or they could not co-sign. An event never carries bulk bytes, wrapped keys or secrets: what
 * was destroyed elsewhere must not live on here. Bytes of blocks are in journal-block.ts; sealing, trees and
 * signatures are in node/io/ledger*.ts.
 */
import type {
  Amendment,
  Blob,
  CatalogCommand,
  Checksum,
  VersionAttributes,
  WriteConditions,
} from './catalog-types.ts'
import { accessFields } from './journal-access.ts'
import type { RegistryCommand } from './registry-types.ts'

export const journalLimits = {
  /** A busy round of one group; a block stays far below what hypercore sends in one piece (15 MiB). */
  batchEntriesMax: 512,
  /** Canonical bytes of a batch; a single larger event (thousands of parts) makes a batch of its own. */
  batchBytesMax: 256 * 1024,
  /** Signed but not yet co-signed batches of a group, held in memory by every replica. */
  pendingBatchesMax: 8,
  /** Batches that one answer about history lists; a replica further behind asks again. */
  historyBatchesMax: 512,
  /** Journals in one such answer. */
  historyJournalsMax: 16,
} as const

/** A committed entry as the consensus layer hands it over, decoded. Indexes are consecutive. */
export interface CommittedEntry {
  readonly index: number
  readonly term: number
  readonly kind: 'command' | 'noop' | 'members'
  readonly requestId?: string
  /** The process that proposed it, as the transport authenticated it. */
  readonly actor?: string
  /** Wall clock of the leader that took it, ms. */
  readonly leaderMs?: number
  readonly command?: CatalogCommand | RegistryCommand
  readonly members?: readonly { readonly nodeId: string; readonly learner: boolean }[]
}

/** Hashes bytes with SHA-256 to lower-case hex; given by the caller, the core has no cryptography of its own. */
export type Sha256 = (bytes: Uint8Array) => string

/** One event as plain data; what `journal verify --show` prints. Only JSON types, no undefined. */
export interface JournalEvent {
  readonly index: number
  readonly term: number
  readonly kind: string
  readonly requestId?: string
  readonly actor?: string
  readonly leaderMs?: number
  readonly [field: string]: unknown
}

const encoder = new TextEncoder()

/**
 * Canonical bytes of one entry: UTF-8 JSON without white space, members in the order of this file, absent members
 * left out. Numbers are safe integers, so that every JSON implementation agrees on them (compare RFC 8785).
 */
export function encodeEvent(entry: CommittedEntry, sha256: Sha256): Uint8Array {
  return encoder.encode(JSON.stringify(journalEvent(entry, sha256)))
}

/** The event of one entry. */
export function journalEvent(entry: CommittedEntry, sha256: Sha256): JournalEvent {
  const base = {
    index: entry.index,
    term: entry.term,
    kind: entry.kind === 'command' ? (entry.command?.kind ?? 'unknown') : entry.kind,
    ...(entry.requestId === undefined ? {} : { requestId: entry.requestId }),
    ...(entry.actor === undefined ? {} : { actor: entry.actor }),
    ...(entry.leaderMs === undefined ? {} : { leaderMs: entry.leaderMs }),
  }
  if (entry.kind === 'members') {
    const members = (entry.members ?? []).map(({ nodeId, learner }) => ({ nodeId, learner }))
    return { ...base, members }
  }
  if (entry.command === undefined) return base
  return { ...base, ...commandFields(entry.command, sha256) }
}

/** The fields of a command that belong to a custody record. A kind that this version does not know has none. */
function commandFields(command: CatalogCommand | RegistryCommand, sha256: Sha256): Record<string, unknown> {
  switch (command.kind) {
    case 'open-bucket':
    case 'close-bucket':
      return { bucketId: command.bucketId, attempt: command.attempt }
    case 'put-version': {
      const { version } = command
      return {
        bucketId: command.bucketId,
        key: version.key,
        versionId: version.versionId,
        bytes: version.bytes,
        etag: version.etag,
        ...checksumField(version.checksum),
        ownerId: version.ownerId,
        timeMs: version.modifiedMs,
        // Recording metadata is personal data: the record proves what it was without repeating it.
        metadataSha256: sha256(encoder.encode(canonicalJson(version.metadata))),
        blobs: command.blobs.map((blob) => blobFields(blob, sha256)),
        ...conditionsField(command.conditions),
        ...attributeFields(version, sha256),
      }
    }
    case 'delete-object':
      return {
        bucketId: command.bucketId,
        key: command.key,
        ...(command.versionId === undefined ? {} : { versionId: command.versionId }),
        timeMs: command.nowMs,
        ...conditionsField(command.conditions),
        ...(command.markerId === undefined ? {} : { markerId: command.markerId }),
        ...(command.ownerId === undefined ? {} : { ownerId: command.ownerId }),
      }
    case 'delete-version':
      return {
        bucketId: command.bucketId,
        key: command.key,
        versionId: command.versionId,
        timeMs: command.nowMs,
        ...bypassField(command),
        ...conditionsField(command.conditions),
      }
    case 'amend-version':
      return {
        bucketId: command.bucketId,
        key: command.key,
        versionId: command.versionId,
        timeMs: command.nowMs,
        ...bypassField(command),
        amendId: command.amendId,
        ...(command.afterAmendId === undefined ? {} : { afterAmendId: command.afterAmendId }),
        ...amendmentFields(command.change, sha256),
      }
    case 'create-upload':
      return {
        bucketId: command.bucketId,
        key: command.upload.key,
        uploadId: command.upload.uploadId,
        ownerId: command.upload.ownerId,
        timeMs: command.upload.startedMs,
        metadataSha256: sha256(encoder.encode(canonicalJson(command.upload.metadata))),
        ...attributeFields(command.upload, sha256),
      }
    case 'put-part':
      return {
        bucketId: command.bucketId,
        key: command.key,
        uploadId: command.uploadId,
        partNumber: command.part.partNumber,
        bytes: command.part.bytes,
        etag: command.part.etag,
        ...checksumField(command.part.checksum),
        timeMs: command.part.modifiedMs,
        ...(command.blob === undefined ? {} : { blob: blobFields(command.blob, sha256) }),
      }
    case 'complete-upload':
      return {
        bucketId: command.bucketId,
        key: command.key,
        uploadId: command.uploadId,
        versionId: command.versionId,
        etag: command.etag,
        ...checksumField(command.checksum),
        timeMs: command.nowMs,
        parts: command.parts.map((part) => [part.partNumber, part.etag]),
        ...conditionsField(command.conditions),
      }
    case 'abort-upload':
      return { bucketId: command.bucketId, key: command.key, uploadId: command.uploadId }
    case 'relocate-shard':
      return {
        blobId: command.blobId,
        generation: command.generation,
        shardIndex: command.shardIndex,
        from: command.from,
        to: command.to,
        ...(command.step === undefined ? {} : { step: command.step }),
      }
    case 'abandon-blobs':
      return { blobIds: [...command.blobIds], timeMs: command.nowMs }
    case 'forget-garbage':
      return { blobIds: [...command.blobIds] }
    case 'forget-fences':
      return { ids: [...command.ids], timeMs: command.nowMs }
    case 'forget-events':
      return { eventIds: [...command.eventIds] }
    case 'statement':
      return { signed: sortedJson(command.signed) }
    case 'put-user':
      // The sealed secret stays out: disabling a credential must be able to end it.
      return {
        userId: command.user.userId,
        name: command.user.name,
        accessKeyId: command.credential.accessKeyId,
        ...(command.by === undefined ? {} : { by: command.by }),
      }
    case 'disable-credential':
      return { accessKeyId: command.accessKeyId }
    case 'reserve-bucket':
      return {
        name: command.bucket.name,
        bucketId: command.bucket.bucketId,
        ownerId: command.bucket.ownerId,
        poolId: command.bucket.poolId,
        timeMs: command.bucket.createdMs,
      }
    case 'set-bucket-state':
      return {
        name: command.name,
        bucketId: command.bucketId,
        from: [...command.from],
        to: command.to,
      }
    case 'remove-bucket':
      return { name: command.name, bucketId: command.bucketId, attempt: command.attempt }
    case 'set-write-rules':
      return 'rules' in command
        ? { bucketId: command.bucketId, rules: sortedJson(command.rules) }
        : { name: command.name, bucketId: command.bucketId, change: sortedJson(command.change) }
    case 'configure-bucket':
      return { name: command.name, bucketId: command.bucketId, changes: sortedJson(command.changes) }
    default:
      return accessFields(command, (text) => sha256(encoder.encode(text)))
  }
}

function blobFields(blob: Blob, sha256: Sha256): Record<string, unknown> {
  if (blob.kind === 'inline') {
    return { kind: blob.kind, blobId: blob.blobId, bytes: blob.bytes, sha256: sha256(blob.data) }
  }
  return {
    kind: blob.kind,
    blobId: blob.blobId,
    bytes: blob.bytes,
    code: blob.code,
    dataShards: blob.dataShards,
    parityShards: blob.parityShards,
    generation: blob.generation,
    holders: [...blob.holders],
  }
}

function checksumField(checksum: Checksum | undefined): Record<string, unknown> {
  if (checksum === undefined) return {}
  return { checksum: `${checksum.algorithm}/${checksum.type}/${checksum.value}` }
}

function conditionsField(conditions: WriteConditions): Record<string, unknown> {
  const { ifMatch, ifNoneMatch, ifMatchModifiedMs, ifMatchBytes } = conditions
  return {
    ...(ifMatch === undefined ? {} : { ifMatch }),
    ...(ifNoneMatch === undefined ? {} : { ifNoneMatch }),
    ...(ifMatchModifiedMs === undefined ? {} : { ifMatchModifiedMs }),
    ...(ifMatchBytes === undefined ? {} : { ifMatchBytes }),
  }
}

/** Tags are the users' words, as metadata is; who may do what with a version is part of its record. */
function attributeFields(attributes: VersionAttributes, sha256: Sha256): Record<string, unknown> {
  const { retention, legalHold, tags, acl, encryption } = attributes
  return {
    ...(retention === undefined ? {} : { retention: sortedJson(retention) }),
    ...(legalHold === undefined ? {} : { legalHold }),
    ...(tags === undefined ? {} : { tagsSha256: sha256(encoder.encode(canonicalJson(tags))) }),
    ...(acl === undefined ? {} : { acl: sortedJson(acl) }),
    ...(encryption?.kind === 'kms' ? { kmsKeyId: encryption.keyId } : {}),
    ...(encryption?.kind === 'customer' ? { customerKey: true } : {}),
  }
}

function amendmentFields(change: Amendment, sha256: Sha256): Record<string, unknown> {
  switch (change.kind) {
    case 'retention':
      return { change: change.kind, retention: sortedJson(change.retention) }
    case 'legal-hold':
      return { change: change.kind, on: change.on }
    case 'tags': {
      const { tags } = change
      return {
        change: change.kind,
        tagsSha256: tags === null ? null : sha256(encoder.encode(canonicalJson(tags))),
      }
    }
    case 'acl':
      return { change: change.kind, acl: sortedJson(change.acl) }
  }
}

function bypassField({ bypassGovernance }: { readonly bypassGovernance?: true }): Record<string, unknown> {
  return bypassGovernance === undefined ? {} : { bypassGovernance }
}

/** JSON with the members of every object in code-unit order: maps arrive in any order from the wire. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(sortedJson(value))
}

function sortedJson(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortedJson)
  if (typeof value !== 'object' || value === null) return value
  const sorted: Record<string, unknown> = {}
  for (const name of Object.keys(value).sort()) sorted[name] = sortedJson(Reflect.get(value, name))
  return sorted
}

/**
 * How many of these events the next batch takes: as many as fit both bounds, but at least one. The leader decides
 * this once; where it cut is part of what the others sign.
 */
export function batchCut(events: readonly Uint8Array[]): number {
  let bytes = 0
  let count = 0
  for (const event of events) {
    bytes += event.byteLength
    if (count > 0 && (bytes > journalLimits.batchBytesMax || count >= journalLimits.batchEntriesMax)) break
    count += 1
  }
  return count
}

/** A head of a journal: hypercore length in blocks (two a batch) and the root hash of its tree, hex. */
export interface JournalHead {
  readonly length: number
  readonly treeHash: string
}

/** Where a journal continues another one: the previous journal, closed at this head for good. */
export interface JournalLink extends JournalHead {
  readonly key: string
}

/** What defines a journal; its public key is the hash of this, so nothing of it can be changed afterwards. */
export interface JournalManifest {
  readonly groupId: string
  /** Raft term of the leader that opened it. */
  readonly term: number
  /** Position in the group's chain of journals, from 0 and without gaps. */
  readonly sequence: number
  /** Raft index of its first entry. */
  readonly firstIndex: number
  /** Raw Ed25519 public keys (hex) of the replicas that may sign, distinct, in this order. */
  readonly signers: readonly string[]
  /** How many of them a head needs: a majority. */
  readonly quorum: number
  /** undefined only for sequence 0. */
  readonly previous: JournalLink | undefined
}

/** Signatures that a head of `signers` replicas needs. */
export function majority(signers: number): number {
  return Math.floor(signers / 2) + 1
}
