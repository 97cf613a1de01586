/**
 * The shards of one node in memory, behind the same messages as node/services/shard-service.ts.
 *
 * For tests of what lies above: cells are verified and kept as they came, in order; nothing is durable, scrubbed or
 * rebuilt. The contract of a node's real store is tested elsewhere (test/contract/shard-store.test.ts).
 */
import { ClusterError } from '../../node/errors.ts'
import type { Handlers, ShardHeader } from '../../node/protocol/messages.ts'
import { type CellRun, checkHeader, trailerBytes, verifyFrames } from '../../node/protocol/shard-record.ts'
import { shardName } from '../../node/protocol/shard-store.ts'

interface MemoryShard {
  readonly header: ShardHeader
  /** One frame a cell. */
  readonly frames: Buffer[]
}

type ShardMessages = Required<Pick<Handlers, 'write-shard' | 'read-shard' | 'delete-shards' | 'abort-shard'>>

export class MemoryShards {
  readonly #open = new Map<string, MemoryShard>()
  readonly #sealed = new Map<string, MemoryShard>()

  /** Sealed shards that have not been deleted. */
  get count(): number {
    return this.#sealed.size
  }

  readonly handlers: ShardMessages = {
    'write-shard': async ({ header, firstCell, cellCount, seal }, { body }) => {
      checkHeader(header)
      const name = shardName(header)
      const shard = firstCell === 0 ? { header, frames: [] } : this.#open.get(name)
      if (shard === undefined) throw new ClusterError('ShardNotFound', 'the shard is not open')
      if (shard.frames.length !== firstCell) throw new ClusterError('BadMessage', 'not the next cell')
      if (body !== undefined && cellCount > 0) {
        shard.frames.push(...framesOf(body, { firstCell, cellCount, cellBytes: header.cellBytes }))
      }
      this.#open.set(name, shard)
      if (!seal) return { reply: { sealed: false } }
      this.#open.delete(name)
      this.#sealed.set(name, shard)
      return { reply: { sealed: true } }
    },

    'read-shard': async (request) => {
      const shard = this.#sealed.get(shardName(request))
      if (shard === undefined) throw new ClusterError('ShardNotFound', 'no such shard')
      const frames = shard.frames.slice(request.firstCell, request.firstCell + request.cellCount)
      if (frames.length === 0) throw new ClusterError('BadMessage', 'no such cell')
      return { reply: { cellCount: frames.length }, body: [Buffer.concat(frames)] }
    },

    'delete-shards': async ({ shards }) => {
      const deleted = shards.filter((shard) => this.#sealed.delete(shardName(shard))).length
      return { reply: { deleted } }
    },

    'abort-shard': async (key) => {
      this.#open.delete(shardName(key))
      return { reply: {} }
    },
  }
}

/** Copies of the frames in a verified body: the sender uses its buffer again. */
function framesOf(body: Buffer, run: CellRun): Buffer[] {
  verifyFrames(body, run)
  const stride = run.cellBytes + trailerBytes
  return Array.from({ length: run.cellCount }, (_, i) =>
    Buffer.from(body.subarray(i * stride, Math.min(body.length, (i + 1) * stride))),
  )
}
