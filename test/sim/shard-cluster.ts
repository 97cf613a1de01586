/**
 * A cluster of shard nodes in one process: simulated disks, real stores and services, a network that tests cut.
 *
 * The catalog is not here: see shard-catalog.ts. Nodes `<site>-<n>` at sites named by letters.
 */
import assert from 'node:assert/strict'
import type { ShardedBlob } from '../../node/core/catalog-types.ts'
import type { ClusterMap, MapNode, Pool } from '../../node/core/cluster-map.ts'
import { cellBytesAt, type Geometry, geometryOf } from '../../node/core/geometry.ts'
import { ClusterError } from '../../node/errors.ts'
import { openShardFiles, type ShardFiles } from '../../node/io/shard-files.ts'
import type {
  Answer,
  Caller,
  Handler,
  Handlers,
  MessageName,
  Requests,
  ShardHeader,
} from '../../node/protocol/messages.ts'
import { trailerBytes, writeTrailer } from '../../node/protocol/shard-record.ts'
import { Rebuilder } from '../../node/services/rebuild.ts'
import { MetricCounts } from '../../node/services/shard-metrics.ts'
import { ShardService } from '../../node/services/shard-service.ts'
import { codecFor } from '../../wasm/codec.ts'
import { SimDisk, seeded } from './shard-disk.ts'
import { TestClock } from './shard-fixture.ts'

export const codeName = 'cauchy-xor'
export const blockBytes = codecFor({ code: codeName, dataShards: 4, parityShards: 2 }).blockBytes

export const somePool: Pool = {
  poolId: 'default',
  code: codeName,
  dataShards: 4,
  parityShards: 2,
  cellBytes: 4 * blockBytes,
  sites: [],
}

export function mapNode(nodeId: string, change: Partial<MapNode> = {}): MapNode {
  return {
    nodeId,
    operatorId: 'op',
    site: nodeId.slice(0, 1),
    roles: ['catalog', 'shard'],
    publicKey: '',
    journalKey: '',
    capacityBytes: 1,
    state: 'active',
    ...change,
  }
}

export class SimNode {
  readonly nodeId: string
  readonly disk: SimDisk
  readonly store: ShardFiles
  readonly handlers: Handlers
  readonly corrupt: string[] = []

  private constructor(nodeId: string, disk: SimDisk, store: ShardFiles, cluster: SimCluster) {
    this.nodeId = nodeId
    this.disk = disk
    this.store = store
    const { clock, metrics } = cluster
    const service = new ShardService({
      store,
      clock,
      metrics,
      onCorrupt: (key) => this.corrupt.push(key.blobId),
    })
    const rebuilder = new Rebuilder({ nodeId, store, caller: cluster.callerOf(nodeId) })
    this.handlers = { ...service.handlers, 'rebuild-shard': rebuilder.handler }
  }

  static async start(nodeId: string, disk: SimDisk, cluster: SimCluster): Promise<SimNode> {
    const onFatal = (error: Error): void => assert.fail(error.message)
    const limits = { reserveBytes: 0 }
    const store = await openShardFiles({ root: '/d', disk, clock: cluster.clock, onFatal, limits })
    return new SimNode(nodeId, disk, store, cluster)
  }

  async holds(blobId: string, shardIndex: number): Promise<boolean> {
    return this.store.find({ blobId, shardIndex }).then(
      () => true,
      () => false,
    )
  }
}

export class SimCluster {
  readonly clock = new TestClock()
  readonly metrics = new MetricCounts()
  readonly nodes = new Map<string, SimNode>()
  readonly down = new Set<string>()
  map: ClusterMap
  /** Asked before each call; may throw, or wait. */
  onCall: (to: string, message: MessageName, request: unknown) => Promise<void> | void = () => undefined

  private constructor(nodeIds: readonly string[]) {
    this.map = {
      federationId: 'f',
      epoch: 1,
      operators: [],
      nodes: nodeIds.map((nodeId) => mapNode(nodeId)),
      pools: [somePool],
      groups: [],
      slots: [],
    }
  }

  static async start(nodeIds = ['a-1', 'a-2', 'b-1', 'b-2', 'c-1', 'c-2']): Promise<SimCluster> {
    const cluster = new SimCluster(nodeIds)
    for (const nodeId of nodeIds) await cluster.restart(nodeId, new SimDisk())
    return cluster
  }

  /** Starts a node (again) on a disk: its own, a crashed one, or an empty one after a wipe. */
  async restart(nodeId: string, disk: SimDisk): Promise<void> {
    this.nodes.set(nodeId, await SimNode.start(nodeId, disk, this))
  }

  node(nodeId: string): SimNode {
    return this.nodes.get(nodeId) ?? assert.fail(`no node ${nodeId}`)
  }

