import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JournalManifest } from '../../../node/core/journal.ts'
import {
  decodeReply,
  decodeRequest,
  encodeMessage,
  type JournalReply,
} from '../../../node/services/journal-messages.ts'
import { type Replica, Replicas, until } from './replicas.ts'

/** Sends a `sign` as the current leader, with what a faulty one might say. */
async function ask(cluster: Replicas, to: Replica, changes: Record<string, unknown>): Promise<JournalReply> {
  const leader = cluster.leader ?? assert.fail('no leader')
  const journal = await newest(cluster, leader)
  const request = {
    kind: 'sign',
    term: cluster.term,
    manifest: journal.manifest,
    start: journal.batches,
    certificate: Buffer.from(journal.certificate() ?? []).toString('hex'),
    lastIndexes: [],
    ...changes,
  }
  const payload = encodeMessage(decodeRequest(rawMessage(request)))
  return decodeReply((await to.service.handle(leader, { groupId: 'catalog-1', payload })).payload)
}

function rawMessage(value: object): Uint8Array {
  return Buffer.concat([Buffer.of(1), Buffer.from(JSON.stringify(value))])
}

async function newest(cluster: Replicas, nodeId: string) {
  const { ledger } = cluster.node(nodeId)
  const manifests: JournalManifest[] = []
  for await (const { manifest } of ledger.list()) manifests.push(manifest)
  manifests.sort((a, b) => b.sequence - a.sequence)
  return ledger.open(manifests[0] ?? assert.fail('no journal'))
}

async function running(): Promise<Replicas> {
  const cluster = await Replicas.start()
  cluster.elect('by-1')
  cluster.commit(4)
  await cluster.settled()
  return cluster
}

