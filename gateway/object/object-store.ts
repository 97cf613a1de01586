/**
 * What the S3 operations see of the cluster: buckets, objects and uploads, in plaintext.
 *
 * The implementation (`cluster-object-store.ts`) encrypts, cuts into stripes, encodes, places and commits. Errors are
 * ClusterErrors (node/errors.ts); `gateway/s3/translate.ts` turns them into S3 errors, once.
 */
import type { ConfigurationChanges, VersioningState } from '../../node/core/bucket-configuration.ts'
import type {
  Amendment,
  BucketCounts,
  Checksum,
  DeleteMarker,
  ListedObject,
  ListedUpload,
  ListedVersion,
  ObjectMetadata,
  Page,
  Part,
  Upload,
  Version,
  VersionAttributes,
  WriteConditions,
} from '../../node/core/catalog-types.ts'
import type { EventName } from '../../node/core/notification.ts'
import type { Bucket, WriteRulesChange } from '../../node/core/registry-types.ts'
import type { NewBucket } from './bucket-directory.ts'
import type { CustomerKey } from './customer-key.ts'
import type { Protection } from './data-keys.ts'

/** A request body as the object writer consumes it: decoded, its length known before the first byte. */
export interface BodySource {
  /** Plaintext bytes that `chunks` will yield; a body that ends early or late throws from `chunks`. */
  readonly bytes: number
  /** Yields buffers that the consumer may keep until it asks for the next one, not longer. */
  readonly chunks: AsyncIterable<Buffer>
  /**
   * Of a body whose length shows only at its end (the file of a form): what follows `chunks`, at most 4 KiB. After the
   * last chunk, once. Absent: nothing follows.
   */
  readonly tail?: (() => Promise<Buffer>) | undefined
  /** After the last chunk (and the tail), before anything is committed: verifies every digest that the client sent (throws S3Error), returns what to store. */
  finish(): Promise<BodyDigests>
}

export interface BodyDigests {
  /** Lower-case hex. */
  readonly md5: string
  readonly checksum: Checksum | undefined
}

/** Plaintext byte range, both ends included. */
export interface ByteRange {
  readonly firstByte: number
  readonly lastByte: number
}

/** Whether a text is something that may name a version: an id as clients see them, or `null`. */
export function isVersionId(text: string): boolean {
  return text === 'null' || /^[0-9a-f]{32}$/.test(text)
}

/** What clients call a version: its id, or `null` when it was not written under versioning. */
export function shownVersionId(entry: Pick<Version, 'versionId' | 'versioned'>): string {
  return entry.versioned === true ? entry.versionId : 'null'
}

/** A version of an object, as clients name it: by an id, `null`, or nothing for the current one. */
export interface VersionAt {
  readonly bucket: Bucket
  readonly key: string
  readonly versionId?: string | undefined
}

export interface ReadOptions {
  readonly signal?: AbortSignal | undefined
  readonly customerKey?: CustomerKey | undefined
}

/** What a client gives a version beside its bytes; how it is encrypted follows from `protection`. */
export type GivenAttributes = Omit<VersionAttributes, 'encryption'>

/** A version found, readable until its shards are collected as garbage (minutes after an overwrite or delete). */
export interface StoredObject {
  readonly version: Version
  /** The state of the bucket's versioning; Off: clients see no version ids. */
  readonly versioning: VersioningState
  /**
   * Plaintext of the range; ends early by throwing, never silently. Stopping the iteration releases everything.
   * `customerKey`: the one that `version.encryption` asks for, checked by the caller.
   */
  read(range: ByteRange, options?: ReadOptions): AsyncIterable<Buffer>
}

/** The version that was asked for is a delete marker. */
export interface StoredMarker {
  readonly marker: DeleteMarker
  readonly versioning: VersioningState
}

export type FoundObject = StoredObject | StoredMarker

