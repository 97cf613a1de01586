import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { ClusterMap } from '../../node/core/cluster-map.ts'
import type { Genesis } from '../../node/core/registry-types.ts'
import { genesisBytes } from '../../node/core/signed-documents.ts'
import { slotCount } from '../../node/core/slots.ts'
import { generateKeyPair, loadOrCreateProcessKeys, type ProcessKeys } from '../../node/io/identity.ts'
import type { MemberConfig } from '../../node/member.ts'
import { federationId, MemberWorld } from './member-fixture.ts'
import type { MemberProcessState } from './member-process.ts'
import { eventually, mapNode } from './tls-world.ts'

const nodeIds = ['a', 'b', 'c', 'd'] as const
type NodeId = (typeof nodeIds)[number]

const operator = generateKeyPair()

/** The founding map of these nodes; the rest of it is what a sound map needs. */
function foundingMap(keys: ReadonlyMap<NodeId, ProcessKeys>): ClusterMap {
  const members = ['a', 'b', 'c'].map((nodeId) => ({ nodeId, learner: false }))
  return {
    federationId,
    epoch: 1,
    operators: [{ operatorId: 'by', name: 'Bayern', publicKey: operator.publicKey }],
    nodes: [...keys].map(([nodeId, { node, journal }]) =>
      mapNode(nodeId, node, { journalKey: journal.publicKey }),
    ),
    pools: [
      { poolId: 'default', code: 'none', dataShards: 4, parityShards: 2, cellBytes: 65_536, sites: [] },
    ],
    groups: [
      { groupId: 'registry', kind: 'registry', members },
      { groupId: 'catalog-1', kind: 'catalog', members },
    ],
    slots: new Array<string>(slotCount).fill('catalog-1'),
  }
}

const dhtWorld = new MemberWorld()
const processes = new Map<NodeId, ChildProcess>()
let directory = ''
let dht = ''
let genesis: ClusterMap

async function start(nodeId: NodeId): Promise<void> {
  const local = { host: '127.0.0.1', port: 0 }
  const config: MemberConfig = {
    nodeId,
    dataDir: join(directory, nodeId),
    genesis: join(directory, 'genesis.json'),
    listen: local,
    admin: local,
    dht: [dht],
    addressHints: {},
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
  const { address } = await dhtWorld.seed()
  dht = `${address.host}:${address.port}`
  const keys = new Map<NodeId, ProcessKeys>()
  for (const nodeId of nodeIds) {
    await mkdir(join(directory, nodeId))
    keys.set(nodeId, await loadOrCreateProcessKeys(join(directory, nodeId)))
  }
  genesis = foundingMap(keys)
  const signed: Genesis = {
    format: 1,
    map: genesis,
    signatures: { by: operator.sign(genesisBytes(genesis)) },
  }
  await writeFile(join(directory, 'genesis.json'), JSON.stringify(signed))
  await Promise.all(nodeIds.map(start))
})

after(async () => {
  await Promise.all([...processes.keys()].map(kill))
  await dhtWorld.close()
  await rm(directory, { recursive: true })
})

test('four processes find each other over the DHT and connect with TLS', async () => {
  await eventually('all reach all', () => reach(nodeIds, nodeIds), 60_000)
  for (const nodeId of nodeIds) assert.equal((await stateOf(nodeId)).ready, true)
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
