/**
 * The catalog the slow and obvious way: everything in plain maps, every answer that was ever given remembered.
 *
 * Knows nothing of rows, fences and counters, so that it can be wrong only where it and the catalog misread S3 alike.
 */
import type {
  Blob,
  CatalogCommand,
  CatalogReplies,
  Part,
  Upload,
  Version,
  WriteConditions,
} from '../../node/core/catalog-types.ts'

class Refusal extends Error {}

interface StoredVersion {
  version: Version
  blobIds: string[]
}

interface StoredUpload {
  upload: Upload
  parts: Map<number, Part>
}

type Command<K extends CatalogCommand['kind']> = Extract<CatalogCommand, { kind: K }>

export class CatalogOracle {
  readonly buckets = new Map<string, { open: boolean; attempt: number }>()
  readonly objects = new Map<string, StoredVersion>()
  readonly uploads = new Map<string, StoredUpload>()
  /** Blobs in use: holders, and the object that they belong to. */
  readonly used = new Map<string, { blob: Blob; owner: string }>()
  readonly dead = new Set<string>()
  readonly garbage = new Set<string>()
  readonly #puts = new Map<string, CatalogReplies['put-version']>()
  readonly #completed = new Map<string, CatalogReplies['complete-upload']>()
  readonly #endedUploads = new Set<string>()

  /** The reply, or the code of the error. */
  apply(command: CatalogCommand): unknown {
    try {
      return this.#run(command)
    } catch (error) {
      if (error instanceof Refusal) return { refused: error.message }
      throw error
    }
  }

  #run(command: CatalogCommand): unknown {
    switch (command.kind) {
      case 'open-bucket':
        return this.#turn(command, true)
      case 'close-bucket': {
        const inBucket = (path: string) => path.startsWith(`${command.bucketId}/`)
        const attempt = this.buckets.get(command.bucketId)?.attempt ?? 0
        if (attempt > command.attempt) throw new Refusal('StaleBucket')
        if ([...this.objects.keys(), ...this.uploads.keys()].some(inBucket))
          throw new Refusal('BucketNotEmpty')
        return this.#turn(command, false)
      }
      case 'put-version':
        return this.#put(command)
      case 'delete-object':
        return this.#delete(command)
      case 'create-upload': {
        const path = `${command.bucketId}/${command.upload.key}|${command.upload.uploadId}`
        this.#requireOpen(command.bucketId)
        if (this.#endedUploads.has(path)) throw new Refusal('NoSuchUpload')
        if (!this.uploads.has(path)) this.uploads.set(path, { upload: command.upload, parts: new Map() })
        return {}
      }
      case 'put-part':
        return this.#putPart(command)
      case 'complete-upload':
        return this.#complete(command)
      case 'abort-upload': {
        this.#requireOpen(command.bucketId)
        const [path, { parts }] = this.#uploadOf(command)
        for (const part of parts.values()) this.#end(part.blobId)
        this.#endUpload(path)
        return {}
      }
      case 'relocate-shard': {
        const { blobId, shardIndex, from, to } = command
        const entry = this.used.get(blobId)
        if (entry?.blob.kind !== 'sharded' || entry.blob.holders[shardIndex] === undefined)
          throw new Refusal('ShardNotFound')
        const holder = entry.blob.holders[shardIndex]
        if (entry.blob.generation !== command.generation) throw new Refusal('GenerationMismatch')
        if (holder !== from && holder !== to) throw new Refusal('GenerationMismatch')
        entry.blob = { ...entry.blob, holders: entry.blob.holders.with(shardIndex, to) }
        return {}
      }
      case 'abandon-blobs': {
        const referenced = [...new Set(command.blobIds)].filter((blobId) => this.used.has(blobId))
        for (const blobId of command.blobIds) if (!this.used.has(blobId)) this.dead.add(blobId)
        return { referenced }
      }
      case 'forget-garbage':
        for (const blobId of command.blobIds) this.garbage.delete(blobId)
        return {}
      case 'forget-fences':
        return { forgotten: 0 }
    }
  }

