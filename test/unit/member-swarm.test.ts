import assert from 'node:assert/strict'
import type { Duplex } from 'node:stream'
import { afterEach, test } from 'node:test'
import Protomux from 'protomux'
import { startDhtSeed } from '../../node/io/dht.ts'
import { Swarm } from '../../node/io/swarm.ts'
import { MemberWorld, type TestMember } from './member-fixture.ts'
import { eventually, mapNode } from './tls-world.ts'

let world = new MemberWorld()
afterEach(async () => {
  await world.close()
  world = new MemberWorld()
})

function knows(member: TestMember, nodeIds: readonly string[]): boolean {
  return nodeIds.every((nodeId) => member.book.has(nodeId))
}

test('members that start at the same moment find each other and tell where they listen', async () => {
  const nodeIds = ['a', 'b', 'c', 'd']
  const members = await Promise.all(nodeIds.map((nodeId) => world.start(nodeId)))
  await eventually('everybody knows everybody', () => members.every((member) => knows(member, nodeIds)))
  for (const member of members) {
    for (const other of members) {
      const own = other.book.own()
      assert.deepEqual(member.book.addressOf(other.nodeId), { host: own?.host, port: own?.port })
    }
    assert.deepEqual(member.service.missing(), [])
  }
})

test('a member that is admitted later is refused until then and found afterwards', async () => {
  const a = await world.start('a')
  const late = await world.start('late', { admit: false })
  await eventually('it has tried', () => a.swarm.refusals > 0)
  assert.equal(a.book.has('late'), false)
  assert.deepEqual(a.swarm.connected(), [])
  world.nodes.set('late', mapNode('late', late.keyPair))
  for (const { service, swarm } of world.members.values()) {
    swarm.mapChanged()
    service.searchSoon()
  }
  // hyperdht gives a refused dial up after some seconds, and only then tries anew.
  await eventually('both know each other', () => knows(a, ['late']) && knows(late, ['a']), 40_000)
})

test('a member that is no longer admitted loses its swarm connections', async () => {
  const a = await world.start('a')
  const b = await world.start('b')
  await eventually('they are connected', () => a.swarm.connected().includes('b'))
  world.nodes.delete('b')
  a.swarm.mapChanged()
  await eventually('b is cut off', () => a.swarm.connected().length === 0)
  assert.ok(!a.book.records().some((record) => record.nodeId === 'b'))
  b.service.stop()
})

test('other protocols share the connections, those that are open already, too', async () => {
  const a = await world.start('a')
  const b = await world.start('b')
  const got: string[] = []
  const speak = (member: TestMember, stream: Duplex, from: string) => {
    const channel = Protomux.from(stream).createChannel({ protocol: 'test/1' })
    const message = channel?.addMessage({ onmessage: (bytes) => got.push(`${from}:${bytes}`) })
    channel?.open()
    message?.send(Buffer.from(`from ${member.nodeId}`))
  }
  a.swarm.onConnection((stream, { nodeId }) => {
    Protomux.from(stream).pair({ protocol: 'test/1' }, () => speak(a, stream, nodeId))
  })
  await eventually('they are connected', () => b.swarm.connected().includes('a'))
  b.swarm.onConnection((stream, { nodeId }) => speak(b, stream, nodeId))
  await eventually('both hear', () => got.length === 2)
  assert.deepEqual(got.sort(), ['a:from a', 'b:from b'])
  assert.deepEqual([a.service.linked, b.service.linked], [1, 1])
})

test('a swarm without seeds of its own does not start: the public DHT is never the default', () => {
  const keyPair = mapNode('x', { publicKey: '' } as never)
  assert.throws(
    () =>
      new Swarm({
        federationId: 'f',
        keyPair: keyPair as never,
        bootstrap: [],
        host: '127.0.0.1',
        admitted: () => undefined,
      }),
    /bootstrap/,
  )
})

test('a seed whose port is taken says so and leaves nothing open', async () => {
  const { address } = await world.seed()
  await assert.rejects(startDhtSeed({ listen: address }), /cannot listen/)
})
