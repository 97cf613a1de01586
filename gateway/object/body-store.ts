/**
 * Bodies on their way into the cluster: encrypted, stored as blobs, and committed or given up with their command.
 *
 * Order of a write: shards durable -> digests verified -> catalog commit -> answer. A refusal deletes the shards; an
 * outcome that is not known (no leader answered) leaves them: the commit may still happen, and garbage collection
 * asks the catalog before it deletes.
 */
import { randomBytes } from 'node:crypto'
import type { ClusterClient } from '../../node/client.ts'
import type { Blob, Extent } from '../../node/core/catalog-types.ts'
import type { Bucket } from '../../node/core/registry-types.ts'
import { ClusterError } from '../../node/errors.ts'
import type { BlobWriter } from './blob-writer.ts'
import { commandId } from './bucket-calls.ts'
import type { BodyDigests, BodySource, CallContext } from './object-store.ts'
import { ciphertextBytes, SegmentEncryptor } from './segments.ts'

export const bodyLimits = {
  /** Plaintext up to this size lies in the catalog row: below it six files cost more than three log entries. */
  inlineBytesMax: 32 * 1024,
} as const

export interface WrittenBody {
  readonly groupId: string
  readonly blobs: readonly Blob[]
  readonly extents: readonly Extent[]
  /** Plaintext bytes of all extents. */
  readonly bytes: number
  readonly digests: BodyDigests
}

export interface BodyWrite {
  readonly bucket: Bucket
  readonly groupId: string
  readonly dataKey: Buffer
  readonly segmentBytes: number
  readonly body: BodySource
}

export class BodyStore {
  readonly #cluster: ClusterClient
  readonly #writer: BlobWriter

  constructor(cluster: ClusterClient, writer: BlobWriter) {
    this.#cluster = cluster
    this.#writer = writer
  }

  /** Encrypts and stores a body; verifies its digests. Nothing is committed yet; on any error nothing is left on purpose. */
  async write(write: BodyWrite, context: CallContext): Promise<WrittenBody> {
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
    const bytes = extents.reduce((sum, extent) => sum + extent.bytes, 0)
    return { groupId: to.groupId, blobs, extents, bytes, digests }
  }

  async #writeBlob(
    write: Omit<BodyWrite, 'body'> & {
      readonly blobId: string
      readonly bytes: number
      readonly chunks: AsyncIterable<Buffer>
    },
    context: CallContext,
  ): Promise<Blob> {
    const { bucket, groupId, blobId, dataKey, segmentBytes, bytes: plainBytes, chunks } = write
    const stream = { blobId, dataKey, segmentBytes, plainBytes }
    if (plainBytes > bodyLimits.inlineBytesMax) {
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
  async commit<T>(written: WrittenBody, context: CallContext, run: () => Promise<T>): Promise<T> {
    try {
      return await run()
    } catch (error) {
      const refused = error instanceof ClusterError && error.code !== 'GroupUnavailable'
      // Not awaited: the client's answer does not depend on it, and garbage collection does the same later.
      if (refused) this.#abandon(written, context).catch(leaveToGarbageCollection)
      throw error
    }
  }

  /**
   * Deletes the shards of refused blobs once the catalog has fenced them: an earlier attempt of the same command may
   * still be on its way, and must then be refused, too.
   */
  async #abandon({ groupId, blobs }: WrittenBody, context: CallContext): Promise<void> {
    const sharded = blobs.filter((blob) => blob.kind === 'sharded')
    if (sharded.length === 0) return
    const { referenced } = await this.#cluster.router.proposeCatalog(groupId, commandId(context), {
      kind: 'abandon-blobs',
      blobIds: sharded.map((blob) => blob.blobId),
      nowMs: this.#cluster.clock.wallMs(),
    })
    for (const blob of sharded) if (!referenced.includes(blob.blobId)) this.#writer.discard(blob)
  }
}

function leaveToGarbageCollection(): void {
  // It asks the catalog about every shard that no row refers to.
}

/** Ids of blobs, versions and uploads. */
export function newId(): string {
  return randomBytes(16).toString('hex')
}

async function* oneChunk(chunk: Buffer): AsyncGenerator<Buffer> {
  yield chunk
}
