/**
 * What a replicated command costs: three replicas in one process, LevelDB with fsync, real codec, no sockets.
 *
 *     node --import tsx test/sim/replica-bench.ts [commandBytes]
 *
 * Prints one line of JSON per number of clients. CPU is of the whole process: leader and both followers.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import type { StateMachine } from '../../node/core/state-machine.ts'
import { LevelStore } from '../../node/io/level-store.ts'
import type { Group } from '../../node/services/replica.ts'
import { fastLimits, ReplicaCluster, voters } from './replica-cluster.ts'

const storeLimits = {
  queuedBytesMax: 256 * 2 ** 20,
  lazyWriteMs: 20,
  writeBufferBytes: 16 * 2 ** 20,
  cacheBytes: 32 * 2 ** 20,
  scanAheadBytes: 256 * 2 ** 10,
}

const limits = {
  ...fastLimits,
  raft: { ...fastLimits.raft, electionTimeoutMinMs: 1_000, electionTimeoutMaxMs: 2_000, heartbeatMs: 250 },
  tickMs: 50,
  logEntriesMax: 10_000,
  logBytesMax: 64 * 2 ** 20,
  logTrimEntries: 1_000,
}

/** A conditional put: one read, one write of a row that carries the bytes. */
const putMachine: StateMachine = {
  apply: ({ command, rows }) => {
    const { key, data } = command as { key: string; data: Uint8Array }
    const exists = rows.get(key) !== undefined
    return { reply: { exists }, mutations: exists ? [] : [{ key, value: data }] }
  },
}

async function measure(leader: Group, clients: number, data: Uint8Array): Promise<void> {
  const latencies: number[] = []
  const end = performance.now() + 4_000
  const cpu = process.cpuUsage()
  const started = performance.now()
  await Promise.all(
    Array.from({ length: clients }, async (_, client) => {
      for (let n = 0; performance.now() < end; n += 1) {
        const begun = performance.now()
        const requestId = `${clients}-${client}-${n}`
        await leader.propose({ key: requestId, data }, { requestId, timeoutMs: 10_000 })
        latencies.push(performance.now() - begun)
      }
    }),
  )
  const seconds = (performance.now() - started) / 1_000
  const { user, system } = process.cpuUsage(cpu)
  latencies.sort((a, b) => a - b)
  const at = (share: number) => Number((latencies[Math.floor(latencies.length * share)] ?? 0).toFixed(2))
  console.log(
    JSON.stringify({
      commandBytes: data.byteLength,
      clients,
      opsPerS: Math.round(latencies.length / seconds),
      p50Ms: at(0.5),
      p99Ms: at(0.99),
      cpuUsPerOp: Math.round((user + system) / latencies.length),
    }),
  )
}

async function main(): Promise<void> {
  const data = Buffer.alloc(Number(process.argv[2] ?? 4_096), 7)
  const directory = await mkdtemp(join(tmpdir(), 'replica-bench-'))
  const cluster = new ReplicaCluster({ members: voters('a', 'b', 'c'), limits })
  for (const nodeId of ['a', 'b', 'c']) {
    await cluster.start(nodeId, await LevelStore.open(join(directory, nodeId), storeLimits), putMachine)
  }
  const leader = await cluster.leader()
  for (const clients of [1, 8, 64]) await measure(leader, clients, data)
  const begun = performance.now()
  const cpu = process.cpuUsage()
  for (let n = 0; n < 2_000; n += 1) await leader.readBarrier(5_000)
  const { user, system } = process.cpuUsage(cpu)
  const readUs = Math.round(((performance.now() - begun) * 1_000) / 2_000)
  console.log(JSON.stringify({ readBarrierUs: readUs, cpuUs: Math.round((user + system) / 2_000) }))
  await cluster.close()
  await rm(directory, { recursive: true })
}

main().catch((cause: unknown) => {
  console.error(cause)
  process.exitCode = 1
})
