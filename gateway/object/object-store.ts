/**
 * What the S3 operations see of the cluster: buckets, objects and uploads, in plaintext.
 *
 * The implementation (`cluster-object-store.ts`) encrypts, cuts into stripes, encodes, places and commits. Errors are
 * ClusterErrors (node/errors.ts); `gateway/s3/translate.ts` turns them into S3 errors, once.
 */

import type { ConfigurationChanges } from '../../node/core/bucket-configuration.ts'
import type {
  Checksum,
  ListedObject,
  ListedUpload,
  ObjectMetadata,
  Page,
  Part,
  Upload,
  Version,
  WriteConditions,
} from '../../node/core/catalog-types.ts'
import type { Bucket, WriteRulesChange } from '../../node/core/registry-types.ts'
import type { NewBucket } from './bucket-directory.ts'

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

/** A version found, readable until its shards are collected as garbage (minutes after an overwrite or delete). */
export interface StoredObject {
  readonly version: Version
  /** Plaintext of the range; ends early by throwing, never silently. Stopping the iteration releases everything. */
  read(range: ByteRange, options?: { signal?: AbortSignal }): AsyncIterable<Buffer>
}

export interface PutResult {
  readonly versionId: string
  readonly etag: string
  readonly modifiedMs: number
  readonly checksum: Checksum | undefined
}

/** Common to all calls: `requestId` makes a retried command idempotent and shows up in the journal. */
export interface CallContext {
  readonly requestId: string
  readonly signal?: AbortSignal
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
  /** BucketNotEmpty, NoSuchBucket. */
  deleteBucket(bucket: Bucket, context: CallContext): Promise<void>

  /** `metadata.system` holds content-type and friends. Refuses with PreconditionFailed and whatever `body` throws. */
  putObject(
    put: {
      bucket: Bucket
      key: string
      ownerId: string
      metadata: ObjectMetadata
      body: BodySource
      conditions: WriteConditions
    },
    context: CallContext,
  ): Promise<PutResult>
  /** `expect` says what will be read, so that one round trip brings all locations: the range if it is known. */
  findObject(
    find: { bucket: Bucket; key: string; expect: 'nothing' | 'all' | ByteRange },
    context: CallContext,
  ): Promise<StoredObject | undefined>
  deleteObject(
    del: { bucket: Bucket; key: string; conditions: WriteConditions },
    context: CallContext,
  ): Promise<{ existed: boolean }>
  /** `after`: exclusive; byte order; at most `limit` items and common prefixes together. */
  listObjects(
    list: { bucket: Bucket; prefix: string; delimiter: string; after: string; limit: number },
    context: CallContext,
  ): Promise<Page<ListedObject>>

  createUpload(
    create: {
      bucket: Bucket
      key: string
      ownerId: string
      metadata: ObjectMetadata
      checksum: Pick<Checksum, 'algorithm' | 'type'> | undefined
    },
    context: CallContext,
  ): Promise<Upload>
  /** NoSuchUpload. */
  findUpload(
    find: { bucket: Bucket; key: string; uploadId: string },
    context: CallContext,
  ): Promise<{ upload: Upload; parts: readonly Part[] }>
  putPart(
    put: { bucket: Bucket; key: string; uploadId: string; partNumber: number; body: BodySource },
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
