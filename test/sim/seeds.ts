/**
 * Runs a range of seeds of a simulator and stops at the first failure.
 *
 *     node --import tsx test/sim/seeds.ts raft|replica <first> <count>        SIM_TRACE=1 shows every event (raft)
 */
import { runRaftWorkload } from './raft-workload.ts'
import { runReplicaWorkload } from './replica-workload.ts'

const [simulator = 'raft', first = '1', count = '100'] = process.argv.slice(2)

async function main(): Promise<void> {
  const total: Record<string, number> = {}
  const end = Number(first) + Number(count)
  for (let seed = Number(first); seed < end; seed += 1) {
    const summary = simulator === 'raft' ? runRaftWorkload({ seed }) : await runReplicaWorkload(seed)
    for (const [name, value] of Object.entries(summary)) total[name] = (total[name] ?? 0) + value
  }
  console.log(`${count} seeds from ${first}: ${JSON.stringify(total)}`)
}

main().catch((cause: unknown) => {
  const error = cause instanceof Error ? cause : new Error(String(cause))
  if (error.cause instanceof Error) console.log(error.cause.stack)
  console.log(error.message.split('\n')[0])
  process.exit(1)
})