  #turn({ bucketId, attempt }: { bucketId: string; attempt: number }, open: boolean): object {
    if ((this.buckets.get(bucketId)?.attempt ?? 0) > attempt) throw new Refusal('StaleBucket')
    this.buckets.set(bucketId, { open, attempt })
    return {}
  }

  #put({ bucketId, version, blobs, conditions }: Command<'put-version'>): unknown {
    const before = this.#puts.get(version.versionId)
    if (before !== undefined) return before
    this.#requireOpen(bucketId)
    const path = `${bucketId}/${version.key}`
    const current = this.objects.get(path)
    this.#requireConditions(current, conditions)
    this.#use(blobs, path)
    const modifiedMs = this.#install(path, version)
    const reply = { versionId: version.versionId, modifiedMs, replaced: current !== undefined }
    this.#puts.set(version.versionId, reply)
    return reply
  }

  #delete({ bucketId, key, conditions, versionId }: Command<'delete-object'>): unknown {
    this.#requireOpen(bucketId)
    const current = this.objects.get(`${bucketId}/${key}`)
    if (current !== undefined && versionId !== undefined && current.version.versionId !== versionId) {
      throw new Refusal('ConditionalConflict')
    }
    this.#requireConditions(current, conditions)
    for (const blobId of current?.blobIds ?? []) this.#end(blobId)
    return { existed: this.objects.delete(`${bucketId}/${key}`) }
  }

  #putPart(command: Command<'put-part'>): unknown {
    const { bucketId, key, part, blob } = command
    this.#requireOpen(bucketId)
    const upload = this.uploads.get(`${bucketId}/${key}|${command.uploadId}`)
    const current = upload?.parts.get(part.partNumber)
    if (current !== undefined && current.blobId === part.blobId) return { modifiedMs: current.modifiedMs }
    if (this.used.get(part.blobId)?.owner === `${bucketId}/${key}`) return { modifiedMs: part.modifiedMs }
    this.#uploadOf(command)
    this.#use(blob === undefined ? [] : [blob], `${bucketId}/${key}`)
    if (current !== undefined) this.#end(current.blobId)
    const modifiedMs = Math.max(part.modifiedMs, (current?.modifiedMs ?? -1) + 1)
    upload?.parts.set(part.partNumber, { ...part, modifiedMs })
    return { modifiedMs }
  }

  #complete(command: Command<'complete-upload'>): unknown {
    const { bucketId, key, uploadId } = command
    const before = this.#completed.get(`${bucketId}/${key}|${uploadId}`)
    if (before !== undefined) return before
    this.#requireOpen(bucketId)
    const [path, { upload, parts }] = this.#uploadOf(command)
    const numbers = command.parts.map((part) => part.partNumber)
    const chosen: Part[] = []
    for (const [at, listed] of command.parts.entries()) {
      if (listed.partNumber <= (numbers[at - 1] ?? 0)) throw new Refusal('InvalidPartOrder')
      const part = parts.get(listed.partNumber)
      if (part === undefined || part.etag !== listed.etag) throw new Refusal('InvalidPart')
      chosen.push(part)
    }
    if (chosen.length === 0) throw new Refusal('InvalidPart')
    if (chosen.slice(0, -1).some((part) => part.bytes < command.partBytesMin))
      throw new Refusal('PartTooSmall')
    this.#requireConditions(this.objects.get(`${bucketId}/${key}`), command.conditions)
    for (const part of parts.values()) if (!chosen.includes(part)) this.#end(part.blobId)
    const bytes = chosen.reduce((sum, part) => sum + part.bytes, 0)
    const { versionId, etag, nowMs } = command
    const { ownerId, metadata, dataKey, segmentBytes } = upload
    const extents = chosen.map(({ blobId, bytes: length, partNumber, etag: tag }) => ({
      blobId,
      bytes: length,
      partNumber,
      etag: tag,
    }))
    const version: Version = {
      versionId,
      key,
      bytes,
      etag,
      modifiedMs: nowMs,
      ownerId,
      metadata,
      extents,
      dataKey,
      segmentBytes,
    }
    const modifiedMs = this.#install(`${bucketId}/${key}`, version)
    this.#endUpload(path)
    const reply = { versionId, etag, bytes, modifiedMs }
    this.#completed.set(path, reply)
    return reply
  }

  #install(path: string, version: Version): number {
    const current = this.objects.get(path)
    for (const blobId of current?.blobIds ?? []) this.#end(blobId)
    const modifiedMs = Math.max(version.modifiedMs, (current?.version.modifiedMs ?? -1) + 1)
    const blobIds = version.extents.map((extent) => extent.blobId).filter((blobId) => blobId !== '')
    this.objects.set(path, { version: { ...version, modifiedMs }, blobIds })
    return modifiedMs
  }

  #use(blobs: readonly Blob[], owner: string): void {
    if (blobs.some(({ blobId }) => this.dead.has(blobId) || this.used.has(blobId)))
      throw new Refusal('VersionAbandoned')
    for (const blob of blobs) this.used.set(blob.blobId, { blob, owner })
  }

  #end(blobId: string): void {
    if (blobId === '') return
    if (this.used.get(blobId)?.blob.kind === 'sharded') this.garbage.add(blobId)
    this.used.delete(blobId)
    this.dead.add(blobId)
  }

  #endUpload(path: string): void {
    this.uploads.delete(path)
    this.#endedUploads.add(path)
  }

  #uploadOf({
    bucketId,
    key,
    uploadId,
  }: {
    bucketId: string
    key: string
    uploadId: string
  }): [string, StoredUpload] {
    const path = `${bucketId}/${key}|${uploadId}`
    const upload = this.uploads.get(path)
    if (upload === undefined) throw new Refusal('NoSuchUpload')
    return [path, upload]
  }

  #requireOpen(bucketId: string): void {
    const bucket = this.buckets.get(bucketId)
    if (bucket === undefined) throw new Refusal('NoSuchBucket')
    if (!bucket.open) throw new Refusal('StaleBucket')
  }

  #requireConditions(current: StoredVersion | undefined, { ifMatch, ifNoneMatch }: WriteConditions): void {
    if (ifMatch !== undefined && current === undefined) throw new Refusal('NoSuchObject')
    if (ifMatch !== undefined && ifMatch !== '*' && ifMatch !== current?.version.etag)
      throw new Refusal('PreconditionFailed')
    if (ifNoneMatch !== undefined && current !== undefined) throw new Refusal('PreconditionFailed')
  }
}
