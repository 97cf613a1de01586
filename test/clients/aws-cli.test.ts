import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { type Conformance, startConformance } from '../conformance/harness.ts'
import { awkwardKeys, createHome, type Home, missing, multipartBytes, randomContent } from './client-run.ts'

const skip = missing('aws') ?? false
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

test('aws CLI: makes a bucket, copies awkward names there and back, lists, removes', { skip }, async () => {
  const bucket = `cli-${Date.now().toString(36)}`
  await home.run('aws', ['s3', 'mb', `s3://${bucket}`])
  for (const key of awkwardKeys) {
    const content = randomContent(100_000)
    writeFileSync(home.file('in'), content)
    await home.run('aws', ['s3', 'cp', '--no-progress', home.file('in'), `s3://${bucket}/${key}`])
    await home.run('aws', ['s3', 'cp', '--no-progress', `s3://${bucket}/${key}`, home.file('out')])
    assert.deepEqual(readFileSync(home.file('out')), content, key)
  }
  const listed = await home.run('aws', ['s3', 'ls', '--recursive', `s3://${bucket}`])
  for (const key of awkwardKeys) assert.ok(listed.includes(key), key)
  assert.ok((await home.run('aws', ['s3', 'ls'])).includes(bucket))
  await home.run('aws', ['s3', 'rm', '--recursive', `s3://${bucket}`])
  await home.run('aws', ['s3', 'rb', `s3://${bucket}`])
  assert.ok(!(await home.run('aws', ['s3', 'ls'])).includes(bucket))
})

test('aws CLI: uploads 70 MiB in parts, copies it within S3, reads a range, presigns', { skip }, async () => {
  const bucket = await at.bucket()
  const content = randomContent(multipartBytes)
  writeFileSync(home.file('big'), content)
  await home.run('aws', ['s3', 'cp', '--no-progress', home.file('big'), `s3://${bucket}/big`])
  await home.run('aws', ['s3', 'cp', '--no-progress', `s3://${bucket}/big`, `s3://${bucket}/copy`])
  await home.run('aws', ['s3', 'cp', '--no-progress', `s3://${bucket}/copy`, home.file('back')])
  assert.deepEqual(readFileSync(home.file('back')), content)
  const range = ['--range', 'bytes=69000000-69000099']
  await home.run('aws', [
    's3api',
    'get-object',
    '--bucket',
    bucket,
    '--key',
    'big',
    ...range,
    home.file('range'),
  ])
  assert.deepEqual(readFileSync(home.file('range')), content.subarray(69_000_000, 69_000_100))
  const url = (await home.run('aws', ['s3', 'presign', `s3://${bucket}/big`])).trim()
  const response = await fetch(url)
  assert.deepEqual(Buffer.from(await response.arrayBuffer()), content)
})
