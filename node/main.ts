/**
 * Starts one process of the federation: `main.ts node|dht|auditor --config <file>`.
 */
import { parseArgs } from 'node:util'
import { startAuditor } from './auditor-process.ts'
import { readAuditorConfig, readDhtConfig, readNodeConfig } from './config.ts'
import { startDhtProcess } from './dht-process.ts'
import { createLogger, runProcess } from './io/process-life.ts'
import { startStorageNode } from './storage-node.ts'

const { values, positionals } = parseArgs({ options: { config: { type: 'string' } }, allowPositionals: true })
const [kind, ...rest] = positionals
const file = values.config
if (file === undefined || rest.length > 0) usage()
else if (kind === 'node') {
  const config = readNodeConfig(file)
  const logger = createLogger({ process: kind, nodeId: config.nodeId })
  await runProcess(logger, () => startStorageNode(config, logger))
} else if (kind === 'auditor') {
  const config = readAuditorConfig(file)
  const logger = createLogger({ process: kind, nodeId: config.nodeId })
  await runProcess(logger, () => startAuditor(config, logger))
} else if (kind === 'dht') {
  const config = readDhtConfig(file)
  await runProcess(createLogger({ process: kind }), () => startDhtProcess(config))
} else usage()

function usage(): void {
  process.stderr.write('usage: main.ts node|dht|auditor --config <file>\n')
  process.exitCode = 2
}
