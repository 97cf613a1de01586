import assert from 'node:assert/strict'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { encodeEvent } from '../../../node/core/journal.ts'
import { Ledger, type StoredJournal } from '../../../node/io/ledger.ts'
import { sha256Hex } from '../../../node/io/ledger-cipher.ts'
import { entries, manifestOf, ownerKey, signerOf } from '../../unit/journal/fixtures.ts'

const signers = ['a', 'b', 'c'].map(signerOf)
const directories: string[] = []

async function threeReplicas(): Promise<{ ledgers: Ledger[]; journals: StoredJournal[] }> {
  const root = await mkdtemp(join(tmpdir(), 'ledger-'))
  directories.push(root)
  const ledgers = await Promise.all(
    signers.map((signer) => Ledger.open(join(root, signer.publicKey.slice(0, 8)), { signer, ownerKey })),
  )
  const journals = await Promise.all(ledgers.map((ledger) => ledger.open(manifestOf(signers))))
  return { ledgers, journals }
}

after(async () => {
  for (const directory of directories) await rm(directory, { recursive: true, force: true })
})

function batchOf(journal: StoredJournal, batch: number, from: number, to: number) {
  return journal.seal(
    batch,
    from,
    entries(from, to).map((entry) => encodeEvent(entry, sha256Hex)),
  )
}

describe('a ledger', () => {
  it('appends on every replica what two of three signed, with equal trees', async () => {
    const { ledgers, journals } = await threeReplicas()
    for (const [batch, from] of [1, 4, 9].entries()) {
      const sealed = journals.map((journal) => batchOf(journal, batch, from, from === 4 ? 8 : from + 2))
      const heads = journals.map((journal, at) => journal.headAfter([sealed[at] ?? assert.fail()]))
      assert.deepEqual(heads[1], heads[0])
      assert.deepEqual(heads[2], heads[0])
      const head = heads[0] ?? assert.fail()
      const signatures = [0, 2].map((signer) => ({
        signer,
        signature: journals[signer]?.sign(head) ?? assert.fail(),
      }))
      const certificate = journals[0]?.assemble(signatures) ?? assert.fail()
      for (const [at, journal] of journals.entries())
        await journal.append([sealed[at] ?? assert.fail()], certificate)
      for (const journal of journals) assert.deepEqual(journal.head(), head)
    }
    assert.equal(await journals[1]?.lastIndex(), 11)
    assert.deepEqual(await journals[1]?.batchAt(1), { firstIndex: 4, lastIndex: 8 })
    for (const ledger of ledgers) await ledger.close()
  })

  it('refuses one signature, one signature twice, a foreign signature and a signature of other bytes', async () => {
    const { ledgers, journals } = await threeReplicas()
    const [journal, other] = journals
    assert.ok(journal !== undefined && other !== undefined)
    const sealed = batchOf(journal, 0, 1, 3)
    const head = journal.headAfter([sealed])
    const otherHead = journal.headAfter([batchOf(journal, 0, 1, 2)])
    const mine = { signer: 0, signature: journal.sign(head) }
    const foreign = Buffer.from(signerOf('stranger').sign(Buffer.from('anything')), 'hex')
    for (const second of [
      [],
      [{ signer: 0, signature: mine.signature }],
      [{ signer: 1, signature: foreign }],
      [{ signer: 1, signature: other.sign(otherHead) }],
      [{ signer: 7, signature: other.sign(head) }],
    ]) {
      const certificate = journal.assemble([mine, ...second])
      assert.notEqual(journal.certificateFault(head, certificate), undefined)
      await assert.rejects(journal.append([sealed], certificate), { code: 'Forbidden' })
    }
    assert.equal(journal.batches, 0)
    for (const ledger of ledgers) await ledger.close()
  })

  it('opens in a directory that was moved, and never twice at once', async () => {
    const { ledgers } = await threeReplicas()
    for (const ledger of ledgers) await ledger.close()
    const root = directories.at(-1) ?? assert.fail()
    const signer = signers[0] ?? assert.fail()
    const moved = join(root, 'moved')
    await cp(join(root, signer.publicKey.slice(0, 8)), moved, { recursive: true })
    const ledger = await Ledger.open(moved, { signer, ownerKey })
    await assert.rejects(Ledger.open(moved, { signer, ownerKey }))
    await ledger.close()
  })

  it('keeps tree and leaf hashes when bodies are erased', async () => {
    const { ledgers, journals } = await threeReplicas()
    const journal = journals[0] ?? assert.fail()
    const other = journals[1] ?? assert.fail()
    for (let batch = 0; batch < 4; batch += 1) {
      const sealed = batchOf(journal, batch, 2 * batch + 1, 2 * batch + 2)
      const head = journal.headAfter([sealed])
      const signatures = [journal, other].map((one, signer) => ({ signer, signature: one.sign(head) }))
      await journal.append([sealed], journal.assemble(signatures))
    }
    const before = journal.head()
    for (const batch of [0, 1, 3]) await journal.eraseBody(batch)
    assert.deepEqual(journal.head(), before)
    assert.equal(await journal.block(0), undefined)
    assert.notEqual(await journal.block(1), undefined)
    assert.equal(await journal.isComplete(), true)
    assert.equal(journal.batches, 4)
    for (const ledger of ledgers) await ledger.close()
  })
})
