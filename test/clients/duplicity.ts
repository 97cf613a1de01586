/** duplicity: an encrypted-by-nobody full backup, an incremental one, verification and a restore, through Python's boto3. */
import assert from 'node:assert/strict'
import { appendFileSync, copyFileSync, mkdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { sha256Hex } from '../workload/bodies.ts'
import { minioClient } from './minio-js.ts'
import type { FileErrand } from './restic.ts'
import { awsEnvironment, runTool } from './stock-client.ts'

export async function duplicityRoundTrip({ access, folder, files }: FileErrand): Promise<void> {
  const source = join(folder, 'source')
  const restored = join(folder, 'restored')
  mkdirSync(source, { recursive: true })
  for (const { path } of files) copyFileSync(path, join(source, basename(path)))
  const grown = join(source, 'grown.txt')
  const target = 'boto3+s3://client-duplicity/backup'
  const duplicity = (...args: string[]) =>
    runTool(
      'duplicity',
      [
        '--no-encryption',
        '--s3-endpoint-url',
        access.endpoint,
        '--archive-dir',
        join(folder, 'cache'),
        ...args,
      ],
      { env: awsEnvironment(access, folder) },
    )
  // It makes no bucket.
  await minioClient(access).makeBucket('client-duplicity', access.region)
  appendFileSync(grown, 'first\n')
  await duplicity('full', source, target)
  appendFileSync(grown, 'second\n')
  await duplicity('incremental', source, target)
  await duplicity('verify', '--compare-data', target, source)
  await duplicity('restore', target, restored)
  for (const { path, body } of files) {
    assert.equal(sha256Hex(readFileSync(join(restored, basename(path)))), sha256Hex(body), path)
  }
  assert.equal(readFileSync(join(restored, 'grown.txt'), 'utf8'), 'first\nsecond\n')
  await duplicity('remove-all-but-n-full', '1', '--force', target)
}
