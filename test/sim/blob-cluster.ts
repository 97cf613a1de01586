/**
 * Six shard stores on real files, reached over a caller that tests can break: what a gateway's blob writer and reader
 * see of a federation, without processes.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ClusterClient } from '../../node/client.ts'
import type { Pool } from '../../node/core/cluster-map.ts'
import { ClusterError } from '../../node/errors.ts'
import { openShardFiles } from '../../node/io/shard-files.ts'
import { systemClock, systemRandom } from '../../node/io/system-world.ts'
import type { Answer, Caller, Handlers, MessageName, Requests } from '../../node/protocol/messages.ts'
import { Rebuilder } from '../../node/services/rebuild.ts'
import { MetricCounts } from '../../node/services/shard-metrics.ts'
import { ShardService } from '../../node/services/shard-service.ts'
import { mapOf, nodesOf } from '../unit/cluster-fixture.ts'

/** Small cells, so that small blobs have many stripes. */
export const testPool: Pool = {
  poolId: 'default',
  code: 'cauchy-xor',
  dataShards: 4,
  parityShards: 2,
  cellBytes: 1024,
  sites: [],
}

/** Decides about one call before it reaches its node; may throw, wait, or change the body of the answer. */
export type Fault = (call: {
  to: string
  message: MessageName
  request: unknown
}) => Promise<((body: Buffer) => Buffer) | undefined>

export class BlobCluster implements Caller {
  readonly nodeIds: readonly string[]
  readonly down = new Set<string>()
  readonly client: ClusterClient
  fault: Fault | undefined
  readonly calls: { to: string; message: MessageName }[] = []
  readonly #handlers = new Map<string, Handlers>()

  private constructor() {
    const nodes = nodesOf([2, 2, 2])
    this.nodeIds = nodes.map((node) => node.nodeId)
    const map = mapOf(nodes, testPool)
    this.client = new ClusterClient({
      caller: this,
      map: () => map,
      isUp: (nodeId) => !this.down.has(nodeId),
      clock: systemClock,
      random: systemRandom,
    })
  }

  /** Opens the stores in a temporary directory that `cleanUp` removes. */
  static async open(cleanUp: (run: () => Promise<void>) => void): Promise<BlobCluster> {
    const directory = await mkdtemp(join(tmpdir(), 'blobs-'))
    const cluster = new BlobCluster()
    const stores: { close(): Promise<void> }[] = []
    cleanUp(async () => {
      for (const store of stores) await store.close()
      await rm(directory, { recursive: true, force: true })
    })
    for (const nodeId of cluster.nodeIds) {
      const store = await openShardFiles({
        root: join(directory, nodeId),
        clock: systemClock,
        onFatal: (cause) => {
          throw cause
        },
      })
      const service = new ShardService({ store, clock: systemClock, metrics: new MetricCounts() })
      const rebuild = new Rebuilder({ nodeId, store, caller: cluster }).handler
      cluster.#handlers.set(nodeId, { ...service.handlers, 'rebuild-shard': rebuild })
      stores.push(store)
    }
    return cluster
  }

  async call<M extends MessageName>(
    to: string,
    message: M,
    request: Requests[M],
    options: Parameters<Caller['call']>[3] = {},
  ): Promise<Answer<M>> {
    this.calls.push({ to, message })
    if (this.down.has(to)) throw new ClusterError('PeerUnreachable', `${to} is down`)
    const change = await this.fault?.({ to, message, request })
    if (options.signal?.aborted) throw new ClusterError('Timeout', 'cancelled')
    const handler = this.#handlers.get(to)?.[message]
    if (handler === undefined) throw new ClusterError('BadMessage', `${to} does not serve ${message}`)
    const body = options.body === undefined ? undefined : Buffer.concat(options.body)
    const answer = await handler(request, {
      from: 'gw-1',
      body,
      timeoutMs: 10_000,
      signal: new AbortController().signal,
    })
    if (this.down.has(to)) throw new ClusterError('PeerUnreachable', `${to} went down`)
    const answerBody = answer.body === undefined ? undefined : Buffer.concat(answer.body)
    return {
      reply: answer.reply,
      body: change !== undefined && answerBody !== undefined ? change(answerBody) : answerBody,
    }
  }

  send(): void {
    throw new Error('blobs send no one-way messages')
  }
}
