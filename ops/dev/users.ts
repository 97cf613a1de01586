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

/** Resolves when the registry has them; idempotent. Tries until the deadline: a young federation elects leaders first. */
export async function registerUsers(registration: Registration): Promise<void> {
  const deadline = performance.now() + registrationLimits.timeoutMs
  for (;;) {
    const how = await runOnce(registration, deadline - performance.now())
    if (how === 0) return
    if (performance.now() > deadline) {
      const { logFile } = registration
      throw new Error(`users could not be registered (${how})\n--- end of ${logFile}\n${logTail(logFile)}`)
    }
  }
}

/** One try; resolves with the exit code or the signal. Secrets go by standard input, never by the command line. */
async function runOnce(registration: Registration, timeoutMs: number): Promise<number | string> {
  const log = openSync(registration.logFile, 'a', 0o600)
  const args = ['--import', 'tsx', 'gateway/main.ts', 'register-user', '--config', registration.gatewayConfig]
  const child = spawn(process.execPath, args, {
    cwd: registration.cwd,
    stdio: ['pipe', log, log],
    timeout: Math.max(1, Math.ceil(timeoutMs)),
    killSignal: 'SIGKILL',
  })
  closeSync(log)
  // A process that ends without reading is judged by its exit code.
  child.stdin?.on('error', () => undefined)
  child.stdin?.end(JSON.stringify(registration.users))
  return await new Promise<number | string>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => resolve(signal ?? code ?? -1))
  })
}
