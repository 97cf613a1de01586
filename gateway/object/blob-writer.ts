/**
 * The blob writer: a stream of plaintext becomes k+m durable shards.
 *
 * Encrypts, fills stripes in WebAssembly memory, encodes, sends the cells to their holders and waits until every shard
 * is sealed. A holder that fails is replaced: before its first cell at once, later by having the shard rebuilt from
 * the others. Returns only when the durable shards satisfy the write-quorum rule; otherwise throws and leaves nothing
 * that garbage collection would not find. Memory: one stripe of ciphertext per blob plus the stripes of the pool.
 */
import { crc32 } from '@node-rs/crc32'
import type { ClusterClient } from '../../node/client.ts'
import type { ShardedBlob } from '../../node/core/catalog-types.ts'
import type { Pool } from '../../node/core/cluster-map.ts'
import { cellBytesAt, type Geometry } from '../../node/core/geometry.ts'
import { ClusterError } from '../../node/errors.ts'
import { ByteQueue } from './byte-queue.ts'
import type { Codecs } from './codecs.ts'
import { ciphertextBytes, SegmentEncryptor } from './segments.ts'
import { BlobPlacement, judgeHolders } from './shard-placement.ts'
import { ShardSink } from './shard-sink.ts'

export const writerLimits = {
  /** Stripes of one blob under way to the holders: hides the round trip, bounds what one upload takes of the pool. */
  stripesInFlight: 3,
  /** A rebuild of one shard may take so long before the write fails. */
  rebuildTimeoutMs: 120_000,
} as const

export interface BlobToWrite {
  readonly blobId: string
  readonly groupId: string
  readonly pool: Pool
  readonly dataKey: Uint8Array
  readonly segmentBytes: number
  /** >= 1 */
  readonly plainBytes: number
  readonly chunks: AsyncIterable<Buffer>
  readonly signal: AbortSignal | undefined
}

/** What operators want to know of writes that went well all the same. */
export interface WriteEvents {
  /** Acknowledged though only the next node, not the next site, is survived: too few sites are up. */
  readonly onSiteRuleWaived: () => void
  /** A holder failed during a write and another took its shard. */
  readonly onHolderReplaced: () => void
}

/** The encode attempt of a first write; repair keeps it, since it computes the same bytes. */
const FIRST_GENERATION = 1

export class BlobWriter {
  readonly #cluster: ClusterClient
  readonly #codecs: Codecs
  readonly #events: WriteEvents

  constructor(cluster: ClusterClient, codecs: Codecs, events: WriteEvents) {
    this.#cluster = cluster
    this.#codecs = codecs
    this.#events = events
  }

  /**
   * Consumes `chunks` to the end; throws what they throw, or ClusterError WriteQuorumUnavailable. Every shard of the
   * returned blob is durable at its holder.
   */
  async write(blob: BlobToWrite): Promise<ShardedBlob> {
    const { pool, blobId } = blob
    const geometry = this.#codecs.geometry(pool, ciphertextBytes(blob.plainBytes, blob.segmentBytes))
    const placement = new BlobPlacement(this.#cluster, pool, blobId)
    const sinks = this.#openSinks(blob, placement)
    try {
      await this.#sendStripes(blob, geometry, sinks)
      await this.#rebuildFailed(geometry, sinks, placement)
      const verdict = judgeHolders(this.#cluster, pool, placement.holders)
      if (!verdict.acknowledge) {
        throw new ClusterError('WriteQuorumUnavailable', `the write ended: ${verdict.reason}`)
      }
      if (!verdict.survivesNextSite) this.#events.onSiteRuleWaived()
    } catch (error) {
      this.#abandon(sinks)
      throw error
    }
    return {
      kind: 'sharded',
      blobId,
      bytes: geometry.bytes,
      code: pool.code,
      dataShards: pool.dataShards,
      parityShards: pool.parityShards,
      cellBytes: pool.cellBytes,
      generation: FIRST_GENERATION,
      holders: [...placement.holders],
    }
  }

  /** Deletes the shards of a blob that the catalog refused; best effort, garbage collection finds the rest. */
  discard(blob: ShardedBlob): void {
    blob.holders.forEach((holder, shardIndex) => {
      this.#deleteShard(holder, { blobId: blob.blobId, shardIndex })
    })
  }

  #openSinks(blob: BlobToWrite, placement: BlobPlacement): ShardSink[] {
    const { pool, blobId, groupId, signal } = blob
    const { code, dataShards, parityShards, cellBytes } = pool
    return placement.holders.map((holder, shardIndex) => {
      const header = {
        blobId,
        shardIndex,
        groupId,
        code,
        dataShards,
        parityShards,
        cellBytes,
        generation: FIRST_GENERATION,
      }
      return new ShardSink(this.#cluster.caller, {
        header,
        holder,
        substitute: () => this.#substitute(placement, shardIndex),
        signal,
      })
    })
  }

