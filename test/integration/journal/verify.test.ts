import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import Corestore from 'corestore'
import { encodeEvent, type JournalManifest } from '../../../node/core/journal.ts'
import { HeadArchive } from '../../../node/io/auditor-archive.ts'
import { fromHypercoreManifest, Ledger } from '../../../node/io/ledger.ts'
import { sha256Hex } from '../../../node/io/ledger-cipher.ts'
import { leafNode, signable, type TreeNode } from '../../../node/io/ledger-tree.ts'
import { custodyOf, verifyJournals } from '../../../ops/cli/journal-verify.ts'
import { entries, ownerKey, signerOf } from '../../unit/journal/fixtures.ts'
import { genesisOf, names } from './genesis.ts'
import { Replicas } from './replicas.ts'

/** Three terms of journals; stopped, so that the directories can be read and changed. */
async function recorded(): Promise<Replicas> {
  const cluster = await Replicas.start()
  for (const leader of ['by-1', 'nw-1', 'be-1']) {
    cluster.elect(leader)
    cluster.commit(6)
    await cluster.settled()
    cluster.commit(5)
    await cluster.settled()
  }
  for (const name of names) await cluster.stop(name)
  return cluster
}

/** Opens the storage below hypercore, as someone with a hex editor would. */
async function forge(
  directory: string,
  sequence: number,
  change: (raw: RawCore) => Promise<void> | void,
): Promise<void> {
  const store = new Corestore(directory, { allowBackup: true })
  await store.ready()
  const ledgerKeys: { discoveryKey: Buffer; sequence: number }[] = []
  for await (const discoveryKey of store.list()) {
    const auth = await store.getAuth(discoveryKey)
    const manifest = fromHypercoreManifest(auth?.manifest ?? null)
    if (manifest !== undefined) ledgerKeys.push({ discoveryKey, sequence: manifest.sequence })
  }
  const wanted = ledgerKeys.find((one) => one.sequence === sequence) ?? assert.fail('no such journal')
  const storage = (await store.storage.resumeCore(wanted.discoveryKey)) ?? assert.fail('no core')
  const tx = (storage as unknown as { write(): RawCore & { flush(): Promise<void> } }).write()
  const reader = storage.read()
  const reads = Promise.all([reader.getHead(), reader.getBlock(0), reader.getBlock(1), reader.getBlock(2)])
  reader.tryFlush()
  const [head, ...blocks] = await reads
  await change(Object.assign(tx, { head: head ?? assert.fail(), blocks }))
  await tx.flush()
  await storage.close()
  await store.close()
}

interface RawCore {
  head: { fork: number; length: number; rootHash: Uint8Array; signature: Uint8Array | null }
  blocks: (Uint8Array | null)[]
  putBlock(index: number, bytes: Uint8Array): void
  deleteBlock(index: number): void
  putTreeNode(node: TreeNode): void
  setHead(head: object): void
}

async function faultsOf(directory: string, genesis = genesisOf(), withKey = false): Promise<string[]> {
  const report = await verifyJournals({ directory, genesis, ...(withKey ? { journalKey: ownerKey } : {}) })
  assert.equal(report.ok, report.faults.length === 0)
  return report.faults.map(({ sequence, message }) => `${sequence} ${message}`)
}

