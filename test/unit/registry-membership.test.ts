import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ClusterMap } from '../../node/core/cluster-map.ts'
import { answerRegistryQuery } from '../../node/core/registry-queries.ts'
import {
  foundingMap,
  type OperatorName,
  openRegistry,
  publicKeyOf,
  registryNode,
  statement,
} from './registry-fixture.ts'
import type { Driver } from './row-fixture.ts'

async function mapOf(driver: Driver, newerThan = 1): Promise<ClusterMap | undefined> {
  return (await answerRegistryQuery(driver.rows, { kind: 'map', newerThan })).map
}

function admit(sequence: number, nodeId: string, seed: number, signers: readonly OperatorName[]) {
  return statement(sequence, { kind: 'admit-node', node: registryNode(nodeId, seed) }, signers)
}

function setNode(
  sequence: number,
  nodeId: string,
  state: 'active' | 'draining' | 'suspended',
  signers: readonly OperatorName[],
) {
  return statement(sequence, { kind: 'set-node-state', nodeId, state }, signers)
}

function remove(sequence: number, nodeId: string, signers: readonly OperatorName[]) {
  return statement(sequence, { kind: 'remove-node', nodeId }, signers)
}

test('before the first statement there is no map newer than the genesis', async () => {
  const driver = openRegistry()
  assert.equal(await mapOf(driver), undefined)
  assert.deepEqual(await answerRegistryQuery(driver.rows, { kind: 'next-sequence' }), { sequence: 1 })
})

test('a node that its operator signs for is admitted, and the epoch rises', async () => {
  const driver = openRegistry()
  assert.deepEqual(driver.run(admit(1, 'by-2', 30, ['by'])), { epoch: 2 })
  const map = await mapOf(driver)
  assert.deepEqual(map, { ...foundingMap, epoch: 2, nodes: [...foundingMap.nodes, registryNode('by-2', 30)] })
  assert.equal(await mapOf(driver, 2), undefined)
  assert.deepEqual(await answerRegistryQuery(driver.rows, { kind: 'next-sequence' }), { sequence: 2 })
})

test('nobody else, not even a majority, admits a node for an operator', () => {
  const driver = openRegistry()
  assert.equal(driver.refused(admit(1, 'by-2', 30, ['bund', 'nw'])).code, 'BadStatement')
  assert.equal(driver.refused(admit(1, 'by-2', 30, [])).code, 'BadStatement')
})

test('names and keys of nodes are unique, and a node begins active', () => {
  const driver = openRegistry()
  assert.equal(driver.refused(admit(1, 'by-1', 30, ['by'])).code, 'BadStatement')
  assert.equal(driver.refused(admit(1, 'by-2', 12, ['by'])).code, 'BadStatement')
  assert.equal(driver.refused(admit(1, 'by-2', 11, ['by'])).code, 'BadStatement')
  const node = registryNode('by-2', 30, { state: 'suspended' })
  assert.equal(driver.refused(statement(1, { kind: 'admit-node', node }, ['by'])).code, 'BadStatement')
  const stolen = registryNode('by-2', 30, { journalKey: publicKeyOf(14) })
  assert.equal(
    driver.refused(statement(1, { kind: 'admit-node', node: stolen }, ['by'])).code,
    'BadStatement',
  )
})

test('a statement counts once: replayed later it changes nothing, and its repetition gets the old answer', async () => {
  const driver = openRegistry()
  const drain = setNode(1, 'nw-2', 'draining', ['nw'])
  assert.deepEqual(driver.run(drain), { epoch: 2 })
  assert.deepEqual(driver.run(drain), { epoch: 2 })
  driver.run(setNode(2, 'nw-2', 'active', ['nw']))
  assert.deepEqual(driver.run(drain), { epoch: 2 })
  const map = await mapOf(driver)
  assert.equal(map?.epoch, 3)
  assert.equal(map?.nodes.find((node) => node.nodeId === 'nw-2')?.state, 'active')
})

