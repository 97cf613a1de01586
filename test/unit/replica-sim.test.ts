/** Whole hosts under seeded faults; see test/sim/replica-workload.ts for what is checked. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { runReplicaWorkload } from '../sim/replica-workload.ts'

describe('replica hosts under faults', () => {
  const extra = Number(process.env.REPLICA_SEEDS ?? 0)

  test('keep every acknowledged write, apply no request twice and agree in fixed seeds', async () => {
    const total = { answered: 0, snapshots: 0, laterChunks: 0, repeatedRequests: 0 }
    for (let seed = 1; seed <= 250; seed += 1) {
      const summary = await runReplicaWorkload(seed)
      for (const key of ['answered', 'snapshots', 'laterChunks', 'repeatedRequests'] as const) {
        total[key] += summary[key]
      }
    }
    // Runs in which these never happen would prove nothing about them.
    assert.ok(total.answered > 20_000, JSON.stringify(total))
    assert.ok(total.snapshots > 100 && total.laterChunks > 1_000, JSON.stringify(total))
    assert.ok(total.repeatedRequests > 300, JSON.stringify(total))
  })

  test('do so in seeds that failed once', async () => {
    const folder = join(import.meta.dirname, '../sim/seeds')
    const files = readdirSync(folder).filter((name) => name.startsWith('replica-'))
    assert.ok(files.length > 0)
    for (const file of files) {
      const { seed } = JSON.parse(readFileSync(join(folder, file), 'utf8')) as { seed: number }
      await runReplicaWorkload(seed)
    }
  })

  test('do so in random seeds', { skip: extra === 0 && 'REPLICA_SEEDS=<count> runs them' }, async () => {
    const first = Math.floor(Math.random() * 2 ** 31)
    for (let seed = first; seed < first + extra; seed += 1) await runReplicaWorkload(seed)
  })
})
