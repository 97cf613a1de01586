/**
 * Registers the users of a local federation: a short-lived process with the gateway's identity, run while the
 * gateway is not, writes them through the registry like any other (their secrets sealed under the owner's key).
 */
import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import type { DevUser } from './dev-file.ts'
import { logTail } from './supervisor.ts'

export const registrationLimits = {
  /** Found federation, elections and all. */
  timeoutMs: 60_000,
} as const

export interface Registration {
  readonly cwd: string
  readonly gatewayConfig: string
  readonly logFile: string
  readonly users: readonly DevUser[]
}

/** Resolves when the registry has them; idempotent. Secrets go by standard input, never by the command line. */
export async function registerUsers({ cwd, gatewayConfig, logFile, users }: Registration): Promise<void> {
  const log = openSync(logFile, 'a', 0o600)
  const args = ['--import', 'tsx', 'gateway/main.ts', 'register-user', '--config', gatewayConfig]
  const child = spawn(process.execPath, args, {
    cwd,
    stdio: ['pipe', log, log],
    timeout: registrationLimits.timeoutMs,
    killSignal: 'SIGKILL',
  })
  closeSync(log)
  // A process that ends without reading is judged by its exit code.
  child.stdin?.on('error', () => undefined)
  child.stdin?.end(JSON.stringify(users))
  const how = await new Promise<number | string>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => resolve(signal ?? code ?? -1))
  })
  if (how !== 0)
    throw new Error(`users could not be registered (${how})\n--- end of ${logFile}\n${logTail(logFile)}`)
}