/** The object, or undefined when there is none or a delete marker stands in its place. */
export function objectOf(found: FoundObject | undefined): StoredObject | undefined {
  return found === undefined || 'marker' in found ? undefined : found
}

/** `marker`: the delete marker that was made current; undefined: versioning is off. */
export interface DeletedObject {
  readonly existed: boolean
  readonly marker: Pick<DeleteMarker, 'versionId' | 'versioned'> | undefined
}

/** What was amended, as it was before. */
export interface AmendedVersion {
  readonly version: Version
  readonly versioning: VersioningState
}

export interface PutResult {
  /** For clients only when `versioning` is Enabled; when it is Suspended they see `null`. */
  readonly versionId: string
  /** What the version was written under. */
  readonly versioning: VersioningState
  readonly etag: string
  readonly modifiedMs: number
  readonly checksum: Checksum | undefined
}

/** Common to all calls: `requestId` makes a retried command idempotent and shows up in the journal. */
export interface CallContext {
  readonly requestId: string
  readonly signal?: AbortSignal
  /** What notification targets are told when the call changes an object; absent: nothing. */
  readonly raises?: RaisedEvent
}

export interface RaisedEvent {
  /** removal: which of the two events of a deletion it is, the catalog finds out. */
  readonly event: EventName | 'removal'
  readonly principalId: string
  readonly sourceIp: string
}

export interface ObjectStore {
  listBuckets(
    query: { ownerId: string; after: string; limit: number },
    context: CallContext,
  ): Promise<{ buckets: readonly Bucket[]; truncated: boolean }>
  /** From a bounded cache when possible; a bucket that was deleted elsewhere is noticed by the calls below (NoSuchBucket). */
  findBucket(name: string, context: CallContext): Promise<Bucket | undefined>
  /** ClusterError BucketExists with details `{ ownerId }`. */
  createBucket(bucket: NewBucket, context: CallContext): Promise<Bucket>
  /** Versioning and Object Lock; in force everywhere when it resolves. NoSuchBucket, WriteRulesConflict. */
  setWriteRules(bucket: Bucket, change: WriteRulesChange, context: CallContext): Promise<void>
  /**
   * Sets and removes configuration documents (`null` removes); other gateways see them within `bucketLimits.cachedMs`.
   * NoSuchBucket, NoSpace.
   */
  configureBucket(bucket: Bucket, changes: ConfigurationChanges, context: CallContext): Promise<void>
  /** What the groups hold of the bucket, summed. NoSuchBucket. */
  countBucket(bucket: Bucket, context: CallContext): Promise<BucketCounts>
  /** BucketNotEmpty, NoSuchBucket. */
  deleteBucket(bucket: Bucket, context: CallContext): Promise<void>

