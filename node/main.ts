/**
 * Starts one process of the federation: `node`, `dht` or `auditor`, each with `--config <file>`.
 */
import { parseArgs } from 'node:util'
import { readNodeConfig } from './config.ts'
import { createLogger, runProcess } from './io/process-life.ts'
import { startStorageNode } from './storage-node.ts'

const { values, positionals } = parseArgs({
  options: { config: { type: 'string' } },
  allowPositionals: true,
})
const kind = positionals[0]
const file = values.config
if (file === undefined || kind !== 'node') {
  process.stderr.write('usage: main.ts node|dht|auditor --config <file>\n')
  process.exit(2)
}
const config = readNodeConfig(file)
const logger = createLogger({ process: 'node', nodeId: config.nodeId })
await runProcess(logger, () => startStorageNode(config, logger))
