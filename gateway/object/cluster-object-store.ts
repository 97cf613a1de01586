/**
 * The object store over the cluster: ties directory, keys, blobs and catalog together.
 *
 * Owns objects: written, found, read, listed. Uploads are in cluster-uploads.ts, versions in cluster-versions.ts, bodies
 * and the order of a write in body-store.ts, what a bucket does to a command in bucket-calls.ts.
 */
import type { ClusterClient } from '../../node/client.ts'
import type { ConfigurationChanges } from '../../node/core/bucket-configuration.ts'
import type { Blob, CatalogQuery, Version } from '../../node/core/catalog-types.ts'
import { mergePages } from '../../node/core/page-merge.ts'
import type { Bucket, WriteRulesChange } from '../../node/core/registry-types.ts'
import { ClusterError } from '../../node/errors.ts'
import type { Kms } from '../../node/world.ts'
import { BlobReader } from './blob-reader.ts'
import { BlobWriter, type WriteEvents } from './blob-writer.ts'
import { BodyStore, newId } from './body-store.ts'
import { BucketCalls } from './bucket-calls.ts'
import { BucketDirectory, type NewBucket } from './bucket-directory.ts'
import { ClusterUploads } from './cluster-uploads.ts'
import { ClusterVersions } from './cluster-versions.ts'
import { Codecs } from './codecs.ts'
import { DataKeys, etagUnder } from './data-keys.ts'
import type {
  ByteRange,
  CallContext,
  FoundObject,
  ObjectStore,
  PutResult,
  ReadOptions,
} from './object-store.ts'
import { Quotas, sumCounts } from './quotas.ts'
import { SEGMENT_BYTES } from './segments.ts'

export interface ObjectStoreEvents extends WriteEvents {
  /** A read had to use parity or another holder. */
  readonly onDegradedRead: () => void
}

export class ClusterObjectStore implements ObjectStore {
  readonly #cluster: ClusterClient
  readonly #directory: BucketDirectory
  readonly #calls: BucketCalls
  readonly #keys: DataKeys
  readonly #bodies: BodyStore
  readonly #reader: BlobReader
  readonly #quotas: Quotas
  readonly #uploads: ClusterUploads
  readonly #versions: ClusterVersions