describe('journal verify', () => {
  it('accepts what the replicas wrote, counts erased bodies and finds the custody record of an object', async () => {
    await using cluster = await recorded()
    const { directory, signer } = cluster.node('be-1')
    const ledger = await Ledger.open(directory, { signer, ownerKey })
    for await (const { manifest } of ledger.list()) {
      if (manifest.sequence === 1) await (await ledger.open(manifest)).eraseBody(0)
    }
    await ledger.close()
    const seen: unknown[] = []
    const isWanted = custodyOf('k/4')
    const report = await verifyJournals({
      directory,
      genesis: genesisOf(),
      journalKey: ownerKey,
      onEvent: ({ event }) => {
        if (isWanted(event)) seen.push(`${event.index} ${event.kind}`)
      },
    })
    assert.deepEqual(report.faults, [])
    const [group] = report.groups
    assert.deepEqual(
      [group?.journals.length, group?.firstIndex, group?.lastIndex],
      [3, 1, cluster.log.length],
    )
    assert.equal(group?.erasedBodies, 1)
    assert.deepEqual(seen, ['4 put-version', '5 delete-object'])
  })

  it('names a flipped byte in a body, in a head, and one that was hashed anew', async () => {
    await using cluster = await recorded()
    const flip = (bytes: Uint8Array | null | undefined): Buffer => {
      const changed = Buffer.from(bytes ?? assert.fail('no block'))
      const at = changed.byteLength - 3
      changed[at] = (changed[at] ?? 0) ^ 1
      return changed
    }
    await forge(cluster.node('by-1').directory, 0, (raw) => raw.putBlock(0, flip(raw.blocks[0])))
    const inBody = await faultsOf(cluster.node('by-1').directory)
    assert.ok(
      inBody.some((fault) => fault.startsWith('0 block 0 was changed')),
      inBody.join('; '),
    )
    await forge(cluster.node('be-1').directory, 1, (raw) => raw.putBlock(1, flip(raw.blocks[1])))
    const inHead = await faultsOf(cluster.node('be-1').directory)
    assert.ok(
      inHead.some((fault) => fault.startsWith('1 block 1 was changed')),
      inHead.join('; '),
    )
    await forge(cluster.node('nw-1').directory, 0, (raw) => {
      const changed = flip(raw.blocks[0])
      raw.putBlock(0, changed)
      raw.putTreeNode(leafNode(0, changed))
    })
    const rehashed = await faultsOf(cluster.node('nw-1').directory)
    assert.ok(
      rehashed.some((fault) => fault.startsWith('0 the head of length 4 names another tree')),
      rehashed.join('; '),
    )
  })

  it('names a truncated journal: a head that nobody signed, a link or an archived head beyond the end', async () => {
    await using cluster = await recorded()
    const { directory } = cluster.node('by-1')
    const copy = join(cluster.root, 'audit')
    await cp(directory, join(copy, 'journals'), { recursive: true })
    const archive = await HeadArchive.open(join(copy, 'heads.jsonl'))
    const report = await verifyJournals({ directory, genesis: genesisOf() })
    const last = report.groups[0]?.journals.at(-1) ?? assert.fail()
    await archive.append([
      {
        groupId: 'catalog-1',
        sequence: 2,
        key: last.key,
        length: last.length,
        treeHash: last.treeHash,
        certificate: Buffer.from(last.certificate ?? []).toString('hex'),
        seenMs: 0,
      },
    ])
    await archive.close()
    assert.deepEqual(await faultsOf(copy), [])
    for (const sequence of [0, 2]) {
      await forge(join(copy, 'journals'), sequence, (raw) =>
        raw.setHead({ ...raw.head, length: 2, timestamp: 0 }),
      )
    }
    const faults = await faultsOf(copy)
    for (const expected of [
      /^0 no quorum for length 2/,
      /^1 journal 0 is truncated: it has 2 of 4 blocks/,
      /^2 no quorum for length 2/,
      /^2 truncated: it has 2 blocks, a quorum signed 4/,
    ]) {
      assert.ok(
        faults.some((fault) => expected.test(fault)),
        `${expected}: ${faults.join('; ')}`,
      )
    }
  })

  it('names a missing signature, a missing block and a missing journal', async () => {
    await using cluster = await recorded()
    await forge(cluster.node('by-1').directory, 1, (raw) =>
      raw.setHead({ ...raw.head, signature: null, timestamp: 0 }),
    )
    const unsigned = await faultsOf(cluster.node('by-1').directory)
    assert.ok(
      unsigned.some((fault) => /^1 no quorum for length 4: head has no signature/.test(fault)),
      unsigned.join('; '),
    )
    await forge(cluster.node('be-1').directory, 1, (raw) => raw.deleteBlock(1))
    const holed = await faultsOf(cluster.node('be-1').directory)
    assert.ok(
      holed.some((fault) => /^1 block 1 \(head of batch 0\) is missing/.test(fault)),
      holed.join('; '),
    )
    await forge(cluster.node('nw-1').directory, 0, (raw) =>
      raw.setHead({ ...raw.head, length: 0, timestamp: 0 }),
    )
    const gone = await faultsOf(cluster.node('nw-1').directory)
    assert.ok(
      gone.some((fault) => /^1 journal 0 is truncated: it has 0 of 4/.test(fault)),
      gone.join('; '),
    )
  })

  it('names a head that one replica alone has signed', async () => {
    await using cluster = await recorded()
    await forge(cluster.node('by-1').directory, 2, (raw) => {
      const signature = Buffer.from(raw.head.signature ?? assert.fail())
      raw.setHead({
        ...raw.head,
        signature: Buffer.concat([Buffer.of(1), signature.subarray(1, 67), Buffer.of(0)]),
        timestamp: 0,
      })
    })
    const single = await faultsOf(cluster.node('by-1').directory)
    assert.ok(
      single.some((fault) => /1 of 2 signatures needed/.test(fault)),
      single.join('; '),
    )
  })

  it('names foreign signers, even with a valid quorum, and signers that are not the voters', async () => {
    await using cluster = await recorded()
    const { directory } = cluster.node('by-1')
    const foreign = await faultsOf(directory, genesisOf(['by-1', 'be-1', 'sn-1']))
    assert.ok(
      foreign.some((fault) => /foreign signer/.test(fault)),
      foreign.join('; '),
    )
    const fewer = genesisOf([...names, 'sn-1', 'hh-1'])
    const minority = await faultsOf(directory, fewer)
    assert.ok(
      minority.some((fault) => /not the voters/.test(fault)),
      minority.join('; '),
    )
    const later = { ...genesisOf(['by-1', 'be-1', 'sn-1']) }
    const report = await verifyJournals({ directory, genesis: later, maps: [genesisOf().map] })
    assert.deepEqual(report.faults, [], 'a later map may vouch for the signers')
  })

  it('names a fork: a second journal in the same place, signed by a real majority', async () => {
    await using cluster = await recorded()
    const { directory, signer } = cluster.node('by-1')
    const accomplice = signerOf('be-1')
    const ledger = await Ledger.open(directory, { signer, ownerKey })
    let honest: JournalManifest | undefined
    for await (const { manifest } of ledger.list()) if (manifest.sequence === 1) honest = manifest
    const forked = await ledger.open({ ...(honest ?? assert.fail()), term: 7 })
    const { firstIndex } = forked.manifest
    const events = entries(firstIndex, firstIndex + 2).map((entry) => encodeEvent(entry, sha256Hex))
    const batch = forked.seal(0, firstIndex, events)
    const head = forked.headAfter([batch])
    const second = Buffer.from(accomplice.sign(signable(forked.key, head)), 'hex')
    const order = (key: string) => forked.manifest.signers.indexOf(key)
    await forked.append(
      [batch],
      forked.assemble([
        { signer: order(signer.publicKey), signature: forked.sign(head) },
        { signer: order(accomplice.publicKey), signature: second },
      ]),
    )
    await ledger.close()
    const faults = await faultsOf(directory)
    assert.ok(
      faults.some((fault) => /^1 forked/.test(fault)),
      faults.join('; '),
    )
  })

  it('exits with 1 and says what is broken on the command line, with 0 when nothing is', async () => {
    await using cluster = await recorded()
    const { directory } = cluster.node('by-1')
    const genesis = join(cluster.root, 'genesis.json')
    const key = join(cluster.root, 'journal.key')
    await writeFile(genesis, JSON.stringify(genesisOf()))
    await writeFile(key, ownerKey.toString('hex'))
    const script = fileURLToPath(new URL('../../../ops/cli/journal-verify.ts', import.meta.url))
    const run = (...args: string[]) =>
      promisify(execFile)(process.execPath, ['--import', 'tsx', script, directory, ...args]).then(
        ({ stdout }) => ({ code: 0, stdout }),
        (error: { code: number; stdout: string }) => ({ code: error.code, stdout: error.stdout }),
      )
    const good = await run('--journal-key', key, '--key', 'k/4')
    assert.equal(good.code, 0, good.stdout)
    assert.match(good.stdout, /"kind":"put-version".*"key":"k\/4"/)
    assert.match(good.stdout, /verified: every block/)
    await writeFile(genesis, JSON.stringify({ ...genesisOf(), signatures: {} }))
    assert.equal((await run('--genesis', genesis)).code, 1, 'a founding document that nobody signed')
    await writeFile(genesis, JSON.stringify(genesisOf()))
    await forge(directory, 0, (raw) => raw.deleteBlock(3))
    const bad = await run('--genesis', genesis)
    assert.equal(bad.code, 1)
    assert.match(bad.stdout, /BROKEN catalog-1 journal 0 .*block 3 \(head of batch 1\) is missing/)
  })
})
