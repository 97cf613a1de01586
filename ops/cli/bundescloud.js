#!/usr/bin/env node
/**
 * Starts the command line under the runtime that this package brings, whatever Node runs this file (20 or newer).
 *
 * Plain JavaScript, no dependency: it must run before anything is known about the machine.
 */
import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const require = createRequire(import.meta.url)
const here = dirname(fileURLToPath(import.meta.url))

/** The binary of the npm package `node`. */
function findRuntime() {
  try {
    return join(dirname(require.resolve('node/package.json')), 'bin', 'node')
  } catch {
    process.stderr.write('bundescloud: the dependencies are not installed; run: npm ci\n')
    process.exit(1)
  }
}

const tsx = require.resolve('tsx')
const child = spawn(
  findRuntime(),
  [
    '--max-semi-space-size=2',
    '--import',
    new URL(`file://${tsx}`).href,
    join(here, 'main.ts'),
    ...process.argv.slice(2),
  ],
  { stdio: 'inherit' },
)
// Ctrl-C reaches the child by itself: the launcher must outlive it to hand on its exit code.
process.on('SIGINT', () => undefined)
process.on('SIGTERM', () => child.kill('SIGTERM'))
child.once('error', (error) => {
  process.stderr.write(`bundescloud: cannot start the runtime: ${error.message}\n`)
  process.exit(1)
})
child.once('exit', (code, signal) => {
  if (signal === null) process.exit(code ?? 1)
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
})
