import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ClusterMap } from '../../node/core/cluster-map.ts'
import { verifyGenesis } from '../../node/core/genesis.ts'
import { genesisBytes, statementBytes } from '../../node/core/signed-documents.ts'
import { ed25519, foundingMap, genesisOf, publicKeyOf, registryNode, signature } from './registry-fixture.ts'

test('a sound genesis that every operator signed is accepted, whatever the order of its fields', () => {
  const genesis = genesisOf(foundingMap)
  assert.equal(verifyGenesis(genesis, ed25519), genesis)
  const { epoch, federationId, ...rest } = foundingMap
  assert.ok(verifyGenesis({ ...genesis, map: { ...rest, epoch, federationId } }, ed25519))
  assert.ok(verifyGenesis(JSON.parse(JSON.stringify(genesis)), ed25519))
})

test('a genesis that one operator did not sign, or a stranger did, is refused', () => {
  const without = genesisOf(foundingMap, ['bund', 'by'])
  assert.throws(() => verifyGenesis(without, ed25519), { code: 'BadStatement', message: /nw has not signed/ })
  const genesis = genesisOf(foundingMap)
  const stranger = { ...genesis, signatures: { ...genesis.signatures, he: genesis.signatures.bund } }
  assert.throws(() => verifyGenesis(stranger, ed25519), { code: 'BadStatement', message: /no operator/ })
})

test('a genesis that was changed after signing is refused', () => {
  const genesis = genesisOf(foundingMap)
  const forged = {
    ...genesis,
    map: { ...foundingMap, nodes: [...foundingMap.nodes, registryNode('by-9', 40)] },
  }
  assert.throws(() => verifyGenesis(forged, ed25519), { code: 'BadStatement', message: /does not hold/ })
})

test('the signature of a statement is not one of a genesis', () => {
  const genesis = genesisOf(foundingMap)
  const document = {
    federationId: 'f00d',
    sequence: 1,
    change: { kind: 'remove-node', nodeId: 'nw-2' },
  } as const
  const borrowed = {
    ...genesis,
    signatures: { ...genesis.signatures, by: signature('by', statementBytes(document)) },
  }
  assert.throws(() => verifyGenesis(borrowed, ed25519), { code: 'BadStatement' })
})

const [first] = foundingMap.nodes
const [registry, group] = foundingMap.groups
const [pool] = foundingMap.pools

const unsound: Readonly<Record<string, Partial<ClusterMap>>> = {
  'no operators': { operators: [] },
  'two nodes of one name': { nodes: [...foundingMap.nodes, registryNode('nw-2', 40)] },
  'two nodes with one key': { nodes: [...foundingMap.nodes, registryNode('nw-3', 16)] },
  "a journal key that is another node's key": {
    nodes: [...foundingMap.nodes, registryNode('nw-3', 40, { journalKey: publicKeyOf(10) })],
  },
  "an operator's key on a node": {
    nodes: [...foundingMap.nodes, registryNode('nw-3', 40, { publicKey: publicKeyOf(1) })],
  },
  'a node of an unknown operator': { nodes: [...foundingMap.nodes, registryNode('he-1', 40)] },
  'a node without roles': { nodes: [...foundingMap.nodes, registryNode('nw-3', 40, { roles: [] })] },
  'a name that is no file name': { nodes: [...foundingMap.nodes, registryNode('nw-3/../x', 40)] },
  'a field that nobody knows': {
    nodes: [Object.assign({ trusted: true }, first), ...foundingMap.nodes.slice(1)],
  },
  'two registries': {
    groups: [...foundingMap.groups, Object.assign({}, registry, { groupId: 'registry-2' })],
  },
  'no registry': {
    groups: [group, Object.assign({}, group, { groupId: 'catalog-2' })].filter((each) => each !== undefined),
  },
  'a group member that is no catalog node': {
    groups: [registry, Object.assign({}, group, { members: [{ nodeId: 'nw-2', learner: false }] })].filter(
      (each) => each !== undefined,
    ),
  },
  'a group of learners': {
    groups: [registry, Object.assign({}, group, { members: [{ nodeId: 'nw-1', learner: true }] })].filter(
      (each) => each !== undefined,
    ),
  },
  'a slot that points nowhere': { slots: foundingMap.slots.with(3, 'catalog-7') },
  'a slot that points to the registry': { slots: foundingMap.slots.with(3, 'registry') },
  'too few slots': { slots: foundingMap.slots.slice(1) },
  'a pool without parity': { pools: [Object.assign({}, pool, { parityShards: 0 })] },
  'a pool in a site without nodes': { pools: [Object.assign({}, pool, { sites: ['he-site'] })] },
  'epoch 0': { epoch: 0 },
}

for (const [name, change] of Object.entries(unsound)) {
  test(`a map with ${name} is refused although all have signed it`, () => {
    const genesis = genesisOf({ ...foundingMap, ...change })
    assert.throws(() => verifyGenesis(genesis, ed25519), { code: 'BadStatement' })
  })
}

test('documents that are no genesis are refused, not crashed on', () => {
  const genesis = genesisOf(foundingMap)
  for (const document of [
    undefined,
    null,
    'x',
    [],
    {},
    { ...genesis, format: 2 },
    { ...genesis, map: 7 },
    { ...genesis, map: {} },
  ]) {
    assert.throws(() => verifyGenesis(document, ed25519), { code: 'BadStatement' })
  }
})

test('signed bytes never change: golden values', () => {
  const document = {
    sequence: 3,
    federationId: 'f00d',
    change: { kind: 'set-node-state', state: 'draining', nodeId: 'nw-2' },
  } as const
  assert.equal(
    Buffer.from(statementBytes(document)).toString(),
    'bundescloud statement 1\n{"change":{"kind":"set-node-state","nodeId":"nw-2","state":"draining"},"federationId":"f00d","sequence":3}',
  )
  assert.equal(
    signature('bund', statementBytes(document)),
    '4b96f2f414f61fe5b9cd7809dc2113f468887d8a559c75f1c79e03e91834c32c697d97e150189380d04e570d5ce08e0584fc2f779df827a9634f63250c970e07',
  )
  const map: ClusterMap = {
    ...foundingMap,
    nodes: [],
    groups: [],
    slots: [],
    pools: [],
    operators: [{ operatorId: 'by', name: 'Bayern "ü"\n', publicKey: 'ab' }],
  }
  assert.equal(
    Buffer.from(genesisBytes(map)).toString(),
    'bundescloud genesis 1\n{"epoch":1,"federationId":"f00d","groups":[],"nodes":[],"operators":[{"name":"Bayern \\"ü\\"\\n","operatorId":"by","publicKey":"ab"}],"pools":[],"slots":[]}',
  )
})