  /**
   * `metadata.system` holds content-type and friends; `attributes`: retention, tags ... (absent: none, the bucket's
   * default retention applies). Refuses with PreconditionFailed, NoSuchObject (If-Match on a key without object),
   * NoObjectLock, WormProtected and whatever `body` throws.
   */
  putObject(
    put: {
      bucket: Bucket
      key: string
      ownerId: string
      metadata: ObjectMetadata
      attributes?: GivenAttributes
      body: BodySource
      conditions: WriteConditions
      /** Absent: SSE-S3. KmsKeyNotFound before anything is read of the body. */
      protection?: Protection | undefined
    },
    context: CallContext,
  ): Promise<PutResult>
  /**
   * The current version, or the one that is named; undefined: there is none. `expect` says what will be read, so that
   * one round trip brings all locations: the range if it is known.
   */
  findObject(
    find: VersionAt & { readonly expect: 'nothing' | 'all' | ByteRange },
    context: CallContext,
  ): Promise<FoundObject | undefined>
  /**
   * Deletes as the bucket's versioning wants it: the object itself, or by making a delete marker current, owned by
   * `ownerId` (absent: the bucket's owner). PreconditionFailed; NoSuchObject for a condition on a key without object
   * (details.deleteMarker: it has a delete marker instead); WormProtected.
   */
  deleteObject(
    del: { bucket: Bucket; key: string; conditions: WriteConditions; ownerId?: string },
    context: CallContext,
  ): Promise<DeletedObject>
  /**
   * Removes one version or delete marker for good; `bypassGovernance` only for callers who may. Conditions are about
   * that version and hold when there is none. PreconditionFailed, WormProtected (details: legalHold, mode, untilMs).
   */
  deleteVersion(
    del: {
      bucket: Bucket
      key: string
      versionId: string
      bypassGovernance: boolean
      conditions: WriteConditions
    },
    context: CallContext,
  ): Promise<{ existed: boolean; wasMarker: boolean }>
  /**
   * Changes retention, legal hold, tags or ACL of a version. NoSuchObject, NoSuchVersion and IsDeleteMarker (of a version
   * that was named), NoObjectLock, WormProtected (a retention would be weakened; details as above).
   */
  amendVersion(
    amend: VersionAt & { readonly change: Amendment; readonly bypassGovernance: boolean },
    context: CallContext,
  ): Promise<AmendedVersion>
  /** `after`: exclusive; byte order; at most `limit` items and common prefixes together. */
  listObjects(
    list: { bucket: Bucket; prefix: string; delimiter: string; after: string; limit: number },
    context: CallContext,
  ): Promise<Page<ListedObject>>
  /**
   * Versions and delete markers, by key and newest first within one. `afterKey`: exclusive; with `afterVersionId` (an
   * id as clients see it) behind that version of the key, or from its first when it has no such version any more.
   */
  listVersions(
    list: {
      bucket: Bucket
      prefix: string
      delimiter: string
      afterKey: string
      afterVersionId: string
      limit: number
    },
    context: CallContext,
  ): Promise<Page<ListedVersion>>

  /** `attributes` go to the version that the upload becomes. NoObjectLock. */
  createUpload(
    create: {
      bucket: Bucket
      key: string
      ownerId: string
      metadata: ObjectMetadata
      attributes?: GivenAttributes
      checksum: Pick<Checksum, 'algorithm' | 'type'> | undefined
      protection?: Protection | undefined
    },
    context: CallContext,
  ): Promise<Upload>
  /** NoSuchUpload. */
  findUpload(
    find: { bucket: Bucket; key: string; uploadId: string },
    context: CallContext,
  ): Promise<{ upload: Upload; parts: readonly Part[] }>
  putPart(
    put: {
      bucket: Bucket
      key: string
      uploadId: string
      partNumber: number
      body: BodySource
      /** The one that the upload's `encryption` asks for, checked by the caller. */
      customerKey?: CustomerKey | undefined
    },
    context: CallContext,
  ): Promise<{ etag: string; modifiedMs: number; checksum: Checksum | undefined }>
  /** InvalidPart, InvalidPartOrder, PartTooSmall, NoSuchUpload, PreconditionFailed. `etag` and `checksum` of the whole are computed by the caller from the parts. */
  completeUpload(
    complete: {
      bucket: Bucket
      key: string
      uploadId: string
      parts: readonly { partNumber: number; etag: string; checksum?: string }[]
      etag: string
      checksum: Checksum | undefined
      conditions: WriteConditions
    },
    context: CallContext,
  ): Promise<PutResult & { bytes: number }>
  abortUpload(abort: { bucket: Bucket; key: string; uploadId: string }, context: CallContext): Promise<void>
  listUploads(
    list: {
      bucket: Bucket
      prefix: string
      delimiter: string
      afterKey: string
      afterUploadId: string
      limit: number
    },
    context: CallContext,
  ): Promise<Page<ListedUpload>>
  listParts(
    list: { bucket: Bucket; key: string; uploadId: string; afterPartNumber: number; limit: number },
    context: CallContext,
  ): Promise<{ upload: Upload; parts: readonly Part[]; truncated: boolean }>
}
