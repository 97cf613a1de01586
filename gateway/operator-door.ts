/**
 * The operator's door to a running gateway: a socket on this machine, which whoever may read the gateway's files may use
 * and nobody else. One request and one reply a connection, each one line of JSON.
 *
 * The socket lies in a private temporary directory, because paths of sockets are limited to about 100 bytes; a file in
 * the gateway's data directory says where. Replies carry secrets of new keys: they are written nowhere.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createConnection, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { ClusterError } from '../node/errors.ts'
import type { BucketQuotas } from './bucket-quotas.ts'
import type { UserDirectory } from './users.ts'

export const doorLimits = {
  requestBytesMax: 4_096,
  /** A list of all users of a federation. */
  replyBytesMax: 32 * 1024 * 1024,
  replyTimeoutMs: 30_000,
} as const

const user = z.string().min(1).max(256)
const accessKeyId = z.string().min(1).max(128)
/** null: none. */
const bound = z.number().int().min(0).nullable()
const requestSchema = z.discriminatedUnion('command', [
  z.object({
    command: z.literal('create-user'),
    name: z.string().regex(/^[\w+=,.@ -]{1,128}$/),
    email: z
      .string()
      .regex(/^[\x21-\x7e]{1,320}$/)
      .optional(),
    accountId: z.string().min(1).max(128).optional(),
  }),
  z.object({ command: z.literal('list-users') }),
  z.object({ command: z.literal('set-user-state'), user, state: z.enum(['active', 'disabled']) }),
  z.object({ command: z.literal('create-key'), user }),
  z.object({ command: z.literal('set-key-state'), accessKeyId, state: z.enum(['active', 'disabled']) }),
  z.object({ command: z.literal('delete-key'), accessKeyId }),
  z.object({
    command: z.literal('bucket-quota'),
    bucket: z.string().min(1).max(63),
    bytesMax: bound.optional(),
    objectsMax: bound.optional(),
  }),
])
export type DoorRequest = z.infer<typeof requestSchema>

const replySchema = z.object({ error: z.string().optional(), result: z.unknown().optional() })

/** What can be ordered. */
export interface Orders {
  readonly users: UserDirectory
  readonly quotas: BucketQuotas
}

/** Opens the door; the returned function closes it. */
export async function openDoor(dataDir: string, orders: Orders): Promise<() => void> {
  const folder = mkdtempSync(join(tmpdir(), 'bundescloud-'))
  const socketPath = join(folder, 'operator')
  const server = createServer((socket) => serve(socket, orders))
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(socketPath, resolve)
  })
  writeFileSync(doorFile(dataDir), `${socketPath}\n`, { mode: 0o600 })
  return () => {
    server.close()
    rmSync(folder, { recursive: true, force: true })
    rmSync(doorFile(dataDir), { force: true })
  }
}

function doorFile(dataDir: string): string {
  return join(dataDir, 'operator.door')
}

async function answer(request: DoorRequest, { users, quotas }: Orders): Promise<unknown> {
  switch (request.command) {
    case 'create-user': {
      const { name, email, accountId } = request
      return users.create({
        name,
        ...(email === undefined ? {} : { email }),
        ...(accountId === undefined ? {} : { accountId }),
      })
    }
    case 'list-users':
      return users.list()
    case 'set-user-state':
      return users.setState(request.user, request.state)
    case 'create-key':
      return users.createKey(request.user)
    case 'set-key-state':
      return users.setKeyState(request.accessKeyId, request.state)
    case 'delete-key':
      return users.deleteKey(request.accessKeyId)
    case 'bucket-quota':
      return quotas.set(request.bucket, request)
  }
}

function serve(socket: Socket, orders: Orders): void {
  let text = ''
  socket.setEncoding('utf8')
  // The asker may be gone before the reply.
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk: string) => {
    text += chunk
    if (text.length > doorLimits.requestBytesMax) socket.destroy()
    const end = text.indexOf('\n')
    if (end < 0) return
    const line = text.slice(0, end)
    text = ''
    void reply(line, orders).then((said) => socket.end(`${JSON.stringify(said)}\n`))
  })
}

async function reply(line: string, orders: Orders): Promise<{ error?: string; result?: unknown }> {
  try {
    return { result: (await answer(requestSchema.parse(JSON.parse(line)), orders)) ?? null }
  } catch (error) {
    if (error instanceof ClusterError) return { error: error.message }
    if (error instanceof z.ZodError) return { error: z.prettifyError(error) }
    return { error: 'the gateway could not do it' }
  }
}

/** Asks the gateway whose data directory this is. Throws Error when none runs there or it refuses. */
export async function askDoor(dataDir: string, request: DoorRequest): Promise<unknown> {
  let socketPath: string
  try {
    socketPath = readFileSync(doorFile(dataDir), 'utf8').trim()
  } catch (cause) {
    throw new Error(`no gateway is running on ${dataDir}`, { cause })
  }
  const said = replySchema.parse(JSON.parse(await exchange(socketPath, JSON.stringify(request))))
  if (said.error !== undefined) throw new Error(said.error)
  return said.result
}

function exchange(path: string, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path)
    let text = ''
    socket.setEncoding('utf8')
    socket.setTimeout(doorLimits.replyTimeoutMs, () =>
      socket.destroy(new Error('the gateway does not answer')),
    )
    socket.on('connect', () => socket.write(`${line}\n`))
    socket.on('data', (chunk: string) => {
      text += chunk
      if (text.length > doorLimits.replyBytesMax) socket.destroy(new Error('the reply is too long'))
    })
    socket.on('error', (cause) => reject(new Error('the gateway is not reached: does it run?', { cause })))
    socket.on('end', () => resolve(text))
  })
}
