/**
 * A test double of the contract gateway/object/object-store.ts: everything in memory, nothing encrypted or coded.
 *
 * It keeps the contract's promises (conditions, atomic completion, byte order, exclusive `after`, digests verified
 * before a commit), so that the S3 front can be tested alone. It is no model of the cluster's failures beyond `faults`.
 */
import { randomBytes } from 'node:crypto'
import type { BodySource, ByteRange, ObjectStore, StoredObject } from '../../gateway/object/object-store.ts'
import type {
  Checksum,
  Extent,
  ListedUpload,
  ObjectMetadata,
  Page,
  Part,
  Upload,
  Version,
  WriteConditions,
} from '../../node/core/catalog-types.ts'
import type { Bucket } from '../../node/core/registry-types.ts'
import { ClusterError } from '../../node/errors.ts'

const partBytesMin = 5 * 1024 * 1024
const readBytes = 64 * 1024

interface SimObject {
  readonly version: Version
  readonly data: Buffer
}

interface SimPart {
  readonly part: Part
  readonly data: Buffer
}

interface SimUpload {
  readonly upload: Upload
  readonly parts: Map<number, SimPart>
}

interface SimBucket {
  readonly bucket: Bucket
  readonly objects: Map<string, SimObject>
  readonly uploads: Map<string, SimUpload>
}

/** Set by tests; each is called at its point and may throw or wait. */
export interface SimFaults {
  /** Before a read yields the chunk at this offset. */
  onRead?: (offset: number) => void | Promise<void>
  /** After a body was read and verified, before it becomes visible. */
  onCommit?: () => void | Promise<void>
}

export interface SimObjectStoreOptions {
  readonly nowMs: () => number
  readonly faults?: SimFaults
  /** Lowered by tests that cannot afford parts of 5 MiB. */
  readonly partBytesMin?: number
}

