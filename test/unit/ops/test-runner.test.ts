import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { closingLine, findTestFiles, groupOf } from '../../run.ts'

test('the runner finds test files by itself, in every folder, and nothing else', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'bundescloud-runner-'))
  t.after(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'b.test.ts'), '')
  writeFileSync(join(folder, 'a.test.ts'), '')
  writeFileSync(join(folder, 'start-federation.ts'), '')
  assert.deepEqual(findTestFiles(folder), [join(folder, 'a.test.ts'), join(folder, 'b.test.ts')])
})

test('tests that start federations are in the serial group, all others run side by side', () => {
  assert.equal(groupOf('/t', '/t/fault/kill-site.test.ts'), 'cluster')
  assert.equal(groupOf('/t', '/t/cluster/tour.test.ts'), 'cluster')
  assert.equal(groupOf('/t', '/t/clients/rclone.test.ts'), 'cluster')
  assert.equal(groupOf('/t', '/t/sim/cluster/raft.test.ts'), 'unit')
})

test('the closing line counts passed, failed and skipped tests', () => {
  assert.equal(closingLine({ passed: 3, failed: 0, skipped: 1 }), '3 passed, 0 failed, 1 skipped')
})
