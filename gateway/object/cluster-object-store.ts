/**
 * The object store over the cluster: ties directory, keys, blobs and catalog together.
 *
 * Order of a write: shards durable -> digests verified -> catalog commit -> answer. A refusal deletes the shards; an
 * outcome that is not known (no leader answered) leaves them: the commit may still happen, and garbage collection
 * asks the catalog before it deletes.
 */
import { randomBytes } from 'node:crypto'
import type { ClusterClient } from '../../node/client.ts'
import type { ConfigurationChanges } from '../../node/core/bucket-configuration.ts'
import type { Blob, Extent, Upload, Version } from '../../node/core/catalog-types.ts'
import { mergePages } from '../../node/core/page-merge.ts'
import type { Bucket, WriteRulesChange } from '../../node/core/registry-types.ts'
import { groupOf } from '../../node/core/slots.ts'
import { ClusterError } from '../../node/errors.ts'
import type { Kms } from '../../node/world.ts'
import { ExpiringCache } from '../expiring-cache.ts'
import { BlobReader } from './blob-reader.ts'
import { BlobWriter, type WriteEvents } from './blob-writer.ts'
import { BucketDirectory, type NewBucket } from './bucket-directory.ts'
import { Codecs } from './codecs.ts'
import { DataKeys } from './data-keys.ts'
import type {
  BodyDigests,
  BodySource,
  ByteRange,
  CallContext,
  ObjectStore,
  StoredObject,
} from './object-store.ts'
import { ciphertextBytes, SEGMENT_BYTES, SegmentEncryptor } from './segments.ts'

export const storeLimits = {
  /** Plaintext up to this size lies in the catalog row: below it six files cost more than three log entries. */
  inlineBytesMax: 32 * 1024,
  /** Uploads in progress whose data key is remembered between parts. */
  uploadsCachedMax: 1_000,
  uploadCachedMs: 60_000,
  /** How long a write waits for a bucket whose deletion is under way before it ends the deletion. */
  closedBucketPatienceMs: 5_000,
  closedBucketPauseMs: 100,
  /** A key that is overwritten between look and deletion again and again: then the client is told of the conflict. */
  deleteAttemptsMax: 10,
} as const

interface WrittenBody {
  readonly blobs: readonly Blob[]
  readonly extents: readonly Extent[]
  /** Plaintext bytes of all extents. */
  readonly bytes: number
  readonly digests: BodyDigests
}

export interface ObjectStoreEvents extends WriteEvents {
  /** A read had to use parity or another holder. */
  readonly onDegradedRead: () => void
}

