import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { encodeEvent, type JournalManifest } from '../../../node/core/journal.ts'
import { encodeBody, encodeUserData } from '../../../node/core/journal-block.ts'
import { journalKeyOf } from '../../../node/io/ledger.ts'
import { JournalCipher, sealBatch, sha256Hex } from '../../../node/io/ledger-cipher.ts'
import { encodeCertificate, signable, verifySignature } from '../../../node/io/ledger-tree.ts'
import { entries, manifestOf, ownerKey, signerOf } from './fixtures.ts'

const golden = new URL('../../golden/journal/format-1.json', import.meta.url)

describe('journal format 1', () => {
  it('writes the bytes that earlier versions wrote', () => {
    const actual = renderAll()
    // Only for a new format: UPDATE_GOLDEN=journal writes the file that is then reviewed and committed.
    if (process.env.UPDATE_GOLDEN === 'journal')
      writeFileSync(golden, `${JSON.stringify(actual, undefined, 2)}\n`)
    assert.deepEqual(actual, JSON.parse(readFileSync(golden, 'utf8')))
  })
})

function renderAll(): Record<string, unknown> {
  const signers = [signerOf('a'), signerOf('b'), signerOf('c')]
  const first = manifestOf(signers)
  const next: JournalManifest = manifestOf(signers, {
    term: 4,
    sequence: 1,
    firstIndex: 7,
    previous: { key: journalKeyOf(first), length: 2, treeHash: '5a'.repeat(32) },
  })
  const events = entries(1, 6).map((entry) => encodeEvent(entry, sha256Hex))
  const cipher = new JournalCipher(ownerKey, journalKeyOf(first))
  const position = { batch: 0, firstIndex: 1, lastIndex: 6 }
  const [body, head] = sealBatch(first, cipher, position, { plaintext: encodeBody(events), events })
  const signed = { length: 2, treeHash: '5a'.repeat(32) }
  const signatures = signers.slice(0, 2).map((signer, at) => ({
    signer: at,
    signature: Buffer.from(signer.sign(signable(journalKeyOf(first), signed)), 'hex'),
  }))
  assert.ok(
    verifySignature(journalKeyOf(first), first.signers[1] ?? '', signed, signatures[1]?.signature ?? body),
  )
  return {
    events: events.map((event) => Buffer.from(event).toString()),
    userData: hex(encodeUserData(first)),
    userDataLinked: hex(encodeUserData(next)),
    journalKey: journalKeyOf(first),
    journalKeyLinked: journalKeyOf(next),
    body: hex(body),
    head: hex(head),
    salt: hex(cipher.salt(3)),
    certificate: hex(encodeCertificate(signatures)),
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
