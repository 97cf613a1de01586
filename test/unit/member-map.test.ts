import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ClusterMap } from '../../node/core/cluster-map.ts'
import { ClusterError } from '../../node/errors.ts'
import { generateKeyPair } from '../../node/io/identity.ts'
import type { Caller } from '../../node/protocol/messages.ts'
import { MapWatch } from '../../node/services/map-watch.ts'
import type { Clock } from '../../node/world.ts'
import { mapNode } from './tls-world.ts'

const keys = { a: generateKeyPair(), b: generateKeyPair() }

function mapOf(epoch: number, changes: Partial<ClusterMap> = {}): ClusterMap {
  return {
    federationId: 'f',
    epoch,
    operators: [],
    nodes: [mapNode('a', keys.a), mapNode('b', keys.b)],
    pools: [],
    groups: [
      {
        groupId: 'registry',
        kind: 'registry',
        members: ['a', 'b'].map((nodeId) => ({ nodeId, learner: false })),
      },
    ],
    slots: [],
    ...changes,
  }
}

/** A watch whose time and replicas a test holds in its hands. */
function watchOf(answer: (replica: string) => unknown, up: readonly string[] = ['a', 'b']) {
  const asked: string[] = []
  const stored: number[] = []
  const timers = new Set<{ delayMs: number; run: () => void }>()
  const clock: Clock = {
    monotonicMs: () => 0,
    wallMs: () => 0,
    after: (delayMs, run) => {
      const timer = { delayMs, run }
      timers.add(timer)
      return () => timers.delete(timer)
    },
  }
  const caller: Pick<Caller, 'call'> = {
    call: async (to) => {
      asked.push(to)
      return { reply: { answer: answer(to) } as never, body: undefined }
    },
  }
  const watch = new MapWatch({
    initial: mapOf(1),
    caller: caller as Caller,
    clock,
    isUp: (nodeId) => up.includes(nodeId),
    store: (map) => stored.push(map.epoch),
  })
  const tick = async () => {
    const [timer] = timers
    assert.ok(timer, 'a poll is due')
    timers.delete(timer)
    timer.run()
    await new Promise((resolve) => setImmediate(resolve))
    return timer.delayMs
  }
  return { watch, asked, stored, tick, timers }
}

test('a newer map is taken, stored and told; an older or equal one is not', async () => {
  let newest = mapOf(2)
  const { watch, stored, tick } = watchOf(() => ({ map: newest }))
  const told: number[] = []
  watch.onChange((map) => told.push(map.epoch))
  watch.start()
  await tick()
  await tick()
  newest = mapOf(1)
  await tick()
  assert.deepEqual([watch.epoch, told, stored], [2, [2], [2]])
})

test('replicas take turns, and one that fails or is down costs nothing but its turn', async () => {
  const { watch, asked, tick } = watchOf((replica) => {
    if (replica === 'a') throw new ClusterError('PeerUnreachable', 'a is down')
    return { map: mapOf(5) }
  })
  watch.start()
  await tick()
  assert.deepEqual(asked, ['a', 'b'])
  assert.equal(watch.epoch, 5)
  const silent = watchOf(() => ({}), ['b'])
  silent.watch.start()
  await silent.tick()
  assert.deepEqual(silent.asked, ['b'])
})

test('maps of another federation and things that are no map change nothing', async () => {
  const answers: unknown[] = [
    { map: mapOf(9, { federationId: 'g' }) },
    { map: { ...mapOf(9), nodes: [{ nodeId: 'x' }] } },
    { map: 'text' },
    'text',
    undefined,
  ]
  const { watch, stored, tick } = watchOf(() => answers.shift())
  watch.start()
  for (let i = 0; i < 5; i++) await tick()
  assert.equal(watch.epoch, 1)
  assert.deepEqual(stored, [])
})

test('a peer with a newer map makes us ask at once, and a liar only once more', async () => {
  const { watch, asked, tick } = watchOf(() => ({}))
  watch.start()
  await tick()
  watch.heardEpoch(1)
  watch.heardEpoch(7)
  assert.equal(await tick(), 0)
  assert.equal(await tick(), 100)
  assert.equal(await tick(), 1_000)
  assert.equal(asked.length, 4)
})

test('suspended nodes are not admitted, draining ones are', () => {
  const { watch } = watchOf(() => ({}))
  assert.equal(watch.admitted(keys.a.publicKey)?.nodeId, 'a')
  watch.offer(
    mapOf(2, {
      nodes: [mapNode('a', keys.a, { state: 'suspended' }), mapNode('b', keys.b, { state: 'draining' })],
    }),
  )
  assert.equal(watch.admitted(keys.a.publicKey), undefined)
  assert.equal(watch.nodeOf('a'), undefined)
  assert.equal(watch.admitted(keys.b.publicKey)?.nodeId, 'b')
})

test('a stopped watch asks nobody', async () => {
  const { watch, timers } = watchOf(() => ({}))
  watch.start()
  watch.stop()
  assert.equal(timers.size, 0)
  watch.heardEpoch(9)
  assert.equal(timers.size, 0)
})
