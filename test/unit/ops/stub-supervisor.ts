/** A supervisor with one child, in a process of its own, so that a test can kill it. Prints the child's process id. */
import { Supervisor } from '../../../ops/dev/supervisor.ts'

const [root = '', stub = '', logFile = ''] = process.argv.slice(2)
const supervisor = new Supervisor({ cwd: root, onDeath: () => undefined })
await supervisor.start({ id: 'stub', args: [stub, 'ready'], logFile })
process.stdout.write(`${supervisor.pidOf('stub')}\n`)
