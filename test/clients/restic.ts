/** restic: many small and middle-sized objects, listings, deletions, and a check that reads every byte back. */
import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { ClientAccess } from '../../ops/dev/client-settings.ts'
import { sha256Hex } from '../workload/bodies.ts'
import { linesOf, runTool } from './stock-client.ts'

export interface FileErrand {
  readonly access: ClientAccess
  readonly folder: string
  readonly files: readonly { readonly path: string; readonly body: Buffer }[]
}

export async function resticRoundTrip({ access, folder, files }: FileErrand): Promise<void> {
  const source = join(folder, 'source')
  const restored = join(folder, 'restored')
  mkdirSync(source, { recursive: true })
  for (const { path } of files) copyFileSync(path, join(source, `Übung ${basename(path)}`))
  const env = {
    HOME: folder,
    AWS_ACCESS_KEY_ID: access.accessKeyId,
    AWS_SECRET_ACCESS_KEY: access.secretAccessKey,
    AWS_DEFAULT_REGION: access.region,
    RESTIC_REPOSITORY: `s3:${access.endpoint}/client-restic/repository`,
    RESTIC_PASSWORD: 'not a secret, a test',
  }
  const restic = (...args: string[]) => runTool('restic', args, { env })
  await restic('init')
  await restic('backup', source)
  await restic('check', '--read-data')
  await restic('restore', 'latest', '--target', restored)
  for (const { path, body } of files) {
    const copy = join(restored, source, `Übung ${basename(path)}`)
    assert.equal(sha256Hex(readFileSync(copy)), sha256Hex(body), path)
  }
  await restic('forget', '--prune', '--keep-last', '1', '--group-by', '')
  assert.equal(linesOf((await restic('list', 'snapshots')).stdout).length, 1)
}
