import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type Death, Supervisor } from '../../../ops/dev/supervisor.ts'
import { until } from '../../workload/until.ts'

const here = dirname(fileURLToPath(import.meta.url))
const root = join(here, '../../..')
const stub = join(here, 'stub-child.ts')
const folder = mkdtempSync(join(tmpdir(), 'bundescloud-supervisor-'))
const logFile = join(folder, 'stub.log')
after(() => rmSync(folder, { recursive: true }))

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

test('a child that is killed is reported, stays dead, and can be started again', async () => {
  const deaths: Death[] = []
  const supervisor = new Supervisor({ cwd: root, onDeath: (death) => deaths.push(death) })
  const ready = await supervisor.start({ id: 'by-1', args: [stub], logFile })
  assert.equal(ready.admin?.port, 4711)
  const pid = supervisor.pidOf('by-1') ?? assert.fail('no process id')
  process.kill(pid, 'SIGKILL')
  await until('the death is reported', () => deaths.length === 1)
  assert.deepEqual(deaths[0], { id: 'by-1', pid, how: 'SIGKILL', unexpected: true })
  assert.equal(supervisor.pidOf('by-1'), undefined)
  await supervisor.start({ id: 'by-1', args: [stub], logFile })
  assert.notEqual(supervisor.pidOf('by-1'), pid)
  await supervisor.stopAll()
  assert.equal(deaths[1]?.unexpected, false)
  assert.equal(supervisor.pidOf('by-1'), undefined)
})

test('a child that ends before it is ready fails with the end of its log', async () => {
  const supervisor = new Supervisor({ cwd: root, onDeath: () => undefined })
  await assert.rejects(
    supervisor.start({ id: 'by-2', args: [stub, 'broken'], logFile: join(folder, 'broken.log') }),
    /by-2 did not start[\s\S]*the disk is on fire/,
  )
})

test('a child that never says ready is ended', async () => {
  const supervisor = new Supervisor({ cwd: root, onDeath: () => undefined, readyTimeoutMs: 50 })
  await assert.rejects(
    supervisor.start({ id: 'by-2', args: [stub, 'silent'], logFile }),
    /no ready line in time/,
  )
  assert.equal(supervisor.pidOf('by-2'), undefined)
})

test('children end by themselves when the supervisor is killed', async () => {
  const parent = spawn(
    process.execPath,
    ['--import', 'tsx', join(here, 'stub-supervisor.ts'), root, stub, logFile],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  let text = ''
  parent.stdout.setEncoding('utf8')
  parent.stdout.on('data', (chunk: string) => {
    text += chunk
  })
  await until('the child runs', () => text.endsWith('\n'))
  const childPid = Number(text)
  assert.ok(isRunning(childPid))
  parent.kill('SIGKILL')
  await until('the child is gone', () => !isRunning(childPid))
})
