/**
 * Running clients that nobody here wrote: as child processes in a home of their own, with no setting beside endpoint,
 * region and keys.
 */
import { spawn, spawnSync } from 'node:child_process'
import { randomFillSync } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Conformance } from './harness.ts'

/** A client that hangs is a failure, not a hanging test. */
const clientTimeoutMs = 180_000

/** Undefined when `command` runs here, else the reason to skip. */
export function missing(command: string, args: readonly string[] = ['--version']): string | undefined {
  const result = spawnSync(command, args, { stdio: 'ignore', timeout: 30_000 })
  return result.error === undefined && result.status === 0 ? undefined : `${command} is not installed`
}

export interface Home {
  readonly path: string
  file(name: string): string
  /** Runs to the end and returns stdout; throws with both outputs when it fails. */
  run(command: string, args: readonly string[], options?: { input?: string }): Promise<string>
  remove(): void
}

/** This process's environment without settings of clients: their defaults are what is tested. */
function neutralEnvironment(): NodeJS.ProcessEnv {
  const own = /^(AWS_|RCLONE_|RESTIC_|.*_proxy$)/i
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !own.test(name)))
}

/** A home directory with the credentials of the endpoint's first user in the environment. */
export function createHome(at: Conformance, extra: Readonly<Record<string, string>> = {}): Home {
  const path = mkdtempSync(join(tmpdir(), 'bundescloud-client-'))
  const env = {
    ...neutralEnvironment(),
    HOME: path,
    AWS_ACCESS_KEY_ID: at.s3.keys.accessKeyId,
    AWS_SECRET_ACCESS_KEY: at.s3.keys.secretAccessKey,
    AWS_DEFAULT_REGION: at.s3.endpoint.region,
    AWS_ENDPOINT_URL: at.url,
    AWS_EC2_METADATA_DISABLED: 'true',
    ...extra,
  }
  const run = (command: string, args: readonly string[], options: { input?: string } = {}) =>
    new Promise<string>((resolve, reject) => {
      const child = spawn(command, args, { cwd: path, env })
      const timer = setTimeout(() => child.kill('SIGKILL'), clientTimeoutMs)
      let out = ''
      let err = ''
      child.stdout.on('data', (chunk: Buffer) => {
        out += chunk.toString('utf8')
      })
      child.stderr.on('data', (chunk: Buffer) => {
        err += chunk.toString('utf8')
      })
      child.on('error', reject)
      child.on('close', (code) => {
        clearTimeout(timer)
        if (code === 0) resolve(out)
        else reject(new Error(`${command} ${args.join(' ')} ended with ${code}\n${out}\n${err}`))
      })
      child.stdin.on('error', () => child.stdin.destroy())
      child.stdin.end(options.input ?? '')
    })
  return {
    path,
    file: (name) => join(path, name),
    run,
    remove: () => rmSync(path, { recursive: true, force: true }),
  }
}

/** Bytes that do not compress and never repeat by accident. */
export function randomContent(bytes: number): Buffer {
  return randomFillSync(Buffer.allocUnsafe(bytes))
}

/** Names that break careless encoders. */
export const awkwardKeys = [
  'plain.bin',
  'with space/ümläut ß.txt',
  'plus+percent%25&amp;=?#.bin',
  "quote'(1)!*~.bin",
]

export const multipartBytes = 70 * 1024 * 1024