export class ClusterObjectStore implements ObjectStore {
  readonly #cluster: ClusterClient
  readonly #directory: BucketDirectory
  readonly #keys: DataKeys
  readonly #writer: BlobWriter
  readonly #reader: BlobReader
  readonly #uploads = new ExpiringCache<string, Upload>(
    storeLimits.uploadsCachedMax,
    storeLimits.uploadCachedMs,
  )

  constructor(cluster: ClusterClient, kms: Kms, events: ObjectStoreEvents) {
    const codecs = new Codecs()
    this.#cluster = cluster
    this.#directory = new BucketDirectory(cluster, kms)
    this.#keys = new DataKeys(kms)
    this.#writer = new BlobWriter(cluster, codecs, events)
    this.#reader = new BlobReader(cluster, codecs, events.onDegradedRead)
  }

  listBuckets(query: { ownerId: string; after: string; limit: number }) {
    return this.#directory.list(query)
  }

  findBucket(name: string) {
    return this.#directory.find(name)
  }

  createBucket(bucket: NewBucket, context: CallContext) {
    return this.#directory.create(bucket, context.requestId)
  }

  setWriteRules(bucket: Bucket, change: WriteRulesChange, context: CallContext) {
    return this.#directory.setWriteRules(bucket, change, context.requestId)
  }

  configureBucket(bucket: Bucket, changes: ConfigurationChanges, context: CallContext) {
    return this.#directory.configure(bucket, changes, context.requestId)
  }

  deleteBucket(bucket: Bucket, context: CallContext) {
    return this.#directory.remove(bucket, context.requestId)
  }

  async putObject(put: Parameters<ObjectStore['putObject']>[0], context: CallContext) {
    const { bucket, key } = put
    const groupId = this.#groupOf(bucket, key)
    const versionId = newId()
    const { key: dataKey, wrapped } = await this.#keys.create(bucket, versionId)
    const written = await this.#writeBody(
      { bucket, groupId, dataKey, segmentBytes: SEGMENT_BYTES, body: put.body },
      context,
    )
    const version: Version = {
      versionId,
      key,
      bytes: written.bytes,
      etag: written.digests.md5,
      modifiedMs: this.#cluster.clock.wallMs(),
      ownerId: put.ownerId,
      metadata: put.metadata,
      ...(written.digests.checksum === undefined ? {} : { checksum: written.digests.checksum }),
      extents: written.extents,
      dataKey: wrapped,
      segmentBytes: SEGMENT_BYTES,
    }
    const { modifiedMs } = await this.#commit({ bucket, groupId, blobs: written.blobs }, context, () =>
      this.#cluster.router.proposeCatalog(groupId, commandId(context), {
        kind: 'put-version',
        bucketId: bucket.bucketId,
        version,
        blobs: written.blobs,
        conditions: put.conditions,
      }),
    )
    return { versionId, etag: version.etag, modifiedMs, checksum: version.checksum }
  }

  async findObject(
    find: { bucket: Bucket; key: string; expect: 'nothing' | 'all' | ByteRange },
    context: CallContext,
  ): Promise<StoredObject | undefined> {
    const { bucket, key } = find
    const { version, blobs } = await this.#inBucket(bucket, context, () =>
      this.#queryObject(bucket, key, find.expect === 'nothing' ? 'none' : find.expect),
    )
    if (version === undefined) return undefined
    return {
      version,
      read: (range, options) => this.#read({ bucket, version, blobs }, range, options?.signal),
    }
  }

  /**
   * Names the version that it deletes: a repetition of the command that comes late, after the object was written
   * anew, deletes nothing.
   */
  async deleteObject(del: Parameters<ObjectStore['deleteObject']>[0], context: CallContext) {
    const { bucket, key, conditions } = del
    for (let attempt = 1; ; attempt++) {
      const { version } = await this.#inBucket(bucket, context, () => this.#queryObject(bucket, key, 'none'))
      if (version === undefined && conditions.ifMatch === undefined) return { existed: false }
      try {
        return await this.#inBucket(bucket, context, () =>
          this.#cluster.router.proposeCatalog(this.#groupOf(bucket, key), commandId(context), {
            kind: 'delete-object',
            bucketId: bucket.bucketId,
            key,
            nowMs: this.#cluster.clock.wallMs(),
            conditions,
            ...(version === undefined ? {} : { versionId: version.versionId }),
          }),
        )
      } catch (error) {
        const replaced = error instanceof ClusterError && error.code === 'ConditionalConflict'
        if (!replaced || attempt === storeLimits.deleteAttemptsMax) throw error
      }
    }
  }

  async listObjects(list: Parameters<ObjectStore['listObjects']>[0], context: CallContext) {
    const { bucket, ...query } = list
    const pages = await this.#inBucket(bucket, context, () =>
      this.#inEveryGroup((groupId) =>
        this.#cluster.router.queryCatalog(groupId, {
          kind: 'list-objects',
          bucketId: bucket.bucketId,
          ...query,
        }),
      ),
    )
    return mergePages(pages, list.limit)
  }

  async createUpload(
    create: Parameters<ObjectStore['createUpload']>[0],
    context: CallContext,
  ): Promise<Upload> {
    const { bucket, key, ownerId, metadata, checksum } = create
    const uploadId = newId()
    const { wrapped } = await this.#keys.create(bucket, uploadId)
    const upload: Upload = {
      uploadId,
      key,
      startedMs: this.#cluster.clock.wallMs(),
      ownerId,
      metadata,
      dataKey: wrapped,
      segmentBytes: SEGMENT_BYTES,
      ...(checksum === undefined ? {} : { checksum }),
    }
    await this.#inBucket(bucket, context, () =>
      this.#cluster.router.proposeCatalog(this.#groupOf(bucket, key), commandId(context), {
        kind: 'create-upload',
        bucketId: bucket.bucketId,
        upload,
      }),
    )
    this.#uploads.set(uploadId, upload)
    return upload
  }

  findUpload(find: { bucket: Bucket; key: string; uploadId: string }, context: CallContext) {
    const { bucket, key, uploadId } = find
    return this.#inBucket(bucket, context, () =>
      this.#cluster.router.queryCatalog(this.#groupOf(bucket, key), {
        kind: 'find-upload',
        bucketId: bucket.bucketId,
        key,
        uploadId,
      }),
    )
  }

  async putPart(put: Parameters<ObjectStore['putPart']>[0], context: CallContext) {
    const { bucket, key, uploadId, partNumber, body } = put
    const groupId = this.#groupOf(bucket, key)
    const upload = await this.#uploadFor(put, context)
    const dataKey = await this.#keys.open(bucket, upload.dataKey)
    const { segmentBytes } = upload
    const written = await this.#writeBody({ bucket, groupId, dataKey, segmentBytes, body }, context)
    const { md5: etag, checksum } = written.digests
    const part = {
      partNumber,
      blobId: written.extents[0]?.blobId ?? '',
      bytes: body.bytes,
      etag,
      modifiedMs: this.#cluster.clock.wallMs(),
      ...(checksum === undefined ? {} : { checksum }),
    }
    const { modifiedMs } = await this.#commit({ bucket, groupId, blobs: written.blobs }, context, () =>
      this.#cluster.router.proposeCatalog(groupId, commandId(context), {
        kind: 'put-part',
        bucketId: bucket.bucketId,
        key,
        uploadId,
        part,
        blob: written.blobs[0],
      }),
    )
    return { etag, modifiedMs, checksum }
  }

  async completeUpload(complete: Parameters<ObjectStore['completeUpload']>[0], context: CallContext) {
    const { bucket, key, uploadId, parts, etag, checksum, conditions } = complete
    const reply = await this.#inBucket(bucket, context, () =>
      this.#cluster.router.proposeCatalog(this.#groupOf(bucket, key), commandId(context), {
        kind: 'complete-upload',
        bucketId: bucket.bucketId,
        key,
        uploadId,
        parts,
        versionId: newId(),
        etag,
        ...(checksum === undefined ? {} : { checksum }),
        nowMs: this.#cluster.clock.wallMs(),
        partBytesMin: PART_BYTES_MIN,
        conditions,
      }),
    )
    return { ...reply, checksum: reply.checksum }
  }

  async abortUpload(
    abort: { bucket: Bucket; key: string; uploadId: string },
    context: CallContext,
  ): Promise<void> {
    const { bucket, key, uploadId } = abort
    this.#uploads.delete(uploadId)
    await this.#inBucket(bucket, context, () =>
      this.#cluster.router.proposeCatalog(this.#groupOf(bucket, key), commandId(context), {
        kind: 'abort-upload',
        bucketId: bucket.bucketId,
        key,
        uploadId,
      }),
    )
  }

  async listUploads(list: Parameters<ObjectStore['listUploads']>[0], context: CallContext) {
    const { bucket, ...query } = list
    const pages = await this.#inBucket(bucket, context, () =>
      this.#inEveryGroup((groupId) =>
        this.#cluster.router.queryCatalog(groupId, {
          kind: 'list-uploads',
          bucketId: bucket.bucketId,
          ...query,
        }),
      ),
    )
    return mergePages(pages, list.limit)
  }

  listParts(list: Parameters<ObjectStore['listParts']>[0], context: CallContext) {
    const { bucket, ...query } = list
    return this.#inBucket(bucket, context, () =>
      this.#cluster.router.queryCatalog(this.#groupOf(bucket, list.key), {
        kind: 'list-parts',
        bucketId: bucket.bucketId,
        ...query,
      }),
    )
  }

  async #uploadFor(
    of: { bucket: Bucket; key: string; uploadId: string },
    context: CallContext,
  ): Promise<Upload> {
    const cached = this.#uploads.get(of.uploadId)
    if (cached !== undefined && cached.key === of.key) return cached
    const { upload } = await this.listParts({ ...of, afterPartNumber: 0, limit: 0 }, context)
    this.#uploads.set(of.uploadId, upload)
    return upload
  }

  /** Encrypts and stores a body; verifies its digests. Nothing is committed yet; on any error nothing is left on purpose. */
  async #writeBody(
    write: { bucket: Bucket; groupId: string; dataKey: Buffer; segmentBytes: number; body: BodySource },
    context: CallContext,
  ): Promise<WrittenBody> {
    const { body, ...to } = write
    const blobs: Blob[] = []
    const extents: Extent[] = []
    const add = async (bytes: number, chunks: AsyncIterable<Buffer>): Promise<void> => {
      const blobId = newId()
      blobs.push(await this.#writeBlob({ ...to, blobId, bytes, chunks }, context))
      extents.push({ blobId, bytes })
    }
    let digests: BodyDigests
    try {
      if (body.bytes > 0) await add(body.bytes, body.chunks)
      else for await (const _ of body.chunks);
      // A blob's length is fixed before its first byte: what comes on top is a blob of its own.
      const tail = await body.tail?.()
      if (tail !== undefined && tail.length > 0) await add(tail.length, oneChunk(tail))
      digests = await body.finish()
    } catch (error) {
      for (const blob of blobs) if (blob.kind === 'sharded') this.#writer.discard(blob)
      throw error
    }
    return { blobs, extents, bytes: extents.reduce((sum, extent) => sum + extent.bytes, 0), digests }
  }

  async #writeBlob(
    write: {
      bucket: Bucket
      groupId: string
      blobId: string
      dataKey: Buffer
      segmentBytes: number
      bytes: number
      chunks: AsyncIterable<Buffer>
    },
    context: CallContext,
  ): Promise<Blob> {
    const { bucket, groupId, blobId, dataKey, segmentBytes, bytes: plainBytes, chunks } = write
    const stream = { blobId, dataKey, segmentBytes, plainBytes }
    if (plainBytes > storeLimits.inlineBytesMax) {
      const pool = this.#cluster.pool(bucket.poolId)
      return this.#writer.write({ ...stream, groupId, pool, chunks, signal: context.signal })
    }
    const encryptor = new SegmentEncryptor(stream)
    const pieces: Buffer[] = []
    for await (const chunk of chunks) encryptor.update(chunk, pieces)
    const bytes = ciphertextBytes(plainBytes, segmentBytes)
    return { kind: 'inline', blobId, bytes, data: Buffer.concat(pieces, bytes) }
  }

  /** Runs a commit; when the catalog refuses it, the blobs that it would have referred to are abandoned. */
  async #commit<T>(
    write: { bucket: Bucket; groupId: string; blobs: readonly Blob[] },
    context: CallContext,
    run: () => Promise<T>,
  ): Promise<T> {
    try {
      return await this.#inBucket(write.bucket, context, run)
    } catch (error) {
      const refused = error instanceof ClusterError && error.code !== 'GroupUnavailable'
      // Not awaited: the client's answer does not depend on it, and garbage collection does the same later.
      if (refused) this.#abandon(write, context).catch(leaveToGarbageCollection)
      throw error
    }
  }

  /**
   * Deletes the shards of refused blobs once the catalog has fenced them: an earlier attempt of the same command may
   * still be on its way, and must then be refused, too.
   */
  async #abandon(write: { groupId: string; blobs: readonly Blob[] }, context: CallContext): Promise<void> {
    const sharded = write.blobs.filter((blob) => blob.kind === 'sharded')
    if (sharded.length === 0) return
    const { referenced } = await this.#cluster.router.proposeCatalog(write.groupId, commandId(context), {
      kind: 'abandon-blobs',
      blobIds: sharded.map((blob) => blob.blobId),
      nowMs: this.#cluster.clock.wallMs(),
    })
    for (const blob of sharded) if (!referenced.includes(blob.blobId)) this.#writer.discard(blob)
  }

  /**
   * Runs a command or query in a bucket. A bucket that is closed (its deletion is under way, or was left half-done by
   * a gateway that died) is waited for and finally reopened; one that is gone is forgotten.
   */
  async #inBucket<T>(bucket: Bucket, context: CallContext, run: () => Promise<T>): Promise<T> {
    const { clock } = this.#cluster
    const patienceEndsMs = clock.monotonicMs() + storeLimits.closedBucketPatienceMs
    let reopened = false
    for (;;) {
      try {
        return await run()
      } catch (error) {
        if (!(error instanceof ClusterError)) throw error
        if (error.code === 'NoSuchBucket') this.#directory.forget(bucket.name)
        if (error.code !== 'StaleBucket' || reopened) throw error
        this.#directory.forget(bucket.name)
        const current = await this.#directory.find(bucket.name)
        if (current?.bucketId !== bucket.bucketId) {
          throw new ClusterError('NoSuchBucket', `bucket ${bucket.name} was deleted`, { cause: error })
        }
        if (clock.monotonicMs() < patienceEndsMs) {
          await new Promise<void>((resolve) => {
            clock.after(storeLimits.closedBucketPauseMs, resolve)
          })
        } else {
          await this.#directory.reopen(current, context.requestId)
          reopened = true
        }
      }
    }
  }

  #groupOf(bucket: Bucket, key: string): string {
    return groupOf(this.#cluster.map(), { bucketId: bucket.bucketId, key })
  }

  #inEveryGroup<T>(run: (groupId: string) => Promise<T>): Promise<T[]> {
    return Promise.all(this.#cluster.catalogGroups().map(run))
  }

  #queryObject(bucket: Bucket, key: string, blobsFor: 'none' | 'all' | ByteRange) {
    return this.#cluster.router.queryCatalog(this.#groupOf(bucket, key), {
      kind: 'find-object',
      bucketId: bucket.bucketId,
      key,
      blobsFor,
    })
  }

  async *#read(
    object: { bucket: Bucket; version: Version; blobs: readonly Blob[] },
    range: ByteRange,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Buffer> {
    const { bucket, version } = object
    const dataKey = await this.#keys.open(bucket, version.dataKey)
    let blobs = object.blobs
    let start = 0
    for (const extent of version.extents) {
      const first = Math.max(0, range.firstByte - start)
      const last = Math.min(extent.bytes - 1, range.lastByte - start)
      start += extent.bytes
      if (first > last) continue
      let blob = blobs.find((candidate) => candidate.blobId === extent.blobId)
      if (blob === undefined) {
        blobs = await this.#blobsOf(bucket, version, range)
        blob = blobs.find((candidate) => candidate.blobId === extent.blobId)
        if (blob === undefined) throw new ClusterError('Internal', 'the catalog lacks a blob of a version')
      }
      const { segmentBytes } = version
      const source = { blob, blobId: blob.blobId, dataKey, segmentBytes, plainBytes: extent.bytes, signal }
      yield* this.#reader.read(source, { firstByte: first, lastByte: last })
    }
  }

  /** Locations that were not asked for when the version was found; the version must still be the current one. */
  async #blobsOf(bucket: Bucket, version: Version, range: ByteRange): Promise<readonly Blob[]> {
    const found = await this.#queryObject(bucket, version.key, range)
    if (found.version?.versionId !== version.versionId) {
      throw new ClusterError('NoSuchObject', 'the version was replaced before it was read')
    }
    return found.blobs
  }
}

function leaveToGarbageCollection(): void {
  // It asks the catalog about every shard that no row refers to.
}

/** S3's minimum for all parts but the last. */
const PART_BYTES_MIN = 5 * 1024 * 1024

/** One S3 request may commit several commands (DeleteObjects): each is applied once under an id of its own. */
function commandId(context: CallContext): string {
  return `${context.requestId}.${randomBytes(4).toString('hex')}`
}

function newId(): string {
  return randomBytes(16).toString('hex')
}

async function* oneChunk(chunk: Buffer): AsyncGenerator<Buffer> {
  yield chunk
}