function byteOrder(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

function hexId(): string {
  return randomBytes(16).toString('hex')
}

const dataKey = { wrapping: 'none', bytes: new Uint8Array(0) }

export class SimObjectStore implements ObjectStore {
  readonly #options: SimObjectStoreOptions
  readonly #buckets = new Map<string, SimBucket>()
  faults: SimFaults

  constructor(options: SimObjectStoreOptions) {
    this.#options = options
    this.faults = options.faults ?? {}
  }

  async listBuckets({ ownerId, after, limit }: { ownerId: string; after: string; limit: number }) {
    if (limit > 1000) throw new ClusterError('BadMessage', 'too large a page')
    const mine = [...this.#buckets.values()]
      .map((entry) => entry.bucket)
      .filter((bucket) => bucket.ownerId === ownerId && byteOrder(bucket.name, after) > 0)
      .sort((a, b) => byteOrder(a.name, b.name))
    return { buckets: mine.slice(0, limit), truncated: mine.length > limit }
  }

  async findBucket(name: string): Promise<Bucket | undefined> {
    return this.#buckets.get(name)?.bucket
  }

  async createBucket({ name, ownerId }: { name: string; ownerId: string }): Promise<Bucket> {
    const existing = this.#buckets.get(name)
    if (existing !== undefined) {
      throw new ClusterError('BucketExists', 'taken', { details: { ownerId: existing.bucket.ownerId } })
    }
    const bucket: Bucket = {
      name,
      bucketId: hexId(),
      ownerId,
      createdMs: this.#options.nowMs(),
      poolId: 'default',
      wrappedKey: new Uint8Array(0),
      state: 'active',
      attempt: 1,
    }
    this.#buckets.set(name, { bucket, objects: new Map(), uploads: new Map() })
    return bucket
  }

  async deleteBucket(bucket: Bucket): Promise<void> {
    const entry = this.#bucket(bucket)
    if (entry.objects.size > 0 || entry.uploads.size > 0)
      throw new ClusterError('BucketNotEmpty', 'not empty')
    this.#buckets.delete(bucket.name)
  }

  async putObject(put: {
    bucket: Bucket
    key: string
    ownerId: string
    metadata: ObjectMetadata
    body: BodySource
    conditions: WriteConditions
  }) {
    const { data, md5, checksum } = await this.#consume(put.body)
    const entry = this.#bucket(put.bucket)
    this.#checkConditions(put.conditions, entry.objects.get(put.key))
    const version: Version = {
      versionId: hexId(),
      key: put.key,
      bytes: data.length,
      etag: md5,
      modifiedMs: this.#options.nowMs(),
      ownerId: put.ownerId,
      metadata: put.metadata,
      ...(checksum === undefined ? {} : { checksum }),
      extents: [{ blobId: hexId(), bytes: data.length }],
      dataKey,
      segmentBytes: 65536,
    }
    entry.objects.set(put.key, { version, data })
    return { versionId: version.versionId, etag: md5, modifiedMs: version.modifiedMs, checksum }
  }

  async findObject(find: {
    bucket: Bucket
    key: string
    expect: 'nothing' | 'all' | ByteRange
  }): Promise<StoredObject | undefined> {
    const object = this.#bucket(find.bucket).objects.get(find.key)
    if (object === undefined) return undefined
    return { version: object.version, read: (range) => this.#read(object.data, range) }
  }

  async deleteObject(del: { bucket: Bucket; key: string; conditions: WriteConditions }) {
    const entry = this.#bucket(del.bucket)
    this.#checkConditions(del.conditions, entry.objects.get(del.key))
    return { existed: entry.objects.delete(del.key) }
  }

  async listObjects(list: {
    bucket: Bucket
    prefix: string
    delimiter: string
    after: string
    limit: number
  }) {
    checkText(list.prefix, list.delimiter, list.after)
    const entry = this.#bucket(list.bucket)
    const keys = [...entry.objects.keys()].sort(byteOrder)
    const found = page(keys, list)
    const items = found.items.flatMap((key) => {
      const version = entry.objects.get(key)?.version
      if (version === undefined) return []
      const { versionId, bytes, etag, modifiedMs, ownerId, checksum } = version
      return [
        { key, versionId, bytes, etag, modifiedMs, ownerId, ...(checksum === undefined ? {} : { checksum }) },
      ]
    })
    return { ...found, items }
  }

  async createUpload(create: {
    bucket: Bucket
    key: string
    ownerId: string
    metadata: ObjectMetadata
    checksum: Pick<Checksum, 'algorithm' | 'type'> | undefined
  }): Promise<Upload> {
    const upload: Upload = {
      uploadId: hexId(),
      key: create.key,
      startedMs: this.#options.nowMs(),
      ownerId: create.ownerId,
      metadata: create.metadata,
      dataKey,
      segmentBytes: 65536,
      ...(create.checksum === undefined ? {} : { checksum: create.checksum }),
    }
    this.#bucket(create.bucket).uploads.set(upload.uploadId, { upload, parts: new Map() })
    return upload
  }

  async findUpload(find: { bucket: Bucket; key: string; uploadId: string }) {
    const { upload, parts } = this.#upload(find)
    return { upload, parts: sortedParts(parts) }
  }

  async putPart(put: {
    bucket: Bucket
    key: string
    uploadId: string
    partNumber: number
    body: BodySource
  }) {
    this.#upload(put)
    const { data, md5, checksum } = await this.#consume(put.body)
    const modifiedMs = this.#options.nowMs()
    const part: Part = {
      partNumber: put.partNumber,
      blobId: hexId(),
      bytes: data.length,
      etag: md5,
      modifiedMs,
      ...(checksum === undefined ? {} : { checksum }),
    }
    this.#upload(put).parts.set(put.partNumber, { part, data })
    return { etag: md5, modifiedMs, checksum }
  }

  async completeUpload(complete: {
    bucket: Bucket
    key: string
    uploadId: string
    parts: readonly { partNumber: number; etag: string; checksum?: string }[]
    etag: string
    checksum: Checksum | undefined
    conditions: WriteConditions
  }) {
    const { upload, parts } = this.#upload(complete)
    const chosen = this.#chooseParts(complete.parts, parts)
    await this.faults.onCommit?.()
    const entry = this.#bucket(complete.bucket)
    this.#checkConditions(complete.conditions, entry.objects.get(complete.key))
    const data = Buffer.concat(chosen.map((part) => part.data))
    const { checksum } = complete
    const version: Version = {
      versionId: hexId(),
      key: complete.key,
      bytes: data.length,
      etag: complete.etag,
      modifiedMs: this.#options.nowMs(),
      ownerId: upload.ownerId,
      metadata: upload.metadata,
      ...(checksum === undefined ? {} : { checksum }),
      extents: chosen.map(({ part }) => extentOf(part)),
      dataKey,
      segmentBytes: 65536,
    }
    entry.objects.set(complete.key, { version, data })
    entry.uploads.delete(complete.uploadId)
    const { versionId, etag, modifiedMs, bytes } = version
    return { versionId, etag, modifiedMs, checksum, bytes }
  }

  async abortUpload(abort: { bucket: Bucket; key: string; uploadId: string }): Promise<void> {
    this.#upload(abort)
    this.#bucket(abort.bucket).uploads.delete(abort.uploadId)
  }

  async listUploads(list: {
    bucket: Bucket
    prefix: string
    delimiter: string
    afterKey: string
    afterUploadId: string
    limit: number
  }): Promise<Page<ListedUpload>> {
    checkText(list.prefix, list.delimiter, list.afterKey, list.afterUploadId)
    const uploads = [...this.#bucket(list.bucket).uploads.values()]
      .map(({ upload }) => upload)
      .sort((a, b) => byteOrder(a.key, b.key) || byteOrder(a.uploadId, b.uploadId))
      .filter(({ key, uploadId }) => {
        const order = byteOrder(key, list.afterKey)
        if (order !== 0) return order > 0 || list.afterKey === ''
        return list.afterUploadId !== '' && byteOrder(uploadId, list.afterUploadId) > 0
      })
    const items: ListedUpload[] = []
    const commonPrefixes: string[] = []
    for (const upload of uploads) {
      if (!upload.key.startsWith(list.prefix)) continue
      const prefix = commonPrefix(upload.key, list)
      if (prefix !== undefined && (prefix === commonPrefixes.at(-1) || prefix === list.afterKey)) continue
      if (items.length + commonPrefixes.length === list.limit)
        return { items, commonPrefixes, truncated: true }
      if (prefix !== undefined) commonPrefixes.push(prefix)
      else {
        const { key, uploadId, startedMs, ownerId, checksum } = upload
        items.push({ key, uploadId, startedMs, ownerId, ...(checksum === undefined ? {} : { checksum }) })
      }
    }
    return { items, commonPrefixes, truncated: false }
  }

  async listParts(list: {
    bucket: Bucket
    key: string
    uploadId: string
    afterPartNumber: number
    limit: number
  }) {
    const { upload, parts } = this.#upload(list)
    const rest = sortedParts(parts).filter((part) => part.partNumber > list.afterPartNumber)
    return { upload, parts: rest.slice(0, list.limit), truncated: rest.length > list.limit }
  }

  #bucket(bucket: Bucket): SimBucket {
    const entry = this.#buckets.get(bucket.name)
    if (entry?.bucket.bucketId !== bucket.bucketId) throw new ClusterError('NoSuchBucket', 'no such bucket')
    return entry
  }

  #upload(named: { bucket: Bucket; key: string; uploadId: string }): SimUpload {
    // As the catalog: an id that it cannot have given is a message that it does not understand.
    if (!/^[0-9a-f]{1,64}$/.test(named.uploadId)) throw new ClusterError('BadMessage', 'no id')
    const found = this.#bucket(named.bucket).uploads.get(named.uploadId)
    if (found?.upload.key !== named.key) throw new ClusterError('NoSuchUpload', 'no such upload')
    return found
  }

  #chooseParts(
    wanted: readonly { partNumber: number; etag: string; checksum?: string }[],
    parts: ReadonlyMap<number, SimPart>,
  ): SimPart[] {
    let previous = 0
    return wanted.map(({ partNumber, etag, checksum }, index) => {
      if (partNumber <= previous) throw new ClusterError('InvalidPartOrder', 'not ascending')
      previous = partNumber
      const found = parts.get(partNumber)
      if (found === undefined || found.part.etag !== etag)
        throw new ClusterError('InvalidPart', 'no such part')
      if (checksum !== undefined && found.part.checksum?.value !== checksum) {
        throw new ClusterError('InvalidPart', 'another checksum')
      }
      const small = found.part.bytes < (this.#options.partBytesMin ?? partBytesMin)
      if (small && index < wanted.length - 1) throw new ClusterError('PartTooSmall', 'too small')
      return found
    })
  }

  #checkConditions(conditions: WriteConditions, current: SimObject | undefined): void {
    const { ifMatch, ifNoneMatch } = conditions
    if ((ifMatch?.length ?? 0) > 128) throw new ClusterError('BadMessage', 'not an etag')
    if (ifNoneMatch !== undefined && current !== undefined)
      throw new ClusterError('PreconditionFailed', 'exists')
    if (ifMatch === undefined) return
    if (current === undefined) throw new ClusterError('NoSuchObject', 'no such key')
    if (ifMatch !== '*' && ifMatch !== current.version.etag)
      throw new ClusterError('PreconditionFailed', 'another etag')
  }

  async #consume(body: BodySource): Promise<{ data: Buffer; md5: string; checksum: Checksum | undefined }> {
    const chunks: Buffer[] = []
    // The contract lets the producer reuse a buffer once the next one was asked for.
    for await (const chunk of body.chunks) chunks.push(Buffer.from(chunk))
    const { md5, checksum } = await body.finish()
    const data = Buffer.concat(chunks)
    if (data.length !== body.bytes) throw new Error(`a body of ${body.bytes} bytes yielded ${data.length}`)
    await this.faults.onCommit?.()
    return { data, md5, checksum }
  }

  async *#read(data: Buffer, { firstByte, lastByte }: ByteRange): AsyncIterable<Buffer> {
    for (let offset = firstByte; offset <= lastByte; offset += readBytes) {
      await this.faults.onRead?.(offset)
      yield data.subarray(offset, Math.min(offset + readBytes, lastByte + 1))
    }
  }
}

