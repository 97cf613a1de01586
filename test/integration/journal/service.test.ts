import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { journalLimits } from '../../../node/core/journal.ts'
import { ledgerLimits } from '../../../node/io/ledger.ts'
import { Replicas, until } from './replicas.ts'

/** Every replica holds the same chain: keys, lengths and tree hashes. */
async function chains(cluster: Replicas): Promise<string[]> {
  return Promise.all(
    cluster.nodes.map(async ({ ledger }) => {
      const found: string[] = []
      for await (const { manifest } of ledger.list()) {
        const journal = await ledger.open(manifest)
        if (journal.batches > 0)
          found.push(`${manifest.sequence} ${manifest.term} ${JSON.stringify(journal.head())}`)
      }
      return found.sort().join('\n')
    }),
  )
}

async function assertEqualChains(cluster: Replicas): Promise<string> {
  const [first, ...others] = await chains(cluster)
  assert.ok(first !== undefined && first.length > 0)
  for (const other of others) assert.equal(other, first)
  return first
}

describe('journals of a group', () => {
  it('hold every committed entry on every replica, in few blocks', async () => {
    await using cluster = await Replicas.start()
    cluster.elect('by-1')
    cluster.commit(journalLimits.batchEntriesMax + 100)
    await cluster.settled()
    cluster.commit(3)
    await cluster.settled()
    await assertEqualChains(cluster)
    assert.ok(cluster.state('by-1').batches <= 5)
    assert.deepEqual(cluster.failures, [])
  })

  it('are quiet when nothing happens', async () => {
    await using cluster = await Replicas.start()
    cluster.elect('by-1')
    cluster.commit(2)
    await cluster.settled()
    const writes = cluster.nodes.map(({ rows }) => rows.durableWrites)
    const { roundsTotal } = cluster.state('by-1')
    for (const { group } of cluster.nodes) group.notify()
    await new Promise((resolve) => setTimeout(resolve, 50))
    assert.deepEqual(
      cluster.nodes.map(({ rows }) => rows.durableWrites),
      writes,
    )
    assert.equal(cluster.state('by-1').roundsTotal, roundsTotal)
  })

  it('continue in a linked journal after a change of leader, closing over the committed prefix', async () => {
    await using cluster = await Replicas.start()
    for (const leader of ['by-1', 'nw-1', 'be-1', 'be-1']) {
      cluster.elect(leader)
      cluster.commit(7)
      await cluster.settled()
    }
    const chain = await assertEqualChains(cluster)
    assert.deepEqual(
      chain.split('\n').map((line) => line.split(' ').slice(0, 2).join()),
      ['0,1', '1,2', '2,3', '3,4'],
    )
  })

  it('close over a block that only the old leader and one follower signed', async () => {
    await using cluster = await Replicas.start()
    cluster.elect('by-1')
    cluster.commit(3)
    await cluster.settled()
    // be-1 signs, but its reply is lost, and nw-1 never hears of it: no quorum that anyone knows.
    cluster.dropRequest = (to) => to === 'nw-1'
    cluster.tamper = (from, payload) => (from === 'be-1' ? undefined : payload)
    cluster.commit(2)
    await untilSigned(cluster, 'be-1')
    await cluster.stop('by-1')
    cluster.dropRequest = () => false
    cluster.tamper = (_from, payload) => payload
    cluster.elect('nw-1')
    await cluster.settled(['be-1', 'nw-1'])
    await cluster.restart('by-1')
    cluster.commit(1)
    await cluster.settled()
    await assertEqualChains(cluster)
  })

  it('leave a block behind that only the old leader signed, and take that leader along', async () => {
    await using cluster = await Replicas.start()
    cluster.elect('by-1')
    cluster.commit(3)
    await cluster.settled()
    cluster.dropRequest = () => true
    cluster.commit(2)
    await untilSigned(cluster, 'by-1')
    await cluster.stop('by-1')
    cluster.dropRequest = () => false
    cluster.elect('nw-1')
    cluster.commit(2)
    await cluster.settled(['be-1', 'nw-1'])
    await cluster.restart('by-1')
    cluster.commit(2)
    await cluster.settled()
    await assertEqualChains(cluster)
  })

  it('are caught up by a follower that was away for several terms', async () => {
    await using cluster = await Replicas.start()
    cluster.elect('by-1')
    cluster.commit(5)
    await cluster.settled()
    await cluster.stop('nw-1')
    for (const leader of ['be-1', 'by-1', 'be-1']) {
      cluster.elect(leader)
      cluster.commit(4)
      await cluster.settled(['by-1', 'be-1'])
    }
    await cluster.restart('nw-1')
    cluster.node('nw-1').group.notify()
    await cluster.settled()
    await assertEqualChains(cluster)
  })

  it('go on over more terms than a ledger holds open, and tell all of them to a new replica', async () => {
    await using cluster = await Replicas.start()
    cluster.elect('by-1')
    await cluster.settled()
    await cluster.stop('nw-1')
    for (let term = 0; term < ledgerLimits.openJournalsMax + 6; term += 1) {
      cluster.elect(term % 2 === 0 ? 'be-1' : 'by-1')
      await cluster.settled(['by-1', 'be-1'])
    }
    await cluster.restart('nw-1')
    cluster.node('nw-1').group.notify()
    await cluster.settled()
    await assertEqualChains(cluster)
    assert.equal(cluster.state('nw-1').sequence, ledgerLimits.openJournalsMax + 6)
  })

  it('make no progress without a majority and go on when it is back', async () => {
    await using cluster = await Replicas.start()
    cluster.elect('by-1')
    cluster.commit(5)
    await cluster.settled()
    await cluster.stop('nw-1')
    await cluster.stop('be-1')
    cluster.commit(5)
    await untilSigned(cluster, 'by-1')
    assert.ok(cluster.state('by-1').lagEntries > 0)
    assert.ok(cluster.state('by-1').unsignedBatches > 0)
    await cluster.restart('be-1')
    await cluster.settled(['by-1', 'be-1'])
    assert.ok((cluster.state('by-1').failuresTotal['no-quorum'] ?? 0) > 0)
  })
})

async function untilSigned(cluster: Replicas, nodeId: string): Promise<void> {
  await until(
    () => cluster.state(nodeId).unsignedBatches > 0,
    () => cluster.failures.join(' | '),
  )
}
