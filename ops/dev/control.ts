/**
 * The door to a running local federation: one lock file and one control socket per data directory.
 *
 * Invariant: at most one supervisor per data directory. The lock names the supervisor's process and start time, so that
 * a lock left by a killed supervisor is recognised as stale. The socket lies in a private temporary directory, because
 * socket paths are limited to about 100 bytes and data directories are not.
 */
import { linkSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createConnection, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { z } from 'zod'

export const controlLimits = {
  /** A request names one node or site. */
  requestBytesMax: 4_096,
  /** A restart of a whole site waits for its processes. */
  replyTimeoutMs: 120_000,
} as const

const lockSchema = z.object({ pid: z.number().int(), startTicks: z.string(), socket: z.string() })
type Lock = z.infer<typeof lockSchema>

const requestSchema = z.object({ command: z.literal('restart'), target: z.string().max(255) })
export type ControlRequest = z.infer<typeof requestSchema>

const replySchema = z.object({ ok: z.boolean(), message: z.string() })
export type ControlReply = z.infer<typeof replySchema>

/** Held while a supervisor runs. */
export interface Control {
  close(): void
}

/**
 * Takes the data directory for this process and answers requests on its control socket.
 * Throws an Error with the other's process id when somebody has it.
 */
export async function takeControl(
  lockFile: string,
  answer: (request: ControlRequest) => Promise<string>,
): Promise<Control> {
  const folder = mkdtempSync(join(tmpdir(), 'bundescloud-'))
  const socketPath = join(folder, 'control')
  const removeFolder = (): void => rmSync(folder, { recursive: true, force: true })
  try {
    acquire(lockFile, { pid: process.pid, startTicks: startTicksOf(process.pid) ?? '', socket: socketPath })
  } catch (error) {
    removeFolder()
    throw error
  }
  const server = createServer((socket) => serve(socket, answer))
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(socketPath, resolve)
  })
  return {
    close: () => {
      server.close()
      removeFolder()
      rmSync(lockFile, { force: true })
    },
  }
}

/** Sends a request to the supervisor of a data directory; throws when none runs there or it refuses. */
export async function askControl(lockFile: string, request: ControlRequest): Promise<string> {
  const lock = readLock(lockFile)
  if (lock === undefined || !isAlive(lock)) {
    throw new Error(`no local federation is running on ${dirname(lockFile)}; start one with: npm start`)
  }
  const reply = await exchange(lock.socket, request)
  if (!reply.ok) throw new Error(reply.message)
  return reply.message
}

/** Whether a supervisor holds the data directory of `lockFile`. */
export function isControlled(lockFile: string): boolean {
  const lock = readLock(lockFile)
  return lock !== undefined && isAlive(lock)
}

function acquire(lockFile: string, lock: Lock): void {
  const temporary = `${lockFile}.${process.pid}`
  writeFileSync(temporary, `${JSON.stringify(lock)}\n`, { mode: 0o600 })
  try {
    for (;;) {
      try {
        linkSync(temporary, lockFile)
        return
      } catch (cause) {
        if (!(cause instanceof Error && 'code' in cause && cause.code === 'EEXIST')) throw cause
        const other = readLock(lockFile)
        if (other !== undefined && isAlive(other)) {
          throw new Error(
            `a local federation is already running on ${dirname(lockFile)} (process ${other.pid}); ` +
              'end it first, or choose another --data-dir',
            { cause },
          )
        }
        // Stale. Two starters may both get here; renaming one file succeeds for one of them only.
        renameSync(lockFile, `${temporary}.stale`)
        rmSync(`${temporary}.stale`)
      }
    }
  } finally {
    rmSync(temporary, { force: true })
  }
}

function readLock(lockFile: string): Lock | undefined {
  try {
    return lockSchema.parse(JSON.parse(readFileSync(lockFile, 'utf8')))
  } catch {
    // Absent or cut off by a crash: nobody's.
    return undefined
  }
}

function isAlive(lock: Lock): boolean {
  return startTicksOf(lock.pid) === lock.startTicks
}

/** Start time of a process in clock ticks since boot (proc(5), field 22); undefined when it does not live. */
function startTicksOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The command name in parentheses may hold spaces: count from the last parenthesis.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return livesWithoutProc(pid) ? 'unknown' : undefined
  }
}

function livesWithoutProc(pid: number): boolean {
  if (process.platform === 'linux') return false
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

function serve(socket: Socket, answer: (request: ControlRequest) => Promise<string>): void {
  let text = ''
  socket.setEncoding('utf8')
  // The asker may be gone before the answer.
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk: string) => {
    text += chunk
    if (text.length > controlLimits.requestBytesMax) socket.destroy()
    const end = text.indexOf('\n')
    if (end < 0) return
    const line = text.slice(0, end)
    text = ''
    void replyTo(line, answer).then((reply) => socket.end(`${JSON.stringify(reply)}\n`))
  })
}

async function replyTo(
  line: string,
  answer: (request: ControlRequest) => Promise<string>,
): Promise<ControlReply> {
  try {
    return { ok: true, message: await answer(requestSchema.parse(JSON.parse(line))) }
  } catch (error) {
    return { ok: false, message: error instanceof Error ? error.message : String(error) }
  }
}

function exchange(path: string, request: ControlRequest): Promise<ControlReply> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path)
    let text = ''
    socket.setEncoding('utf8')
    socket.setTimeout(controlLimits.replyTimeoutMs, () =>
      socket.destroy(new Error('the supervisor does not answer')),
    )
    socket.on('connect', () => socket.write(`${JSON.stringify(request)}\n`))
    socket.on('data', (chunk: string) => {
      text += chunk
    })
    socket.on('error', reject)
    socket.on('end', () => {
      try {
        resolve(replySchema.parse(JSON.parse(text)))
      } catch (cause) {
        reject(new Error('the supervisor gave no answer', { cause }))
      }
    })
  })
}
