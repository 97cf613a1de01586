/**
 * Child processes of a local federation: starts them, waits for their ready line, reports deaths, ends them all.
 *
 * Invariants: a child that dies stays dead until somebody starts it again; no child outlives the supervisor (each is
 * tethered by its standard input, see tether.ts). Leaves to others: what the processes are and when they start.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'

export const supervisorLimits = {
  /** Ten processes start on two cores, each compiling its sources: seconds, not tens of them. */
  readyTimeoutMs: 60_000,
  /** Between SIGTERM and SIGKILL: a clean end takes leave of peers that may be gone, too; kill -9 loses nothing. */
  stopTimeoutMs: 6_000,
  /** A log is moved aside at the start of its process when it is larger. */
  logBytesMax: 20_000_000,
  /** How much of a log is shown when its process did not start. */
  logTailBytes: 2_000,
  /** A ready line is some hundred bytes; a process that prints more without one is not ours. */
  readyLineBytesMax: 65_536,
} as const

/**
 * Buffers of bodies hang on short-lived objects: a small young generation finds them by cheap collections, before
 * their bytes force full ones. Measured: GET 64 MiB 3.9 -> 2.5 CPU-s/GB, PUT 1 MiB 24 -> 18 ms, all processes together.
 */
const runtimeFlags = ['--max-semi-space-size=2']

/** Syncs of many shards wait side by side for the disk; with libuv's four threads they would wait in line. */
const threadPoolSize = '16'

const address = z.object({ host: z.string(), port: z.number().int() })
const readySchema = z.object({
  ready: z.literal(true),
  listen: address.optional(),
  admin: address.optional(),
  s3: address.optional(),
})
export type Ready = z.infer<typeof readySchema>

export interface ChildSpec {
  readonly id: string
  /** Arguments of the runtime, e.g. `['--import', 'tsx', 'node/main.ts', 'node', '--config', file]`. */
  readonly args: readonly string[]
  readonly logFile: string
  readonly env?: Readonly<Record<string, string>>
}

export interface Death {
  readonly id: string
  readonly pid: number
  /** How it ended, for people: `SIGKILL` or `exit code 1`. */
  readonly how: string
  /** Nobody asked for it. */
  readonly unexpected: boolean
}

interface Child {
  readonly spec: ChildSpec
  readonly process: ChildProcess
  readonly stdout: Readable
  readonly pid: number
  readonly ended: Promise<void>
  stopping: boolean
}

export interface SupervisorOptions {
  readonly onDeath: (death: Death) => void
  /** Where relative arguments are looked up: the root of the checkout. */
  readonly cwd: string
  /** Replaced in tests. */
  readonly readyTimeoutMs?: number
}

const tether = fileURLToPath(new URL('./tether.ts', import.meta.url))

export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #children = new Map<string, Child>()

  constructor(options: SupervisorOptions) {
    this.#options = options
  }

  /** Process id of a living child. */
  pidOf(id: string): number | undefined {
    return this.#children.get(id)?.pid
  }

  /** Starts a child and resolves with its ready line; rejects with the end of its log when it does not get there. */
  async start(spec: ChildSpec): Promise<Ready> {
    if (this.#children.has(spec.id)) throw new Error(`${spec.id} is running already`)
    const child = this.#spawn(spec)
    const ready = readReadyLine(child.stdout)
    const timeout = Promise.withResolvers<never>()
    const timer = setTimeout(
      () => timeout.reject(new Error('no ready line in time')),
      this.#options.readyTimeoutMs ?? supervisorLimits.readyTimeoutMs,
    )
    try {
      return await Promise.race([ready, timeout.promise])
    } catch (cause) {
      await this.stop(spec.id)
      const tail = logTail(spec.logFile)
      throw new Error(`${spec.id} did not start: ${String(cause)}\n--- end of ${spec.logFile}\n${tail}`, {
        cause,
      })
    } finally {
      clearTimeout(timer)
    }
  }

  /** Ends a child and waits until it is gone; nothing happens when it is not running. */
  async stop(id: string): Promise<void> {
    const child = this.#children.get(id)
    if (child === undefined) return
    child.stopping = true
    child.process.kill('SIGTERM')
    const timer = setTimeout(() => child.process.kill('SIGKILL'), supervisorLimits.stopTimeoutMs)
    await child.ended
    clearTimeout(timer)
  }

  async stopAll(): Promise<void> {
    await Promise.all([...this.#children.keys()].map((id) => this.stop(id)))
  }

  #spawn(spec: ChildSpec): Child {
    const log = openLog(spec.logFile)
    // A process group of its own: Ctrl-C in the terminal reaches only the supervisor, which ends children in order.
    const started = spawn(
      process.execPath,
      [...runtimeFlags, '--import', 'tsx', '--import', tether, ...spec.args],
      {
        cwd: this.#options.cwd,
        detached: true,
        stdio: ['pipe', 'pipe', log],
        env: { UV_THREADPOOL_SIZE: threadPoolSize, ...process.env, ...spec.env },
      },
    )
    closeSync(log)
    const { stdin, stdout } = started
    if (stdin === null || stdout === null) throw new Error('a child was started without pipes')
    const ended = Promise.withResolvers<void>()
    const child: Child = {
      spec,
      process: started,
      stdout,
      pid: started.pid ?? -1,
      ended: ended.promise,
      stopping: false,
    }
    const gone = (how: string): void => {
      if (this.#children.get(spec.id) !== child) return
      this.#children.delete(spec.id)
      ended.resolve()
      this.#options.onDeath({ id: spec.id, pid: child.pid, how, unexpected: !child.stopping })
    }
    started.once('error', (error) => gone(String(error)))
    started.once('exit', (code, signal) => gone(signal ?? `exit code ${code}`))
    // A dead child's pipe reports EPIPE; its exit is what counts.
    stdin.on('error', () => undefined)
    this.#children.set(spec.id, child)
    return child
  }
}

/** The first line of `stdout` that says ready; everything after it is read and dropped, so that no pipe fills up. */
function readReadyLine(stdout: Readable): Promise<Ready> {
  const { promise, resolve, reject } = Promise.withResolvers<Ready>()
  let text = ''
  let done = false
  stdout.setEncoding('utf8')
  stdout.on('data', (chunk: string) => {
    if (done) return
    text += chunk
    const lines = text.split('\n')
    text = lines.pop() ?? ''
    for (const line of lines) {
      const ready = parseReady(line)
      if (ready === undefined) continue
      done = true
      resolve(ready)
    }
    if (text.length > supervisorLimits.readyLineBytesMax)
      reject(new Error('too much output without a ready line'))
  })
  stdout.once('close', () => reject(new Error('it ended before it was ready')))
  return promise
}

function parseReady(line: string): Ready | undefined {
  try {
    return readySchema.safeParse(JSON.parse(line)).data
  } catch {
    // Not JSON: not the ready line.
    return undefined
  }
}

function openLog(file: string): number {
  mkdirSync(dirname(file), { recursive: true })
  const bytes = statSync(file, { throwIfNoEntry: false })?.size ?? 0
  if (bytes > supervisorLimits.logBytesMax) renameSync(file, `${file}.1`)
  return openSync(file, 'a', 0o600)
}

/** The last lines of a log file. */
export function logTail(file: string): string {
  return readFileSync(file).subarray(-supervisorLimits.logTailBytes).toString('utf8')
}
