import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { askControl, isControlled, takeControl } from '../../../ops/dev/control.ts'

const folder = mkdtempSync(join(tmpdir(), 'bundescloud-control-'))
after(() => rmSync(folder, { recursive: true }))

test('a running federation answers on its control socket, and errors come back as errors', async () => {
  const lockFile = join(folder, 'a.lock')
  const control = await takeControl(lockFile, async ({ target }) => {
    if (target !== 'by-1') throw new Error(`no node or site is called ${target}`)
    return 'restarted by-1'
  })
  assert.equal(await askControl(lockFile, { command: 'restart', target: 'by-1' }), 'restarted by-1')
  await assert.rejects(
    askControl(lockFile, { command: 'restart', target: 'xx' }),
    /no node or site is called xx/,
  )
  control.close()
  assert.equal(isControlled(lockFile), false)
  await assert.rejects(askControl(lockFile, { command: 'restart', target: 'by-1' }), /no local federation/)
})

test('a second supervisor on the same data directory is refused', async () => {
  const lockFile = join(folder, 'b.lock')
  const control = await takeControl(lockFile, async () => '')
  await assert.rejects(
    takeControl(lockFile, async () => ''),
    new RegExp(`already running on .*process ${process.pid}`),
  )
  control.close()
})

test('the lock of a supervisor that was killed does not keep the next one out', async () => {
  const lockFile = join(folder, 'c.lock')
  const dead = spawnSync(process.execPath, ['-e', '']).pid
  writeFileSync(lockFile, JSON.stringify({ pid: dead, startTicks: '1', socket: '/nowhere' }))
  const control = await takeControl(lockFile, async () => '')
  assert.equal(isControlled(lockFile), true)
  control.close()
})

test('a lock whose process id was given to another process is stale', async () => {
  const lockFile = join(folder, 'd.lock')
  writeFileSync(lockFile, JSON.stringify({ pid: process.pid, startTicks: '1', socket: '/nowhere' }))
  const control = await takeControl(lockFile, async () => '')
  control.close()
})