test('a statement out of sequence, or for another federation, is refused', () => {
  const driver = openRegistry()
  assert.deepEqual(driver.refused(setNode(2, 'nw-2', 'draining', ['nw'])), {
    code: 'BadStatement',
    details: { sequence: 1 },
  })
  driver.run(setNode(1, 'nw-2', 'draining', ['nw']))
  assert.equal(driver.refused(setNode(1, 'nw-2', 'suspended', ['nw'])).code, 'BadStatement')
  const change = { kind: 'set-node-state', nodeId: 'nw-2', state: 'active' } as const
  assert.equal(driver.refused(statement(2, change, ['nw'], { federationId: 'f00e' })).code, 'BadStatement')
})

test('a signature that does not hold spoils the statement, also beside good ones', () => {
  const driver = openRegistry()
  const good = setNode(1, 'nw-2', 'draining', ['nw'])
  const other = setNode(1, 'by-1', 'draining', ['by'])
  const mixed = { ...good.signed, signatures: { ...good.signed.signatures, ...other.signed.signatures } }
  assert.equal(driver.refused({ kind: 'statement', signed: mixed }).code, 'BadStatement')
  const changed = {
    ...good.signed,
    statement: { ...good.signed.statement, change: { kind: 'remove-node', nodeId: 'nw-2' } },
  }
  assert.equal(driver.refused({ kind: 'statement', signed: changed }).code, 'BadStatement')
  driver.run(good)
})

test('a node is drained, suspended and removed by its operator or by a majority, not by another operator', async () => {
  const driver = openRegistry()
  assert.equal(driver.refused(setNode(1, 'nw-2', 'draining', ['by'])).code, 'BadStatement')
  driver.run(setNode(1, 'nw-2', 'draining', ['bund', 'by']))
  driver.run(setNode(2, 'nw-2', 'suspended', ['nw']))
  assert.equal(driver.refused(remove(3, 'nw-2', ['by'])).code, 'BadStatement')
  driver.run(remove(3, 'nw-2', ['bund', 'by', 'nw']))
  assert.equal((await mapOf(driver))?.nodes.length, foundingMap.nodes.length - 1)
})

test('only a majority ends a suspension', () => {
  const driver = openRegistry()
  driver.run(setNode(1, 'nw-2', 'suspended', ['bund', 'by']))
  assert.equal(driver.refused(setNode(2, 'nw-2', 'active', ['nw'])).code, 'BadStatement')
  assert.equal(driver.refused(setNode(2, 'nw-2', 'draining', ['nw'])).code, 'BadStatement')
  driver.run(setNode(2, 'nw-2', 'active', ['nw', 'by']))
})

test('a node that takes shards or votes in a group does not leave; a gateway does', () => {
  const driver = openRegistry()
  assert.equal(driver.refused(remove(1, 'nw-2', ['nw'])).code, 'BadStatement')
  driver.run(setNode(1, 'nw-1', 'suspended', ['nw']))
  assert.equal(driver.refused(remove(2, 'nw-1', ['bund', 'by'])).code, 'BadStatement')
  driver.run(remove(2, 'bund-gw', ['bund']))
  assert.equal(driver.refused(remove(3, 'bund-gw', ['bund'])).code, 'BadStatement')
})

test('malformed statements are answered with BadMessage and never stop the replica', () => {
  const driver = openRegistry()
  const good = setNode(1, 'nw-2', 'draining', ['nw'])
  const { signed } = good
  for (const bad of [
    { kind: 'statement' },
    { kind: 'statement', signed: {} },
    { kind: 'statement', signed: { ...signed, signatures: { nw: 7 } } },
    { kind: 'statement', signed: { ...signed, statement: { ...signed.statement, sequence: 1.5 } } },
    { kind: 'statement', signed: { ...signed, statement: { ...signed.statement, note: 1.5 } } },
    {
      kind: 'statement',
      signed: { ...signed, statement: { ...signed.statement, change: { kind: 'toString' } } },
    },
    { kind: 'constructor' },
    null,
  ]) {
    assert.equal(driver.refused(bad).code, 'BadMessage')
  }
  const malformed = { kind: 'statement', signed: { ...signed, signatures: { nw: 'zz' } } }
  assert.equal(driver.refused(malformed).code, 'BadStatement')
  driver.run(good)
})
