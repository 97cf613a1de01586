import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Conformance, startConformance } from '../conformance/harness.ts'
import { createHome, type Home, missing, randomContent } from './client-run.ts'

const skip = missing('restic', ['version']) ?? false
let at: Conformance
let home: Home
before(async () => {
  at = await startConformance()
  home = createHome(at, { RESTIC_PASSWORD: 'test' })
})
after(async () => {
  home.remove()
  await at.close()
})

test('restic: creates its bucket, backs up, checks all data, restores, forgets and prunes', {
  skip,
}, async () => {
  const repo = ['-r', `s3:${at.url}/restic-${Date.now().toString(36)}`]
  const tree = home.file('tree')
  mkdirSync(tree)
  const content = randomContent(20_000_000)
  writeFileSync(join(tree, 'ümläut ß.bin'), content)
  await home.run('restic', [...repo, 'init'])
  await home.run('restic', [...repo, 'backup', tree])
  await home.run('restic', [...repo, 'check', '--read-data'])
  await home.run('restic', [...repo, 'restore', 'latest', '--target', home.file('back')])
  assert.deepEqual(readFileSync(join(home.file('back'), tree, 'ümläut ß.bin')), content)
  writeFileSync(join(tree, 'ümläut ß.bin'), 'other')
  await home.run('restic', [...repo, 'backup', tree])
  await home.run('restic', [...repo, 'forget', '--keep-last', '1', '--prune'])
})
