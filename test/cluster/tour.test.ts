/**
 * The README's tour, through the command that people type: start, put, list, get, kill a site, get again, restart.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { FederationStatus } from '../../ops/cli/status.ts'
import { type FederationFile, readFederationFile } from '../../ops/dev/federation-file.ts'
import { layoutOf } from '../../ops/dev/layout.ts'
import { bodyOf, sha256Hex } from '../workload/bodies.ts'
import { S3Connection } from '../workload/s3-connection.ts'
import { until } from '../workload/until.ts'

const root = join(dirname(fileURLToPath(import.meta.url)), '../..')
const launcher = join(root, 'ops/cli/bundescloud.js')
const folder = mkdtempSync(join(tmpdir(), 'bundescloud-tour-'))
const dataDir = join(folder, 'data')
const layout = layoutOf(dataDir)
const started: ChildProcess[] = []

after(async () => {
  for (const child of started) await end(child, 'SIGINT')
  rmSync(folder, { recursive: true, force: true })
})

interface Run {
  readonly child: ChildProcess
  output(): string
}

function startDev(...options: string[]): Run {
  const child = spawn(process.execPath, [launcher, 'dev', '--data-dir', dataDir, ...options], {
    stdio: ['ignore', 'pipe', 'pipe'],
    // A process group of its own, as a shell makes one: Ctrl-C goes to all of it.
    detached: true,
  })
  started.push(child)
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (text += String(chunk)))
  return { child, output: () => text }
}

async function untilServing(run: Run): Promise<FederationFile> {
  await until(
    'npm start says that it serves',
    () => {
      assert.equal(run.child.exitCode, null, `it ended:\n${run.output()}`)
      return run.output().includes('serving after')
    },
    { timeoutMs: 120_000 },
  )
  return readFederationFile(layout)
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise((resolve) => child.once('exit', resolve))
  if (child.pid !== undefined) process.kill(-child.pid, signal)
  await gone
}

function run(...args: string[]): { code: number | null; text: string } {
  const result = spawnSync(process.execPath, [launcher, ...args], { encoding: 'utf8' })
  return { code: result.status, text: `${result.stdout}${result.stderr}` }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

function connect(file: FederationFile): S3Connection {
  const user = file.users[0] ?? assert.fail('no user')
  return new S3Connection({ endpoint: file.endpoint, region: file.region, ...user })
}

test('the tour: put, list, get, kill a site, get again, restart, start again with the same data', async (t) => {
  const recording = bodyOf('recording', 20_000_000)
  const digest = sha256Hex(recording)
  let dev = startDev('--port', '0')
  let file = await untilServing(dev)

  await t.test('the announcement holds endpoint, keys of two users and client settings', () => {
    assert.equal(file.users.length, 2)
    for (const user of file.users) assert.ok(dev.output().includes(user.secretAccessKey))
    for (const words of [file.endpoint, 'eu-central-1', 'AWS_ACCESS_KEY_ID', '[bundescloud]', 'host_base']) {
      assert.ok(dev.output().includes(words), words)
    }
  })

  await t.test('federation.json names six nodes on three sites, each a process of its own', () => {
    assert.equal(file.nodes.length, 6)
    assert.equal(new Set(file.nodes.map((node) => node.site)).size, 3)
    const pids = [file.gateway.pid, ...file.nodes.map((node) => node.pid)]
    assert.equal(new Set(pids).size, 7)
    for (const pid of pids) assert.ok(isAlive(pid))
  })

  await t.test('what is put can be listed and read', async () => {
    const s3 = connect(file)
    await s3.createBucket('evidence')
    assert.equal((await s3.put('evidence', 'by/2026/clip 1 äöü.mp4', recording)).status, 200)
    assert.deepEqual(await s3.list('evidence'), ['by/2026/clip 1 äöü.mp4'])
    assert.equal((await s3.get('evidence', 'by/2026/clip 1 äöü.mp4', 'digest')).sha256, digest)
    s3.close()
  })

  await t.test('a second start on the same data directory is refused', () => {
    const second = run('dev', '--data-dir', dataDir)
    assert.equal(second.code, 1)
    assert.match(second.text, /already running/)
  })

  await t.test('a killed site stays dead, and the object can still be read and others written', async () => {
    const victims = file.nodes.filter((node) => node.site === 'by-muenchen')
    for (const node of victims) process.kill(node.pid, 'SIGKILL')
    await until('both deaths are reported', () =>
      victims.every((node) => dev.output().includes(`${node.id} died (SIGKILL)`)),
    )
    const s3 = connect(file)
    await until('the object is read without the site', async () => {
      const answer = await s3.get('evidence', 'by/2026/clip 1 äöü.mp4', 'digest')
      assert.equal(answer.sha256, digest, `${answer.status} ${answer.body}`)
      return true
    })
    await until('an object is written without the site', async () => {
      const answer = await s3.put('evidence', 'later.bin', recording.subarray(0, 1_000_000))
      assert.equal(answer.status, 200, answer.body.toString('utf8'))
      return true
    })
    s3.close()
    const status = JSON.parse(run('status', '--data-dir', dataDir, '--json').text) as FederationStatus
    assert.deepEqual(
      status.sites.map(({ site, up }) => [site, up]),
      [
        ['bund-berlin', 2],
        ['by-muenchen', 0],
        ['nw-duesseldorf', 2],
      ],
    )
  })

  await t.test('dev restart brings the site back, and status shows every group with a leader', async () => {
    const restarted = run('dev', 'restart', 'by-muenchen', '--data-dir', dataDir)
    assert.equal(restarted.code, 0, restarted.text)
    assert.match(restarted.text, /started by-1, by-2/)
    await until(
      'every node is up and every group has a leader',
      () => {
        const status = JSON.parse(run('status', '--data-dir', dataDir, '--json').text) as FederationStatus
        return (
          status.nodes.every((node) => node.up) &&
          Object.values(status.leaders).every((leader) => leader !== null)
        )
      },
      { timeoutMs: 60_000, pollMs: 500 },
    )
    assert.equal(run('dev', 'restart', 'atlantis', '--data-dir', dataDir).code, 1)
  })

  await t.test('Ctrl-C ends every process and removes federation.json', async () => {
    file = readFederationFile(layout)
    await end(dev.child, 'SIGINT')
    for (const { pid } of [file.gateway, ...file.nodes]) assert.equal(isAlive(pid), false)
    assert.equal(existsSync(layout.federationFile), false)
    assert.match(run('status', '--data-dir', dataDir).text, /no local federation serves/)
  })

  await t.test('journal verify finds the custody record vouched for by a majority, offline', () => {
    const verified = run('journal', 'verify', layout.journalDir)
    assert.equal(verified.code, 0, verified.text)
    assert.match(verified.text, /verified: every block/)
    for (const groupId of ['registry', 'catalog-1', 'catalog-2', 'catalog-3'])
      assert.match(verified.text, new RegExp(groupId))
  })

  await t.test('starting again continues with the same users, port and data', async () => {
    dev = startDev()
    const again = await untilServing(dev)
    assert.deepEqual([again.endpoint, again.users], [file.endpoint, file.users])
    const s3 = connect(again)
    assert.deepEqual(await s3.list('evidence'), ['by/2026/clip 1 äöü.mp4', 'later.bin'])
    assert.equal((await s3.get('evidence', 'by/2026/clip 1 äöü.mp4', 'digest')).sha256, digest)
    s3.close()
  })

  await t.test('when npm start itself is killed, every process ends by itself', async () => {
    const now = readFederationFile(layout)
    const pids = [now.gateway, ...now.nodes].map((member) => member.pid)
    // The launcher's child is the supervisor: it is the one that is killed.
    const supervisor = Number(JSON.parse(readLock()).pid)
    process.kill(supervisor, 'SIGKILL')
    await until('no process is left', () => pids.every((pid) => !isAlive(pid)))
  })
})

function readLock(): string {
  return readFileSync(layout.lockFile, 'utf8')
}