describe('a replica', () => {
  it('does not sign two ends of one batch', async () => {
    await using cluster = await running()
    const follower = cluster.node('be-1')
    cluster.dropRequest = () => true
    cluster.commit(6)
    const first = await ask(cluster, follower, { lastIndexes: [7] })
    assert.equal(first.kind, 'signature')
    const second = await ask(cluster, follower, { lastIndexes: [8] })
    assert.ok(second.kind === 'refused' && second.why === 'conflict', JSON.stringify(second))
    assert.deepEqual(await ask(cluster, follower, { lastIndexes: [7] }), first, 'but the same one again')
  })

  it('does not sign two ends of one batch across a restart that loses everything not durable', async () => {
    await using cluster = await running()
    cluster.dropRequest = () => true
    cluster.commit(6)
    const first = await ask(cluster, cluster.node('be-1'), { lastIndexes: [7] })
    await cluster.stop('be-1')
    await cluster.restart('be-1', { powerLoss: true })
    const second = await ask(cluster, cluster.node('be-1'), { lastIndexes: [8] })
    assert.ok(second.kind === 'refused' && second.why === 'conflict', JSON.stringify(second))
    assert.deepEqual(await ask(cluster, cluster.node('be-1'), { lastIndexes: [7] }), first)
  })

  it('does not sign entries that are not committed in its own log', async () => {
    await using cluster = await running()
    const reply = await ask(cluster, cluster.node('be-1'), { lastIndexes: [cluster.log.length + 1] })
    assert.ok(reply.kind === 'refused' && reply.why === 'lagging', JSON.stringify(reply))
  })

  it('does not sign a fork: a journal that leaves out co-signed blocks, goes back, or has other signers', async () => {
    await using cluster = await running()
    cluster.elect('by-1')
    cluster.commit(3)
    await cluster.settled()
    cluster.dropRequest = () => true
    cluster.elect('by-1')
    cluster.commit(3)
    const follower = cluster.node('nw-1')
    const { manifest, key, batches } = await newest(cluster, 'by-1')
    const journal = await newest(cluster, 'by-1')
    const honest: JournalManifest = {
      ...manifest,
      term: cluster.term,
      sequence: manifest.sequence + 1,
      firstIndex: (await journal.lastIndex()) + 1,
      previous: { key, ...journal.head() },
    }
    const link = honest.previous ?? assert.fail()
    const forks: Record<string, JournalManifest> = {
      'cut off': { ...honest, previous: { ...link, length: link.length - 2 } },
      'other content': { ...honest, previous: { ...link, treeHash: '00'.repeat(32) } },
      'same place again': { ...honest, sequence: manifest.sequence, previous: manifest.previous },
      'from nothing': { ...honest, sequence: 0, firstIndex: 1, previous: undefined },
      'skipped entry': { ...honest, firstIndex: honest.firstIndex + 1 },
      'fewer signers': { ...honest, signers: honest.signers.slice(0, 2), quorum: 2 },
    }
    for (const [name, fork] of Object.entries(forks)) {
      const reply = await ask(cluster, follower, {
        manifest: fork,
        start: 0,
        certificate: undefined,
        lastIndexes: [cluster.log.length],
      })
      assert.ok(
        reply.kind === 'refused' && ['fork', 'signers'].includes(reply.why),
        `${name}: ${JSON.stringify(reply)}`,
      )
    }
    const weak = { ...honest, quorum: 1 }
    await assert.rejects(
      ask(cluster, follower, { manifest: weak, start: 0, lastIndexes: [cluster.log.length] }),
      {
        code: 'BadMessage',
      },
    )
    assert.ok(batches > 0)
    const honestReply = await ask(cluster, follower, {
      manifest: honest,
      start: 0,
      certificate: undefined,
      lastIndexes: [cluster.log.length],
    })
    assert.equal(honestReply.kind, 'signature', JSON.stringify(honestReply))
  })

  it('does not sign for a deposed leader, nor for an older one than it promised', async () => {
    await using cluster = await running()
    const deposed = await newest(cluster, 'by-1')
    cluster.elect('nw-1')
    cluster.commit(2)
    await cluster.settled()
    const follower = cluster.node('be-1')
    const request = {
      kind: 'sign',
      term: 1,
      manifest: deposed.manifest,
      start: deposed.batches,
      lastIndexes: [7],
    }
    const payload = encodeMessage(decodeRequest(rawMessage(request)))
    const fromOld = decodeReply(
      (await follower.service.handle('by-1', { groupId: 'catalog-1', payload })).payload,
    )
    assert.ok(fromOld.kind === 'refused' && fromOld.why === 'not-leader', JSON.stringify(fromOld))
    // Even if its Raft state fell back, the promise is in its rows.
    follower.group.term = 1
    follower.group.leader = 'by-1'
    const fenced = decodeReply(
      (await follower.service.handle('by-1', { groupId: 'catalog-1', payload })).payload,
    )
    assert.ok(fenced.kind === 'refused' && fenced.why === 'fenced', JSON.stringify(fenced))
  })
})

describe('a faulty replica', () => {
  it('that signs something else reaches no quorum and is named', async () => {
    await using cluster = await Replicas.start()
    cluster.elect('by-1')
    // nw-1 is away; be-1 answers with valid-looking signatures of other bytes.
    await cluster.stop('nw-1')
    cluster.tamper = (_from, payload) => {
      const reply = decodeReply(payload)
      if (reply.kind !== 'signature') return payload
      const other = cluster.node('be-1').signer.sign(Buffer.from('something else'))
      return encodeMessage({ kind: 'signature', signature: other })
    }
    cluster.commit(4)
    await until(
      () => (cluster.state('by-1').failuresTotal['bad-signature'] ?? 0) > 0,
      () => cluster.failures.join(' | '),
    )
    assert.equal(cluster.state('by-1').batches, 0)
    cluster.tamper = (_from, payload) => payload
    await cluster.settled(['by-1', 'be-1'])
  })

  it('with another log signs another tree, and the others go on without it', async () => {
    await using cluster = await running()
    const liar = cluster.node('be-1').group
    const honest = liar.entries.bind(liar)
    liar.entries = async (from, limit) =>
      (await honest(from, limit)).map((entry) => ({ ...entry, requestId: 'forged', actor: 'nobody' }))
    cluster.commit(5)
    await cluster.settled(['by-1', 'nw-1'])
    assert.ok(cluster.state('by-1').lagEntries === 0)
  })
})

