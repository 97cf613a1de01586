import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { type Conformance, startConformance } from '../conformance/harness.ts'
import { createHome, type Home, missing, randomContent } from './client-run.ts'

const skip = missing('curl', ['--aws-sigv4', 'aws:amz:eu-central-1:s3', '--version']) ?? false
let at: Conformance
let home: Home
before(async () => {
  at = await startConformance()
  home = createHome(at)
})
after(async () => {
  home.remove()
  await at.close()
})

test('curl --aws-sigv4: puts, gets, lists and deletes', { skip }, async () => {
  const bucket = await at.bucket()
  const { accessKeyId, secretAccessKey } = at.s3.keys
  const sign = [
    '--aws-sigv4',
    `aws:amz:${at.s3.endpoint.region}:s3`,
    '--user',
    `${accessKeyId}:${secretAccessKey}`,
  ]
  const curl = (...args: string[]) =>
    home.run('curl', ['--silent', '--show-error', '--fail-with-body', ...sign, ...args])
  const content = randomContent(2_000_000)
  writeFileSync(home.file('in'), content)
  const hash = ['-H', 'x-amz-content-sha256: UNSIGNED-PAYLOAD']
  const url = `${at.url}/${bucket}/with%20space/%C3%BCml%C3%A4ut.bin`
  await curl(...hash, '--upload-file', home.file('in'), url)
  await curl(...hash, '--output', home.file('out'), url)
  assert.deepEqual(readFileSync(home.file('out')), content)
  assert.match(await curl(...hash, `${at.url}/${bucket}?list-type=2`), /<Key>with space\/ümläut.bin<\/Key>/)
  await curl(...hash, '--request', 'DELETE', url)
})
