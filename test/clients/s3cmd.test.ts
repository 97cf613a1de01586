import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { type Conformance, startConformance } from '../conformance/harness.ts'
import { awkwardKeys, createHome, type Home, missing, multipartBytes, randomContent } from './client-run.ts'

const skip = missing('s3cmd') ?? false
let at: Conformance
let home: Home
before(async () => {
  at = await startConformance()
  home = createHome(at)
  const host = `127.0.0.1:${at.s3.endpoint.port}`
  writeFileSync(
    home.file('.s3cfg'),
    [
      '[default]',
      `access_key = ${at.s3.keys.accessKeyId}`,
      `secret_key = ${at.s3.keys.secretAccessKey}`,
      `host_base = ${host}`,
      `host_bucket = ${host}`,
      'use_https = False',
    ].join('\n'),
  )
})
after(async () => {
  home.remove()
  await at.close()
})

test('s3cmd: mb, put, ls, get, info, cp, 70 MiB in parts, rm, rb', { skip }, async () => {
  const bucket = `s3cmd-${Date.now().toString(36)}`
  await home.run('s3cmd', ['mb', `s3://${bucket}`])
  for (const key of awkwardKeys) {
    const content = randomContent(20_000)
    writeFileSync(home.file('in'), content)
    await home.run('s3cmd', ['put', home.file('in'), `s3://${bucket}/${key}`])
    await home.run('s3cmd', ['get', '--force', `s3://${bucket}/${key}`, home.file('out')])
    assert.deepEqual(readFileSync(home.file('out')), content, key)
  }
  const listed = await home.run('s3cmd', ['ls', '--recursive', `s3://${bucket}`])
  for (const key of awkwardKeys) assert.ok(listed.includes(key), listed)
  assert.match(await home.run('s3cmd', ['info', `s3://${bucket}/plain.bin`]), /File size: 20000/)
  assert.match(await home.run('s3cmd', ['info', `s3://${bucket}`]), /eu-central-1/)
  await home.run('s3cmd', ['cp', `s3://${bucket}/plain.bin`, `s3://${bucket}/copy.bin`])
  const big = randomContent(multipartBytes)
  writeFileSync(home.file('big'), big)
  await home.run('s3cmd', ['put', home.file('big'), `s3://${bucket}/big`])
  await home.run('s3cmd', ['get', '--force', `s3://${bucket}/big`, home.file('back')])
  assert.deepEqual(readFileSync(home.file('back')), big)
  await home.run('s3cmd', ['rm', '--recursive', '--force', `s3://${bucket}`])
  await home.run('s3cmd', ['rb', `s3://${bucket}`])
})
