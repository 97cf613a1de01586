import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Conformance, startConformance } from '../conformance/harness.ts'
import { createHome, type Home, missing, randomContent } from './client-run.ts'

const skip = existsSync('/dev/fuse') ? (missing('s3fs') ?? false) : 'there is no /dev/fuse here'
let at: Conformance
let home: Home
before(async () => {
  at = await startConformance()
  const { accessKeyId, secretAccessKey } = at.s3.keys
  home = createHome(at, { AWSACCESSKEYID: accessKeyId, AWSSECRETACCESSKEY: secretAccessKey })
})
after(async () => {
  home.remove()
  await at.close()
})

// Asynchronous calls only: the gateway that serves the mount may live in this very process.
test('s3fs: mounts a bucket; files are written, read, renamed, listed and removed', { skip }, async () => {
  const bucket = await at.bucket()
  const mount = home.file('mount')
  await mkdir(mount)
  const options = `url=${at.url},use_path_request_style,endpoint=${at.s3.endpoint.region}`
  await home.run('s3fs', [bucket, mount, '-o', options])
  try {
    const content = randomContent(30_000_000)
    await mkdir(join(mount, 'sub dir'))
    await writeFile(join(mount, 'sub dir', 'ümläut.bin'), content)
    await rename(join(mount, 'sub dir', 'ümläut.bin'), join(mount, 'b.bin'))
    assert.deepEqual(await readFile(join(mount, 'b.bin')), content)
    assert.equal((await stat(join(mount, 'b.bin'))).size, content.length)
    assert.deepEqual((await readdir(mount)).sort(), ['b.bin', 'sub dir'])
    await rm(join(mount, 'b.bin'))
  } finally {
    await home.run('fusermount', ['-u', mount])
  }
})
