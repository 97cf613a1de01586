/**
 * Point 5 of the founding issue: clients that no one here wrote pass round trips with unchanged defaults.
 *
 * One federation for all. Each client does the same errands; what a client cannot do is not asked of it, and a client
 * that is not installed is a skip that says so.
 */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { ClientAccess } from '../../ops/dev/client-settings.ts'
import { startFederation, type TestFederation } from '../cluster/start-federation.ts'
import { bodyOf, sha256Hex } from '../workload/bodies.ts'
import { awsCli } from './aws-cli.ts'
import { awsSdkJs } from './aws-sdk-js.ts'
import { boto3 } from './boto3.ts'
import { curl } from './curl.ts'
import { minioJs } from './minio-js.ts'
import { rclone } from './rclone.ts'
import { resticRoundTrip } from './restic.ts'
import { s3cmd } from './s3cmd.ts'
import { s3fsRoundTrip } from './s3fs.ts'
import { missingTool, type StockClient } from './stock-client.ts'

const folder = mkdtempSync(join(tmpdir(), 'bundescloud-clients-'))
const files = {
  small: { path: join(folder, 'small.bin'), body: bodyOf('small', 10_000) },
  large: { path: join(folder, 'large.bin'), body: bodyOf('large', 70 * 1024 * 1024) },
}
const smallKey = 'docks/small.bin'
const largeKey = 'docks/large.bin'
const oddKey = 'Dienststelle München/Straße 7/Ärger & Übermut (1)+ß.mp4'
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

function sha256OfFile(path: string): string {
  return sha256Hex(readFileSync(path))
}

async function roundTrip(client: StockClient, name: string): Promise<void> {
  const home = join(folder, name)
  mkdirSync(home)
  const session = await client.open(access, home)
  const bucket = `client-${name}`
  const received = join(home, 'received')
  const step = async (what: string, run: () => Promise<void>): Promise<void> => {
    try {
      await run()
    } catch (cause) {
      throw new Error(`${client.name}, ${what}: ${cause instanceof Error ? cause.message : String(cause)}`, {
        cause,
      })
    }
  }
  await step('create bucket', () => session.makeBucket(bucket))
  await step('small object', async () => {
    await session.put(bucket, smallKey, files.small.path)
    await session.get(bucket, smallKey, received)
    assert.equal(sha256OfFile(received), sha256Hex(files.small.body))
  })
  await step('70 MiB object', async () => {
    await (session.putLarge ?? session.put)(bucket, largeKey, files.large.path)
    await session.get(bucket, largeKey, received)
    assert.equal(sha256OfFile(received), sha256Hex(files.large.body))
  })
  await step('a name with spaces, umlauts and signs', async () => {
    await session.put(bucket, oddKey, files.small.path)
    await session.get(bucket, oddKey, received)
    assert.equal(sha256OfFile(received), sha256Hex(files.small.body))
  })
  await step('ranged read', async () => {
    const range = await session.range?.(bucket, largeKey, 5_000_000, 9_000_000)
    if (range !== undefined)
      assert.equal(sha256Hex(range), sha256Hex(files.large.body.subarray(5_000_000, 9_000_001)))
  })
  await step('presigned URL', async () => {
    const url = await session.presign?.(bucket, oddKey)
    if (url === undefined) return
    const response = await fetch(url)
    const body = Buffer.from(await response.arrayBuffer())
    assert.equal(response.status, 200, body.toString('utf8').slice(0, 500))
    assert.equal(sha256Hex(body), sha256Hex(files.small.body))
  })
  const expected = [smallKey, largeKey, oddKey]
  await step('copy', async () => {
    if (session.copy === undefined) return
    await session.copy(bucket, oddKey, 'copies/Kopie ä.mp4')
    expected.push('copies/Kopie ä.mp4')
    await session.get(bucket, 'copies/Kopie ä.mp4', received)
    assert.equal(sha256OfFile(received), sha256Hex(files.small.body))
  })
  await step('list', async () => {
    assert.deepEqual((await session.list(bucket)).toSorted(), expected.toSorted())
  })
  await step('delete', async () => {
    await session.remove(bucket, oddKey)
    await session.remove(bucket, smallKey)
    const left = expected.filter((key) => key !== oddKey && key !== smallKey)
    assert.deepEqual((await session.list(bucket)).toSorted(), left.toSorted())
  })
  await session.close?.()
}

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
      await roundTrip(client, name)
    })
  }

  test('restic backs up, checks and restores', async (t) => {
    const reason = await missingTool('restic', 'version')
    if (reason !== undefined) return t.skip(reason)
    await resticRoundTrip({ access, folder: join(folder, 'restic'), files: Object.values(files) })
  })

  test('s3fs mounts a bucket as a file system', async (t) => {
    const reason = await s3fsRoundTrip.unavailable()
    if (reason !== undefined) return t.skip(reason)
    await s3fsRoundTrip.run({ access, folder: join(folder, 's3fs'), files: Object.values(files) })
  })
})