  async #sendStripes(blob: BlobToWrite, geometry: Geometry, sinks: readonly ShardSink[]): Promise<void> {
    const encryptor = new SegmentEncryptor(blob)
    const cipher = new ByteQueue()
    const pieces: Buffer[] = []
    const inFlight: Promise<void>[] = []
    let stripe = 0
    const sendWhile = async (enough: number) => {
      while (stripe < geometry.stripeCount && cipher.bytes >= enough) {
        if (inFlight.length >= writerLimits.stripesInFlight) await inFlight.shift()
        refuseLost(sinks, geometry)
        const { sent } = await this.#sendStripe(cipher, { pool: blob.pool, geometry, stripe }, sinks)
        inFlight.push(sent)
        stripe++
      }
    }
    try {
      for await (const chunk of blob.chunks) {
        encryptor.update(chunk, pieces)
        for (const piece of pieces) cipher.push(piece)
        pieces.length = 0
        await sendWhile(geometry.stripeBytes)
      }
      await sendWhile(1)
    } finally {
      await Promise.all(inFlight)
    }
    if (stripe !== geometry.stripeCount)
      throw new ClusterError('Internal', 'the body ended before its announced length')
    refuseLost(sinks, geometry)
  }

  /** Fills, encodes and hands out one stripe; `sent` resolves when its memory is free again. */
  async #sendStripe(
    cipher: ByteQueue,
    at: { pool: Pool; geometry: Geometry; stripe: number },
    sinks: readonly ShardSink[],
  ): Promise<{ sent: Promise<void> }> {
    const { geometry } = at
    const cellBytes = cellBytesAt(geometry, at.stripe)
    const seal = at.stripe === geometry.stripeCount - 1
    const stripe = await this.#codecs.stripes(at.pool).acquire()
    for (const cell of stripe.cells.slice(0, geometry.dataShards)) {
      const filled = cipher.copyInto(cell, cellBytes)
      if (filled < cellBytes) cell.fill(0, filled, cellBytes)
    }
    stripe.encode(cellBytes)
    const sent = sinks.map((sink, shardIndex) => {
      const frame = stripe.framed(shardIndex, cellBytes)
      frame.writeUInt32LE(crc32(frame.subarray(0, cellBytes), at.stripe), cellBytes)
      frame.writeUInt32LE(cellBytes, cellBytes + 4)
      return sink.append(frame, { seal })
    })
    return { sent: Promise.all(sent).then(() => stripe.release()) }
  }

  /** Shards whose holder failed midway: a substitute computes them from the others and seals them. */
  async #rebuildFailed(
    geometry: Geometry,
    sinks: readonly ShardSink[],
    placement: BlobPlacement,
  ): Promise<void> {
    const failed = sinks.filter((sink) => !sink.sealed)
    await Promise.all(
      failed.map(async (sink) => {
        const { shardIndex } = sink.header
        for (;;) {
          const target = this.#substitute(placement, shardIndex)
          if (target === undefined) {
            throw new ClusterError(
              'WriteQuorumUnavailable',
              'a holder failed and none is left to replace it',
              {
                cause: sink.failure,
              },
            )
          }
          try {
            const sources = sinks.map((other) => (other.sealed ? other.holder : undefined))
            await this.#cluster.caller.call(
              target,
              'rebuild-shard',
              { header: sink.header, bytes: geometry.bytes, sources },
              { timeoutMs: writerLimits.rebuildTimeoutMs },
            )
            return
          } catch (error) {
            if (!(error instanceof ClusterError)) throw error
            sink.failure = error
          }
        }
      }),
    )
  }

  #substitute(placement: BlobPlacement, shardIndex: number): string | undefined {
    this.#events.onHolderReplaced()
    return placement.substitute(shardIndex)
  }

  #abandon(sinks: readonly ShardSink[]): void {
    for (const sink of sinks) {
      const shard = { blobId: sink.header.blobId, shardIndex: sink.header.shardIndex }
      if (sink.sealed) this.#deleteShard(sink.holder, shard)
      else void this.#cluster.caller.call(sink.holder, 'abort-shard', shard).catch(leaveToGarbageCollection)
    }
  }

  #deleteShard(holder: string, shard: { blobId: string; shardIndex: number }): void {
    void this.#cluster.caller
      .call(holder, 'delete-shards', { shards: [shard] })
      .catch(leaveToGarbageCollection)
  }
}

/** More than m shards failed: what is left could not be decoded, so the body need not be read further. */
function refuseLost(sinks: readonly ShardSink[], geometry: Geometry): void {
  const failed = sinks.filter((sink) => sink.failure !== undefined)
  if (failed.length > geometry.parityShards) {
    throw new ClusterError('WriteQuorumUnavailable', `${failed.length} holders failed during the write`, {
      cause: failed[0]?.failure,
    })
  }
}

/** A holder that cannot be told now keeps an unreferenced shard; garbage collection asks the catalog about it later. */
function leaveToGarbageCollection(): void {
  // nothing to do: see above
}
