/**
 * What the client matrix knows of a client that somebody else wrote: how to drive it, what it can do, whether it is here.
 *
 * Clients run with their own defaults: nothing is set but endpoint, region, keys and, where a client cannot address
 * buckets by path otherwise, path style.
 */
import { spawn } from 'node:child_process'
import type { ClientAccess } from '../../ops/dev/client-settings.ts'

export const toolLimits = {
  /** 70 MiB through Python on a busy machine. */
  timeoutMs: 180_000,
} as const

/** A client with its settings in place. Methods that a client does not have are absent; all paths are local files. */
export interface ClientSession {
  readonly makeBucket: (bucket: string) => Promise<void>
  readonly put: (bucket: string, key: string, file: string) => Promise<void>
  /** A way to upload in parts by default, where `put` would not at this size. */
  readonly putLarge?: (bucket: string, key: string, file: string) => Promise<void>
  readonly get: (bucket: string, key: string, file: string) => Promise<void>
  /** Both ends included. */
  readonly range?: (bucket: string, key: string, first: number, last: number) => Promise<Buffer>
  /** A URL that anybody may GET for a while. */
  readonly presign?: (bucket: string, key: string) => Promise<string>
  readonly copy?: (bucket: string, from: string, to: string) => Promise<void>
  readonly list: (bucket: string) => Promise<string[]>
  readonly remove: (bucket: string, key: string) => Promise<void>
  readonly close?: () => Promise<void>
}

export interface StockClient {
  readonly name: string
  /** Why it cannot be tested here; undefined when it can. */
  readonly unavailable: () => Promise<string | undefined>
  /** `folder`: empty, for configuration files; also the client's home directory. */
  readonly open: (access: ClientAccess, folder: string) => Promise<ClientSession>
}

export interface ToolResult {
  readonly stdout: Buffer
  readonly stderr: string
}

/** Runs a program; rejects with its whole output when it fails or takes too long. */
export async function runTool(
  command: string,
  args: readonly string[],
  options: { env?: Record<string, string>; input?: string | Buffer; cwd?: string } = {},
): Promise<ToolResult> {
  const child = spawn(command, args, {
    env: { ...cleanEnvironment(), ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: toolLimits.timeoutMs,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  })
  const out: Buffer[] = []
  const err: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
  // A program that ends without reading its input is judged by its exit code.
  child.stdin.on('error', () => undefined)
  child.stdin.end(options.input ?? '')
  const how = await new Promise<number | string>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve(signal ?? code ?? -1))
  })
  const result = { stdout: Buffer.concat(out), stderr: Buffer.concat(err).toString('utf8') }
  if (how === 0) return result
  throw new Error(`${command} ${args.join(' ')} ended with ${how}:\n${result.stdout}\n${result.stderr}`)
}

/** The environment without what the machine says about somebody else's AWS (endpoints, profiles, CA bundles). */
function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('AWS_')))
}

/** Why a program cannot be run here, or undefined. */
export async function missingTool(command: string, ...versionArgs: string[]): Promise<string | undefined> {
  try {
    await runTool(command, versionArgs)
    return undefined
  } catch (error) {
    return `${command} is not installed (${error instanceof Error ? error.message.split('\n')[0] : String(error)})`
  }
}

/** The standard environment of AWS's own clients, and a home of their own. */
export function awsEnvironment(access: ClientAccess, home: string): Record<string, string> {
  return {
    HOME: home,
    AWS_ENDPOINT_URL: access.endpoint,
    AWS_DEFAULT_REGION: access.region,
    AWS_ACCESS_KEY_ID: access.accessKeyId,
    AWS_SECRET_ACCESS_KEY: access.secretAccessKey,
    AWS_EC2_METADATA_DISABLED: 'true',
    LC_ALL: 'C.UTF-8',
  }
}

export function linesOf(text: Buffer | string): string[] {
  return text
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '')
}
