import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Conformance, startConformance } from '../conformance/harness.ts'
import { createHome, type Home, missing, multipartBytes, randomContent } from './client-run.ts'

const skip = missing('rclone', ['version']) ?? false
let at: Conformance
let home: Home
before(async () => {
  at = await startConformance()
  home = createHome(at, {
    RCLONE_CONFIG_FED_TYPE: 's3',
    RCLONE_CONFIG_FED_PROVIDER: 'Other',
    RCLONE_CONFIG_FED_ENV_AUTH: 'true',
    RCLONE_CONFIG_FED_ENDPOINT: at.url,
    RCLONE_CONFIG_FED_REGION: at.s3.endpoint.region,
  })
})
after(async () => {
  home.remove()
  await at.close()
})

test('rclone: syncs a tree there and back, checks it, copies and purges', { skip }, async () => {
  const bucket = `rclone-${Date.now().toString(36)}`
  await home.run('rclone', ['mkdir', `fed:${bucket}`])
  const tree = home.file('tree')
  mkdirSync(join(tree, 'sub dir'), { recursive: true })
  const names = ['a.bin', 'sub dir/ümläut ß.txt', 'sub dir/plus+percent%.bin', 'empty']
  for (const name of names) writeFileSync(join(tree, name), randomContent(name === 'empty' ? 0 : 40_000))
  const big = randomContent(multipartBytes)
  writeFileSync(join(tree, 'big'), big)
  await home.run('rclone', ['sync', tree, `fed:${bucket}/t`, '--s3-upload-cutoff', '20M'])
  await home.run('rclone', ['check', tree, `fed:${bucket}/t`])
  await home.run('rclone', ['copy', `fed:${bucket}/t`, `fed:${bucket}/u`])
  await home.run('rclone', ['sync', `fed:${bucket}/u`, home.file('back')])
  for (const name of [...names, 'big']) {
    assert.deepEqual(readFileSync(join(home.file('back'), name)), readFileSync(join(tree, name)), name)
  }
  await home.run('rclone', ['moveto', `fed:${bucket}/t/a.bin`, `fed:${bucket}/t/b.bin`])
  assert.match(await home.run('rclone', ['lsf', `fed:${bucket}/t`]), /^b\.bin$/m)
  await home.run('rclone', ['purge', `fed:${bucket}`])
})
