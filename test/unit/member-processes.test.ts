import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { ClusterMap } from '../../node/core/cluster-map.ts'
import type { Address } from '../../node/io/channel.ts'
import { keyPairFromSeed } from '../../node/io/identity.ts'
import { federationId, MemberWorld } from './member-fixture.ts'
import type { MemberProcessConfig, MemberProcessState } from './member-process.ts'
import { eventually, mapNode } from './tls-world.ts'

const nodeIds = ['a', 'b', 'c', 'd'] as const
type NodeId = (typeof nodeIds)[number]

const seeds = Object.fromEntries(nodeIds.map((nodeId, i) => [nodeId, String(i + 1).repeat(64)])) as Record<
  NodeId,
  string
>
const genesis: ClusterMap = {
  federationId,
  epoch: 1,
  operators: [],
  nodes: nodeIds.map((nodeId) => mapNode(nodeId, keyPairFromSeed(Buffer.from(seeds[nodeId], 'hex')))),
  pools: [],
  groups: [
    {
      groupId: 'registry',
      kind: 'registry',
      members: ['a', 'b', 'c'].map((nodeId) => ({ nodeId, learner: false })),
    },
  ],
  slots: [],
}

const dhtWorld = new MemberWorld()
const processes = new Map<NodeId, ChildProcess>()
let directory = ''
let dht: Address

async function start(nodeId: NodeId): Promise<void> {
  await mkdir(join(directory, nodeId), { recursive: true })
  const config: MemberProcessConfig = {
    nodeId,
    seed: seeds[nodeId],
    genesis,
    directory: join(directory, nodeId),
    dht: [dht],
  }
  const child = fork(new URL('./member-process.ts', import.meta.url), {
    execArgv: ['--import', 'tsx'],
    env: { ...process.env, MEMBER_CONFIG: JSON.stringify(config) },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  processes.set(nodeId, child)
  await new Promise<void>((resolve, reject) => {
    child.once('message', () => resolve())
    child.once('exit', (code) => reject(new Error(`${nodeId} ended with ${code}`)))
  })
}

async function stateOf(nodeId: NodeId, message: { map?: ClusterMap } = {}): Promise<MemberProcessState> {
  const child = processes.get(nodeId)
  assert.ok(child)
  const state = new Promise<MemberProcessState>((resolve) =>
    child.once('message', (answer) => resolve(answer as MemberProcessState)),
  )
  child.send(message)
  return state
}

async function kill(nodeId: NodeId): Promise<void> {
  const child = processes.get(nodeId)
  assert.ok(child)
  processes.delete(nodeId)
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await ended
}

/** Whether all of `members` reach exactly `peers` of each other. */
async function reach(members: readonly NodeId[], peers: readonly NodeId[]): Promise<boolean> {
  for (const nodeId of members) {
    const { up } = await stateOf(nodeId)
    const wanted = peers.filter((peer) => peer !== nodeId)
    if (up.length !== wanted.length || !wanted.every((peer) => up.includes(peer))) return false
  }
  return true
}

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'members-'))
  dht = (await dhtWorld.seed()).address
  await Promise.all(nodeIds.map(start))
})

after(async () => {
  await Promise.all([...processes.keys()].map(kill))
  await dhtWorld.close()
  await rm(directory, { recursive: true })
})

test('four processes find each other over the DHT and connect with TLS', async () => {
  await eventually('all reach all', () => reach(nodeIds, nodeIds), 60_000)
  for (const nodeId of nodeIds) {
    const state = await stateOf(nodeId)
    assert.deepEqual([...state.known].sort(), [...nodeIds])
    assert.equal(state.ready, true)
  }
})

test('a process that is killed is seen as down, and as up again when it is back at another port', async () => {
  await kill('d')
  const rest = ['a', 'b', 'c'] as const
  await eventually('d is down', () => reach(rest, rest), 60_000)
  await start('d')
  await eventually('d is up', () => reach(nodeIds, nodeIds), 60_000)
})

test('a suspended member is cut off by everybody, and reached again when that is over', async () => {
  const suspended: ClusterMap = {
    ...genesis,
    epoch: 2,
    nodes: genesis.nodes.map((node) => (node.nodeId === 'd' ? { ...node, state: 'suspended' } : node)),
  }
  await stateOf('a', { map: suspended })
  const rest = ['a', 'b', 'c'] as const
  await eventually('d is cut off', () => reach(rest, rest), 60_000)
  for (const nodeId of rest) assert.equal((await stateOf(nodeId)).epoch, 2)
  await eventually('d reaches nobody', async () => (await stateOf('d')).up.length === 0, 60_000)
  assert.equal((await stateOf('d')).ready, false)
  for (const nodeId of nodeIds) await stateOf(nodeId, { map: { ...genesis, epoch: 3 } })
  await eventually('d is back', () => reach(nodeIds, nodeIds), 60_000)
})

test('without the DHT, a process that comes back at another port finds the others and is found', async () => {
  await dhtWorld.close()
  await kill('c')
  await start('c')
  await eventually('all reach all', () => reach(nodeIds, nodeIds), 60_000)
  assert.equal((await stateOf('c')).epoch, 3, 'the newest map survived the restart')
})