  isUp = (nodeId: string): boolean => this.nodes.has(nodeId) && !this.down.has(nodeId)

  callerOf(from: string): Caller {
    return {
      call: async <M extends MessageName>(to: string, message: M, request: Requests[M], options = {}) => {
        await this.onCall(to, message, request)
        if (!this.isUp(to)) throw new ClusterError('PeerUnreachable', `${to} is down`)
        const handler = this.node(to).handlers[message] as Handler<M> | undefined
        if (handler === undefined) throw new ClusterError('BadMessage', message)
        const body =
          'body' in options && options.body ? Buffer.concat(options.body as Uint8Array[]) : undefined
        const given = 'signal' in options ? (options.signal as AbortSignal) : undefined
        const signal = given ?? new AbortController().signal
        const answer = await handler(request, { from, body, timeoutMs: 0, signal })
        if (!this.isUp(to)) throw new ClusterError('Timeout', `${to} went down`)
        const parts = answer.body
        const reply: Answer<M> = { reply: answer.reply, body: parts && Buffer.concat(parts) }
        // The sender's buffer is used again at once, as on a real connection.
        for (const part of parts ?? []) if (answer.sent !== undefined) part.fill(0xee)
        answer.sent?.()
        return reply
      },
      send: () => undefined,
    }
  }

  /** Encodes and seals a blob of `bytes` random bytes on these holders, and returns its row. */
  async writeBlob(blobId: string, bytes: number, holders: readonly string[]): Promise<ShardedBlob> {
    for (const [shardIndex, holder] of holders.entries()) {
      const header = headerOf(blobId, shardIndex)
      const cells = encodeShards(blobId, bytes)[shardIndex] ?? assert.fail()
      await this.node(holder).store.append(header, 0, cells.length, Buffer.concat(cells))
      await this.node(holder).store.seal(header)
    }
    return blobOf(blobId, bytes, holders)
  }

  /** The shard as it must be, framed. */
  expected(blob: ShardedBlob, shardIndex: number): Buffer {
    return Buffer.concat(encodeShards(blob.blobId, blob.bytes)[shardIndex] ?? [])
  }

  /** Fails unless the node holds this shard with exactly the bytes of the blob. */
  async checkShard(nodeId: string, blob: ShardedBlob, shardIndex: number): Promise<void> {
    const { blobId, generation } = blob
    const { store } = this.node(nodeId)
    const read = await store.read({ blobId, shardIndex, generation }, 0, 1_000_000)
    assert.ok(read.frames.equals(this.expected(blob, shardIndex)), `shard ${shardIndex} on ${nodeId} differs`)
    await store.verify({ blobId, shardIndex }, () => Promise.resolve())
  }
}

export function headerOf(blobId: string, shardIndex: number, groupId = 'catalog-1'): ShardHeader {
  const { code, dataShards, parityShards, cellBytes } = somePool
  return { blobId, shardIndex, groupId, code, dataShards, parityShards, cellBytes, generation: 1 }
}

export function blobOf(blobId: string, bytes: number, holders: readonly string[]): ShardedBlob {
  const { code, dataShards, parityShards, cellBytes } = somePool
  return { kind: 'sharded', blobId, bytes, code, dataShards, parityShards, cellBytes, generation: 1, holders }
}

export function geometryOfBytes(bytes: number): Geometry {
  return geometryOf({ ...somePool, bytes, blockBytes })
}

const encoded = new Map<string, Buffer[][]>()
const pool = codecFor({ code: codeName, dataShards: 4, parityShards: 2 }).createStripePool({
  cellBytesMax: somePool.cellBytes,
  trailerBytes,
  stripesMax: 1,
})

/** Framed cells by shard; the bytes follow from blob id and size. */
function encodeShards(blobId: string, bytes: number): Buffer[][] {
  const name = `${blobId}/${bytes}`
  const known = encoded.get(name)
  if (known !== undefined) return known
  const random = seeded(Number.parseInt(blobId.slice(-8), 16) + bytes)
  const geometry = geometryOfBytes(bytes)
  const shards: Buffer[][] = Array.from({ length: geometry.shardCount }, () => [])
  for (let index = 0; index < geometry.stripeCount; index++) {
    const cellBytes = cellBytesAt(geometry, index)
    const stripe = pool.tryAcquire() ?? assert.fail('the stripe is in use')
    for (const cell of stripe.cells.slice(0, geometry.dataShards))
      for (let i = 0; i < cellBytes; i += 4) cell.writeUInt32LE(Math.floor(random() * 2 ** 32), i)
    stripe.encode(cellBytes)
    for (const [shard, cells] of shards.entries()) {
      const frame = Buffer.from(stripe.framed(shard, cellBytes))
      writeTrailer(frame, index)
      cells.push(frame)
    }
    stripe.release()
  }
  encoded.set(name, shards)
  return shards
}
