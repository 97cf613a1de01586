/**
 * Runs a range of seeds of the Raft simulator and stops at the first failure.
 *
 *     node --import tsx test/sim/raft-seeds.ts <first> <count>        SIM_TRACE=1 shows every event
 */
import { runRaftWorkload } from './raft-workload.ts'

const [first = 1, count = 100] = process.argv.slice(2).map(Number)
const total = { operations: 0, answered: 0, applied: 0, terms: 0 }
for (let seed = first; seed < first + count; seed += 1) {
  try {
    const summary = runRaftWorkload({ seed })
    total.operations += summary.operations
    total.answered += summary.answered
    total.applied += summary.applied
    total.terms += summary.highestTerm
  } catch (cause) {
    const error = cause instanceof Error ? cause : new Error(String(cause))
    if (error.cause instanceof Error) console.log(error.cause.stack)
    console.log(error.message)
    process.exit(1)
  }
}
console.log(`${count} seeds from ${first}: ${JSON.stringify(total)}`)