describe('a restart', () => {
  it('after losing the hypercore tail derives it again from the log before signing', async () => {
    await using cluster = await running()
    cluster.commit(20)
    await cluster.settled()
    await cluster.stop('be-1')
    cluster.commit(3)
    await cluster.settled(['by-1', 'nw-1'])
    await cluster.restart('be-1', { deleteLedger: true })
    cluster.commit(2)
    await cluster.settled()
    const heads = await Promise.all(
      ['by-1', 'be-1', 'nw-1'].map(async (name) => (await newest(cluster, name)).head()),
    )
    assert.deepEqual(heads[1], heads[0])
    assert.deepEqual(heads[2], heads[0])
  })

  it('signs nothing while its log is not known to be committed as far as it has signed', async () => {
    await using cluster = await running()
    cluster.dropRequest = () => true
    cluster.commit(6)
    assert.equal((await ask(cluster, cluster.node('be-1'), { lastIndexes: [7] })).kind, 'signature')
    await cluster.stop('be-1')
    await cluster.restart('be-1')
    const { group } = cluster.node('be-1')
    group.committed = 5
    const reply = await ask(cluster, cluster.node('be-1'), { lastIndexes: [7] })
    assert.ok(reply.kind === 'refused' && reply.why === 'unready', JSON.stringify(reply))
    group.committed = cluster.log.length
    assert.equal((await ask(cluster, cluster.node('be-1'), { lastIndexes: [7] })).kind, 'signature')
  })

  it('of all replicas at once after a power loss continues the same chain', async () => {
    await using cluster = await running()
    cluster.elect('nw-1')
    cluster.commit(5)
    await cluster.settled()
    const names = cluster.nodes.map(({ nodeId }) => nodeId)
    for (const name of names) await cluster.stop(name)
    for (const name of names) await cluster.restart(name, { powerLoss: true, deleteLedger: true })
    cluster.elect('be-1')
    cluster.commit(5)
    await cluster.settled()
    const heads = await Promise.all(
      names.map(async (name) => JSON.stringify((await newest(cluster, name)).head())),
    )
    assert.equal(new Set(heads).size, 1)
  })

  it('needs no rows of batches that were flushed, and releases the log up to them', async () => {
    await using cluster = await running()
    for (let round = 0; round < 3; round += 1) {
      cluster.commit(5)
      await cluster.settled()
    }
    const { service, rows, group } = cluster.node('be-1')
    assert.ok(rows.keys().some((key) => key.includes('/batch/')))
    assert.equal(group.retained, 0, 'nothing may be compacted before a flush')
    await service.flush()
    assert.ok(!rows.keys().some((key) => key.includes('/batch/')))
    assert.equal(group.retained, cluster.log.length + 1)
    await cluster.stop('be-1')
    group.firstIndex = cluster.log.length
    await cluster.restart('be-1')
    cluster.commit(2)
    await cluster.settled()
  })
})

describe('a log that was compacted before a quorum could sign it', () => {
  it('leaves a gap that audits name, and journals go on behind it', async () => {
    await using cluster = await running()
    await cluster.stop('be-1')
    await cluster.stop('nw-1')
    cluster.commit(10)
    cluster.node('by-1').group.firstIndex = cluster.log.length - 2
    for (const name of ['be-1', 'nw-1']) {
      cluster.node(name).group.firstIndex = cluster.log.length - 2
      await cluster.restart(name)
    }
    cluster.elect('be-1')
    cluster.commit(3)
    await cluster.settled()
    assert.ok(cluster.nodes.some(({ nodeId }) => (cluster.state(nodeId).failuresTotal.gap ?? 0) > 0))
    const { faults } = await cluster.verify('be-1')
    assert.deepEqual(
      faults.map(({ message }) => message),
      ['entries 6 to 12 are in no journal'],
    )
  })
})