/** The bounds of the catalog's messages. */
function checkText(...texts: readonly string[]): void {
  for (const text of texts) {
    if (!text.isWellFormed() || Buffer.byteLength(text) > 4096)
      throw new ClusterError('BadMessage', 'not a name')
  }
}

function sortedParts(parts: ReadonlyMap<number, SimPart>): Part[] {
  return [...parts.values()].map(({ part }) => part).sort((a, b) => a.partNumber - b.partNumber)
}

function extentOf(part: Part): Extent {
  const { blobId, bytes, partNumber, etag, checksum } = part
  return { blobId, bytes, partNumber, etag, ...(checksum === undefined ? {} : { checksum }) }
}

function commonPrefix(key: string, { prefix, delimiter }: { prefix: string; delimiter: string }) {
  if (delimiter === '') return undefined
  const at = key.indexOf(delimiter, prefix.length)
  return at < 0 ? undefined : key.slice(0, at + delimiter.length)
}

/** The slow, obvious listing: `keys` in byte order. */
function page(
  keys: readonly string[],
  list: { prefix: string; delimiter: string; after: string; limit: number },
): Page<string> {
  const items: string[] = []
  const commonPrefixes: string[] = []
  for (const key of keys) {
    if (!key.startsWith(list.prefix) || byteOrder(key, list.after) <= 0) continue
    const prefix = commonPrefix(key, list)
    if (prefix !== undefined && (prefix === commonPrefixes.at(-1) || byteOrder(prefix, list.after) <= 0))
      continue
    if (items.length + commonPrefixes.length === list.limit) return { items, commonPrefixes, truncated: true }
    if (prefix === undefined) items.push(key)
    else commonPrefixes.push(prefix)
  }
  return { items, commonPrefixes, truncated: false }
}
