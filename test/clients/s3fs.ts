/** s3fs: a bucket as a file system. It needs /dev/fuse and the right to mount. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { copyFile, mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { bodyOf, sha256Hex } from '../workload/bodies.ts'
import { S3Connection } from '../workload/s3-connection.ts'
import { until } from '../workload/until.ts'
import type { FileErrand } from './restic.ts'
import { missingTool, runTool } from './stock-client.ts'

const bucket = 'client-s3fs'

async function unavailable(): Promise<string | undefined> {
  if (!existsSync('/dev/fuse')) return 'this machine has no /dev/fuse'
  return await missingTool('s3fs', '--version')
}

async function run({ access, folder, files }: FileErrand): Promise<void> {
  const mount = join(folder, 'mount')
  await mkdir(mount, { recursive: true })
  const passwords = join(folder, 'passwd')
  await writeFile(passwords, `${access.accessKeyId}:${access.secretAccessKey}\n`, { mode: 0o600 })
  const connection = new S3Connection(access)
  await connection.createBucket(bucket)
  const where = [
    '-o',
    `url=${access.endpoint}`,
    '-o',
    `endpoint=${access.region}`,
    '-o',
    'use_path_request_style',
  ]
  await runTool('s3fs', [bucket, mount, '-o', `passwd_file=${passwords}`, ...where])
  // It goes to the background first and asks for the bucket then.
  await until('s3fs has mounted the bucket', async () =>
    (await readFile('/proc/mounts', 'utf8')).includes(mount),
  )
  try {
    for (const { path, body } of files) {
      const inside = join(mount, `Lärm ${body.byteLength}.bin`)
      await copyFile(path, inside)
      assert.equal(sha256Hex(await readFile(inside)), sha256Hex(body))
    }
    const [small, large] = files.map(({ body }) => `Lärm ${body.byteLength}.bin`)
    assert.ok(small !== undefined && large !== undefined)
    await readsRange(join(mount, large), files[1]?.body ?? Buffer.alloc(0))
    await mkdir(join(mount, 'Ordner'))
    await rename(join(mount, small), join(mount, 'Ordner', 'umbenannt.bin'))
    assert.deepEqual((await readdir(mount)).toSorted(), [large, 'Ordner'].toSorted())
    await rm(join(mount, large))
    await writeFile(join(mount, 'Ordner', 'neu.txt'), bodyOf('neu', 100))
  } finally {
    await runTool('fusermount', ['-u', mount])
  }
  assert.deepEqual(await connection.list(bucket), ['Ordner/', 'Ordner/neu.txt', 'Ordner/umbenannt.bin'])
  connection.close()
}

async function readsRange(path: string, body: Buffer): Promise<void> {
  const file = await open(path)
  const { buffer, bytesRead } = await file.read(Buffer.alloc(4_096), 0, 4_096, 30_000_001)
  await file.close()
  assert.deepEqual(buffer.subarray(0, bytesRead), body.subarray(30_000_001, 30_004_097))
}

export const s3fsRoundTrip = { unavailable, run }
