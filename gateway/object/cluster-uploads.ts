/**
 * Multipart uploads over the cluster: begun, filled with parts, completed into a version or aborted.
 *
 * A part is a blob like any other, encrypted under the upload's data key, which becomes the version's. What an upload
 * is, and when it ends, is the catalog's to decide; here only its data key is remembered between parts.
 */
import type { ClusterClient } from '../../node/client.ts'
import type { Upload } from '../../node/core/catalog-types.ts'
import { mergePages } from '../../node/core/page-merge.ts'
import type { Bucket } from '../../node/core/registry-types.ts'
import { ExpiringCache } from '../expiring-cache.ts'
import { type BodyStore, newId } from './body-store.ts'
import type { BucketCalls } from './bucket-calls.ts'
import { type DataKeys, etagUnder } from './data-keys.ts'
import type { CallContext, ObjectStore } from './object-store.ts'
import type { Quotas } from './quotas.ts'
import { SEGMENT_BYTES } from './segments.ts'

export const uploadLimits = {
  /** Uploads in progress whose data key is remembered between parts. */
  cachedMax: 1_000,
  cachedMs: 60_000,
  /** S3's minimum for all parts but the last. */
  partBytesMin: 5 * 1024 * 1024,
} as const

interface UploadAt {
  readonly bucket: Bucket
  readonly key: string
  readonly uploadId: string
}

export class ClusterUploads {
  readonly #cluster: ClusterClient
  readonly #calls: BucketCalls
  readonly #keys: DataKeys
  readonly #bodies: BodyStore
  readonly #quotas: Quotas
  readonly #known = new ExpiringCache<string, Upload>(uploadLimits.cachedMax, uploadLimits.cachedMs)

  constructor(parts: {
    cluster: ClusterClient
    calls: BucketCalls
    keys: DataKeys
    bodies: BodyStore
    quotas: Quotas
  }) {
    this.#cluster = parts.cluster
    this.#calls = parts.calls
    this.#keys = parts.keys
    this.#bodies = parts.bodies
    this.#quotas = parts.quotas
  }

  async create(create: Parameters<ObjectStore['createUpload']>[0], context: CallContext): Promise<Upload> {
    const { bucket, key, ownerId, metadata, checksum, attributes } = create
    const uploadId = newId()
    const { wrapped, encryption } = await this.#keys.create(bucket, uploadId, create.protection)
    const upload: Upload = {
      ...attributes,
      uploadId,
      key,
      startedMs: this.#cluster.clock.wallMs(),
      ownerId,
      metadata,
      dataKey: wrapped,
      segmentBytes: SEGMENT_BYTES,
      ...(checksum === undefined ? {} : { checksum }),
      ...(encryption === undefined ? {} : { encryption }),
    }
    await this.#calls.propose(create, context, {
      kind: 'create-upload',
      bucketId: create.bucket.bucketId,
      upload,
    })
    this.#known.set(uploadId, upload)
    return upload
  }

  find(find: UploadAt, context: CallContext) {
    const { key, uploadId } = find
    return this.#calls.query(find, context, {
      kind: 'find-upload',
      bucketId: find.bucket.bucketId,
      key,
      uploadId,
    })
  }

  async putPart(put: Parameters<ObjectStore['putPart']>[0], context: CallContext) {
    const { bucket, key, uploadId, partNumber, body } = put
    await this.#quotas.admit(bucket, { bytes: body.bytes, entries: 0 }, context)
    const groupId = this.#calls.groupOf(put)
    const upload = await this.#uploadFor(put, context)
    const dataKey = await this.#keys.open(bucket, upload, put.customerKey)
    const { segmentBytes } = upload
    const written = await this.#bodies.write({ bucket, groupId, dataKey, segmentBytes, body }, context)
    const { md5, checksum } = written.digests
    const etag = etagUnder({ key: dataKey, encryption: upload.encryption }, md5)
    const part = {
      partNumber,
      blobId: written.extents[0]?.blobId ?? '',
      bytes: body.bytes,
      etag,
      modifiedMs: this.#cluster.clock.wallMs(),
      ...(checksum === undefined ? {} : { checksum }),
    }
    const { modifiedMs } = await this.#bodies.commit(written, context, () =>
      this.#calls.propose(put, context, {
        kind: 'put-part',
        bucketId: put.bucket.bucketId,
        key,
        uploadId,
        part,
        blob: written.blobs[0],
      }),
    )
    return { etag, modifiedMs, checksum }
  }

  async complete(complete: Parameters<ObjectStore['completeUpload']>[0], context: CallContext) {
    const { key, uploadId, parts, etag, checksum, conditions } = complete
    // The bytes were counted with the parts.
    await this.#quotas.admit(complete.bucket, { bytes: 0, entries: 1 }, context)
    const reply = await this.#calls.propose(complete, context, {
      kind: 'complete-upload',
      bucketId: complete.bucket.bucketId,
      key,
      uploadId,
      parts,
      versionId: newId(),
      etag,
      ...(checksum === undefined ? {} : { checksum }),
      nowMs: this.#cluster.clock.wallMs(),
      partBytesMin: uploadLimits.partBytesMin,
      conditions,
    })
    return { ...reply, checksum: reply.checksum, versioning: reply.versioning ?? 'Off' }
  }

  async abort(abort: UploadAt, context: CallContext): Promise<void> {
    const { key, uploadId } = abort
    this.#known.delete(uploadId)
    await this.#calls.propose(abort, context, {
      kind: 'abort-upload',
      bucketId: abort.bucket.bucketId,
      key,
      uploadId,
    })
  }

  async list(list: Parameters<ObjectStore['listUploads']>[0], context: CallContext) {
    const { bucket, ...query } = list
    const pages = await this.#calls.queryAll(bucket, context, {
      kind: 'list-uploads',
      bucketId: bucket.bucketId,
      ...query,
    })
    return mergePages(pages, list.limit)
  }

  listParts(list: Parameters<ObjectStore['listParts']>[0], context: CallContext) {
    const { bucket: _, ...query } = list
    return this.#calls.query(list, context, { kind: 'list-parts', bucketId: list.bucket.bucketId, ...query })
  }

  async #uploadFor(of: UploadAt, context: CallContext): Promise<Upload> {
    const cached = this.#known.get(of.uploadId)
    if (cached !== undefined && cached.key === of.key) return cached
    const { bucket, key, uploadId } = of
    const { upload } = await this.listParts({ bucket, key, uploadId, afterPartNumber: 0, limit: 0 }, context)
    this.#known.set(uploadId, upload)
    return upload
  }
}
