import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { Auditor } from '../../../node/io/auditor.ts'
import { decodeAnnouncement, encodeAnnouncement, serveJournals } from '../../../node/io/auditor-channel.ts'
import { verifyJournals } from '../../../ops/cli/journal-verify.ts'
import { manifestOf, signerOf } from '../../unit/journal/fixtures.ts'
import { genesisOf } from './genesis.ts'
import { Replicas, realClock, until } from './replicas.ts'
import { TestSwarms } from './swarms.ts'

/** Waits until the auditor has every block that the leader has stored, of every journal. */
async function caughtUp(auditor: Auditor, cluster: Replicas): Promise<void> {
  const { ledger } = cluster.node('by-1')
  await until(
    async () => {
      const { journals } = auditor.state()
      for await (const { key, manifest } of ledger.list()) {
        const stored = 2 * (await ledger.open(manifest)).batches
        if (stored > 0 && !journals.some((one) => one.key === key && one.blocks >= stored)) return false
      }
      return journals.length > 0
    },
    () => JSON.stringify(auditor.state()),
  )
}

function openAuditor(
  cluster: Replicas,
  connections: Parameters<typeof serveJournals>[1],
  genesis = genesisOf(),
) {
  return Auditor.open({
    directory: join(cluster.root, 'auditor'),
    connections,
    maps: () => [genesis.map],
    clock: realClock,
    onFailure: (why, detail) => cluster.failures.push(`auditor ${why}: ${detail}`),
  })
}

describe('an auditor in no group', () => {
  it('gets every journal over hyperswarm, follows new terms, and its copy verifies offline', async () => {
    await using cluster = await Replicas.start()
    await using swarms = await TestSwarms.start()
    for (const { nodeId, ledger } of cluster.nodes) serveJournals(ledger, await swarms.join(nodeId))
    cluster.elect('by-1')
    cluster.commit(6)
    await cluster.settled()
    cluster.elect('nw-1')
    cluster.commit(6)
    await cluster.settled()
    const connections = await swarms.join('auditor')
    const auditor = await openAuditor(cluster, connections)
    await caughtUp(auditor, cluster)
    cluster.elect('be-1')
    cluster.commit(9)
    await cluster.settled()
    await caughtUp(auditor, cluster)
    const { journals, rejectedTotal, forksTotal } = auditor.state()
    assert.deepEqual(journals.map(({ sequence }) => sequence).sort(), [0, 1, 2])
    assert.deepEqual([rejectedTotal, forksTotal], [0, 0])
    await auditor.close()
    const report = await verifyJournals({ directory: join(cluster.root, 'auditor'), genesis: genesisOf() })
    assert.deepEqual(report.faults, [])
    assert.equal(report.groups[0]?.lastIndex, cluster.log.length)
    assert.ok(report.archivedHeads >= 3)
    const again = await openAuditor(cluster, connections)
    cluster.commit(3)
    await cluster.settled()
    await caughtUp(again, cluster)
    await again.close()
  })

  it('does not follow journals whose signers are not the voters of its genesis', async () => {
    await using cluster = await Replicas.start()
    await using swarms = await TestSwarms.start()
    for (const { nodeId, ledger } of cluster.nodes) serveJournals(ledger, await swarms.join(nodeId))
    cluster.elect('by-1')
    cluster.commit(6)
    await cluster.settled()
    const auditor = await openAuditor(
      cluster,
      await swarms.join('auditor'),
      genesisOf(['by-1', 'be-1', 'sn-1']),
    )
    await until(() => auditor.state().rejectedTotal > 0)
    assert.deepEqual(auditor.state().journals, [])
    await auditor.close()
  })
})

describe('a replica', () => {
  it('whose log is compacted and whose journals are gone fetches them from its peers', async () => {
    await using cluster = await Replicas.start()
    await using swarms = await TestSwarms.start()
    cluster.elect('by-1')
    for (let round = 0; round < 4; round += 1) {
      cluster.commit(5)
      await cluster.settled()
    }
    await cluster.stop('nw-1')
    cluster.node('nw-1').group.firstIndex = 18
    await cluster.restart('nw-1', { deleteLedger: true })
    for (const { nodeId, ledger } of cluster.nodes) serveJournals(ledger, await swarms.join(nodeId))
    cluster.commit(4)
    await cluster.settled()
    const report = await cluster.verify('nw-1')
    assert.deepEqual(report.faults, [])
    assert.deepEqual([report.groups[0]?.erasedBodies, report.groups[0]?.lastIndex], [0, cluster.log.length])
  })
})

describe('an announcement', () => {
  it('comes back as it went in and is refused when malformed', () => {
    const manifest = manifestOf(['a', 'b', 'c'].map(signerOf))
    const bytes = encodeAnnouncement([manifest])
    assert.deepEqual(decodeAnnouncement(bytes), [manifest])
    const text = Buffer.from(bytes).toString()
    for (const bad of [
      '',
      '\u0002[]',
      '\u0001{}',
      '\u0001[["00"]]',
      '\u0001[[]]',
      `${text}x`,
      text.replace('["', '["zz'),
    ]) {
      assert.equal(decodeAnnouncement(Buffer.from(bad)), undefined, bad)
    }
  })
})