  constructor(cluster: ClusterClient, kms: Kms, events: ObjectStoreEvents) {
    const codecs = new Codecs()
    this.#cluster = cluster
    this.#directory = new BucketDirectory(cluster, kms)
    this.#calls = new BucketCalls(cluster, this.#directory)
    this.#keys = new DataKeys(kms)
    this.#bodies = new BodyStore(cluster, new BlobWriter(cluster, codecs, events))
    this.#reader = new BlobReader(cluster, codecs, events.onDegradedRead)
    this.#quotas = new Quotas((bucket, context) => this.#countAll(bucket, context), cluster.clock)
    this.#uploads = new ClusterUploads({
      cluster,
      calls: this.#calls,
      keys: this.#keys,
      bodies: this.#bodies,
      quotas: this.#quotas,
    })
    this.#versions = new ClusterVersions(cluster, this.#calls)
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

  async countBucket(bucket: Bucket, context: CallContext) {
    return sumCounts(await this.#countAll(bucket, context))
  }

  deleteBucket(bucket: Bucket, context: CallContext) {
    return this.#directory.remove(bucket, context.requestId)
  }

  async putObject(put: Parameters<ObjectStore['putObject']>[0], context: CallContext): Promise<PutResult> {
    const { bucket, key, body } = put
    await this.#quotas.admit(bucket, { bytes: body.bytes, entries: 1 }, context)
    const groupId = this.#calls.groupOf(put)
    const versionId = newId()
    const created = await this.#keys.create(bucket, versionId, put.protection)
    const { key: dataKey, wrapped, encryption } = created
    const written = await this.#bodies.write(
      { bucket, groupId, dataKey, segmentBytes: SEGMENT_BYTES, body },
      context,
    )
    const { md5, checksum } = written.digests
    const etag = etagUnder(created, md5)
    const version: Version = {
      ...put.attributes,
      versionId,
      key,
      bytes: written.bytes,
      etag,
      modifiedMs: this.#cluster.clock.wallMs(),
      ownerId: put.ownerId,
      metadata: put.metadata,
      ...(checksum === undefined ? {} : { checksum }),
      extents: written.extents,
      dataKey: wrapped,
      segmentBytes: SEGMENT_BYTES,
      ...(encryption === undefined ? {} : { encryption }),
    }
    const { blobs } = written
    const { modifiedMs, versioning } = await this.#bodies.commit(written, context, () =>
      this.#calls.propose(put, context, {
        kind: 'put-version',
        bucketId: put.bucket.bucketId,
        version,
        blobs,
        conditions: put.conditions,
      }),
    )
    return { versionId, etag, modifiedMs, checksum, versioning: versioning ?? 'Off' }
  }

  async findObject(
    find: Parameters<ObjectStore['findObject']>[0],
    context: CallContext,
  ): Promise<FoundObject | undefined> {
    const { bucket } = find
    const blobsFor = find.expect === 'nothing' ? 'none' : find.expect
    const { version, marker, versioning = 'Off', blobs } = await this.#look({ ...find, blobsFor }, context)
    if (marker !== undefined) return { marker, versioning }
    if (version === undefined) return undefined
    const stored = { bucket, version, blobs }
    return {
      version,
      versioning,
      read: (range, options = {}) => this.#read(stored, range, { ...options, context }),
    }
  }

  deleteObject(del: Parameters<ObjectStore['deleteObject']>[0], context: CallContext) {
    return this.#versions.deleteObject(del, context)
  }

  deleteVersion(del: Parameters<ObjectStore['deleteVersion']>[0], context: CallContext) {
    return this.#versions.deleteVersion(del, context)
  }

  amendVersion(amend: Parameters<ObjectStore['amendVersion']>[0], context: CallContext) {
    return this.#versions.amend(amend, context)
  }

  listVersions(list: Parameters<ObjectStore['listVersions']>[0], context: CallContext) {
    return this.#versions.list(list, context)
  }

  async listObjects(list: Parameters<ObjectStore['listObjects']>[0], context: CallContext) {
    const { bucket, ...query } = list
    const pages = await this.#calls.queryAll(bucket, context, {
      kind: 'list-objects',
      bucketId: bucket.bucketId,
      ...query,
    })
    return mergePages(pages, list.limit)
  }

  createUpload(create: Parameters<ObjectStore['createUpload']>[0], context: CallContext) {
    return this.#uploads.create(create, context)
  }

  findUpload(find: Parameters<ObjectStore['findUpload']>[0], context: CallContext) {
    return this.#uploads.find(find, context)
  }

  putPart(put: Parameters<ObjectStore['putPart']>[0], context: CallContext) {
    return this.#uploads.putPart(put, context)
  }

  completeUpload(complete: Parameters<ObjectStore['completeUpload']>[0], context: CallContext) {
    return this.#uploads.complete(complete, context)
  }

  abortUpload(abort: Parameters<ObjectStore['abortUpload']>[0], context: CallContext) {
    return this.#uploads.abort(abort, context)
  }

  listUploads(list: Parameters<ObjectStore['listUploads']>[0], context: CallContext) {
    return this.#uploads.list(list, context)
  }

  listParts(list: Parameters<ObjectStore['listParts']>[0], context: CallContext) {
    return this.#uploads.listParts(list, context)
  }

  #countAll(bucket: Bucket, context: CallContext) {
    return this.#calls.queryAll(bucket, context, { kind: 'count-bucket', bucketId: bucket.bucketId })
  }

  #look(
    at: {
      bucket: Bucket
      key: string
      versionId?: string | undefined
      blobsFor: Extract<CatalogQuery, { kind: 'find-object' }>['blobsFor']
    },
    context: CallContext,
  ) {
    const { key, versionId, blobsFor } = at
    return this.#calls.query(at, context, {
      kind: 'find-object',
      bucketId: at.bucket.bucketId,
      key,
      blobsFor,
      ...(versionId === undefined ? {} : { versionId }),
    })
  }

  async *#read(
    object: { bucket: Bucket; version: Version; blobs: readonly Blob[] },
    range: ByteRange,
    options: ReadOptions & { context: CallContext },
  ): AsyncGenerator<Buffer> {
    const { bucket, version } = object
    const { signal, customerKey, context } = options
    const dataKey = await this.#keys.open(bucket, version, customerKey)
    let blobs = object.blobs
    let start = 0
    for (const extent of version.extents) {
      const first = Math.max(0, range.firstByte - start)
      const last = Math.min(extent.bytes - 1, range.lastByte - start)
      start += extent.bytes
      if (first > last) continue
      let blob = blobs.find((candidate) => candidate.blobId === extent.blobId)
      if (blob === undefined) {
        blobs = await this.#blobsOf({ bucket, version, range }, context)
        blob = blobs.find((candidate) => candidate.blobId === extent.blobId)
        if (blob === undefined) throw new ClusterError('Internal', 'the catalog lacks a blob of a version')
      }
      const { segmentBytes } = version
      const source = { blob, blobId: blob.blobId, dataKey, segmentBytes, plainBytes: extent.bytes, signal }
      yield* this.#reader.read(source, { firstByte: first, lastByte: last })
    }
  }

  /** Locations that were not asked for when the version was found; the version must still be there. */
  async #blobsOf(
    of: { bucket: Bucket; version: Version; range: ByteRange },
    context: CallContext,
  ): Promise<readonly Blob[]> {
    const { bucket, version, range } = of
    const { key, versionId } = version
    const found = await this.#look({ bucket, key, versionId, blobsFor: range }, context)
    if (found.version === undefined) {
      throw new ClusterError('NoSuchObject', 'the version was replaced before it was read')
    }
    return found.blobs
  }
}
