/**
 * Point 5 of the founding issue: clients that no one here wrote pass round trips with unchanged defaults.
 *
 * One federation for all. Each client does the same errands; what a client cannot do is not asked of it, and a client
 * that is not installed is a skip that says so.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { ClientAccess } from '../../ops/dev/client-settings.ts'
import { startFederation, type TestFederation } from '../cluster/start-federation.ts'
import { bodyOf } from '../workload/bodies.ts'
import { awsCli } from './aws-cli.ts'
import { awsSdkJs } from './aws-sdk-js.ts'
import { boto3 } from './boto3.ts'
import { curl } from './curl.ts'
import { duplicityRoundTrip } from './duplicity.ts'
import { minioJs } from './minio-js.ts'
import { minioJsSteps } from './minio-js-steps.ts'
import { rclone } from './rclone.ts'
import { resticRoundTrip } from './restic.ts'
import { roundTrip } from './round-trip.ts'
import { s3cmd } from './s3cmd.ts'
import { s3fsRoundTrip } from './s3fs.ts'
import { missingTool, type StockClient } from './stock-client.ts'

const folder = mkdtempSync(join(tmpdir(), 'bundescloud-clients-'))
const files = {
  small: { path: join(folder, 'small.bin'), body: bodyOf('small', 10_000) },
  large: { path: join(folder, 'large.bin'), body: bodyOf('large', 70 * 1024 * 1024) },
}
const cleanups: (() => Promise<void> | void)[] = []
let federation: TestFederation
let access: ClientAccess

before(async () => {
  for (const { path, body } of Object.values(files)) writeFileSync(path, body)
  federation = await startFederation({ after: (run) => void cleanups.push(run as () => Promise<void>) })
  access = federation.target
})

after(async () => {
  for (const cleanup of cleanups) await cleanup()
  rmSync(folder, { recursive: true, force: true })
})

const clients: readonly (readonly [string, StockClient])[] = [
  ['awscli', awsCli],
  ['boto3', boto3],
  ['rclone', rclone],
  ['s3cmd', s3cmd],
  ['curl', curl],
  ['awssdk', awsSdkJs],
  ['miniojs', minioJs],
]

describe('stock clients pass a round trip with unchanged defaults', () => {
  for (const [name, client] of clients) {
    test(client.name, async (t) => {
      const reason = await client.unavailable()
      if (reason !== undefined) return t.skip(reason)
      await roundTrip(client, { access, name, folder, files })
    })
  }

  test('restic backs up, checks and restores', async (t) => {
    const reason = await missingTool('restic', 'version')
    if (reason !== undefined) return t.skip(reason)
    await resticRoundTrip({ access, folder: join(folder, 'restic'), files: Object.values(files) })
  })

  test('duplicity backs up, adds, verifies and restores', async (t) => {
    const reason = await missingTool('duplicity', '--version')
    if (reason !== undefined) return t.skip(reason)
    await duplicityRoundTrip({ access, folder: join(folder, 'duplicity'), files: Object.values(files) })
  })

  test('minio-js uses versions, tags, Object Lock, documents of buckets and forms', () =>
    minioJsSteps(access))

  test('s3fs mounts a bucket as a file system', async (t) => {
    const reason = await s3fsRoundTrip.unavailable()
    if (reason !== undefined) return t.skip(reason)
    await s3fsRoundTrip.run({ access, folder: join(folder, 's3fs'), files: Object.values(files) })
  })
})
